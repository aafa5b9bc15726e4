"""Where targets come from: the configuration, an SSM parameter, tags."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmer.aws.parameters import Parameters
from warmer.aws.tags import TaggedFunction, TaggedFunctions
from warmer.errors import ConfigurationError, ServiceError
from warmer.fleet import Target
from warmer.fleet.discovery import TargetSources, sources_from_environment, targets_from_tags

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:"
LISTED = '[{"function": "digits", "qualifier": "live", "concurrency": 10}]'


def tagged(name: str, **tags: str) -> TaggedFunction:
    """A function with the tags warmer:..., and one that is none of the warmer's business."""
    named = {f"warmer:{key.replace('_', '-')}": value for key, value in tags.items()}
    return TaggedFunction(f"{ARN}{name}", {"team": "search", **named})


def test_tags_declare_a_target() -> None:
    """Number, qualifier and schedule."""
    schedule = "mon-fri 08:00-18:00=20 @Europe/Berlin"

    by_day = tagged("b", concurrency="0", qualifier="live", schedule=schedule)
    found = targets_from_tags([tagged("a", concurrency="5"), by_day])

    assert found.problems == ()
    assert found.targets == (
        Target(f"{ARN}a", None, 5),
        Target(f"{ARN}b", "live", 0, schedule=schedule),
    )


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({"concurrency": "many"}, "its tag warmer:concurrency is 'many'; expected a whole number"),
        ({"concurrency": ""}, "its tag warmer:concurrency is ''; expected a whole number"),
        ({"concurrency": "-1"}, "its tag warmer:concurrency is '-1'; expected a whole number"),
        ({"concurrency": "²"}, "its tag warmer:concurrency is '²'; expected a whole number"),
        ({"concurrency": "0"}, "its tag warmer:concurrency is 0; expected a whole number from 1"),
        ({"concurrency": "901"}, "its tag warmer:concurrency is 901; expected a whole number from"),
        ({"concurrency": "5", "qualifier": "a b"}, "its tag warmer:qualifier is 'a b'; expected"),
        ({"concurrency": "5", "schedule": "noon"}, "its tag warmer:schedule is 'noon'; expected"),
        ({"concurrency": "5", "qualifer": "live"}, "its tag warmer:qualifer is 'live'; expected"),
    ],
)
def test_a_function_with_broken_tags_is_reported_and_does_not_stop_the_others(
    tags: dict[str, str], said: str
) -> None:
    """The problem names the function, the tag, its value and what is expected."""
    found = targets_from_tags([tagged("broken", **tags), tagged("fine", concurrency="2")])

    assert [target.name for target in found.targets] == ["fine"]
    (problem,) = found.problems
    assert problem.startswith(f"{ARN}broken is not warmed: {said}")


@given(st.dictionaries(st.sampled_from(["concurrency", "qualifier", "schedule", "x"]), st.text()))
def test_any_tags_are_a_target_or_a_problem(tags: dict[str, str]) -> None:
    """Nothing is raised, and no function is forgotten."""
    found = targets_from_tags([tagged("any", **tags)])

    assert len(found.targets) + len(found.problems) == 1


class Store:
    """Parameters and tags that a test sets; an exception is raised."""

    def __init__(self) -> None:
        self.text: str | Exception = LISTED
        self.functions: list[TaggedFunction] | Exception = []

    def value(self, name: str) -> str:
        """The parameter."""
        assert name == "/stack/targets"
        if isinstance(self.text, Exception):
            raise self.text
        return self.text

    def with_tag(self, key: str) -> list[TaggedFunction]:
        """The tagged functions."""
        assert key == "warmer:concurrency"
        if isinstance(self.functions, Exception):
            raise self.functions
        return self.functions


def sources(store: Store, **variables: str) -> TargetSources:
    """What these environment variables name, read from the store."""
    return sources_from_environment(
        {f"WARMER_{key}": value for key, value in variables.items()},
        parameters=lambda: cast(Parameters, store),
        tagged=lambda: cast(TaggedFunctions, store),
    )


def test_a_parameter_is_read_at_each_run() -> None:
    """Its number changes without a deploy."""
    store = Store()
    found = sources(store, TARGETS_PARAMETER="/stack/targets")
    before = found.read()
    store.text = LISTED.replace("10", "20")

    assert [t.concurrency for t in (*before.targets, *found.read().targets)] == [10, 20]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("[]", "the SSM parameter /stack/targets is '[]'; expected a JSON list"),
        (LISTED.replace("10", "0"), "the SSM parameter /stack/targets[0].concurrency is 0"),
        (ServiceError("get_parameter was refused"), "get_parameter was refused"),
    ],
)
def test_a_parameter_that_became_wrong_is_reported_and_what_was_right_stays(
    wrong: str | Exception, said: str
) -> None:
    """Also where it cannot be read any more."""
    store = Store()
    found = sources(store, TARGETS_PARAMETER="/stack/targets")
    found.read()
    store.text = wrong

    later = found.read()

    assert [str(target) for target in later.targets] == ["digits:live"]
    (problem,) = later.problems
    assert problem.startswith("the targets are those of an earlier run: ")
    assert said in problem


def test_a_parameter_that_was_never_right_is_an_error() -> None:
    """There is nothing to warm."""
    store = Store()
    store.text = "no JSON"

    with pytest.raises(ConfigurationError, match="the SSM parameter /stack/targets is 'no JSON'"):
        sources(store, TARGETS_PARAMETER="/stack/targets").read()


def test_tags_add_to_the_list_which_wins() -> None:
    """A function and qualifier in both is warmed once, as the list says."""
    store = Store()
    store.functions = [
        tagged("digits", concurrency="3", qualifier="live"),
        tagged("other", concurrency="2"),
    ]

    found = sources(store, TARGETS=LISTED, TARGETS_BY_TAG="ENABLED").read()

    assert [(t.name, t.concurrency) for t in found.targets] == [("digits", 10), ("other", 2)]


def test_tags_that_cannot_be_read_are_those_of_the_run_before() -> None:
    """And that is reported."""
    store = Store()
    store.functions = [tagged("other", concurrency="2")]
    found = sources(store, TARGETS_BY_TAG="ENABLED")
    found.read()
    store.functions = ServiceError("get_resources is not allowed: the role needs tag:GetResources")

    later = found.read()

    assert [target.name for target in later.targets] == ["other"]
    assert "tag:GetResources" in later.problems[0]


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "WARMER_TARGETS is None; expected a JSON list"),
        ({"TARGETS": "", "TARGETS_BY_TAG": "DISABLED"}, "WARMER_TARGETS is ''; expected a JSON"),
        ({"TARGETS": LISTED, "TARGETS_PARAMETER": "/p"}, "nothing beside WARMER_TARGETS_PARAMETER"),
        ({"TARGETS_BY_TAG": "yes"}, "WARMER_TARGETS_BY_TAG is 'yes'; expected ENABLED or DISABLED"),
    ],
)
def test_variables_that_name_no_source_are_refused(variables: dict[str, str], said: str) -> None:
    """Key, value and expected form."""
    with pytest.raises(ConfigurationError, match=said.replace("[", r"\[")):
        sources(Store(), **variables)


def test_only_what_is_asked_for_is_made() -> None:
    """A list in the variable needs no client of another service."""

    def never(*_: Any) -> Any:
        raise AssertionError("not asked for")

    found = sources_from_environment({"WARMER_TARGETS": LISTED}, parameters=never, tagged=never)
    found.prepare()

    assert [str(target) for target in found.read().targets] == ["digits:live"]
