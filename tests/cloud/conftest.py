"""What tests of the local cloud share: the runtime environment, and data planes that get closed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra.cloud.dataplane import DataPlane
from infra.cloud.ledger import Ledger
from infra.cloud.settings import CloudSettings
from tests.cloud.sample_function import Recorder

_RUNTIME = Path(__file__).resolve().parents[2] / ".tools" / "runtime"


@dataclass(frozen=True)
class Running:
    """A data plane with what it was given."""

    plane: DataPlane
    ledger: Ledger
    logs: Recorder


Start = Callable[..., Running]


@pytest.fixture(scope="session")
def runtime() -> Path:
    """The interpreter environment with awslambdaric that `make setup` creates."""
    assert (_RUNTIME / "ready").exists(), "run `make setup` first"
    return _RUNTIME


@pytest.fixture
def cloud_settings(tmp_path: Path, runtime: Path) -> Callable[..., CloudSettings]:
    """Makes settings with a state folder of the test's own."""

    def make(**changes: Any) -> CloudSettings:
        state = tmp_path / "state"
        state.mkdir(exist_ok=True)
        return CloudSettings(**({"runtime": runtime, "state": state} | changes))

    return make


@pytest.fixture
def start(cloud_settings: Callable[..., CloudSettings]) -> Iterator[Start]:
    """Starts data planes; they are closed after the test."""
    planes: list[DataPlane] = []

    def begin(**changes: Any) -> Running:
        ledger, logs = Ledger(), Recorder()
        planes.append(DataPlane(cloud_settings(**changes), ledger, logs))
        return Running(planes[-1], ledger, logs)

    yield begin
    for plane in planes:
        plane.close()
