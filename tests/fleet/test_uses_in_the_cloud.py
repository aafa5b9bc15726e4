"""Users' requests, read from the logs of real execution environments that are pinged too."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from tests.fleet.test_guidance_uses import Watching
from tests.fleet.test_in_the_cloud import DECORATED, Account, package, running, wait_for
from tests.fleet.test_use_log import line
from warmer.aws import LambdaInvoker
from warmer.aws.functions import FunctionSettings
from warmer.aws.log_reader import LogReader
from warmer.fleet import Target, WaveReport
from warmer.fleet.discovery import TargetSources
from warmer.fleet.guidance import Guidance
from warmer.fleet.memory import Memory
from warmer.fleet.run import warm
from warmer.fleet.upkeep import Upkeep
from warmer.fleet.use_log import MOST_REPORTS, PATTERN, UseLog, Wanted
from warmer.fleet.versions import LiveVersions

Warmer = Callable[..., tuple[Upkeep, Watching]]
OWN = "/aws/lambda/{}"


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """A cloud in real time."""
    yield from running(tmp_path_factory, 1)


@pytest.fixture
def reader(account: Account, monkeypatch: pytest.MonkeyPatch) -> Iterator[LogReader]:
    """Reads through FilterLogEvents."""
    for name, value in account.cloud.environment({}).items():
        monkeypatch.setenv(name, value)
    made = LogReader()
    yield made
    made.close()


@pytest.fixture
def warmer(reader: LogReader) -> Iterator[Warmer]:
    """Makes warmers that ping through Lambda's Invoke and read through FilterLogEvents."""
    settings = FunctionSettings()

    def send(targets: Sequence[Target], deadline: float) -> list[WaveReport]:
        return warm(targets, LambdaInvoker(), deadline=deadline)

    def make(*functions: str) -> tuple[Upkeep, Watching]:
        policy = Watching(hold=2, pause=0.0)
        targets = tuple(Target(name, None, 2) for name in functions)
        made = Upkeep(TargetSources(targets), send, LiveVersions(settings), memory=Memory())
        made.guidance = Guidance("it", policy, use_log=UseLog(reader))
        return made, policy

    yield make
    settings.close()


def run(made: Upkeep) -> tuple[str, ...]:
    """A run of the warmer; what it notes."""
    return made.run(time.monotonic() + 60).notes


def reports(account: Account, group: str) -> list[dict[str, Any]]:
    """The reports in a log group, pings' too."""
    client = account.client("logs")
    found = client.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    if not found:
        return []
    events = client.filter_log_events(logGroupName=group, filterPattern=PATTERN)["events"]
    return list(events)


@pytest.mark.parametrize(
    "logging",
    [
        pytest.param({}, id="text"),
        pytest.param({"LogFormat": "JSON"}, id="json"),
        pytest.param({"LogGroup": "shared"}, id="another-group"),
    ],
)
def test_a_policy_is_told_of_users_and_not_of_pings(
    account: Account, warmer: Warmer, logging: dict[str, str]
) -> None:
    """Whatever the format and the log group; the first request was cold, and took its time."""
    name = account.function(LoggingConfig=logging)
    group = logging.get("LogGroup", OWN.format(name))
    client = account.client("lambda")
    client.invoke(FunctionName=name, Payload=b'{"sleep": 0.2}')
    wait_for(lambda: len(reports(account, group)) == 1, "the first report")
    made, policy = warmer(name)
    run(made)
    client.invoke(FunctionName=name)
    pings = account.pings(name).total()
    wait_for(lambda: len(reports(account, group)) == 2 + pings, "all reports")
    run(made)

    told = [use for look in policy.looks if look.uses is not None for use in look.uses.requests]
    records = account.cloud.ledger()["invocations"]
    users = [one for one in records if one["function"] == name and not one["ping"]]
    assert pings > 0
    assert [use.cold for use in told] == [True, False]
    assert [use.at for use in told] == pytest.approx([one["started"] for one in users], abs=0.5)
    assert told[0].seconds == pytest.approx(users[0]["duration_ms"] / 1000, abs=0.001)
    assert told[0].init_seconds == pytest.approx(users[0]["init_ms"] / 1000, abs=0.001)


def test_a_log_without_reports_of_pings_is_noted(
    account: Account, warmer: Warmer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the system log level WARN; the policy is asked as for a function without a log."""
    monkeypatch.setattr("warmer.fleet.use_log.OVERDUE_SECONDS", 0.0)
    monkeypatch.setattr("warmer.fleet.use_log.SETTLE_SECONDS", 0.0)
    levels = {"LogFormat": "JSON", "SystemLogLevel": "WARN"}
    name = account.function(
        LoggingConfig=levels, Code={"ZipFile": package(f"print(1)\n{DECORATED}")}
    )
    made, policy = warmer(name)
    run(made)
    groups = account.client("logs").describe_log_groups
    prefix = OWN.format(name)
    wait_for(lambda: groups(logGroupNamePrefix=prefix)["logGroups"], "a log group")
    (note,) = run(made)

    assert "has no reports of pings" in note
    assert [look.uses for look in policy.looks] == [None, None]


def test_of_a_busy_log_the_latest_reports_are_read(account: Account, reader: LogReader) -> None:
    """Twenty a second came: a look after ten minutes reads 200 seconds of them, at once."""
    logs, group, stream = account.client("logs"), "busy", "2026/11/23/[7]" + "0a" * 16
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName=stream)

    def log_until(moment: float) -> None:
        """Ten minutes of reports, as PutLogEvents takes them."""
        for first in range(0, 12_000, 6000):
            events = [
                {"timestamp": int((moment - 600 + at / 20) * 1000), "message": line(f"r{at}", 1.0)}
                for at in range(first, first + 6000)
            ]
            logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)

    use_log, now = UseLog(reader), float(int(time.time()))
    wanted = Wanted("busy:7", "busy", "7", group, now - 1140)
    log_until(now - 600)
    use_log.look([wanted], now - 600)
    log_until(now)
    asked = use_log.requests
    uses = use_log.look([wanted], now)[wanted.key].uses

    assert uses.since == pytest.approx(now - MOST_REPORTS / 20, abs=1.0)
    assert len(uses.requests) == pytest.approx(MOST_REPORTS, rel=0.01)
    assert min(use.at for use in uses.requests) >= uses.since - 0.01
    assert use_log.requests - asked == 1
