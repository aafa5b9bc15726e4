"""Waves through the real parts: what a user's fleet and its live requests go through.

Environments, cold starts and throttles are counted by the cloud's ledger.
"""

from __future__ import annotations

import json
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.cloud.deployed import DeployedStack, deployed
from warmer.aws import LambdaInvoker
from warmer.aws.functions import FunctionSettings
from warmer.fleet import Outcome, Target, WaveReport, WaveSettings, run_wave, warm
from warmer.fleet.budget import ConcurrencyLimits
from warmer.fleet.wave import Progress

ROOT = Path(__file__).resolve().parents[3]
LEFT_OUT = ("__pycache__", "cli", "lab", "bundling", "model", "inference", "fleet", "aws")

HANDLERS = {
    "light": "handler = warmer.warmable(lambda event, context: {})",
    "crashing": """
assert os.urandom(1)[0] < 160
handler = warmer.warmable(lambda event, context: {})
""",
    "hanging": """
answer = warmer.warmable(lambda event, context: {})
STUCK = os.urandom(1)[0] < 96


def handler(event, context):
    time.sleep(60 if STUCK else 0)
    return answer(event, context)
""",
    "garbled": """
answer = warmer.warmable(lambda event, context: {})


def handler(event, context):
    reply = answer(event, context)
    if os.urandom(1)[0] < 128:
        reply["warmer"]["environment"] = ["no", "name"]
    return reply
""",
}
RESERVED = {"reserved": 5}
TIMEOUT_SECONDS = 2


def _write_project(folder: Path) -> Path:
    resources = {}
    for name in (*HANDLERS, *RESERVED):
        code = folder / name
        code.mkdir()
        source = HANDLERS.get(name, HANDLERS["light"])
        (code / "app.py").write_text(f"import os\nimport time\n\nimport warmer\n\n{source}\n")
        ignored = shutil.ignore_patterns(*LEFT_OUT)
        shutil.copytree(ROOT / "warmer", code / "warmer", ignore=ignored)
        properties = {
            "FunctionName": name,
            "CodeUri": name,
            "Handler": "app.handler",
            "Runtime": f"python{sys.version_info.major}.{sys.version_info.minor}",
            "Timeout": TIMEOUT_SECONDS,
            "AutoPublishAlias": "live",
        }
        if name in RESERVED:
            properties["ReservedConcurrentExecutions"] = RESERVED[name]
        resources[name.title()] = {"Type": "AWS::Serverless::Function", "Properties": properties}
    template = folder / "template.json"
    document = {"Transform": "AWS::Serverless-2016-10-31", "Resources": resources}
    template.write_text(json.dumps(document))
    return template


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedStack]:
    """A cloud with one function for each fault."""
    template = _write_project(tmp_path_factory.mktemp("waves"))
    with deployed(template, build=False, any_python=True) as found:
        yield found


@pytest.fixture
def invoker(stack: DeployedStack, monkeypatch: pytest.MonkeyPatch) -> LambdaInvoker:
    """Pings this cloud."""
    for name, value in stack.environment().items():
        monkeypatch.setenv(name, value)
    return LambdaInvoker()


def adds_up(report: WaveReport, stack: DeployedStack, mark: int) -> None:
    """Every ping has an outcome, and the ledger has as many requests as were sent."""
    records = stack.invocations(report.target.name, mark)
    assert sum(report.outcomes.values()) == report.sent == len(records)
    assert set(report.environments).isdisjoint(report.spares)
    throttled = sum(record["status"] == "throttled" for record in records)
    assert report.outcomes.get(Outcome.THROTTLED, 0) == throttled


def test_as_many_environments_are_alive_as_are_proven(
    stack: DeployedStack, invoker: LambdaInvoker
) -> None:
    """The ledger has those that were asked for and the spare; the next wave meets the same."""
    first = run_wave(Target("light", "live", 8), invoker)
    again = run_wave(Target("light", "live", 8), invoker)

    assert (first.proven, again.proven) == (8, 8)
    assert first.ok
    assert again.ok
    assert again.new == 0
    assert len(stack.environments("light")) == 9


