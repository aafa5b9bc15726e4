"""What a wave's report tells logs and deploys: its id, and what is not primed."""

from __future__ import annotations

import json

from hypothesis import given

from tests.fleet.pool import MemoryPool
from tests.warmer.test_ping import REPLIES
from warmer.fleet import Target, run_wave
from warmer.fleet.answer import unprimed
from warmer.ping import Ping, Reply


def reply(environment: str, **models: dict[str, object]) -> Reply:
    """A reply that reports these models."""
    return Reply(environment, models=models)


def test_the_report_has_the_id_that_its_pings_carry() -> None:
    """So the lines that the warmer logs and those of the functions that it pinged can be joined."""
    pool = MemoryPool()
    report = run_wave(Target("digits", "live", 3), pool, clock=pool.clock)
    assert {ping.wave for ping in pool.pings} == {report.wave}
    assert json.loads(json.dumps(report.as_dict()))["wave"] == report.wave != ""


def test_the_report_names_what_an_environment_has_not_primed() -> None:
    """Proven is not primed: the reason comes with it."""

    def answer(number: int, ping: Ping, payload: bytes) -> bytes:
        fields = json.loads(payload)["warmer"]
        fields["models"] = {"digits": {"primed": False, "error": "no such axis"}}
        return json.dumps({"warmer": fields}).encode()

    pool = MemoryPool(answer=answer)
    report = run_wave(Target("digits"), pool, clock=pool.clock)
    assert report.unprimed == {"digits": "no such axis"}
    assert json.loads(json.dumps(report.as_dict()))["unprimed"] == {"digits": "no such axis"}


def test_the_last_reply_of_an_environment_counts() -> None:
    """A ping finishes what INIT had no time for."""
    before = reply("e-1", digits={"primed": False})
    assert unprimed([before, reply("e-1", digits={"primed": True})]) == {}
    assert unprimed([before, reply("e-2", digits={"primed": True})]) == {"digits": ""}


def test_a_reason_is_kept_where_another_environment_has_none() -> None:
    """One that failed says more than one that is not there yet."""
    failed = reply("e-1", digits={"primed": False, "error": "no"})
    waiting = reply("e-2", digits={"primed": False, "error": None})
    assert unprimed([failed, waiting]) == unprimed([waiting, failed]) == {"digits": "no"}


def test_functions_are_named_too() -> None:
    """What `warmer.prime` has registered is as good as a model."""
    answered = Reply("e-1", functions={"connect": {"primed": False, "error": "refused"}})
    assert unprimed([answered]) == {"connect": "refused"}


@given(REPLIES)
def test_any_reply_can_be_judged(answered: Reply) -> None:
    """Whatever a function reports of its models."""
    json.dumps(unprimed([answered]))
