"""What a function can and cannot see of the machine and of other environments."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.cloud import dataplane as dataplane_module
from infra.cloud import sandbox as sandbox_module
from infra.cloud.sandbox import SandboxFactory, namespaces_refused
from infra.cloud.settings import CloudSettings
from tests.cloud.conftest import Start
from tests.cloud.sample_function import Together, call, deploy, evaluate, processes_naming, request
from warmer.errors import CloudError, ConfigurationError


def test_tmp_is_private_and_survives_between_requests(start: Start, tmp_path: Path) -> None:
    """A file in /tmp is there for the next request, and is not in the machine's /tmp."""
    running, version = start(), deploy(tmp_path)
    name = f"/tmp/{tmp_path.name}-kept"
    evaluate(running.plane, version, f"open({name!r}, 'w').close()")
    assert evaluate(running.plane, version, "os.listdir('/tmp')") == [Path(name).name]
    assert not Path(name).exists()


def test_environments_do_not_share_tmp(start: Start, tmp_path: Path) -> None:
    """What one environment leaves in /tmp, another of the same version does not find."""
    running, version = start(), deploy(tmp_path)
    together = Together()
    expression = "[open('/tmp/' + str(os.times().elapsed), 'w').close(), time.sleep(0.5)] and "
    for _ in range(2):
        together.start(running.plane, version, {"run": expression + "len(os.listdir('/tmp'))"})
    together.join()
    assert [outcome.payload for outcome in together.outcomes] == [b"1", b"1"]
    assert len({outcome.environment_id for outcome in together.outcomes}) == 2


@pytest.mark.aws(
    "Lambda developer guide: Configure ephemeral storage for Lambda functions",
    "/tmp is an environment's own, of the configured size",
)
def test_tmp_has_the_size_that_was_configured(start: Start, tmp_path: Path) -> None:
    """Ephemeral storage is the size of /tmp.

    AWS page: "Configure ephemeral storage for Lambda functions".
    """
    running, version = start(), deploy(tmp_path, ephemeral_storage_mb=700)
    status = "os.statvfs('/tmp').f_blocks * os.statvfs('/tmp').f_frsize"
    assert evaluate(running.plane, version, status) == 700 * 1024 * 1024


def test_package_is_at_var_task_and_read_only(start: Start, tmp_path: Path) -> None:
    """The package is the working directory /var/task, where nothing can be written."""
    running, version = start(), deploy(tmp_path)
    assert evaluate(running.plane, version, "os.getcwd()") == "/var/task"
    assert evaluate(running.plane, version, "os.listdir('.')") == ["app.py"]
    answer = call(running.plane, version, {"run": "open('/var/task/x', 'w')"})
    assert answer["errorType"] == "OSError"
    assert "Read-only" in answer["errorMessage"]


def test_root_file_system_is_read_only(start: Start, tmp_path: Path) -> None:
    """A function can change nothing on the machine's root file system."""
    running, version = start(), deploy(tmp_path)
    answer = call(running.plane, version, {"run": "os.mkdir('/usr/warmer-was-here')"})
    assert answer["errorType"] == "OSError"
    assert not Path("/usr/warmer-was-here").exists()


def test_nothing_of_the_machine_is_changed(start: Start, tmp_path: Path) -> None:
    """No folder or mount appears on the machine while an environment runs."""

    def seen() -> tuple[str, set[Path], set[Path]]:
        mounts = Path("/proc/self/mounts").read_text()
        return mounts, set(Path("/var").iterdir()), set(Path("/opt").iterdir())

    before = seen()
    running, version = start(), deploy(tmp_path)
    call(running.plane, version)
    assert before == seen()


def test_only_lambdas_folders_are_in_var_and_opt(start: Start, tmp_path: Path) -> None:
    """The machine's /var and /opt, and the user's home, are not shown."""
    running, version = start(), deploy(tmp_path)
    assert evaluate(running.plane, version, "sorted(os.listdir('/var'))") == ["lang", "task"]
    assert evaluate(running.plane, version, "os.listdir('/dev/shm')") == []
    seen = evaluate(running.plane, version, f"os.path.exists({str(Path.home() / '.bashrc')!r})")
    assert seen is False


