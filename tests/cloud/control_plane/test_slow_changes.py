"""A change of a stack that takes long goes on when its caller has gone."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from moto.cloudformation.exceptions import ValidationError

from infra.cloud import stacks
from infra.cloud.resources_lambda import Alias
from tests.cloud.control_plane.conftest import ControlPlane
from tests.cloud.control_plane.test_stacks import release


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Aliases are made when this is set; nobody waits for them longer than a moment."""
    go = threading.Event()
    create = Alias.create

    def wait(self: Alias) -> None:
        assert go.wait(10)
        create(self)

    monkeypatch.setattr(Alias, "create", wait)
    monkeypatch.setattr(stacks, "_PATIENCE_SECONDS", 0.01)
    return go


def ended(stack: Any) -> str:
    """The status of a stack once it is no longer changing."""
    deadline = time.monotonic() + 10
    while stack.status.endswith("_IN_PROGRESS"):
        assert time.monotonic() < deadline, stack.status
        time.sleep(0.01)
    return str(stack.status)


def test_the_caller_of_a_slow_change_does_not_wait(
    control: ControlPlane, held: threading.Event
) -> None:
    """It sees that the stack is changing, and later that it has changed."""
    told = threading.Event()
    stacks.install(told.set)
    stack = control.deploy(release(control, 1))
    assert (stack.status, told.is_set()) == ("CREATE_IN_PROGRESS", False)
    held.set()
    assert told.wait(10)
    assert ended(stack) == "CREATE_COMPLETE"
    assert control.functions.resolve("sample", "live").version.version == "1"


def test_a_stack_changes_once_at_a_time(control: ControlPlane, held: threading.Event) -> None:
    """Another change is refused until the first has ended."""
    stack = control.deploy(release(control, 1))
    with pytest.raises(ValidationError, match=r"CREATE_IN_PROGRESS state and can not be updated"):
        control.deploy(release(control, 2))
    held.set()
    ended(stack)
    assert ended(control.deploy(release(control, 2))) == "UPDATE_COMPLETE"
