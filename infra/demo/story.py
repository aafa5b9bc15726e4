"""The demo's story: deploy, cold, warm, kept hot, idle, cold again; each step measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from infra.cloud.sam import PROJECT
from infra.demo.deployment import Deployment, wait_until
from infra.demo.digits import INFER_PATH, image_request, label_of
from infra.demo.figures import Burst, Figures, MonthlyCost, Wave
from infra.demo.load import Caller, Latencies, at_once, one_after_another
from infra.demo.recording import SCHEDULE_SECONDS, Chapter, Machine, Recording, Span, records
from warmer.environment import Primed
from warmer.errors import CloudError
from warmer.fleet.price import PRICES, SECONDS_A_MONTH

Tell = Callable[[str], None]

SAMPLES = PROJECT / "handlers" / "models" / "digits" / "samples.npz"
_MARGIN_SECONDS = 30.0


@dataclass(frozen=True)
class Plan:
    """What the demo does.

    concurrency: environments to warm, and concurrent requests in a burst.
    requests: how many requests measure the warm endpoint.
    idle_seconds: idle lifetime T of the local cloud, in cloud time.
    clock_rate: cloud seconds for each real one.
    """

    concurrency: int = 10
    requests: int = 200
    idle_seconds: float = 600.0
    clock_rate: float = 30.0


class Story:
    """Runs the plan on one deployment, telling each step as it begins."""

    def __init__(self, plan: Plan, deployment: Deployment, tell: Tell) -> None:
        self._plan = plan
        self._deployment = deployment
        self._tell = tell
        self._body, self._digit = image_request(SAMPLES)
        self._url = ""
        self._inference = ""
        self._warmer = ""
        self._chapters: list[Chapter] = []
        self._schedule_on: tuple[float, float] | None = None
        self._first_wave = Span()
        self._with_warmer = Span()
        self._without_warmer = Span()
        self._primed: dict[str, tuple[Primed, ...]] = {}

    def run(self) -> Figures:
        """The whole story; raises CloudError where a step cannot be done."""
        started = time.monotonic()
        self._deploy()
        cold, warm = self._meet_cold_and_warm()
        waves = self._warm_up()
        first_ms, with_warmer = self._burst_on_warm_pool()
        alive = self._let_it_idle()
        without_warmer = self._burst_on_cold_pool()
        self._await_primed()
        return Figures(
            cold=Latencies((cold, *without_warmer.latencies.values)),
            warm=warm,
            first_after_warm_ms=first_ms,
            waves=waves,
            with_warmer=with_warmer,
            without_warmer=without_warmer,
            alive_after_idle=alive,
            cost=self._cost(waves[-1]),
            seconds=time.monotonic() - started,
        )

    def recording(self) -> Recording:
        """What has happened so far, for the page; after `run`, all of it."""
        environments, invocations = records(self._deployment.ledger())
        return Recording(
            environments=environments,
            invocations=invocations,
            primed=self._primed,
            inference=self._inference,
            warmer=self._warmer,
            chapters=tuple(self._chapters),
            schedule_on=self._schedule_on,
            first_wave=self._first_wave,
            with_warmer=self._with_warmer,
            without_warmer=self._without_warmer,
            idle_seconds=self._plan.idle_seconds,
            clock_rate=self._plan.clock_rate,
            machine=Machine.here(),
            finished=time.time(),
        )

    def _deploy(self) -> None:
        self._tell("sam build: wheels, model and handlers into two packages")
        self._deployment.build()
        self._tell("sam deploy: the stack, with the schedule switched off")
        self._deployment.deploy(Warming="DISABLED")
        outputs = self._deployment.outputs()
        self._url = outputs["InferenceUrl"]
        self._inference = outputs["InferenceFunctionName"]
        self._warmer = outputs["WarmerFunctionName"]

    def _meet_cold_and_warm(self) -> tuple[float, Latencies]:
        self._tell("the first request ever: a cold start")
        self._chapter(f"The first request ever, then {self._plan.requests} one after another")
        with self._caller() as caller:
            cold = caller.call()
            self._tell(f"{self._plan.requests} requests to the warm environment")
            warm = one_after_another(caller, self._plan.requests)
        return cold, warm

    def _warm_up(self) -> tuple[Wave, ...]:
        """Wait for an empty pool, switch the schedule on, and let it fire twice."""
        self._chapter("No requests: Lambda takes idle environments back")
        self._await_empty_pool()
        self._tell("sam deploy: the schedule switched on")
        since, at = self._deployment.mark(), time.time()
        self._deployment.deploy(Warming="ENABLED")
        waves = []
        for number in (1, 2):
            self._tell(
                f"the schedule fires: {self._plan.concurrency} pings in flight together "
                f"(wave {number})"
            )
            self._await_waves(number)
            self._chapter(
                f"The schedule fires: wave {number}, {self._plan.concurrency} pings together",
                self._fired(number),
            )
            lost = self._deployment.lost(self._inference, at)
            waves.append(replace(self._wave(number, since), lost=lost))
            if number == 1:
                self._first_wave = Span(since, self._deployment.mark())
            since, at = self._deployment.mark(), time.time()
        return tuple(waves)

    def _burst_on_warm_pool(self) -> tuple[float, Burst]:
        self._tell(f"a request, then {self._plan.concurrency} at once, to the warm pool")
        self._chapter(f"One request, then {self._plan.concurrency} at once, to the warm pool")
        with self._caller() as caller:
            first_ms = caller.call()
        burst, self._with_warmer = self._burst()
        return first_ms, burst

    def _let_it_idle(self) -> int:
        self._tell("sam deploy: the schedule switched off")
        self._deployment.deploy(Warming="DISABLED")
        self._schedule_on = (self._fired(1), time.time())
        self._chapter("The schedule is off: without pings, the pool goes")
        self._await_empty_pool()
        return self._deployment.alive(self._inference)

    def _burst_on_cold_pool(self) -> Burst:
        self._tell(f"{self._plan.concurrency} requests at once, without the warmer")
        self._chapter(f"{self._plan.concurrency} requests at once, without the warmer")
        burst, self._without_warmer = self._burst()
        return burst

    def _burst(self) -> tuple[Burst, Span]:
        since = self._deployment.mark()
        with ExitStack() as open_callers:
            callers = [
                open_callers.enter_context(self._caller()) for _ in range(self._plan.concurrency)
            ]
            latencies = at_once(callers)
        served = self._deployment.invocations(self._inference, since)
        users = [item for item in served if item["kind"] == "url"]
        burst = Burst(latencies, sum(1 for item in users if item["cold"]))
        return burst, Span(since, self._deployment.mark())

    def _await_empty_pool(self) -> None:
        self._tell(
            f"no request for {self._plan.idle_seconds:.0f} s of cloud time: Lambda takes the "
            "environments back"
        )
        real_seconds = self._plan.idle_seconds / self._plan.clock_rate
        wait_until(
            lambda: self._deployment.alive(self._inference) == 0,
            "idle environments to be taken back",
            2 * real_seconds + _MARGIN_SECONDS,
        )

    def _await_waves(self, count: int) -> None:
        """Until the warmer has logged `count` reports; its own failure ends the wait."""

        def done() -> bool:
            runs = self._deployment.invocations(self._warmer)
            failed = [run for run in runs if run["status"] not in ("running", "success")]
            if failed:
                said = "\n".join(self._deployment.log_events(self._warmer)[-20:])
                raise CloudError(f"the warmer failed ({failed[0]['status']}):\n{said}")
            finished = [run for run in runs if run["status"] == "success"]
            return len(finished) >= count and len(self._deployment.waves(self._warmer)) >= count

        interval = SCHEDULE_SECONDS / self._plan.clock_rate
        wait_until(done, f"wave {count}", interval + 2 * _MARGIN_SECONDS)

    def _await_primed(self) -> None:
        """Until each environment of the inference function that finished INIT has its log line."""

        def done() -> bool:
            self._primed = self._deployment.primed(self._inference)
            return self._deployment.ready(self._inference) <= self._primed.keys()

        wait_until(done, "the log lines that tell of priming")

    def _fired(self, number: int) -> float:
        """The Unix second at which the schedule invoked the warmer for the nth time."""
        runs = self._deployment.invocations(self._warmer)
        return float(runs[number - 1]["started"])

    def _chapter(self, title: str, started: float | None = None) -> None:
        self._chapters.append(Chapter(title, time.time() if started is None else started))

    def _wave(self, number: int, since: int) -> Wave:
        report = self._deployment.waves(self._warmer)[number - 1]
        pings = [
            item for item in self._deployment.invocations(self._inference, since) if item["ping"]
        ]
        runs = self._deployment.invocations(self._warmer)
        logged = self._deployment.log_events(self._warmer) + self._deployment.log_events(
            self._inference
        )
        return Wave(
            asked=report["asked"],
            proven=report["proven"],
            spares=len(report["spares"]),
            new=sum(item["cold"] for item in pings),
            rounds=report["rounds"],
            distinct=len({item["environment"] for item in pings}),
            pings=len(pings),
            billed_ms=sum(item["billed_ms"] for item in pings),
            warmer_billed_ms=runs[number - 1]["billed_ms"],
            log_bytes=sum(len(line) for line in logged) // number,
        )

    def _cost(self, wave: Wave) -> MonthlyCost:
        """A month of waves like `wave`, with the warmer's own runs and the log lines."""
        runs = SECONDS_A_MONTH // SCHEDULE_SECONDS
        memory_mb = self._deployment.memory_mb(self._inference)
        each = (
            PRICES.invokes(wave.pings, wave.billed_ms, memory_mb)
            + PRICES.invokes(1, wave.warmer_billed_ms, self._deployment.memory_mb(self._warmer))
            + PRICES.logs(wave.log_bytes)
        )
        provisioned = PRICES.provisioned_month(self._plan.concurrency, memory_mb)
        return MonthlyCost(runs * each, provisioned, runs)

    @contextmanager
    def _caller(self) -> Iterator[Caller]:
        with Caller(f"{self._url}{INFER_PATH}", self._body, self._check) as caller:
            yield caller

    def _check(self, answer: bytes) -> None:
        label = label_of(answer)
        if label != self._digit:
            raise CloudError(f"the model answered {label} for an image of a {self._digit}")
