"""What the page says beside its drawings."""

from __future__ import annotations

from infra.demo.figures import Figures
from infra.demo.markup import Markup, element, joined
from infra.demo.quantity import counted, milliseconds
from infra.demo.recording import SCHEDULE_SECONDS, Machine, Recording

__all__ = [
    "burst_words",
    "how",
    "latency_words",
    "machine_words",
    "run_words",
    "wave_words",
]


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
        "its arrival at the cloud to its answer: hatched is INIT, solid blue the priming in it, "
        "orange the answer. Both drawings have the same scale, in real milliseconds. "
        f"{_sharing(figures, recording)}"
    )


def wave_words(recording: Recording) -> Markup:
    """Where the INITs went that users did not wait for."""
    served = {item.environment for item in recording.burst(recording.with_warmer)}
    made = [item for item in recording.environments if item.id in served]
    said = "Pings of the warmer did, before any user came. "
    if made and all(item.init_ms is not None for item in made):
        inits = sorted(item.init_ms or 0.0 for item in made)
        said = (
            f"The {counted(len(made), 'environment')} that answered the burst with the warmer had "
            f"taken {_range(inits)} for INIT, each while a ping waited and no user did. "
        )
    primed = sorted(
        sum(stretch.ms for stretch in recording.primed[item.id])
        for item in made
        if item.id in recording.primed
    )
    if primed:
        said += (
            f"The last {_range(primed)} of it were priming: warm-up inferences, so that the first "
            "user's request finds the model as fast as it gets. "
        )
    return joined(
        element("p", said),
        element(
            "p",
            "What is sent first goes alone, to see whether the function answers pings at all. The "
            "others overlap, since one environment serves one request at a time: only pings that "
            "are in flight together reach as many environments.",
            class_="muted",
        ),
    )


def _range(values: list[float]) -> str:
    """From the least to the greatest; of one value, that."""
    low, high = milliseconds(values[0]), milliseconds(values[-1])
    return low if low == high else f"{low.removesuffix(' ms')} to {high}"


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
        "waited for an INIT. Latencies are the caller's own. Priming, which the cloud cannot see "
        "from outside, is from the line that each environment logs of its own.",
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
