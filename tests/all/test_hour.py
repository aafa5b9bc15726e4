"""An hour of the cloud's under load: requests of every kind, pings, deploys and faults.

Three minutes of this machine's. What is sent follows a seed; what became of everything is printed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import statistics
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

import warmer
from infra.cloud.deployed import DeployedStack, deployed
from infra.cloud.sam import PROJECT
from infra.cloud.sam_build import build, build_environment

SEED = 20261123
CLOCK_RATE = 20
HOUR_SECONDS = 3600 / CLOCK_RATE
CALLERS, BURST, IMAGES = 4, 12, 64
INFERENCE = "local-inference"
TEMPLATE = PROJECT / "template.yaml"
PARAMETERS = {
    "FunctionUrlAuth": "NONE",
    "MetricsNamespace": "Warmer",
    "Alarms": "ENABLED",
    "AlarmErrors": "1000000",  # bad requests are sent on purpose
    "WarmConcurrency": "6",
}
SAMPLE_SECONDS = 3.0
GROWTH = 0.05
"""By how much the median of resident memory in the second half may be above that in the first,
without its first half, in which all is done for the first time. The cloud keeps log lines, metrics
and the ledger's records of some ten thousand requests: the hour does not come to those bounds, and
3 to 4 KB for each of its 5,000 requests are 3 %. Medians, since a deploy has its packages in memory
for a moment."""
CLOCK = ("--clock-rate", str(CLOCK_RATE), "--idle-lifetime", "600")

Request = dict[str, Any]


@dataclass
class Outcomes:
    """What became of requests, by kind and outcome; every request has one."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, kind: str, outcome: str) -> None:
        """Count one."""
        with self.lock:
            self.counts[kind, outcome] += 1

    def of(self, *kinds: str) -> int:
        """How many of these kinds there were."""
        return sum(count for (kind, _), count in self.counts.items() if kind in kinds)


class Load:
    """Users who send what a seed says, and know the right answers."""

    def __init__(self, stack: DeployedStack, outcomes: Outcomes) -> None:
        self._stack = stack
        self.outcomes = self._outcomes = outcomes
        self._stop = threading.Event()
        chooser = np.random.default_rng(SEED)
        images = chooser.integers(0, 17, size=(IMAGES, 1, 8, 8)).astype(np.float32)
        model = warmer.load(PROJECT / "handlers" / "models" / "digits")
        self._labels = [int(model.run({"image": image})["label"][0]) for image in images]
        self._requests = [requested(image) for image in images]
        self._threads = [
            threading.Thread(target=self._call, args=(SEED + number,)) for number in range(CALLERS)
        ]

    def start(self) -> None:
        """Begin to send."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Send no more; what was sent has been answered when this returns."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _call(self, seed: int) -> None:
        chosen = random.Random(seed)
        client = self._stack.client("lambda")
        while not self._stop.wait(chosen.expovariate(8)):
            kind = chosen.choices(("invoke", "http", "bad", "event"), (60, 30, 6, 4))[0]
            try:
                self._send(client, kind, chosen.randrange(IMAGES))
            except Exception as error:  # noqa: BLE001 - whatever it is, a user's request was lost
                self._outcomes.add(kind, f"lost: {error!r}")

    def burst(self) -> None:
        """Many at once, more than are kept warm."""
        client = self._stack.client("lambda")
        with ThreadPoolExecutor(BURST) as threads:
            sent = [threads.submit(self._send, client, "invoke", n) for n in range(BURST)]
            for item in sent:
                item.result()

    def _send(self, client: Any, kind: str, number: int) -> None:
        if kind == "http":
            self._judge(kind, number, self._http(number))
            return
        event = {"inputs": "none"} if kind == "bad" else self._requests[number]
        answer = client.invoke(
            FunctionName=INFERENCE,
            Qualifier="live",
            InvocationType="Event" if kind == "event" else "RequestResponse",
            Payload=json.dumps(event).encode(),
        )
        if kind == "event":
            self._outcomes.add(kind, str(answer["StatusCode"]))
            return
        said = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            self._outcomes.add(kind, str(said["errorType"]))
        else:
            self._judge(kind, number, said)

    def _http(self, number: int) -> Any:
        url = self._stack.outputs["InferenceUrl"] + "v2/models/digits/infer"
        body = json.dumps(self._requests[number]).encode()
        request = urllib.request.Request(url, body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)

    def _judge(self, kind: str, number: int, said: Any) -> None:
        (label,) = [out["data"][0] for out in said["outputs"] if out["name"] == "label"]
        right = label == self._labels[number]
        self._outcomes.add(kind, "right" if right else "wrong")


def requested(image: np.ndarray[Any, Any]) -> Request:
    """A request for the label of one image."""
    data = [float(value) for value in image.reshape(-1)]
    tensor = {"name": "image", "shape": [1, 8, 8], "datatype": "FP32", "data": data}
    return {"inputs": [tensor], "outputs": [{"name": "label"}]}


@dataclass(frozen=True)
class Footprint:
    """What the cloud's process holds: resident megabytes, open files, threads; after how much."""

    resident_mb: float
    files: float
    threads: float
    requests: float

    @classmethod
    def of(cls, pid: int, outcomes: Outcomes) -> Footprint:
        """As Linux counts it now."""
        status = Path(f"/proc/{pid}/status").read_text()
        values = dict(line.split(":", 1) for line in status.splitlines())
        resident = int(values["VmRSS"].split()[0]) / 1024
        files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        requests = outcomes.counts.total()
        return cls(round(resident, 1), files, int(values["Threads"]), requests)