def test_runtime_is_at_var_lang(start: Start, tmp_path: Path) -> None:
    """The interpreter is /var/lang/bin/python3, and awslambdaric comes from there."""
    running, version = start(), deploy(tmp_path)
    assert evaluate(running.plane, version, "sys.executable") == "/var/lang/bin/python3"
    file = evaluate(running.plane, version, "sys.modules['awslambdaric'].__file__")
    assert file.startswith("/var/lang/lib/")


def test_function_is_not_pid_1_and_sees_only_its_own_processes(
    start: Start, tmp_path: Path
) -> None:
    """/proc is the environment's own: a small init, the function, and nothing else."""
    running, version = start(), deploy(tmp_path)
    pid = evaluate(running.plane, version, "os.getpid()")
    numbers = "sorted(int(name) for name in os.listdir('/proc') if name.isdigit())"
    assert evaluate(running.plane, version, numbers) == [1, pid]
    assert pid != 1


@pytest.mark.aws(
    "Lambda developer guide: Managing Lambda dependencies with layers",
    "Layers are merged in /opt, later ones over earlier ones",
)
def test_layers_are_merged_in_opt(start: Start, tmp_path: Path) -> None:
    """Modules of layers can be imported; of two equal files the later layer's counts.

    AWS page: "Managing Lambda dependencies with layers" (a later layer may overwrite files).
    """
    for number in (1, 2):
        python = tmp_path / f"layer{number}" / "python"
        python.mkdir(parents=True)
        (python / "both.py").write_text(f"value = {number}\n")
        (python / f"only{number}.py").write_text("")
    version = deploy(tmp_path, layers=(tmp_path / "layer1", tmp_path / "layer2"))
    running = start()
    values = "[__import__('both').value, bool(__import__('only1')), bool(__import__('only2'))]"
    assert evaluate(running.plane, version, values) == [2, True, True]
    assert evaluate(running.plane, version, "os.listdir('/opt')") == ["python"]


