"""One ping, sent and answered: what became of it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from math import ceil
from typing import NamedTuple

from warmer.aws import Invoker, InvokeReply, InvokeRequest, SignedInvoke
from warmer.errors import AnswerTimeout, EndpointUnreachable, InvokeError, Throttled
from warmer.fleet.report import Outcome
from warmer.fleet.target import Target
from warmer.ping import Ping, Refusal, Reply, client_context, parse_reply

__all__ = ["Answer", "answer_to", "request_for", "unprimed"]


class Answer(NamedTuple):
    """What became of one ping.

    `outcome` is PROVEN for any reply that counts; the wave tells duplicates and wrong versions.
    `problem` is a sentence, empty for PROVEN. `sent_at` and `received_at` are monotonic seconds
    (0: unknown), `request_id` is how the function's log calls the ping, "" where none ran.
    """

    outcome: Outcome
    problem: str = ""
    reply: Reply | None = None
    version: str = ""
    sent_at: float = 0.0
    received_at: float = 0.0
    throttle_reason: str = ""
    request_id: str = ""

    @property
    def held_ms(self) -> float:
        """How long the ping was held; a stranger's figure, so no longer than the answer took."""
        held = self.reply.held_ms if self.reply else 0.0
        return min(max(held, 0.0), (self.received_at - self.sent_at) * 1000)

    @property
    def billed_ms(self) -> float:
        """What Lambda bills for this ping, as its reply tells; a function error is not counted.

        Whole milliseconds, at least one; INIT is billed to the invoke that it came before.
        """
        reply = self.reply
        if reply is None:
            return 0.0
        init_ms = max(reply.init_ms, 0.0) if reply.new else 0.0
        took_ms = (self.received_at - self.sent_at) * 1000
        return float(ceil(min(init_ms + max(reply.primed_ms, 0.0) + self.held_ms, took_ms))) or 1.0


def request_for(target: Target, ping: Ping, timeout_seconds: float) -> InvokeRequest:
    """The invoke that carries a ping."""
    return InvokeRequest(
        function=target.function,
        qualifier=target.qualifier,
        client_context=client_context(ping),
        timeout_seconds=timeout_seconds,
    )


async def answer_to(invoker: Invoker, target: Target, ping: Ping, signed: SignedInvoke) -> Answer:
    """Send one ping and say what became of it; raises only what is no matter of the target's."""
    try:
        reply = await invoker.invoke(signed)
    except Throttled as error:
        return Answer(Outcome.THROTTLED, str(error), throttle_reason=error.reason)
    except AnswerTimeout as error:
        return Answer(Outcome.TIMEOUT, str(error))
    except EndpointUnreachable as error:
        return Answer(Outcome.UNREACHABLE, str(error))
    except InvokeError as error:
        return Answer(Outcome.REJECTED, str(error))
    said = parse_reply(reply.payload)
    outcome, problem = _verdict(target, ping, reply, said)
    counted = said if outcome is Outcome.PROVEN and isinstance(said, Reply) else None
    version = reply.executed_version or (counted.function_version if counted else "")
    times = reply.sent_at, reply.received_at
    return Answer(outcome, problem, counted, version, *times, request_id=reply.request_id)


def unprimed(replies: Iterable[Reply]) -> dict[str, str]:
    """Models and functions that an environment has not primed, each with the reason, by name.

    An environment's last reply counts: a ping may have finished what INIT had no time for. The
    reason is "" for what is still to be primed.
    """
    last = {reply.environment: reply for reply in replies}
    found: dict[str, str] = {}
    for reply in last.values():
        for name, report in (*reply.functions.items(), *reply.models.items()):
            if report.get("primed") is not True:
                error = report.get("error")
                reason = _short(error) if isinstance(error, str) else ""
                found[_short(name)] = reason or found.get(_short(name), "")
    return found


def _verdict(
    target: Target, ping: Ping, reply: InvokeReply, said: Reply | Refusal | None
) -> tuple[Outcome, str]:
    """The outcome of a ping that reached the function, and the problem in a sentence."""
    if reply.function_error is not None:
        return Outcome.FUNCTION_ERROR, f"{target} failed: {_error_of(reply.payload)}"
    if said is None:
        return Outcome.NO_REPLY, (
            f"{target} returned no Warmer reply, so its own code ran on the ping's event, {{}};"
            " decorate its handler with @warmer.warmable, outermost, and publish that version"
        )
    if isinstance(said, Refusal):
        return Outcome.REFUSED, f"{target} refused the ping: {_short(said.error)}"
    if (said.wave, said.index) != (ping.wave, ping.index):
        return Outcome.STALE, (
            f"{target} sent the reply to another ping; something around its handler stores"
            " responses: put @warmer.warmable outermost"
        )
    return Outcome.PROVEN, ""


def _error_of(payload: bytes) -> str:
    """The error that Lambda put into the payload, in short; total over any bytes."""
    try:
        error = json.loads(payload)
    except (ValueError, RecursionError):
        return _short(payload.decode("utf-8", "replace"))
    if not isinstance(error, dict):
        return "with an error that is no JSON object"
    parts = [error.get("errorType"), error.get("errorMessage")]
    return _short(": ".join(part for part in parts if isinstance(part, str) and part))


def _short(text: str) -> str:
    """A stranger's text, on one line and at most 200 characters, fit for any log."""
    line = " ".join(text.encode("utf-8", "replace").decode("utf-8").split()) or "without a message"
    return line if len(line) <= 200 else f"{line[:197]}..."