def kill_idle(stack: DeployedStack, chosen: random.Random) -> bool:
    """End an idle environment of the inference function as a crash of its host would."""
    idle = {item["id"] for item in stack.environments(INFERENCE) if item["state"] == "idle"}
    known = [item for item in stack.ledger()["environments"] if item["id"] in idle and item["pid"]]
    if not known:
        return False
    try:
        os.kill(chosen.choice(known)["pid"], signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


class Sampler:
    """What the cloud's process holds, every few seconds, until it is stopped."""

    def __init__(self, pid: int, outcomes: Outcomes) -> None:
        self.footprints: list[Footprint] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(pid, outcomes))
        self._thread.start()

    def stop(self) -> None:
        """Take no more."""
        self._stop.set()
        self._thread.join()

    def _run(self, pid: int, outcomes: Outcomes) -> None:
        while not self._stop.wait(SAMPLE_SECONDS):
            self.footprints.append(Footprint.of(pid, outcomes))


def halves(footprints: list[Footprint]) -> tuple[Footprint, Footprint]:
    """Medians of the hour's second quarter and of its second half, each figure by itself."""
    quarter = len(footprints) // 4
    found = [
        Footprint(*(statistics.median(column) for column in zip(*map(astuple, part), strict=True)))
        for part in (footprints[quarter : 2 * quarter], footprints[2 * quarter :])
    ]
    return found[0], found[1]


@dataclass
class Hour:
    """All that happened, and what was left."""

    outcomes: Outcomes
    deploys: int
    kills: int
    seconds: float
    footprints: list[Footprint]
    ledger: dict[str, Any]
    endpoint: str
    left_files: list[str]


def run_events(stack: DeployedStack, load: Load, until: float) -> tuple[int, int]:
    """Deploys, bursts and faults at moments of the seed's, until then (monotonic seconds)."""
    chosen = random.Random(SEED)
    built = build(TEMPLATE, PARAMETERS, environment=build_environment(True))
    deploys, kills = 0, 0
    while (left := until - time.monotonic()) > 0:
        what = chosen.choices(("wait", "burst", "kill", "deploy"), (45, 20, 15, 20))[0]
        if what == "burst":
            load.burst()
        elif what == "kill":
            kills += kill_idle(stack, chosen)
        elif what == "deploy" and left > 20:
            deploys += 1
            memory = str(1024 + 64 * (deploys % 8))
            stack.update(built, {**PARAMETERS, "InferenceMemory": memory})
        time.sleep(min(chosen.expovariate(0.5), max(until - time.monotonic(), 0.0)))
    return deploys, kills


