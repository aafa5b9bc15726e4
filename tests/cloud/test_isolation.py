"""What is said, and refused, where environments cannot have namespaces."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from infra.cloud.isolation import not_isolated, refuse_unisolated
from tests.cloud.conftest import Start
from tests.cloud.sample_function import deploy, request
from warmer.errors import CloudError


def test_with_namespaces_files_that_can_be_read_are_said() -> None:
    """The machine's other files are all that environments share then."""
    (sentence,) = not_isolated("namespaces", "private")
    assert "read this machine's files" in sentence


def test_a_shared_network_is_said() -> None:
    """With what follows from it: what is reached, and whose the ports are."""
    network, _ = not_isolated("namespaces", "shared")
    assert "share the network" in network
    assert "port" in network


def test_without_namespaces_all_that_is_shared_is_said() -> None:
    """Files, /tmp, layers, ephemeral storage and what is not frozen."""
    said = "\n".join(not_isolated("process", "shared"))
    for word in ("network", "/tmp", "files and processes", "layers", "storage", "frozen"):
        assert word in said


def test_a_machine_without_the_tools_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As macOS is: not even isolation "process" works there, and the error says what would."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CloudError, match=r"lacks setpriv: run the cloud in a Linux"):
        not_isolated("process", "shared")


@pytest.mark.aws(
    "Lambda developer guide: Managing Lambda dependencies with layers",
    "Layers without namespaces, where there is no /opt of one's own",
    how="refused",
)
def test_a_function_with_layers_is_refused_without_namespaces(start: Start, tmp_path: Path) -> None:
    """It would look for them in an /opt that is the machine's."""
    running, version = start(isolation="process", network="shared"), deploy(tmp_path)
    with pytest.raises(CloudError, match=r"has layers.*no /opt"):
        running.plane.invoke(replace(version, layers=(tmp_path,)), request(version))
    assert running.plane.environments() == ()


@pytest.mark.aws(
    "Lambda developer guide: Configure ephemeral storage for Lambda functions",
    "Ephemeral storage other than 512 MB without namespaces",
    how="refused",
)
def test_more_ephemeral_storage_is_refused_without_namespaces(tmp_path: Path) -> None:
    """No limit would be enforced."""
    version = replace(deploy(tmp_path), ephemeral_storage_mb=1024)
    with pytest.raises(CloudError, match=r"1024 MB of ephemeral storage"):
        refuse_unisolated(version)
