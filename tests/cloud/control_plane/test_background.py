"""Asynchronous invokes are run, and tried again as Lambda does."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from infra.cloud.agenda import Agenda
from infra.cloud.background import EventInvokes
from infra.cloud.clock import Clock
from infra.cloud.function import FunctionVersion, Outcome
from infra.cloud.functions import EventInvokeConfig, Resolved
from infra.cloud.refusal import InvokeRefused

# A minute of cloud time in 200 ms.
RATE = 300.0


def target(config: EventInvokeConfig | None = None) -> Resolved:
    """A function whose asynchronous invokes have this configuration."""
    version = FunctionVersion(
        account_id="1",
        region="us-east-1",
        name="sample",
        version="1",
        handler="app.handler",
        runtime="python3.12",
        code=Path(),
        code_sha256="",
    )
    return Resolved(version, f"{version.arn}:live", None, config or EventInvokeConfig())


def outcome(error: bool) -> Outcome:
    """What came of an attempt."""
    return Outcome(
        request_id="r",
        payload=b"",
        function_error="Unhandled" if error else None,
        executed_version="1",
        environment_id="e",
        cold=False,
        init_ms=None,
        duration_ms=1,
        billed_ms=1,
        max_memory_mb=1,
        log_tail=b"",
    )


class Attempts:
    """Answers attempts as a list says, and remembers when they came."""

    def __init__(self) -> None:
        self.clock = Clock(RATE)
        self.agenda = Agenda(self.clock)
        self.answers: list[Callable[[], Outcome]] = []
        self.seen: queue.Queue[tuple[datetime, Resolved]] = queue.Queue()
        self.events = EventInvokes(self.agenda, self._run, self.resolve)
        self.found: Resolved | Exception = target()

    def resolve(self, region: str, arn: str) -> Resolved:
        """What the ARN reaches now."""
        assert (region, arn) == ("us-east-1", target().invoked_arn)
        if isinstance(self.found, Exception):
            raise self.found
        return self.found

    def times(self, count: int) -> list[datetime]:
        """When the first `count` attempts came."""
        return [self.seen.get(timeout=5)[0] for _ in range(count)]

    def _run(self, reached: Resolved, payload: bytes, request_id: str) -> Outcome:
        assert (payload, len(request_id)) == (b"{}", 36)
        self.seen.put((self.clock.now(), reached))
        return self.answers.pop(0)()


@pytest.fixture
def attempts() -> Iterator[Attempts]:
    """Nothing is queued."""
    made = Attempts()
    yield made
    made.agenda.close()
    made.events.close()


def throttled() -> Outcome:
    """429."""
    raise InvokeRefused(429, "TooManyRequestsException", "Rate Exceeded.")


def failed() -> Outcome:
    """A function error."""
    return outcome(error=True)


def gaps(moments: list[datetime]) -> list[float]:
    """Seconds of cloud time between attempts."""
    return [(later - earlier).total_seconds() for earlier, later in pairwise(moments)]


def logged(caplog: pytest.LogCaptureFixture, text: str) -> bool:
    """Whether that is logged within five seconds."""
    deadline = time.monotonic() + 5
    while text not in caplog.text and time.monotonic() < deadline:
        time.sleep(0.01)
    return text in caplog.text


def test_a_success_is_the_end(attempts: Attempts) -> None:
    """It is run once, at once."""
    attempts.answers = [lambda: outcome(error=False)]
    attempts.events.submit("us-east-1", target(), b"{}")
    attempts.times(1)
    with pytest.raises(queue.Empty):
        attempts.seen.get(timeout=0.1)


@pytest.mark.aws(
    "Lambda developer guide: How Lambda handles errors and retries with asynchronous invocation",
    "An asynchronous invoke that fails is tried again after one minute, and after two",
)
def test_a_function_error_is_tried_twice_again(
    attempts: Attempts, caplog: pytest.LogCaptureFixture
) -> None:
    """After one minute, then after two; then it is dropped, and that is said."""
    attempts.answers = [failed] * 3
    attempts.events.submit("us-east-1", target(), b"{}")
    first, second = gaps(attempts.times(3))
    assert (first >= 60, second >= 120) == (True, True)
    assert logged(caplog, "dropped: RetriesExhausted")


@pytest.mark.aws(
    "Lambda developer guide: How Lambda handles errors and retries with asynchronous invocation",
    "MaximumRetryAttempts says how often",
)
def test_the_configuration_says_how_often(
    attempts: Attempts, caplog: pytest.LogCaptureFixture
) -> None:
    """No retries, as the warmer has it."""
    attempts.answers = [failed]
    attempts.events.submit("us-east-1", target(EventInvokeConfig(0, 60)), b"{}")
    assert logged(caplog, "dropped: RetriesExhausted")
    assert attempts.seen.qsize() == 1


@pytest.mark.aws(
    "Lambda developer guide: How Lambda handles errors and retries with asynchronous invocation",
    "A throttled event is tried again, ever later",
)
def test_a_throttle_is_tried_again_ever_later(attempts: Attempts) -> None:
    """It does not count as an error of the function."""
    attempts.answers = [throttled, throttled, throttled, lambda: outcome(error=False)]
    attempts.events.submit("us-east-1", target(EventInvokeConfig(0)), b"{}")
    found = gaps(attempts.times(4))
    assert [gap >= least for gap, least in zip(found, (1, 2, 4), strict=True)] == [True] * 3


@pytest.mark.aws(
    "Lambda developer guide: How Lambda handles errors and retries with asynchronous invocation",
    "An event past MaximumEventAgeInSeconds is dropped",
)
def test_an_old_invoke_is_dropped(attempts: Attempts, caplog: pytest.LogCaptureFixture) -> None:
    """The second retry would come after the maximum age."""
    attempts.answers = [failed] * 3
    attempts.events.submit("us-east-1", target(EventInvokeConfig(2, 170)), b"{}")
    attempts.times(2)
    assert logged(caplog, "dropped: EventAgeExceeded")


def test_what_is_refused_is_dropped(attempts: Attempts, caplog: pytest.LogCaptureFixture) -> None:
    """The function was deleted in the meantime."""
    attempts.found = InvokeRefused(404, "ResourceNotFoundException", "Function not found: sample")
    attempts.events.submit("us-east-1", target(), b"{}")
    assert logged(caplog, "dropped: Function not found: sample")


def test_each_attempt_reaches_what_the_alias_names_then(attempts: Attempts) -> None:
    """It may have moved since the invoke was taken."""
    moved = replace(target(), version=replace(target().version, version="2"))
    attempts.found, attempts.answers = moved, [lambda: outcome(error=False)]
    attempts.events.submit("us-east-1", target(), b"{}")
    assert attempts.seen.get(timeout=5)[1].version.version == "2"


def test_an_unexpected_error_is_logged(
    attempts: Attempts, caplog: pytest.LogCaptureFixture
) -> None:
    """And later invokes are run."""

    def fail() -> Any:
        raise RuntimeError("no good")

    attempts.answers = [fail, lambda: outcome(error=False)]
    attempts.events.submit("us-east-1", target(), b"{}")
    attempts.times(1)
    attempts.events.submit("us-east-1", target(), b"{}")
    attempts.times(1)
    assert logged(caplog, "no good")
