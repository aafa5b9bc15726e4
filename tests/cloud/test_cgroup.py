"""Control groups as they are written, for both versions; a folder stands for the kernel's."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.cloud import cgroup as cgroup_module
from infra.cloud.cgroup import Cgroup, Cgroups, CgroupsRefused, Controller


def _texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


def test_version_1_has_a_folder_for_each_controller(tmp_path: Path) -> None:
    """Memory is limited in bytes, processor time by a quota in each period of 20 ms."""
    memory, cpu = tmp_path / "memory", tmp_path / "cpu"
    memory.mkdir()
    cpu.mkdir()
    group = Cgroup({"memory": memory, "cpu": cpu}, unified=False, memory_mb=3538)
    group.limit_memory()
    group.limit_cpu()
    assert _texts(memory) == {"memory.limit_in_bytes": str(3538 * 2**20)}
    assert _texts(cpu) == {"cpu.cfs_period_us": "20000", "cpu.cfs_quota_us": "40000"}
    assert group.joins == (cpu / "cgroup.procs", memory / "cgroup.procs")


def test_version_2_has_one_folder(tmp_path: Path) -> None:
    """Limits are memory.max and cpu.max; a process joins once; swap is shut where it is counted."""
    (tmp_path / "memory.swap.max").write_text("max")
    group = Cgroup({"memory": tmp_path, "cpu": tmp_path}, unified=True, memory_mb=1769)
    group.limit_memory()
    group.limit_cpu()
    assert _texts(tmp_path) == {
        "memory.max": str(1769 * 2**20),
        "memory.swap.max": "0",
        "cpu.max": "20000 20000",
    }
    assert group.joins == (tmp_path / "cgroup.procs",)


@pytest.mark.parametrize(
    ("unified", "name"), [(False, "memory.oom_control"), (True, "memory.events")]
)
def test_a_kill_at_the_limit_is_seen(tmp_path: Path, unified: bool, name: str) -> None:
    """The kernel counts its kills; other events of the group are none."""
    group = Cgroup({"memory": tmp_path}, unified=unified, memory_mb=128)
    (tmp_path / name).write_text("low 1\noom 3\nunder_oom 1\noom_kill 0\n")
    assert not group.out_of_memory()
    (tmp_path / name).write_text("oom_kill_disable 0\noom_kill 1\noom_group_kill 0\n")
    assert group.out_of_memory()


def test_without_the_memory_controller_nothing_is_out_of_memory(tmp_path: Path) -> None:
    """A group for processor time alone limits and tells nothing of memory."""
    group = Cgroup({"cpu": tmp_path}, unified=False, memory_mb=128)
    group.limit_memory()
    assert not group.out_of_memory()
    assert _texts(tmp_path) == {}


def test_version_2_takes_a_neighbour_where_our_own_group_has_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A group with processes passes no controllers on; the one above it may."""
    own = tmp_path / "own"
    (own / "cgroup.subtree_control").mkdir(parents=True)  # reading it fails, as writing would
    (tmp_path / "cgroup.subtree_control").write_text("cpu memory")
    mount = cgroup_module._Mount("memory", True, tmp_path, own)
    made: list[Path] = []

    def pass_on(folder: Path, controller: Controller) -> None:
        if folder.name == "cloud":
            made.append(folder)
        else:
            original(folder, controller)

    original = cgroup_module._pass_on
    monkeypatch.setattr(cgroup_module, "_pass_on", pass_on)
    assert cgroup_module._make_base(mount, "cloud") == tmp_path / "cloud"
    assert made == [tmp_path / "cloud"]


def test_controllers_that_cannot_be_had_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal says which controller, or which folder and why."""
    monkeypatch.setattr(cgroup_module, "_own_groups", lambda: {"": "/"})
    unknown: Controller = "hugepages"  # type: ignore[assignment]  # what no kernel has
    with pytest.raises(CgroupsRefused, match="hugepages"):
        Cgroups((unknown,))
