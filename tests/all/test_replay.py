"""A trace replayed in the local cloud, with `auto`, beside the simulator's account of it.

All parts are real: a schedule that the warmer moves, execution environments, pings, logs.
Cold starts are counted by the cloud's ledger.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from infra.cloud.process import CloudProcess
from tests.fleet.test_in_the_cloud import Account, package, wait_for
from warmer.fleet.auto import Auto
from warmer.fleet.economics import Economics
from warmer.fleet.policy import Never, Policy, policy_from_text
from warmer.fleet.run_price import RunPrice
from warmer.lab.distribution import Distribution
from warmer.lab.placement import Placement, place
from warmer.lab.scenario import Scenario
from warmer.lab.simulation import Counted, Simulation
from warmer.lab.state import COLD_REQUESTS, PINGS, Integers
from warmer.lab.trace import Arrivals, MinuteCounts, Service, Trace

ROOT = Path(__file__).resolve().parents[2]
POLICY = "auto:cold=0.0001"
SCHEDULE = "rate(5 minutes)"
RATE = 15.0
MINUTES = 32
QUIET_MINUTES = 2
"""At the beginning, while the warmer starts."""
IDLE_SECONDS = 600.0
INIT_SECONDS, SERVICE_SECONDS = 0.3, 0.05
"""Of this machine's time: what the functions sleep."""
SEED = 7
SEEDS = range(20)
PLACEMENT = Placement.FRONT
"""Callers that timers start: within a minute some come in another's INIT, and others do not."""
MOST_PINGS = 3
"""Environments of a function that the warmer holds at most."""
FUNCTIONS, MEMORY_MB = 10, 128
MOST_DIFFERENCE = 3
"""Cold starts: a run is half a minute before the moment that the policy chose, and takes time."""

USED = f"""
import time
import warmer

time.sleep({INIT_SECONDS})


@warmer.warmable
def handler(event, context):
    time.sleep({SERVICE_SECONDS})
    return context.function_version
"""


def generated(seed: int) -> Trace:
    """Half an hour of periodic callers, bursts and rare users, known by the minute."""
    counts = counts_by_minute(seed)
    service = Service.constant(SERVICE_SECONDS * RATE)
    requests = MinuteCounts(counts.astype(np.int32), 0, [service] * len(counts))
    names = [f"f{number}" for number in range(len(counts))]
    return Trace("generated", names, requests, 0.0, MINUTES * 60.0)


