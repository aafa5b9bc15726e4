"""Waves through the real adapter, sockets and time."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from tests.fleet.endpoint import Failure, Function, serving
from warmer.aws import LambdaInvoker
from warmer.cli.ping import ping
from warmer.fleet import DispatchSpread, Outcome, Target, run_wave


@pytest.mark.parametrize("init_seconds", [0.0, 0.2])
def test_a_wave_proves_ten_environments(init_seconds: float) -> None:
    """Ten pings over HTTP meet ten environments, whether INIT is quick or outlasts the hold."""
    digits = Function(init_seconds=init_seconds)
    with serving({"digits:live": digits}) as url:
        invoker = LambdaInvoker(endpoint_url=url)
        report = run_wave(Target("digits", "live", 10), invoker)

    assert report.proven == 10
    assert report.proven + len(report.spares) == digits.started
    assert report.ok
    assert report.sent == digits.invokes


def test_short_holds_are_made_up_for() -> None:
    """A hold far too short is doubled from round to round until the pings overlap."""
    digits = Function()
    spread = DispatchSpread(ms_per_ping=0.01, latency_ms=0.01)
    with serving({"digits:live": digits}) as url:
        invoker = LambdaInvoker(endpoint_url=url)
        reports = [run_wave(Target("digits", "live", 10), invoker, spread=spread) for _ in "1234"]

    assert reports[-1].proven == 10


def test_an_environment_that_caps_holds_is_told_in_the_problems() -> None:
    """Where the receiver returns at once nothing overlaps: bounded rounds, an honest count."""
    digits = Function(max_hold_seconds=0.0)
    with serving({"digits": digits}) as url:
        invoker = LambdaInvoker(endpoint_url=url)
        report = run_wave(Target("digits", None, 30), invoker)

    assert report.proven == digits.started
    assert report.rounds <= 3
    assert report.ok or "WARMER_MAX_HOLD_MS" in report.problems[0]


def test_the_command_prints_a_table_and_succeeds() -> None:
    """`warmer ping` shows asked and proven; exit code 0."""
    with serving({"digits:live": Function()}) as url:
        result = CliRunner().invoke(
            ping, ["digits", "--qualifier", "live", "-n", "3", "--endpoint-url", url]
        )

    assert result.exit_code == 0
    assert "3 of 3" in result.output


def test_the_command_prints_json() -> None:
    """`--json` prints the report as one object."""
    with serving({"digits:live": Function()}) as url:
        result = CliRunner().invoke(ping, ["digits:live", "--json", "--endpoint-url", url])

    assert result.exit_code == 0
    said = json.loads(result.stdout)
    assert (said["ok"], said["asked"], said["outcomes"]) == (True, 1, {Outcome.PROVEN: 1})


def test_the_command_fails_when_not_all_are_proven() -> None:
    """Exit code 1, and the problem in a sentence."""
    undecorated = Failure(status=200, body={"label": 7})
    with serving({"digits": undecorated}) as url:
        result = CliRunner().invoke(ping, ["digits", "--concurrency", "5", "--endpoint-url", url])

    assert result.exit_code == 1
    assert "0 of 5" in result.output
    assert "@warmer.warmable" in result.output.replace("\n", " ")
    assert undecorated.invokes == 1
