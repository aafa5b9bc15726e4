"""Which versions are live: aliases, weights, and how seldom they are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from tests.fleet.situations import NOON, situation
from warmer.aws.functions import Alias
from warmer.errors import FunctionNotFound, ServiceError
from warmer.fleet import Target
from warmer.fleet.shift import environments_for
from warmer.fleet.versions import LiveVersions

LIVE = Target("digits", "live", 10)


class Settings:
    """Aliases by `function:name`, and what was asked."""

    def __init__(self, aliases: Mapping[str, Alias | Exception]) -> None:
        self.aliases = dict(aliases)
        self.asked: list[str] = []

    def alias(self, function: str, name: str) -> Alias:
        """What was set for it."""
        self.asked.append(f"{function}:{name}")
        found = self.aliases[self.asked[-1]]
        if isinstance(found, Exception):
            raise found
        return found

    def provisioned(self, function: str, qualifier: str) -> int:
        """Four for each."""
        self.asked.append(f"provisioned {function}:{qualifier}")
        return 4


def live(settings: Settings, now: float = NOON) -> LiveVersions:
    """A first run over the one target."""
    versions = LiveVersions(settings)
    versions.begin([LIVE], now)
    return versions


def test_an_alias_with_one_version_is_pinged_as_what_it_is() -> None:
    """That is what users reach, and the version is known beforehand."""
    (subject,) = live(Settings({"digits:live": Alias("7")})).subjects(LIVE, NOON)

    assert (subject.version, subject.qualifier, subject.share) == ("7", "live", 1.0)


def test_a_canary_is_warmed_to_all_and_the_old_version_to_its_share() -> None:
    """Each by its own number, since a ping to the alias may land on either.

    AWS page: "Implement Lambda canary deployments using a weighted alias".
    """
    versions = live(Settings({"digits:live": Alias("7", {"8": 0.1})}))

    old, new = versions.subjects(LIVE, NOON)

    assert (old.qualifier, old.share, new.qualifier, new.share) == ("7", 0.9, "8", 1.0)
    assert old.routing == "live gives version 7 90% of the requests"
    assert new.routing.startswith("live gives version 8 10% of the requests, and may give it all")
    assert not old.measured
    assert not new.measured


def test_weights_that_stand_for_an_hour_are_shares() -> None:
    """Then nothing more is about to shift."""
    settings = Settings({"digits:live": Alias("7", {"8": 0.1})})
    versions = live(settings)
    versions.begin([LIVE], NOON + 3600)

    assert [s.share for s in versions.subjects(LIVE, NOON + 3600)] == [0.9, 0.1]
    settings.aliases["digits:live"] = Alias("7", {"8": 0.2})
    versions.begin([LIVE], NOON + 3700)
    assert [s.share for s in versions.subjects(LIVE, NOON + 3700)] == [0.8, 1.0]


def test_a_version_with_all_the_weight_is_the_only_one() -> None:
    """The other gets no request."""
    (subject,) = live(Settings({"digits:live": Alias("7", {"8": 1.0})})).subjects(LIVE, NOON)

    assert subject.version == "8"


@pytest.mark.parametrize(("qualifier", "version"), [(None, "$LATEST"), ("7", "7")])
def test_what_is_no_alias_is_not_read(qualifier: str | None, version: str) -> None:
    """A version leads to itself."""
    target = Target("digits", qualifier, 10)
    settings = Settings({})
    versions = LiveVersions(settings)
    versions.begin([target], NOON)

    assert [subject.version for subject in versions.subjects(target, NOON)] == [version]
    assert settings.asked == []


def test_a_run_reads_ten_settings_at_most_six_of_many_aliases_in_turn() -> None:
    """Lambda answers 15 settings a second for the whole account, deployments among them.

    AWS page: "Lambda quotas" (Lambda API requests).
    """
    targets = [Target(f"f{index}", "live", 1) for index in range(25)]
    settings = Settings({f"f{index}:live": Alias("1") for index in range(25)})
    versions = LiveVersions(settings)
    for run in range(5):
        versions.begin(targets, NOON + run)

    assert [settings.asked.count(f"f{index}:live") for index in (0, 24)] == [2, 1]
    assert len(settings.asked) == 30
    assert versions.confirm(targets[10:], NOON)
    assert len(settings.asked) == 34
    assert not versions.confirm(targets, NOON)
    assert versions.provisioned(targets[0]) is None


def test_a_version_is_certain_where_its_alias_was_read_in_this_run() -> None:
    """Or where the ping names it; `$LATEST` is other code after a deploy, and never is."""
    versions = live(Settings({"digits:live": Alias("7")}))
    by_number, latest = Target("digits", "7", 10), Target("digits", None, 10)
    found = [versions.subjects(target, NOON)[0].certain for target in (LIVE, by_number, latest)]
    assert found == [True, True, False]

    versions.begin([], NOON + 60)
    assert not versions.subjects(LIVE, NOON + 60)[0].certain
    assert versions.confirm([LIVE], NOON + 61)
    assert versions.subjects(LIVE, NOON + 62)[0].certain
    assert not versions.confirm([LIVE], NOON + 63)


def test_an_alias_that_was_not_read_is_pinged_as_what_it_is() -> None:
    """Its version is what answered last."""
    versions = LiveVersions(Settings({}))
    versions.begin([], NOON)
    before = versions.subjects(LIVE, NOON)
    versions.answered(LIVE, ["7"])

    found = [*before, *versions.subjects(LIVE, NOON)]
    assert [(s.version, s.qualifier) for s in found] == [("", "live"), ("7", "live")]


def test_an_answer_from_another_version_is_reported_and_the_alias_read_again() -> None:
    """The executed version is one of the alias's, or the alias has moved."""
    settings = Settings({"digits:live": Alias("7")})
    versions = live(settings)
    versions.answered(LIVE, ["8"])

    assert versions.problems == [
        "digits:live answered from version 8, but led to 7 when it was read; it is read again"
    ]
    assert versions.subjects(LIVE, NOON)[0].version == "8"


def test_an_alias_that_does_not_exist_is_left_to_the_ping_to_report() -> None:
    """Which is then counted as rejected."""
    versions = live(Settings({"digits:live": FunctionNotFound("digits has no alias live")}))

    assert [s.version for s in versions.subjects(LIVE, NOON)] == [""]
    assert versions.problems == []


def test_an_alias_that_may_not_be_read_is_a_problem_with_its_remedy() -> None:
    """The target is warmed none the less."""
    denied = ServiceError("get_alias is not allowed: the role needs lambda:GetAlias")
    versions = live(Settings({"digits:live": denied}))

    assert len(versions.subjects(LIVE, NOON)) == 1
    assert "the role needs lambda:GetAlias" in versions.problems[0]


def test_a_ramp_says_how_much_of_an_arriving_version_is_wanted_next() -> None:
    """Until a run in five minutes, and one more that it may be late; a wave lasts ten.

    AWS page: "Working with deployment configurations in CodeDeploy".
    """
    target = replace(LIVE, ramp="Linear10PercentEvery1Minute")
    versions = LiveVersions(Settings({"digits:live": Alias("7", {"8": 0.1})}))
    versions.begin([target], NOON)

    old, new = versions.subjects(target, NOON)

    assert (new.share, new.rising, old.share) == (0.1, True, 0.9)
    assert new.routing.endswith("and more as its ramp says: Linear10PercentEvery1Minute")
    assert new.number(situation()) == environments_for(10, 0.7)  # by chance none is a user's now
    assert new.lasting(situation()) == 10
    assert old.number(situation()) == 3  # users keep seven at least
    assert new.wave(5).ramp is None