def counts_by_minute(seed: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Requests of each function in each minute."""
    random = np.random.default_rng(seed)
    rows = []
    for period in (7.0, 11.5, 13.0):
        moments = np.arange(random.uniform(QUIET_MINUTES, 9), MINUTES, period)
        rows.append(np.bincount(moments.astype(int), minlength=MINUTES))
    for _ in range(4):
        row = np.zeros(MINUTES, dtype=np.int64)
        moment = QUIET_MINUTES + random.exponential(4)
        while moment < MINUTES:
            row[int(moment)] += random.integers(2, 7)
            moment += 6 + random.exponential(8)
        rows.append(row)
    for _ in range(3):
        moments = random.integers(QUIET_MINUTES, MINUTES, random.integers(2, 5))
        rows.append(np.bincount(moments, minlength=MINUTES))
    return np.array(rows, dtype=np.int64)


@dataclass(frozen=True)
class Replayed:
    """What the ledger has of a replay: by function, and all of it in cloud seconds from the first
    run of the warmer. `init`: the least and the longest that a cold request waited."""

    arrivals: Sequence[Sequence[float]]
    cold: Sequence[int]
    pings: Sequence[int]
    init: tuple[float, float]
    runs: int


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """A cloud with a fast clock."""
    log = tmp_path_factory.mktemp("cloud") / "cloud.log"
    options = ("--clock-rate", str(RATE), "--idle-lifetime", str(IDLE_SECONDS), "--any-python")
    with CloudProcess(options, directory=ROOT, log=log) as cloud:
        yield Account(cloud)


def clock_of(account: Account) -> str:
    """What the replay's warmer is told of the cloud's clock."""
    status = account.cloud.status()
    real, cloud = time.time(), datetime.fromisoformat(status["cloud_time"]).timestamp()
    return f"{real} {cloud} {status['clock_rate']}"


def scheduled_warmer(account: Account, functions: Sequence[str]) -> str:
    """A warmer with the policy, and a schedule that fires at once, and then when it says."""
    targets = [
        {"function": name, "qualifier": "live", "concurrency": MOST_PINGS} for name in functions
    ]
    variables = {
        "REPLAY_CLOCK": clock_of(account),
        "WARMER_TARGETS": json.dumps(targets),
        "WARMER_SCHEDULE": SCHEDULE,
        "WARMER_POLICY": POLICY,
    }
    code = package((ROOT / "tests" / "all" / "replay_warmer.py").read_text())
    name = account.function(Code={"ZipFile": code}, Environment={"Variables": variables})
    client = account.client("lambda")
    arn = client.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    account.client("scheduler").create_schedule(
        Name="warmer",
        ScheduleExpression=SCHEDULE,
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": arn, "RoleArn": account.role},
    )
    return name


def replay(account: Account, arrivals: Arrivals) -> Replayed:
    """Send every request at its moment; the warmer runs when it will meanwhile."""
    functions = [published(account) for _ in range(len(arrivals))]
    warmer = scheduled_warmer(account, functions)
    first = wait_for(lambda: invocations(account, warmer), "the first run of the warmer")[0]
    client = account.client("lambda")

    def request(moment: float, function: int) -> None:
        time.sleep(max(0.0, first["started"] + moment / RATE - time.time()))
        client.invoke(FunctionName=functions[function], Qualifier="live", Payload=b"{}")

    sent = [(t, n) for n in range(len(arrivals)) for t in arrivals.of(n).times.tolist()]
    with ThreadPoolExecutor(32) as users:
        for made in [users.submit(request, *one) for one in sorted(sent)]:
            made.result()
    account.client("scheduler").delete_schedule(Name="warmer")
    found = [invocations(account, name) for name in functions]
    users_of = [[one for one in records if not one["ping"]] for records in found]
    waits = [
        (one["ended"] - one["started"] - one["duration_ms"] / 1000) * RATE
        for records in users_of
        for one in records
        if one["cold"]
    ]
    return Replayed(
        [[(one["started"] - first["started"]) * RATE for one in of] for of in users_of],
        [sum(one["cold"] for one in of) for of in users_of],
        [sum(one["ping"] for one in of) for of in found],
        (min(waits), max(waits)),
        len(invocations(account, warmer)),
    )


def published(account: Account) -> str:
    """A function whose alias leads to its first version."""
    name = account.function(Code={"ZipFile": package(USED)}, MemorySize=MEMORY_MB, Publish=True)
    account.client("lambda").create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    return name


def invocations(account: Account, function: str) -> list[dict[str, Any]]:
    """What the ledger has of a function, by time."""
    records = account.cloud.ledger()["invocations"]
    return sorted(
        (one for one in records if one["function"] == function), key=lambda one: one["started"]
    )


def policy() -> Auto:
    """What the scheduled warmer asks, with the prices that it weighs for these functions."""
    found = policy_from_text(POLICY)
    assert isinstance(found, Auto)
    prices = RunPrice(functions=FUNCTIONS).weighed(Economics.of(memory_mb=MEMORY_MB))
    return replace(found, economics=prices)


def scenario(replayed: Replayed) -> Scenario:
    """The cloud's, with INIT as long as it was in cloud time."""
    low, high = replayed.init
    return Scenario(
        init=Distribution(low, high),
        idle_lifetime=Distribution(IDLE_SECONDS, IDLE_SECONDS),
        head_start=0.0,
        metric_delay=10.0,
        ping_seconds=0.01 * RATE,
        hold_seconds=0.04 * RATE,
        hold_seconds_a_ping=0.0,
        target_number=MOST_PINGS,
    )


def simulated(replayed: Replayed, trace: Trace, chosen: Policy) -> list[tuple[int, int]]:
    """Users' cold starts and pings of each function, for the moments at which requests came."""
    numbers = np.repeat(np.arange(FUNCTIONS), [len(one) for one in replayed.arrivals])
    times = np.concatenate([np.array(one) for one in replayed.arrivals])
    services = np.full(len(times), SERVICE_SECONDS * RATE)
    arrivals = Arrivals.from_requests(numbers, times, services)
    counts = together(arrivals, trace, chosen, replayed)
    return [(int(cold), int(pings)) for cold, pings in counts[:, [COLD_REQUESTS, PINGS]]]


def together(arrivals: Arrivals, trace: Trace, chosen: Policy, replayed: Replayed) -> Integers:
    """What comes of all functions of the one warmer, a row for each."""
    counted = Counted.empty(len(arrivals))
    run = Simulation(chosen, scenario(replayed), trace.start, trace.end, functions_a_run=FUNCTIONS)
    run.functions(arrivals, counted, 0)
    return counted.counts


def placed(replayed: Replayed, trace: Trace) -> list[int]:
    """Users' cold starts of all functions, for other moments within the same minutes."""
    arrivals = [place(trace, PLACEMENT, seed) for seed in SEEDS]
    runs = [together(one, trace, policy(), replayed) for one in arrivals]
    return [int(counts[:, COLD_REQUESTS].sum()) for counts in runs]


@pytest.mark.timeout(400)
def test_a_replayed_trace_has_the_cold_starts_that_the_simulator_says(account: Account) -> None:
    """By the ledger: within what other moments in the same minutes come to, and for the very
    moments of the replay almost to the one, pings too. Without a warmer there were many more.
    """
    trace = generated(SEED)
    replayed = replay(account, place(trace, PLACEMENT, SEED))
    said = simulated(replayed, trace, policy())
    told = f"cold {replayed.cold}, pings {replayed.pings}; simulated {said}; {replayed.init}"

    assert replayed.runs <= MINUTES, told
    spread = placed(replayed, trace)
    assert min(spread) <= sum(replayed.cold) <= max(spread), (told, spread)
    cold = [abs(mine - theirs) for mine, (theirs, _) in zip(replayed.cold, said, strict=True)]
    pings = [abs(mine - theirs) for mine, (_, theirs) in zip(replayed.pings, said, strict=True)]
    assert sum(cold) <= MOST_DIFFERENCE, told
    assert max(pings) <= 2, told
    without = sum(cold for cold, _ in simulated(replayed, trace, Never()))
    assert without >= 2 * sum(replayed.cold), (told, without)
