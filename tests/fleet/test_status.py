"""What the warmer's log lines say of what is warm."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import example, given
from hypothesis import strategies as st

from tests.fleet.pool import MemoryPool
from tests.warmer.test_ping import JSON
from warmer.aws.logs import LogEvent
from warmer.cli import status as command
from warmer.errors import ConfigurationError
from warmer.fleet import Target, run_wave
from warmer.fleet.status import LifetimeSeen, never_waved, observe, statuses

NOW = 1_800_000_000.0


def line(message: str, **fields: object) -> str:
    """A log line as `warmer.telemetry.log` writes it."""
    return json.dumps({"level": "INFO", "message": message, **fields})


def wave(minutes_ago: float, new: int = 0, **changes: Any) -> tuple[float, str]:
    """A wave that proved three environments."""
    at = NOW - minutes_ago * 60
    fields = {
        "wave": f"w-{minutes_ago:g}",
        "function": "digits",
        "qualifier": "live",
        "ok": True,
        "asked": 3,
        "proven": 3,
        "new": new,
        "environments": ["a", "b", "c"],
        "versions": ["7"],
        "started_at": at,
        "problems": [],
        "unprimed": {},
    }
    return at, line("wave", **{**fields, **changes})


def stay(minutes_ago: float, reason: str = "live traffic keeps it warm", **more: Any) -> Any:
    """A decision to send no wave."""
    fields = {"function": "digits", "qualifier": "live", "reason": reason, "problem": False}
    return NOW - minutes_ago * 60, line("left alone", **{**fields, **more})


def test_a_real_report_is_read() -> None:
    """What a wave logs is what is read here."""
    pool = MemoryPool()
    report = run_wave(Target("digits", "live", 3), pool, clock=pool.clock)
    (item,) = statuses(observe([(NOW, line("wave", **report.as_dict()))]))
    assert (item.name, item.last.proven, item.last.wave) == ("digits:live", 3, report.wave)
    assert item.last.environments == frozenset(report.environments)


@pytest.mark.parametrize(
    "name", ["digits:live", "digits", "arn:aws:lambda:eu-west-1:123456789012:function:digits:live"]
)
def test_a_wave_in_brief_is_read(name: str) -> None:
    """What a run with a policy logs of a wave that proved all: no environments, no reasons."""
    pool = MemoryPool()
    report = run_wave(Target(name, concurrency=3), pool, clock=pool.clock)
    seen = observe([(NOW, line("waves", idle=[600.0, 7], waves=[report.brief()]))])
    (item,) = statuses(seen)
    assert item.name == name
    assert (item.last.proven, item.last.new, item.last.wave) == (3, 3, report.wave)
    assert (item.last.started_at, item.held_since, item.oldest_since) == (NOW, NOW, None)
    assert seen.lifetime == LifetimeSeen(NOW, 600.0, 7)


def test_a_wave_that_failed_has_nothing_brief() -> None:
    """All of it is logged."""
    pool = MemoryPool(overlap=[2])
    assert run_wave(Target("digits", "live", 9), pool, clock=pool.clock).brief() == []


@pytest.mark.parametrize(
    "broken",
    [{"waves": {}}, {"waves": [[]]}, {"waves": [["f", "7", 1, 1, None, "w"]]}, {"idle": [1.0]}],
)
def test_waves_in_brief_that_make_no_sense_are_counted(broken: dict[str, Any]) -> None:
    """Once for the line."""
    whole = {"idle": [600.0, 7], "waves": [["digits:live", "7", 3, 3, 0, "w-1"]]}
    assert observe([(NOW, line("waves", **{**whole, **broken}))]).unreadable == 1


def test_the_last_wave_counts() -> None:
    """In whatever order the lines come."""
    (item,) = statuses(observe([wave(4), wave(14), wave(9, proven=1, ok=False)]))
    assert item.last.started_at == NOW - 240
    assert item.as_dict(NOW)["age_seconds"] == 240


def test_held_since_the_wave_after_which_nothing_was_lost() -> None:
    """The first one started environments; all later ones found them."""
    (item,) = statuses(observe([wave(24), wave(19, new=1), wave(14), wave(9), wave(4)]))
    assert (item.held_since, item.waves) == (NOW - 19 * 60, 4)


@pytest.mark.parametrize("lapse", [{"ok": False, "proven": 2}, {"versions": ["6"]}])
def test_a_failed_wave_or_another_version_ends_what_was_held(lapse: dict[str, Any]) -> None:
    """What came before it says nothing of now."""
    (item,) = statuses(observe([wave(14), wave(9, **lapse), wave(4)]))
    assert (item.held_since, item.waves) == (NOW - 240, 1)


def test_after_a_failed_wave_nothing_is_held() -> None:
    """Its problems are told."""
    failed = wave(4, ok=False, proven=1, problems=["1 of 3 environments"])
    (item,) = statuses(observe([wave(9), failed]))
    assert (item.held_since, item.waves) == (None, 0)
    assert item.as_dict(NOW)["problems"] == ["1 of 3 environments"]


def test_environments_are_known_since_they_were_first_seen() -> None:
    """The one that is known for longest, of those that the last wave met."""
    earlier = wave(14, environments=["x", "c"])
    (item,) = statuses(observe([earlier, wave(9), wave(4)]))
    assert item.oldest_since == NOW - 14 * 60


def test_a_later_decision_to_send_no_wave_is_told() -> None:
    """One from before the last wave is history."""
    assert statuses(observe([wave(4), stay(2)]))[0].stay is not None
    assert statuses(observe([stay(9), wave(4)]))[0].stay is None


def lifetime(minutes_ago: float, seconds: float, observations: int | None) -> tuple[float, str]:
    """A run's line on the idle lifetime that it counted on."""
    text = line("idle lifetime", seconds=seconds, observations=observations)
    return NOW - minutes_ago * 60, text