def test_live_requests_during_waves_meet_no_throttle_and_no_cold_start(
    stack: DeployedStack, invoker: LambdaInvoker
) -> None:
    """One at a time, they find the spare while all others are held."""
    target = Target("light", "live", 6)
    while not run_wave(target, invoker).spares:
        pass
    over = threading.Event()
    client = stack.client("lambda")
    mark = stack.mark()

    def live() -> None:
        while not over.is_set():
            client.invoke(FunctionName="light", Qualifier="live")["Payload"].read()

    thread = threading.Thread(target=live)
    thread.start()
    try:
        reports = [run_wave(target, invoker) for _ in range(5)]
    finally:
        over.set()
        thread.join()

    requests = [item for item in stack.invocations("light", mark) if not item["ping"]]
    assert [report.proven for report in reports] == [6] * 5
    assert len(requests) > 20
    assert {item["status"] for item in requests} == {"success"}
    assert sum(item["cold"] for item in requests) == 0


def test_a_throttle_in_the_middle_of_a_wave_ends_it(
    stack: DeployedStack, invoker: LambdaInvoker
) -> None:
    """Pings beyond the reserved concurrency are counted, and no round follows."""
    mark = stack.mark()

    report = run_wave(Target("reserved", "live", 8), invoker)

    adds_up(report, stack, mark)
    assert report.outcomes[Outcome.THROTTLED] >= 3
    assert report.rounds == 1
    assert report.throttle_reason == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert not report.ok


def test_limits_that_are_read_keep_a_wave_below_them(
    stack: DeployedStack, invoker: LambdaInvoker
) -> None:
    """Of a reserved concurrency of five, one is left to users; the shortfall is told."""
    target = Target("reserved", "live", 8)
    limits = ConcurrencyLimits.read(FunctionSettings(), [target])
    mark = stack.mark()

    (report,) = warm([target], invoker, limits=limits)

    adds_up(report, stack, mark)
    assert report.throttle_reason is None
    assert report.proven == 4
    assert "4 pings at a time are allowed: reserved concurrency 5" in report.problems[0]


def test_crashes_at_init_are_counted(stack: DeployedStack, invoker: LambdaInvoker) -> None:
    """Each is a function error; the report adds up, and is not ok."""
    mark = stack.mark()

    report = run_wave(Target("crashing", "live", 8), invoker)

    adds_up(report, stack, mark)
    assert report.outcomes.get(Outcome.FUNCTION_ERROR, 0) > 0 or report.ok


def test_time_outs_are_counted(stack: DeployedStack, invoker: LambdaInvoker) -> None:
    """A function that runs into its time-out has failed."""
    mark = stack.mark()

    report = run_wave(Target("hanging", "live", 8), invoker, settings=WaveSettings(max_rounds=1))

    adds_up(report, stack, mark)
    assert report.outcomes.get(Outcome.FUNCTION_ERROR, 0) > 0 or report.ok


def test_malformed_replies_are_counted(stack: DeployedStack, invoker: LambdaInvoker) -> None:
    """A reply that cannot be read proves nothing, and ends the wave."""
    mark = stack.mark()

    report = run_wave(Target("garbled", "live", 8), invoker)

    adds_up(report, stack, mark)
    assert report.outcomes.get(Outcome.REFUSED, 0) > 0
    assert not report.ok


def test_an_alias_that_moves_during_a_wave_is_followed(
    stack: DeployedStack, invoker: LambdaInvoker
) -> None:
    """Environments of the version that users no longer reach are not counted as proven."""
    client = stack.client("lambda")
    client.update_function_configuration(FunctionName="light", Description="second")
    client.get_waiter("function_updated_v2").wait(FunctionName="light")
    version = client.publish_version(FunctionName="light")["Version"]
    mark = stack.mark()

    def move(progress: Progress) -> None:
        if progress.answered == 1:
            client.update_alias(FunctionName="light", Name="live", FunctionVersion=version)

    report = run_wave(Target("light", "live", 4), invoker, watch=move)

    adds_up(report, stack, mark)
    assert report.proven == 4
    assert report.outcomes[Outcome.WRONG_VERSION] == 1
    assert "the alias was moved during the wave" in report.problems[0]
    kept = {item["id"] for item in stack.environments("light") if item["version"] == version}
    assert len(kept) == 5
