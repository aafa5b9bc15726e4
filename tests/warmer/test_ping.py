"""The ping protocol."""

from __future__ import annotations

import base64
import json
import math
from types import SimpleNamespace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.warmer.invocation import context
from warmer.errors import ConfigurationError
from warmer.ping import (
    DEADLINE_MARGIN_SECONDS,
    Malformed,
    Ping,
    Refusal,
    Reply,
    client_context,
    hold_seconds,
    parse_reply,
    recognise,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.text("abcdef0123456789-", max_size=36)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
PINGS = st.builds(
    lambda wave, index, more, release_at, prime: Ping(
        wave=wave, index=index, size=index + more, release_at=release_at, prime=prime
    ),
    NAMES,
    st.integers(0, 10**6),
    st.integers(1, 10**6),
    FINITE,
    st.booleans(),
)


@given(PINGS)
def test_a_ping_survives_its_way(ping: Ping) -> None:
    """What the warmer puts into the ClientContext is what the function recognises."""
    custom = json.loads(base64.b64decode(client_context(ping)))["custom"]
    assert recognise({}, SimpleNamespace(client_context=SimpleNamespace(custom=custom))) == ping


def test_the_largest_ping_fits_the_client_context() -> None:
    """Lambda takes 3,583 bytes; the longest names and numbers stay far below."""
    ping = Ping(wave="x" * 64, index=10**9 - 1, size=10**9, release_at=-1.7976931348623157e308)
    assert len(client_context(ping)) < 400


@pytest.mark.parametrize(
    "ping",
    [Ping(release_at=math.nan), Ping(wave="x" * 65), Ping(index=1, size=1), Ping(version=2)],
)
def test_a_ping_that_would_be_refused_is_not_sent(ping: Ping) -> None:
    """The sender learns at once what the receiver would say."""
    with pytest.raises(ConfigurationError, match="that its receiver accepts"):
        client_context(ping)


@given(event=JSON, custom=JSON)
def test_recognise_is_total_over_custom(event: object, custom: object) -> None:
    """Any event with any `custom` that has no `warmer` key is for the user's handler."""
    if isinstance(custom, dict):
        custom.pop("warmer", None)
    invocation = SimpleNamespace(client_context=SimpleNamespace(custom=custom))
    assert recognise(event, invocation) is None


@given(JSON | st.dictionaries(st.sampled_from([*Ping().fields(), "other"]), JSON))
@example(10**5000)
@example({"version": 1, "release_at": 10**400})
@example({"version": 1, "wave": "\ud800"})
@example({"version": 1, "index": True})
def test_what_comes_as_a_ping_is_one_or_is_malformed(fields: object) -> None:
    """Whatever is at `custom.warmer` never reaches the user's handler, and never raises."""
    found = recognise({}, context(fields) if fields is not None else _with_custom(None))
    assert isinstance(found, Ping | Malformed)
    if isinstance(found, Ping):
        assert math.isfinite(found.release_at)


def _with_custom(fields: object) -> SimpleNamespace:
    return SimpleNamespace(client_context=SimpleNamespace(custom={"warmer": fields}))


@pytest.mark.parametrize(
    "invocation",
    [None, "text", 7, SimpleNamespace(), SimpleNamespace(client_context="text")],
)
def test_a_context_without_client_context_carries_no_ping(invocation: object) -> None:
    """Contexts made by hand may lack anything."""
    assert recognise({}, invocation) is None


@given(JSON)
def test_an_event_is_no_ping(event: object) -> None:
    """Without opting in, no event is a ping, whatever it holds."""
    assert recognise({"warmer": event}, context()) is None


def test_an_event_is_a_ping_where_the_function_opted_in() -> None:
    """`accept_event` takes an event that is exactly a ping."""
    assert recognise({"warmer": {"version": 1}}, context(), accept_event=True) == Ping()


@pytest.mark.parametrize("event", [{"warmer": {"version": 1}, "more": 1}, {"warmer": 1}, [], None])
def test_an_event_with_more_than_a_ping_is_none(event: object) -> None:
    """Even with `accept_event`, an event with anything else in it is the user's."""
    assert recognise(event, context(), accept_event=True) is None


def test_absent_fields_have_defaults() -> None:
    """A ping made by hand needs a version only; it is not held."""
    assert recognise({}, context({"version": 1})) == Ping(release_at=0.0)


def test_fields_of_the_future_are_ignored() -> None:
    """A sender may add a field without breaking its receivers."""
    assert recognise({}, context({"version": 1, "colour": "red"})) == Ping()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "version is missing"),
        ({"version": 2}, "version is 2; expected 1"),
        ({"version": True}, "version is True"),
        ({"version": 1, "release_at": math.inf}, "release_at is inf; expected a finite number"),
        ({"version": 1, "release_at": "soon"}, "release_at is 'soon'"),
        ({"version": 1, "index": 5, "size": 5}, "index is 5; expected less than size, 5"),
        ({"version": 1, "prime": 1}, "prime is 1; expected true or false"),
        ("text", "it is 'text'; expected an object"),
    ],
)
def test_a_malformed_ping_says_what_is_wrong(fields: object, reason: str) -> None:
    """The reason names the field, its value and what was expected."""
    found = recognise({}, context(fields))
    assert isinstance(found, Malformed)
    assert reason in found.reason