def test_the_last_idle_lifetime_that_was_counted_on_is_told() -> None:
    """In whatever order the lines come; none where no line tells."""
    found = observe([lifetime(1, 600.0, 14), lifetime(6, 300.0, None)]).lifetime
    assert found is not None
    assert found.as_dict() == {"seconds": 600.0, "observations": 14}
    assert observe([wave(1)]).lifetime is None


def test_targets_are_told_apart_by_qualifier() -> None:
    """An alias, a version and $LATEST are three."""
    lines = [wave(1), wave(1, qualifier="6"), wave(1, qualifier=None)]
    assert [item.name for item in statuses(observe(lines))] == ["digits", "digits:6", "digits:live"]


def test_a_target_without_a_wave_is_told_with_its_reason() -> None:
    """It may need none, or have a fault."""
    seen = observe([wave(4), stay(4, function="other", reason="it has SnapStart")])
    assert [item.reason for item in never_waved(seen)] == ["it has SnapStart"]


def test_a_clock_that_is_behind_gives_no_negative_age() -> None:
    """Nothing was proven in the future."""
    assert statuses(observe([wave(-5)]))[0].as_dict(NOW)["age_seconds"] == 0


@pytest.mark.parametrize(
    "broken",
    [
        {"function": 7},
        {"qualifier": []},
        {"started_at": "now"},
        {"started_at": float("nan")},
        {"started_at": True},
        {"asked": -1},
        {"proven": 2.5},
        {"new": 10**30},
        {"environments": "abc"},
        {"environments": [1]},
        {"versions": None},
        {"problems": {}},
        {"unprimed": []},
        {"unprimed": {"digits": 1}},
    ],
)
def test_a_line_that_makes_no_sense_is_counted(broken: dict[str, Any]) -> None:
    """It is no wave, and is not passed over in silence."""
    seen = observe([wave(4), wave(3, **broken)])
    assert (len(seen.waves), seen.unreadable) == (1, 1)


@given(
    st.lists(
        st.text()
        | JSON.map(json.dumps)
        | st.dictionaries(st.sampled_from(["function", "asked", "environments", "ok"]), JSON).map(
            lambda fields: line("wave", **fields)
        ),
        max_size=5,
    )
)
@example(["[" * 100_000])
@example(['{"message": "left alone"}'])
@example(['{"message": []}'])
def test_any_line_can_be_read(texts: list[str]) -> None:
    """Functions log what they like."""
    seen = observe((NOW, text) for text in texts)
    assert all(json.dumps(item.as_dict(NOW)) for item in statuses(seen))


