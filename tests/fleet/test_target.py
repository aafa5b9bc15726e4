"""Targets: what is accepted, and what every refusal says."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmer.errors import ConfigurationError
from warmer.fleet import Target, targets_from_json

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:digits"


def test_reads_the_list_of_the_setting() -> None:
    """Each object of the list is one target; what it leaves out has a default."""
    text = '[{"function": "digits", "qualifier": "live", "concurrency": 10}, {"function": "a"}]'

    assert (Target("digits", "live", 10), Target("a", None, 1)) == targets_from_json(text)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("digits", ("digits", None)),
        ("digits:live", ("digits", "live")),
        ("digits:7", ("digits", "7")),
        ("digits:$LATEST", ("digits", None)),
        (ARN, (ARN, None)),
        (f"{ARN}:live", (ARN, "live")),
        ("123456789012:function:digits:live", ("123456789012:function:digits", "live")),
        (ARN.replace("arn:aws:", "arn:aws-us-gov:"), (ARN.replace("aws:", "aws-us-gov:", 1), None)),
    ],
)
def test_takes_the_qualifier_off_the_function(
    function: str, expected: tuple[str, str | None]
) -> None:
    """A name or ARN with a qualifier is the same target as with the qualifier apart."""
    target = Target(function)

    assert expected == (target.function, target.qualifier)


def test_is_shown_as_lambda_writes_it() -> None:
    """A target's text is its name and qualifier, as in an ARN."""
    assert str(Target("digits", "live")) == "digits:live"


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        (None, "WARMER_TARGETS", "a JSON list"),
        ("", "WARMER_TARGETS", "a JSON list"),
        ("digits", "WARMER_TARGETS", "a JSON list"),
        ('{"function": "digits"}', "WARMER_TARGETS", "a JSON list"),
        ("[]", "WARMER_TARGETS", "a JSON list"),
        ("[" * 100_000, "WARMER_TARGETS", "a JSON list"),
        (f'[{{"concurrency": {"9" * 5000}}}]', "WARMER_TARGETS", "a JSON list"),
        ('["digits"]', "WARMER_TARGETS[0]", "an object"),
        ("[[]]", "WARMER_TARGETS[0]", "an object"),
        ("[{}]", "WARMER_TARGETS[0].function", "name or ARN"),
        ('[{"function": 7}]', "WARMER_TARGETS[0].function", "name or ARN"),
        ('[{"function": "two words"}]', "WARMER_TARGETS[0].function", "name or ARN"),
        ('[{"function": {"a": 1}}]', "WARMER_TARGETS[0].function", "name or ARN"),
        ('[{"function": "a"}, {"function": "b", "concurrency": "10"}]',
         "WARMER_TARGETS[1].concurrency", "a whole number from 1 to 900"),
        ('[{"function": "a", "concurrency": 0}]', "WARMER_TARGETS[0].concurrency", "from 1"),
        ('[{"function": "a", "concurrency": true}]', "WARMER_TARGETS[0].concurrency", "from 1"),
        ('[{"function": "a", "concurrency": 10.0}]', "WARMER_TARGETS[0].concurrency", "from 1"),
        ('[{"function": "a", "concurrency": 901}]', "WARMER_TARGETS[0].concurrency", "to 900"),
        ('[{"function": "a", "max_hold_ms": NaN}]', "WARMER_TARGETS[0].max_hold_ms", "from 0"),
        ('[{"function": "a", "qualifier": ""}]', "WARMER_TARGETS[0].qualifier", "an alias"),
        ('[{"function": "a:live", "qualifier": "7"}]', "WARMER_TARGETS[0].qualifier", "'live'"),
        ('[{"function": "a", "concurency": 10}]', "WARMER_TARGETS[0].concurency", "concurrency"),
        ('[{"function": "a", "function": "b"}]', "WARMER_TARGETS[0].function", "once"),
        ('[{"function": "a:live"}, {"function": "a", "qualifier": "live"}]',
         "WARMER_TARGETS[1]", "WARMER_TARGETS[0] has this one"),
    ],
)  # fmt: skip
def test_refuses_what_cannot_be_a_list_of_targets(
    text: str | None, key: str, expected: str
) -> None:
    """The error names the target's index and field, and what would be accepted."""
    with pytest.raises(ConfigurationError) as refusal:
        targets_from_json(text)

    assert key == refusal.value.key
    assert expected in refusal.value.expected
    assert len(str(refusal.value)) < 400


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
entries = st.fixed_dictionaries(
    {},
    optional={
        "function": st.sampled_from(["a", "b:live", ARN]) | json_values,
        "qualifier": st.sampled_from(["live", "7"]) | json_values,
        "concurrency": st.integers(-1, 1000) | json_values,
        "max_hold_ms": st.floats() | json_values,
        "other": json_values,
    },
)


@given(st.lists(entries, max_size=3) | json_values)
def test_any_json_is_targets_or_a_clear_refusal(value: object) -> None:
    """Whatever JSON comes in, the result is valid targets or a ConfigurationError."""
    try:
        targets = targets_from_json(json.dumps(value))
    except ConfigurationError as refusal:
        assert refusal.key.startswith("WARMER_TARGETS")
    else:
        assert len({str(target) for target in targets}) == len(targets) > 0
        assert all(1 <= target.concurrency <= 900 for target in targets)


@given(st.text())
def test_any_text_is_targets_or_a_clear_refusal(text: str) -> None:
    """Text that is no JSON is refused like any other bad value."""
    try:
        targets_from_json(text)
    except ConfigurationError as refusal:
        assert refusal.key.split("[")[0] == "WARMER_TARGETS"


def test_a_schedule_says_how_many_are_wanted_until_a_moment() -> None:
    """The most of the time that a run has to last; outside its periods, the concurrency."""
    eight = 1_795_420_800.0  # Monday, 2026-11-23, 08:00 UTC
    target = Target("a", concurrency=0, schedule="mon-fri 08:00-18:00=20")

    assert target.wanted(eight - 300, eight) == 0
    assert target.wanted(eight - 300, eight + 1) == 20
    assert Target("a", concurrency=3).wanted(eight, eight + 1) == 3


@pytest.mark.parametrize(
    ("schedule", "key", "expected"),
    [
        ('"noon"', "WARMER_TARGETS[0].schedule", "mon-fri 08:00-18:00=20"),
        ('""', "WARMER_TARGETS[0].schedule", "mon-fri 08:00-18:00=20"),
        ("7", "WARMER_TARGETS[0].schedule", "a text such as"),
        ('"08:00-18:00=901"', "WARMER_TARGETS[0].schedule", "numbers from 0 to 900"),
        ('"08:00-18:00=9 @Nowhere"', "WARMER_TARGETS[0].schedule", "IANA"),
    ],
)
def test_a_schedule_that_cannot_be_used_names_its_target(
    schedule: str, key: str, expected: str
) -> None:
    """As every other field does."""
    with pytest.raises(ConfigurationError) as refusal:
        targets_from_json(f'[{{"function": "a", "schedule": {schedule}}}]')

    assert key == refusal.value.key
    assert expected in refusal.value.expected