def test_variables_are_lambdas_and_the_functions_own_only(start: Start, tmp_path: Path) -> None:
    """A function gets the variables that Lambda sets and its own, and nothing of the cloud's."""
    os.environ["LEAKED_FROM_THE_CLOUD"] = "1"
    try:
        running = start(endpoint_url="http://localhost:5000")
        own = {"GREETING": 'it\'s $HOME \\ "x"\nsecond line', "pid": "7", "TZ": ":Europe/Vienna"}
        version = deploy(tmp_path, variables=own, version="3", init_type="on-demand")
        seen = evaluate(running.plane, version, "dict(os.environ)")
    finally:
        del os.environ["LEAKED_FROM_THE_CLOUD"]
    assert {key: seen[key] for key in own} == own
    assert "LEAKED_FROM_THE_CLOUD" not in seen
    assert seen["AWS_LAMBDA_FUNCTION_NAME"] == "sample"
    assert seen["AWS_LAMBDA_FUNCTION_VERSION"] == "3"
    assert seen["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "1769"
    assert seen["AWS_LAMBDA_INITIALIZATION_TYPE"] == "on-demand"
    assert seen["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.12"
    assert seen["AWS_ENDPOINT_URL"] == "http://localhost:5000"
    assert seen["LAMBDA_TASK_ROOT"] == seen["PWD"] == "/var/task"
    assert seen["_HANDLER"] == "app.handler"
    unknown = {key for key in seen if not key.startswith(("AWS_", "LAMBDA_"))} - set(own)
    expected = {"LANG", "LD_LIBRARY_PATH", "PATH", "PWD", "PYTHONPATH", "_HANDLER"}
    # Python adds LC_CTYPE by itself on a machine without the locale en_US.
    assert unknown - {"_X_AMZN_TRACE_ID", "LC_CTYPE"} == expected


def test_a_function_cannot_replace_reserved_variables(start: Start, tmp_path: Path) -> None:
    """The variables that Lambda reserves keep Lambda's values."""
    version = deploy(tmp_path, variables={"AWS_LAMBDA_FUNCTION_NAME": "another"})
    seen = evaluate(start().plane, version, "os.environ['AWS_LAMBDA_FUNCTION_NAME']")
    assert seen == "sample"


def test_open_files_are_limited_as_on_lambda(start: Start, tmp_path: Path) -> None:
    """A function may open 1,024 files, whatever the cloud may."""
    limit = "__import__('resource').getrlimit(__import__('resource').RLIMIT_NOFILE)"
    assert evaluate(start().plane, deploy(tmp_path), limit) == [1024, 1024]


def test_folders_may_have_blanks_in_their_names(start: Start, tmp_path: Path) -> None:
    """A package in a folder with blanks and a backslash in its name runs."""
    folder = tmp_path / "a folder \\ with\tblanks"
    folder.mkdir()
    assert call(start().plane, deploy(folder))["calls"] == 1


def test_a_plain_user_gets_the_same_through_a_user_namespace(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within a user namespace, as anybody but root needs, isolation is complete too."""
    monkeypatch.setattr(
        dataplane_module,
        "SandboxFactory",
        lambda settings, accepted: SandboxFactory(settings, accepted, user_namespace=True),
    )
    running, version = start(), deploy(tmp_path)
    assert evaluate(running.plane, version, "sorted(os.listdir('/var'))") == ["lang", "task"]
    assert evaluate(running.plane, version, "open('/proc/self/uid_map').read().split()[2]") == "1"
    assert running.plane.invoke(version, request(version)).max_memory_mb > 5


def test_without_namespaces_a_function_still_runs(start: Start, tmp_path: Path) -> None:
    """With isolation "process" the package runs where it is, with a TMPDIR of its own."""
    # Names that the launcher might use itself must be the function's alone.
    variables = {"python": "/bin/false", "procs": "p", "pid": "7"}
    running = start(isolation="process", network="shared")
    version = deploy(tmp_path, variables=variables)
    assert evaluate(running.plane, version, "os.getcwd()") == str(version.code)
    assert evaluate(running.plane, version, "os.environ['python']") == "/bin/false"
    temporary = evaluate(running.plane, version, "os.environ['TMPDIR']")
    assert temporary.startswith(str(tmp_path))
    running.plane.close()
    assert not Path(temporary).exists()
    assert processes_naming(str(tmp_path)) == set()


def test_a_machine_without_namespaces_is_told_what_to_do(
    cloud_settings: Callable[..., CloudSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the kernel refuses namespaces, the error names the reason and the way out."""
    monkeypatch.setattr(sandbox_module, "_UNSHARE", ("sh", "-c", "echo not permitted >&2; exit 1"))
    assert namespaces_refused() == "not permitted"
    with pytest.raises(CloudError, match=r"not permitted.*isolation='process'"):
        SandboxFactory(cloud_settings())


def test_missing_tools_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without util-linux the reason says which tool is missing."""
    monkeypatch.setenv("PATH", "/nonexistent")
    assert namespaces_refused() == "unshare is not installed (package util-linux)"


def test_a_sandbox_that_cannot_be_made_is_a_clear_error(start: Start, tmp_path: Path) -> None:
    """When the package has gone, the invoke fails with what the launcher said; nothing is left."""
    running, version = start(), deploy(tmp_path)
    (version.code / "app.py").unlink()
    version.code.rmdir()
    with pytest.raises(CloudError, match=version.code.name):
        call(running.plane, version)
    assert running.plane.environments() == ()
    assert [record.status for record in running.ledger.invocations()] == ["failed"]
    assert call(running.plane, deploy(tmp_path))["calls"] == 1


def test_a_missing_layer_is_a_clear_error(start: Start, tmp_path: Path) -> None:
    """A layer that is not there fails the invoke by its name, and leaves no folder."""
    running, version = start(), deploy(tmp_path, layers=(tmp_path / "gone",))
    with pytest.raises(CloudError, match="gone"):
        call(running.plane, version)
    assert list((tmp_path / "state" / "environments").iterdir()) == []


def test_settings_without_a_runtime_say_how_to_make_one(tmp_path: Path) -> None:
    """A runtime folder without an interpreter is refused with the remedy."""
    with pytest.raises(ConfigurationError, match="make setup"):
        CloudSettings(runtime=tmp_path, state=tmp_path)