@given(PINGS, st.floats(), st.floats(), st.floats())
def test_a_hold_never_exceeds_any_bound(
    ping: Ping, now: float, remaining: float, maximum: float
) -> None:
    """Hostile moments and clocks hold for a finite time within the maximum and the time left."""
    held = hold_seconds(ping, now, remaining, maximum)
    assert 0 <= held < math.inf
    assert held == 0 or (held <= maximum and held <= remaining - DEADLINE_MARGIN_SECONDS)


def test_a_hold_ends_at_the_release() -> None:
    """With time enough, a ping is held exactly until its release."""
    assert hold_seconds(Ping(release_at=1000.25), 1000.0, 30.0, 2.0) == 0.25


def test_a_hold_is_capped() -> None:
    """A clock that is hours off costs the configured maximum."""
    assert hold_seconds(Ping(release_at=9000.0), 1000.0, 30.0, 2.0) == 2.0


REPLIES = st.builds(
    lambda environment, wave, index, number, optional, text, flag, models: Reply(
        environment=environment,
        wave=wave,
        index=index,
        function_version=text,
        new=flag,
        init_ms=number,
        idle_seconds=optional,
        last_user_seconds_ago=optional,
        held_ms=number,
        models=models,
    ),
    st.text("0123456789abcdef-", min_size=1, max_size=36),
    NAMES,
    st.integers(0, 10**9),
    FINITE,
    st.none() | FINITE,
    st.text(),
    st.booleans(),
    st.dictionaries(st.text(), st.dictionaries(st.text(), st.booleans() | FINITE), max_size=3),
)


@given(REPLIES)
def test_a_reply_survives_its_way(reply: Reply) -> None:
    """What a function answers is what the warmer reads."""
    assert parse_reply(json.dumps(reply.as_dict()).encode()) == reply


def test_a_refusal_survives_its_way() -> None:
    """What a function refuses is told from a reply."""
    refusal = Refusal("malformed ping: version is 2; expected 1", "an-id")
    assert parse_reply(json.dumps(refusal.as_dict()).encode()) == refusal


@given(st.binary())
@example(b"[" * 100_000)
@example(b"null")
@example(b'{"warmer": null}')
@example(b'{"warmer": {}}')
@example(b'{"errorMessage": "x", "errorType": "ValueError"}')
@example(b"\xff")
def test_what_is_no_reply_of_ours_is_none(payload: bytes) -> None:
    """Any other payload, JSON or not, means that the function's own code ran."""
    assert parse_reply(payload) is None


@given(st.dictionaries(st.sampled_from([*Reply("").fields(), "error"]), JSON))
def test_parse_reply_is_total(fields: dict[str, object]) -> None:
    """A reply with any fields at all is read, refused or not ours; it never raises."""
    payload = json.dumps({"warmer": fields}).encode()
    assert isinstance(parse_reply(payload), Reply | Refusal | None)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"version": 2, "environment": "e"}, "version is 2"),
        ({"version": 1}, "environment is missing"),
        ({"version": 1, "environment": "e", "held_ms": "long"}, "held_ms is 'long'"),
    ],
)
def test_a_reply_that_cannot_be_read_does_not_count(fields: object, error: str) -> None:
    """It comes from an environment of ours, but proves nothing, and says why."""
    refusal = parse_reply(json.dumps({"warmer": fields}).encode())
    assert isinstance(refusal, Refusal)
    assert error in refusal.error
