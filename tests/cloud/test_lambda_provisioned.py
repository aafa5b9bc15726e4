"""Provisioned concurrency: environments that are there before the requests.

Source: AWS Lambda developer guide, "Configuring provisioned concurrency for a function".
"""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from infra.cloud.function import FunctionVersion
from infra.cloud.provisioner import Provisioned
from tests.cloud.conftest import Running, Start
from tests.cloud.sample_function import (
    Together,
    deploy,
    descendants,
    process_states,
    request,
    wait_until,
)
from warmer.errors import ConfigurationError, Throttled

_TELL = """
import os, time
def handler(event, context):
    time.sleep(event.get("sleep", 0))
    if event.get("exit"):
        os._exit(1)
    return os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]
"""


def _ready(running: Running, version: FunctionVersion, count: int) -> None:
    running.plane.provision(version, count)
    wait_until(lambda: running.plane.provisioned(version) == Provisioned(count, count, 0, "READY"))


@pytest.mark.aws(
    "Lambda developer guide: Configuring provisioned concurrency for a function",
    "Provisioned environments are initialised ahead, and told so",
)
def test_environments_are_made_ahead_and_frozen(start: Start, tmp_path: Path) -> None:
    """They are initialised without a request, wait frozen, and the function is told its INIT type.

    AWS page: "Configuring provisioned concurrency for a function"; the variable is in "Defined
    runtime environment variables".
    """
    running, version = start(), deploy(tmp_path, _TELL, version="1")
    _ready(running, version, 2)
    assert running.ledger.invocations() == ()
    pids = [record.pid for record in running.ledger.environments()]
    functions = {max(descendants(pid)) for pid in pids if pid is not None}
    wait_until(lambda: process_states(functions) == {"T"})
    outcome = running.plane.invoke(version, request(version))
    assert json.loads(outcome.payload) == "provisioned-concurrency"
    assert (outcome.cold, outcome.init_ms) == (False, None)
    assert outcome.billed_ms < outcome.duration_ms + 1  # no INIT in it
    assert len(running.ledger.environments()) == 2
    assert running.ledger.invocations()[0].provisioned is True


@pytest.mark.aws(
    "Lambda developer guide: Configuring provisioned concurrency for a function",
    "What they cannot take spills over to on-demand environments",
)
def test_what_they_cannot_take_spills_over(start: Start, tmp_path: Path) -> None:
    """A request beyond the provisioned concurrency gets an on-demand environment, with its INIT.

    AWS page: "Configuring provisioned concurrency for a function" (spill-over).
    """
    running, version = start(), deploy(tmp_path, _TELL, version="1")
    _ready(running, version, 1)
    together = Together()
    for _ in range(2):
        together.start(running.plane, version, {"sleep": 0.7})
    together.join()
    told = {json.loads(outcome.payload): outcome.cold for outcome in together.outcomes}
    assert told == {"provisioned-concurrency": False, "on-demand": True}
    assert {record.provisioned for record in running.ledger.invocations()} == {True, False}
    # The next request goes to the provisioned one, although the other was used last.
    for _ in range(3):
        outcome = running.plane.invoke(version, request(version))
        assert json.loads(outcome.payload) == "provisioned-concurrency"


@pytest.mark.aws(
    "Lambda developer guide: Configuring provisioned concurrency for a function",
    "They are kept however long they are idle",
)
def test_they_are_kept_beyond_the_idle_lifetime(start: Start, tmp_path: Path) -> None:
    """T ends the on-demand environment and not the provisioned one.

    AWS page: "Configuring provisioned concurrency for a function".
    """
    running, version = start(idle_seconds=0.5), deploy(tmp_path, _TELL, version="1")
    _ready(running, version, 1)
    other = deploy(tmp_path, _TELL, version="2")
    running.plane.invoke(other, request(other))
    wait_until(lambda: [item.version for item in running.plane.environments()] == ["1"])
    assert not running.plane.invoke(version, request(version)).cold


@pytest.mark.aws(
    "Lambda developer guide: Configuring provisioned concurrency for a function",
    "One that ends is replaced",
)
def test_one_that_dies_is_replaced(start: Start, tmp_path: Path) -> None:
    """An exit during a request and a kill while idle each bring a new environment.

    AWS page: "Configuring provisioned concurrency for a function".
    """
    running, version = start(), deploy(tmp_path, _TELL, version="1")
    _ready(running, version, 1)
    failed = running.plane.invoke(version, request(version, {"exit": True}))
    assert failed.function_error == "Unhandled"
    _ready(running, version, 1)
    (record,) = running.ledger.alive()
    assert record.pid is not None
    os.kill(record.pid, signal.SIGKILL)
    wait_until(lambda: len(running.ledger.environments()) == 3)
    _ready(running, version, 1)
    assert not running.plane.invoke(version, request(version)).cold
    assert len(running.plane.environments()) == 1


