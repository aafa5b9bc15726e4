"""What a wave's answers prove, and for which version."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from warmer.fleet.answer import Answer
from warmer.fleet.report import SUCCESSES, Outcome

__all__ = ["Tally"]


class Tally:
    """All answers of a wave, and the outcome that each comes to in their light.

    An environment counts once, and only if it runs the version that the wave is for. That is the
    one which answered most pings of the last round that any reply came from: an alias that is moved
    while a wave runs leads users to the new version, and environments of the old one serve nobody.
    """

    def __init__(self, asked: int) -> None:
        self._asked = asked
        self.answers: list[Answer] = []
        self.version = ""
        self.environments: dict[str, bool] = {}
        """Id of each proven environment, and whether any of its answers says that it was new: the
        first to arrive may have been a later ping's."""
        self.spares: list[str] = []
        self.outcomes: Mapping[Outcome, int] = {}

    @property
    def proven(self) -> int:
        """The number of distinct environments."""
        return len(self.environments)

    @property
    def versions(self) -> tuple[str, ...]:
        """The versions that answered."""
        return tuple(sorted({answer.version for answer in self.answers if answer.version}))

    def add(self, answers: Sequence[Answer]) -> None:
        """Take in the answers of one round."""
        self.answers += answers
        versions = Counter(answer.version for answer in answers if answer.reply)
        if versions:
            self.version = versions.most_common(1)[0][0]
        self.environments, self.spares = {}, []
        self.outcomes = Counter(self._outcome(answer) for answer in self.answers)

    def problems(self, target: str) -> list[str]:
        """What went wrong, a sentence each."""
        failures = [answer for answer in self.answers if answer.outcome not in SUCCESSES]
        counts = Counter(answer.problem or answer.outcome.value for answer in failures)
        problems = [text if n == 1 else f"{text} ({n} pings)" for text, n in counts.items()]
        if count := self.outcomes.get(Outcome.WRONG_VERSION, 0):
            others = ", ".join(version for version in self.versions if version != self.version)
            problems.append(
                f"{count} pings of {target} were answered by version {others} instead of"
                f" {self.version}: the alias was moved during the wave, or is weighted (then ping"
                " each version by its own number)"
            )
        return problems

    def _outcome(self, answer: Answer) -> Outcome:
        reply = answer.reply
        if reply is None:
            return answer.outcome
        if answer.version != self.version:
            return Outcome.WRONG_VERSION
        if reply.environment in self.environments or reply.environment in self.spares:
            if reply.environment in self.environments:
                self.environments[reply.environment] |= reply.new
            return Outcome.DUPLICATE
        if self.proven == self._asked:
            self.spares.append(reply.environment)
            return Outcome.SPARE
        self.environments[reply.environment] = reply.new
        return Outcome.PROVEN