def settled(stack: DeployedStack, done: Callable[[], bool]) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline, stack.status()["functions"]
        time.sleep(0.1)


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> Hour:
    """The hour; the cloud's own files are in a folder of ours."""
    place = tmp_path_factory.mktemp("hour")
    outcomes = Outcomes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(place))
        with deployed(TEMPLATE, PARAMETERS, any_python=True, arguments=CLOCK) as stack:
            load = Load(stack, outcomes)
            began = time.monotonic()
            load.start()
            sampler = Sampler(stack.pid, outcomes)
            try:
                deploys, kills = run_events(stack, load, began + HOUR_SECONDS)
            finally:
                load.stop()
                sampler.stop()
            settled(stack, lambda: all(i["ended"] for i in stack.ledger()["invocations"]))
            seconds = time.monotonic() - began
            ledger, endpoint = stack.ledger(), stack.endpoint
    left = [str(path.relative_to(place)) for path in place.rglob("*")]
    return Hour(outcomes, deploys, kills, seconds, sampler.footprints, ledger, endpoint, left)


@pytest.mark.timeout(900)
def test_the_hour_is_told(hour: Hour, capsys: pytest.CaptureFixture[str]) -> None:
    """Seed, counts and durations; and each kind of thing did happen."""
    counts = {
        f"{kind}: {outcome}": n for (kind, outcome), n in sorted(hour.outcomes.counts.items())
    }
    records = hour.ledger["invocations"]
    told = {
        "seed": SEED,
        "seconds": round(hour.seconds, 1),
        "cloud_minutes": round(hour.seconds * CLOCK_RATE / 60, 1),
        "requests": counts,
        "pings": sum(item["ping"] for item in records),
        "cold_starts_of_users": sum(item["cold"] for item in of_users(hour)),
        "deploys": hour.deploys,
        "environments": len(hour.ledger["environments"]),
        "environments_killed": hour.kills,
        "medians_of_the_halves": [vars(half) for half in halves(hour.footprints)],
    }
    with capsys.disabled():
        print(f"\n{json.dumps(told, indent=1)}")  # noqa: T201 - the figures are for people
    assert hour.outcomes.of("invoke", "http") > 1000
    assert min(hour.deploys, hour.kills, told["pings"]) > 0
    assert hour.seconds >= HOUR_SECONDS


def of_users(hour: Hour) -> list[dict[str, Any]]:
    """Invocations of the inference function that are no pings."""
    return [
        item
        for item in hour.ledger["invocations"]
        if item["function"] == INFERENCE and not item["ping"]
    ]


def test_no_request_is_lost_and_no_answer_wrong(hour: Hour) -> None:
    """One outcome each; only an environment that was killed under a request may cost that one."""
    allowed = {
        ("invoke", "right"),
        ("http", "right"),
        ("bad", "RequestError"),
        ("event", "202"),
    }
    others = {key: n for key, n in hour.outcomes.counts.items() if key not in allowed}
    crashed = sum(n for (_, outcome), n in others.items() if outcome == "Runtime.ExitError")
    assert sum(others.values()) == crashed <= hour.kills, others
    sent = hour.outcomes.of("invoke", "http", "bad", "event")
    assert len(of_users(hour)) == sent
    assert all(item["ended"] is not None for item in hour.ledger["invocations"])


def test_deploys_cost_users_no_cold_start_of_a_new_version(hour: Hour) -> None:
    """The first request to each version finds a warm environment: the hook was there before."""
    first: dict[str, bool] = {}
    for item in of_users(hour):
        first.setdefault(item["version"], item["cold"])
    assert len(first) == hour.deploys + 1
    assert [version for version, cold in first.items() if cold and version != "1"] == []


def test_memory_files_and_threads_stay_flat(hour: Hour) -> None:
    """The second half of the hour against the first, of which deploys and users have as many."""
    first, second = halves(hour.footprints)
    assert second.requests - first.requests > 1000
    assert second.resident_mb <= first.resident_mb * (1 + GROWTH)
    assert second.files - first.files < 40
    assert second.threads - first.threads < 40


def test_nothing_is_left(hour: Hour) -> None:
    """No process of an environment, no file, and nobody at the port."""
    for item in hour.ledger["environments"]:
        command = Path(f"/proc/{item['pid']}/cmdline")
        try:
            assert b"awslambdaric" not in command.read_bytes(), item
        except FileNotFoundError:
            continue
    assert hour.left_files == []
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(urlsplit(hour.endpoint).port or 0))) != 0