@dataclass
class Logs:
    """CloudWatch Logs with these lines, by function."""

    lines: dict[str, list[tuple[float, str]]]

    def __call__(self, **_: object) -> Logs:
        """As FunctionLogs is made."""
        return self

    def close(self) -> None:
        """Nothing is open."""

    def functions(self, ending: str) -> list[str]:
        """DescribeLogGroups."""
        return [name for name in self.lines if name.endswith(ending)]

    def events(self, function: str, start: float, _pattern: str) -> list[LogEvent]:
        """FilterLogEvents."""
        if function not in self.lines:
            raise ConfigurationError("WARMER", function, "a function with a log group")
        return [LogEvent(at, text) for at, text in self.lines[function] if at >= start]


def run(
    monkeypatch: pytest.MonkeyPatch, lines: dict[str, list[tuple[float, str]]], *arguments: str
) -> tuple[int, str]:
    """The command's exit code and output, on a wide terminal."""
    monkeypatch.setattr(command, "FunctionLogs", Logs(lines))
    monkeypatch.setattr("time.time", lambda: NOW)
    monkeypatch.setenv("COLUMNS", "160")
    result = CliRunner().invoke(command.status, arguments)
    return result.exit_code, result.output


def test_the_command_says_how_long_ago_it_was_proven(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not that it is warm."""
    code, said = run(monkeypatch, {"my-warmer": [wave(9, new=3), wave(4)], "other": []})
    assert code == 0
    assert "digits:live" in said
    assert "3 of 3, 4 min ago" in said
    assert "2 waves" in said
    assert "may be gone" not in said


def test_an_old_proof_is_called_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the shortest idle lifetime that has been seen."""
    _, said = run(monkeypatch, {"my-warmer": [wave(100)]})
    assert "proven 1 h 40 min ago and not since" in said
    assert "may be gone after 5 min" in said


def test_the_command_tells_the_idle_lifetime(monkeypatch: pytest.MonkeyPatch) -> None:
    """And where that is from."""
    _, learnt = run(monkeypatch, {"my-warmer": [wave(4), lifetime(4, 600.0, 14)]})
    _, configured = run(monkeypatch, {"my-warmer": [wave(4), lifetime(4, 300.0, None)]})
    assert "live idle for 10 min, learnt from 14 idle times that replies told" in learnt
    assert "live idle for 5 min, as configured" in configured


def test_what_is_left_alone_is_told_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """Live traffic keeps it warm: nobody has to ping."""
    _, said = run(monkeypatch, {"my-warmer": [wave(100), stay(0.5)]})
    assert "left alone 30 s ago: live traffic keeps it warm" in said
    assert "may be gone" not in said


def test_a_wave_that_failed_is_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its problems, and what is not primed."""
    failed = wave(4, ok=False, proven=1, problems=["throttled"], unprimed={"digits": ""})
    code, said = run(monkeypatch, {"my-warmer": [failed]})
    assert code == 1
    assert "digits:live: throttled" in said
    assert "digits is not primed: not yet" in said


def test_nothing_known_is_said_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """A warmer that has not run, and no warmer at all."""
    code, said = run(monkeypatch, {"my-warmer": [wave(300)]})
    assert code == 1
    assert "my-warmer has logged no wave in the last 3 h" in said
    assert "--hours" in said
    code, said = run(monkeypatch, {})
    assert code == 1
    assert "sam deploy" in said


def test_another_function_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names it and what was expected."""
    monkeypatch.setattr(command, "FunctionLogs", Logs({}))
    result = CliRunner().invoke(command.status, ["absent"])
    assert isinstance(result.exception, ConfigurationError)
    assert "WARMER is 'absent'; expected a function with" in str(result.exception)


@pytest.mark.parametrize("hours", ["0", "-1", "soon", "nan", "1.5", "10000"])
def test_hours_that_are_none_are_refused(hours: str) -> None:
    """Usage errors name the option."""
    result = CliRunner().invoke(command.status, ["--hours", hours])
    assert result.exit_code == 2
    assert "--hours" in result.output


def test_json_has_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """For scripts."""
    lines = {"my-warmer": [wave(4), stay(1, function="other"), wave(3, asked="many")]}
    code, said = run(monkeypatch, lines, "--json")
    (found,) = json.loads(said)["warmers"]
    assert (code, found["warmer"], found["unreadable_lines"]) == (0, "my-warmer", 1)
    (target,) = found["targets"]
    assert (target["proven"], target["age_seconds"], target["wave"]) == (3, 240, "w-4")
    assert found["never_pinged"][0]["function"] == "other"
