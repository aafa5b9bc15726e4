"""What the page says beside its drawings."""

from __future__ import annotations

from infra.demo.figures import Figures
from infra.demo.markup import Markup, element, joined
from infra.demo.quantity import counted, milliseconds
from infra.demo.recording import SCHEDULE_SECONDS, Machine, Recording

__all__ = ["burst_words", "how", "latency_words", "machine_words", "run_words"]


def machine_words(machine: Machine) -> str:
    """Where it was measured, in few words."""
    return (
        f"{counted(machine.cpus, 'CPU')}, {machine.system} {machine.architecture}, "
        f"Python {machine.python}"
    )


def burst_words(figures: Figures, recording: Recording) -> str:
    """What the two drawings show, and what they do not."""
    return (
        f"{counted(figures.without_warmer.requests, 'request')} sent at the same moment, once to "
        "an empty pool and once to the pool that the warmer keeps. One lane is one request, from "
        "its arrival at the cloud to its answer; both drawings have the same scale, in real "
        f"milliseconds. {_sharing(figures, recording)}"
    )


def latency_words(figures: Figures, recording: Recording) -> str:
    """Which requests are in the rows."""
    return (
        f"What callers waited for, transport included. Warm: {len(figures.warm.values):,} one "
        f"after another to one environment, and {figures.with_warmer.requests:,} at once to the "
        f"warm pool. Cold: the first request ever, alone, and the burst of "
        f"{figures.without_warmer.requests:,} without the warmer. {_sharing(figures, recording)}"
    )


def run_words(recording: Recording) -> str:
    """What a lane is, and which time is which."""
    return (
        "One lane is one execution environment, from the cloud's own ledger. The axis has real "
        f"seconds; cloud time, which schedules and idle lifetimes follow, ran "
        f"{recording.clock_rate:g} times faster. An environment that is idle for "
        f"{_duration(recording.idle_seconds)} of cloud time is taken back; pings begin that time "
        "anew."
    )


def how(recording: Recording) -> Markup:
    """Where every figure comes from, and what differs from AWS."""
    rate = recording.clock_rate
    real_seconds = recording.idle_seconds / rate
    facts = {
        "Machine": f"{machine_words(recording.machine)}. Cold starts that come together share "
        "these CPUs; on AWS each environment has its own share.",
        "Real parts": "This project's template, built and deployed by sam; each environment is a "
        "process of Lambda's own Python runtime client with the deployed package, in namespaces "
        "of its own; the model runs in ONNX Runtime; requests travel over HTTP.",
        "Local cloud": "Instead of AWS. That Lambda uses the most recently used idle environment, "
        "and for how long it keeps one, are assumptions: AWS publishes neither.",
        "Real time": "INIT, requests, pings and all latencies: not scaled by anything.",
        "Cloud time": f"{rate:g} times faster than real time: the schedule of "
        f"{_duration(SCHEDULE_SECONDS)} fired every {SCHEDULE_SECONDS / rate:.3g} s, and the idle "
        f"lifetime of {_duration(recording.idle_seconds)} passed in {real_seconds:.3g} s. The "
        "month's cost counts cloud time.",
        "Counted by": "The cloud's ledger: environments by process, cold starts by requests that "
        "waited for an INIT. Latencies are the caller's own.",
        "Not drawn": "Priming, which is a part of INIT: the ledger sees INIT from outside, as a "
        "whole.",
    }
    return element(
        "dl",
        *(joined(element("dt", name), element("dd", text)) for name, text in facts.items()),
        class_="how",
    )


def _sharing(figures: Figures, recording: Recording) -> str:
    return (
        f"Cold starts that come together share this machine's "
        f"{counted(recording.machine.cpus, 'CPU')}, as they do not on AWS; the one that came alone "
        f"took {milliseconds(figures.cold.values[0])}."
    )


def _duration(seconds: float) -> str:
    if seconds < 120:
        return counted(round(seconds), "second")
    return f"{seconds / 60:.3g} minutes"
