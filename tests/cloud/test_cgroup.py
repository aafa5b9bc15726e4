"""Control groups as they are written, for both versions; a folder stands for the kernel's."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

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


def _group(folder: Path, processes: str = "", root: bool = False) -> Path:
    """A folder that stands for a group of version 2."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cgroup.subtree_control").write_text("")
    (folder / "cgroup.procs").write_text(processes)
    if not root:
        (folder / "cgroup.type").write_text("domain\n")
    return folder


def test_version_2_takes_a_neighbour_of_a_group_with_processes(tmp_path: Path) -> None:
    """Whatever the controller: a process can be in one group only."""
    top = _group(tmp_path, root=True)
    own = _group(tmp_path / "slice" / "own", processes="4711\n")
    _group(tmp_path / "slice")
    for controller in ("memory", "cpu"):
        mount = cgroup_module._Mount(controller, True, top, own)
        assert cgroup_module._parent(mount) == tmp_path / "slice"


def test_version_2_takes_the_root_itself(tmp_path: Path) -> None:
    """It is exempt from the rule that groups with processes have none with limits below them."""
    top = _group(tmp_path, processes="1\n", root=True)
    mount = cgroup_module._Mount("memory", True, top, top)
    assert cgroup_module._parent(mount) == top


def test_a_namespaces_top_group_with_processes_is_refused(tmp_path: Path) -> None:
    """As in a container without a group to spare: nothing beside it can be reached."""
    top = _group(tmp_path, processes="1\n")
    with pytest.raises(OSError, match="no group beside it can be reached"):
        cgroup_module._parent(cgroup_module._Mount("memory", True, top, top))


def test_a_group_with_processes_is_not_made_one_of_threads(tmp_path: Path) -> None:
    """The kernel would let it pass cpu on, and no process could then be in a group below it."""
    group = _group(tmp_path, processes="4711\n")
    with pytest.raises(OSError, match="processes are in it"):
        cgroup_module._pass_on(group, "cpu")
    assert (group / "cgroup.subtree_control").read_text() == ""


UNIFIED = next(
    (
        Path(line.split()[4])
        for line in Path("/proc/self/mountinfo").read_text().splitlines()
        if " - cgroup2 " in line
    ),
    None,
)


@pytest.mark.skipif(
    UNIFIED is None or not os.access(UNIFIED / "cgroup.procs", os.W_OK),
    reason="no hierarchy of version 2 can be written here",
)
def test_a_kernel_accepts_the_groups_of_version_2(tmp_path: Path) -> None:
    """Below a neighbour of a group with a process, made with whatever controller is to be had."""
    assert UNIFIED is not None
    controllers = (UNIFIED / "cgroup.controllers").read_text().split()
    if not controllers:
        pytest.skip("version 1 has all controllers")
    controller: Any = controllers[0]
    passed_on = (UNIFIED / "cgroup.subtree_control").read_text().split()
    own = UNIFIED / f"warmer-test-{os.getpid()}" / "own"
    own.mkdir(parents=True)
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        try:
            cgroup_module._pass_on(UNIFIED, controller)
            (own / "cgroup.procs").write_text(str(sleeper.pid))
            mount = cgroup_module._Mount(controller, True, UNIFIED, own)
            base = cgroup_module._make_base(mount, "cloud")
            assert base == own.parent / "cloud"
            assert controller in (base / "cgroup.subtree_control").read_text().split()
            group = base / "environment"
            group.mkdir()
            cgroup_module._try(Cgroup({controller: group}, unified=True, memory_mb=128))
            assert not group.exists()
        finally:
            sleeper.kill()
            sleeper.wait()
            for folder in (own.parent / "cloud" / "environment", own.parent / "cloud", own):
                cgroup_module._remove(folder)
            cgroup_module._remove(own.parent)
            if controller not in passed_on:
                (UNIFIED / "cgroup.subtree_control").write_text(f"-{controller}")


def test_a_group_that_no_process_can_join_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found when the cloud starts, not when a function does."""
    monkeypatch.setattr(cgroup_module, "_REMOVAL_LIMIT_SECONDS", 0.0)
    group = Cgroup({"cpu": tmp_path / "gone"}, unified=True, memory_mb=1769)
    (tmp_path / "gone").mkdir()
    (tmp_path / "gone" / "cgroup.procs").mkdir()  # as writing to it fails
    with pytest.raises(OSError, match="no process can join"):
        cgroup_module._try(group)


def test_controllers_that_cannot_be_had_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal says which controller, or which folder and why."""
    monkeypatch.setattr(cgroup_module, "_own_groups", lambda: {"": "/"})
    unknown: Controller = "hugepages"  # type: ignore[assignment]  # what no kernel has
    with pytest.raises(CgroupsRefused, match="hugepages"):
        Cgroups((unknown,))
