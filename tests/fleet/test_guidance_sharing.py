"""What functions of one warmer tell each other within a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from tests.fleet.situations import NOON, reply, report, situation
from warmer.fleet import Target
from warmer.fleet.guidance import Guidance
from warmer.fleet.plan import Subject
from warmer.fleet.policy import Decision, Look


@dataclass
class Counting:
    """A policy of which each function tells how often it looked and heard of a wave."""

    others: Sequence[float] = (0.0,)
    seen: list[float] = field(default_factory=list)
    timed: ClassVar[bool] = False

    def told(self, memories: Iterable[Mapping[str, float]]) -> list[float]:
        """How often, of all of them."""
        return [sum(memory.get("often", 0.0) for memory in memories)]

    def among(self, others: Sequence[float]) -> Counting:
        """The same, which knows of the others."""
        return replace(self, others=tuple(others))

    def decide(self, look: Look) -> Decision:
        """Once more."""
        self.seen.append(self.others[0])
        return Decision(1, look.now + 60.0, {"often": look.memory.get("often", 0.0) + 1.0})

    after = decide


def _subjects(count: int) -> list[Subject]:
    return [Subject(Target(f"function-{at}", "live"), "7", "7") for at in range(count)]


def test_a_function_is_told_of_what_others_decided_in_the_same_run() -> None:
    """Where one does what a few at a time may do, the next ones know."""
    policy = Counting()
    guidance, subjects = Guidance("it", policy), _subjects(3)
    guidance.begin(3)
    guidance.read_uses(subjects, situation())
    for subject in subjects:
        guidance.step(subject, situation())
    assert policy.seen == [0.0, 1.0, 2.0]


def test_a_function_is_told_of_what_others_heard_in_the_same_run() -> None:
    """What the replies to one's wave tell is there for those whose replies come later."""
    policy = Counting()
    guidance, subjects = Guidance("it", policy), _subjects(2)
    guidance.begin(2)
    guidance.read_uses(subjects, situation())
    steps = [guidance.step(subject, situation()) for subject in subjects]
    for subject, step in zip(subjects, steps, strict=True):
        guidance.heard(subject, step, report([reply()], at=NOON))
    assert policy.seen == [0.0, 1.0, 1.0, 2.0]
