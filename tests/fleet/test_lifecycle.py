"""The event with which CodeDeploy invokes a hook."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.warmer.test_ping import JSON
from warmer.errors import ConfigurationError
from warmer.fleet.lifecycle import LifecycleEvent

IDS = ("DeploymentId", "LifecycleEventHookExecutionId")


def test_the_ids_are_read() -> None:
    """Both, whatever else CodeDeploy may add."""
    event = {"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "e-1", "More": 1}
    assert LifecycleEvent.read(event) == LifecycleEvent("d-1", "e-1")


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (None, "the event is None; expected an object with DeploymentId"),
        ([], "the event is 'of type list'; expected an object"),
        ({}, "DeploymentId is None; expected the id that CodeDeploy sends"),
        ({"DeploymentId": 7}, "DeploymentId is 'of type int'"),
        ({"DeploymentId": ""}, "DeploymentId is ''"),
        ({"DeploymentId": "d-1"}, "LifecycleEventHookExecutionId is None"),
        (
            {"DeploymentId": "d-1", "LifecycleEventHookExecutionId": {"a": 1}},
            "LifecycleEventHookExecutionId is 'of type dict'",
        ),
        ({"DeploymentId": "line\nbreak"}, "DeploymentId is 'line"),
    ],
)
def test_another_event_is_refused(event: object, said: str) -> None:
    """The error names the key, its value and what was expected."""
    with pytest.raises(ConfigurationError) as raised:
        LifecycleEvent.read(event)
    assert said in str(raised.value)


@given(
    JSON
    | st.fixed_dictionaries(
        {"DeploymentId": JSON, "LifecycleEventHookExecutionId": JSON | st.text()}
    )
)
@example({"DeploymentId": "\ud800"})
@example({"DeploymentId": 10**5000})
@example({"DeploymentId": "d" * 5000})
def test_any_event_is_one_or_refused(event: object) -> None:
    """No other exception, and no text that a log could not hold."""
    try:
        found = LifecycleEvent.read(event)
    except ConfigurationError as error:
        assert len(str(error).encode()) < 500
    else:
        assert found.deployment_id.isprintable()