@pytest.mark.aws(
    "Lambda developer guide: Understanding the Lambda execution environment lifecycle",
    "The maximum lifetime holds for provisioned environments too",
    how="option",
)
def test_one_that_is_too_old_is_replaced(start: Start, tmp_path: Path) -> None:
    """The maximum lifetime holds for provisioned environments too; the number stays.

    AWS page: "Understanding the Lambda execution environment lifecycle".
    """
    running, version = start(max_lifetime_seconds=1.0), deploy(tmp_path, _TELL, version="1")
    _ready(running, version, 1)
    wait_until(lambda: len(running.ledger.environments()) == 2)
    assert running.ledger.environments()[0].end_reason == "lifetime"
    _ready(running, version, 1)


@pytest.mark.aws(
    "Lambda API reference: DeleteProvisionedConcurrencyConfig",
    "Fewer or none takes environments away",
)
def test_fewer_and_none_take_environments_away(start: Start, tmp_path: Path) -> None:
    """A lower number ends the surplus, a busy one after its request; 0 ends them all.

    AWS page: API reference, "DeleteProvisionedConcurrencyConfig".
    """
    running, version = start(), deploy(tmp_path, _TELL, version="1")
    _ready(running, version, 2)
    together = Together()
    together.start(running.plane, version, {"sleep": 0.6})
    wait_until(lambda: running.plane.provisioned(version) == Provisioned(2, 2, 1, "READY"))
    running.plane.provision(version, 1)
    assert running.plane.provisioned(version) == Provisioned(1, 1, 1, "READY")
    assert [view.state for view in running.plane.environments()] == ["busy"]
    running.plane.provision(version, 0)
    assert running.plane.provisioned(version) is None
    together.join()
    assert together.outcomes[0].function_error is None
    assert running.plane.environments() == ()


@pytest.mark.aws(
    "Lambda API reference: GetProvisionedConcurrencyConfig",
    "A failing INIT gives status FAILED with the reason",
)
def test_a_failing_init_is_told_and_not_repeated(start: Start, tmp_path: Path) -> None:
    """The status is FAILED with the reason, and no request was needed to find out.

    AWS page: API reference, "GetProvisionedConcurrencyConfig".
    """
    running, version = start(), deploy(tmp_path, "1 / 0\n", version="1")
    running.plane.provision(version, 2)

    def failed() -> bool:
        status = running.plane.provisioned(version)
        return status is not None and status.status == "FAILED"

    wait_until(failed)
    status = running.plane.provisioned(version)
    assert status is not None
    assert "FUNCTION_ERROR_INIT_FAILURE" in status.reason
    wait_until(lambda: running.plane.environments() == ())
    assert len(running.ledger.environments()) <= 2
    running.plane.flush_logs()
    assert any("INIT_REPORT" in line and "error" in line for line in running.logs.messages())


@pytest.mark.aws(
    "Lambda developer guide: Understanding Lambda function scaling",
    "Provisioned concurrency is set aside from the account's",
)
def test_it_is_set_aside_from_the_accounts_concurrency(start: Start, tmp_path: Path) -> None:
    """Other functions cannot use what is provisioned.

    AWS page: "Understanding Lambda function scaling".
    """
    running = start(account_concurrency=1)
    version, other = deploy(tmp_path, version="1"), deploy(tmp_path, name="other")
    _ready(running, version, 1)
    with pytest.raises(Throttled) as refused:
        running.plane.invoke(other, request(other))
    assert refused.value.reason == "ConcurrentInvocationLimitExceeded"
    assert running.plane.invoke(version, request(version)).function_error is None
    running.plane.provision(version, 0)
    assert running.plane.invoke(other, request(other)).function_error is None


@pytest.mark.aws(
    "Lambda API reference: DeleteFunction", "With its function provisioned concurrency goes"
)
def test_retired_ones_are_not_replaced(start: Start, tmp_path: Path) -> None:
    """With a function its provisioned concurrency goes, and what was set aside for it.

    AWS page: API reference, "DeleteFunction".
    """
    running = start(account_concurrency=1)
    version, other = deploy(tmp_path, version="1"), deploy(tmp_path, name="other")
    _ready(running, version, 1)
    running.plane.retire("sample")
    assert running.plane.environments() == ()
    assert running.plane.provisioned(version) is None
    assert running.plane.invoke(other, request(other)).function_error is None
    assert [view.function for view in running.plane.environments()] == ["other"]


def test_a_negative_number_is_refused(start: Start, tmp_path: Path) -> None:
    """The error names what was wrong."""
    with pytest.raises(ConfigurationError, match="provisioned concurrency is -1"):
        start().plane.provision(deploy(tmp_path), -1)


def test_closing_while_environments_are_made_leaves_nothing(start: Start, tmp_path: Path) -> None:
    """A slow INIT ahead of requests does not hold up the end."""
    running = start()
    version = deploy(tmp_path, "import time\ntime.sleep(60)\n", version="1")
    running.plane.provision(version, 4)
    wait_until(lambda: len(running.plane.environments()) >= 1)
    running.plane.close()
    assert running.plane.environments() == ()
    assert all(record.end_reason == "closed" for record in running.ledger.environments())
