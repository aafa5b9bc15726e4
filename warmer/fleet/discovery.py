"""Where targets come from: the configuration, an SSM parameter that is read at each run, tags.

    warmer:concurrency = 5                     required; a function with it is a target
    warmer:qualifier   = live                  version or alias; without it, $LATEST
    warmer:schedule    = mon-fri 08:00-18:00=20 @Europe/Berlin
    warmer:ramp        = Linear10PercentEvery1Minute

A list of targets is taken as a whole or not at all. Tags belong to many hands: what one function
has wrong is reported, and the others are warmed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from warmer.aws.parameters import Parameters
from warmer.aws.tags import TaggedFunction, TaggedFunctions
from warmer.errors import ConfigurationError, ServiceError
from warmer.fleet.target import TARGETS_KEY, Target, targets_from_json

__all__ = ["Discovered", "TargetSources", "sources_from_environment", "targets_from_tags"]

CONCURRENCY_TAG = "warmer:concurrency"
TAG_FIELDS = {
    CONCURRENCY_TAG: "concurrency",
    "warmer:qualifier": "qualifier",
    "warmer:schedule": "schedule",
    "warmer:ramp": "ramp",
}
PREFIX = "warmer:"

PARAMETER_KEY = "WARMER_TARGETS_PARAMETER"
BY_TAG_KEY = "WARMER_TARGETS_BY_TAG"
SWITCH = {"": False, "DISABLED": False, "ENABLED": True}


@dataclass(frozen=True)
class Discovered:
    """Targets, and what was wrong where others might have been, a sentence each."""

    targets: tuple[Target, ...]
    problems: tuple[str, ...] = ()


def targets_from_tags(functions: Sequence[TaggedFunction]) -> Discovered:
    """The targets that functions' tags declare; a problem for each function whose tags do not."""
    targets: list[Target] = []
    problems: list[str] = []
    for function in functions:
        try:
            targets.append(_target(function))
        except ConfigurationError as error:
            problems.append(f"{function.arn} is not warmed: its tag {error}")
    return Discovered(tuple(targets), tuple(problems))


def _target(function: TaggedFunction) -> Target:
    """The target that a function's tags declare; raises ConfigurationError with the tag as key."""
    fields: dict[str, object] = {"function": function.arn}
    for tag, text in function.tags.items():
        if not tag.startswith(PREFIX):
            continue
        if tag not in TAG_FIELDS:
            expected = f"one of the tags {', '.join(TAG_FIELDS)}"
            raise ConfigurationError(tag, text, expected)
        fields[TAG_FIELDS[tag]] = text.strip()
    text = str(fields.get("concurrency", ""))
    if not (text.isascii() and text.isdigit() and len(text) <= 4):
        raise ConfigurationError(CONCURRENCY_TAG, text, "a whole number, such as 5")
    fields["concurrency"] = int(text)
    try:
        return Target(**fields)  # type: ignore[arg-type]  # Target checks every value itself
    except ConfigurationError as error:
        raise ConfigurationError(f"{PREFIX}{error.key}", error.value, error.expected) from error


class TargetSources:
    """All the places where targets come from; what they say is read at each run.

    `targets` are fixed. `parameter` names an SSM parameter that holds a list like WARMER_TARGETS;
    `parameters` reads it. `tagged` finds tagged functions (None: tags do not matter). A function
    and qualifier that is in the list is not looked for in tags.

    What cannot be read, or is wrong, is replaced by what was right in an earlier run, and reported.
    """

    def __init__(
        self,
        targets: tuple[Target, ...] = (),
        *,
        parameter: str = "",
        parameters: Parameters | None = None,
        tagged: TaggedFunctions | None = None,
    ) -> None:
        self._targets = targets
        self._parameter = parameter
        self._parameters = parameters
        self._tagged = tagged
        self._last_list: tuple[Target, ...] | None = None if parameter else targets
        self._last_tagged = Discovered(())

    def prepare(self) -> None:
        """Make the clients now, at INIT. Raises ConfigurationError."""
        if self._parameters is not None:
            self._parameters.prepare()
        if self._tagged is not None:
            self._tagged.prepare()

    def read(self) -> Discovered:
        """The targets of this run.

        Raises ConfigurationError or ServiceError where the list cannot be read now and never could.
        """
        problems: list[str] = []
        listed = self._list(problems)
        tagged = self._from_tags(problems)
        known = {(target.name, target.qualifier) for target in listed}
        found = [target for target in tagged if (target.name, target.qualifier) not in known]
        return Discovered((*listed, *found), tuple(problems))

    def _list(self, problems: list[str]) -> tuple[Target, ...]:
        if self._parameters is None:
            return self._targets
        try:
            text = self._parameters.value(self._parameter)
            self._last_list = targets_from_json(text, f"the SSM parameter {self._parameter}")
        except (ConfigurationError, ServiceError) as error:
            if self._last_list is None:
                raise
            problems.append(f"the targets are those of an earlier run: {error}")
        return self._last_list

    def _from_tags(self, problems: list[str]) -> tuple[Target, ...]:
        if self._tagged is None:
            return ()
        try:
            self._last_tagged = targets_from_tags(self._tagged.with_tag(CONCURRENCY_TAG))
        except ServiceError as error:
            problems.append(f"tags could not be read, so those of an earlier run hold: {error}")
        problems += self._last_tagged.problems
        return self._last_tagged.targets


def sources_from_environment(
    variables: Mapping[str, str],
    *,
    parameters: Callable[[], Parameters] = Parameters,
    tagged: Callable[[], TaggedFunctions] = TaggedFunctions,
) -> TargetSources:
    """The sources that WARMER_TARGETS, WARMER_TARGETS_PARAMETER and WARMER_TARGETS_BY_TAG name.

    Raises ConfigurationError for values that cannot be used, for a list beside a parameter, and
    where none of the three says anything.
    """
    text, parameter = variables.get(TARGETS_KEY), variables.get(PARAMETER_KEY) or ""
    by_tag = _switch(BY_TAG_KEY, variables.get(BY_TAG_KEY, ""))
    if parameter and text:
        raise ConfigurationError(TARGETS_KEY, text[:80], f"nothing beside {PARAMETER_KEY}")
    targets: tuple[Target, ...] = ()
    if text or not (parameter or by_tag):
        targets = targets_from_json(text)
    return TargetSources(
        targets,
        parameter=parameter,
        parameters=parameters() if parameter else None,
        tagged=tagged() if by_tag else None,
    )


def _switch(key: str, text: str) -> bool:
    if text not in SWITCH:
        raise ConfigurationError(key, text, "ENABLED or DISABLED")
    return SWITCH[text]
