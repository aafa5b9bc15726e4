"""The deployed warmer in the local cloud: targets, versions, live traffic, memory; all real parts.

Environments and pings are counted by the cloud's ledger.
"""

from __future__ import annotations

import io
import json
import time
import uuid
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from infra.build.contents import contents_of
from infra.cloud.client import local_client
from infra.cloud.process import CloudProcess
from warmer.cli.ping import ping

ROOT = Path(__file__).resolve().parents[2]
DECORATED = """
import time
import warmer

@warmer.warmable
def handler(event, context):
    time.sleep(event.get("sleep", 0))
    return context.function_version
"""


def wait_for(look: Callable[[], Any], what: str, seconds: float = 30.0) -> Any:
    """What `look` finds once that is true; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain for {what}"
        time.sleep(0.05)
    return found


def package(source: str) -> bytes:
    """A package with Warmer as the warmer's has it, its handler, and a handler of one's own."""
    without = contents_of("WarmerFunction").without
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for folder in ("warmer", "handlers"):
            for path in sorted((ROOT / folder).rglob("*.py")):
                relative = path.relative_to(ROOT)
                if relative.parts[1] not in without and path.name not in ("inference.py",):
                    archive.write(path, relative.as_posix())
        archive.writestr("app.py", source)
    return packed.getvalue()


class Account:
    """A running cloud with functions."""

    def __init__(self, cloud: CloudProcess) -> None:
        self.cloud = cloud
        role = self.client("iam").create_role(RoleName="role", AssumeRolePolicyDocument="{}")
        self.role = role["Role"]["Arn"]

    def client(self, service: str) -> Any:
        """A client that never retries."""
        return local_client(self.cloud.endpoint, service)

    def function(self, handler: str = "app.handler", **settings: Any) -> str:
        """Create a function of a name of its own."""
        name = f"f-{uuid.uuid4().hex[:8]}"
        self.client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=self.role,
            Handler=handler,
            Timeout=60,
            **{"Code": {"ZipFile": package(DECORATED)}, **settings},
        )
        return name

    def warmer(self, **variables: str) -> str:
        """Create a warmer with these settings."""
        named = {f"WARMER_{key}": value for key, value in variables.items()}
        return self.function("handlers.warm.handler", Environment={"Variables": named})

    def publish(self, function: str) -> str:
        """Publish a version of other code."""
        client = self.client("lambda")
        source = f"{DECORATED}\n# {uuid.uuid4()}\n"
        client.update_function_code(FunctionName=function, ZipFile=package(source))
        return str(client.publish_version(FunctionName=function)["Version"])

    def run(self, warmer: str) -> dict[str, Any]:
        """Invoke the warmer now; returns its result."""
        answer = self.client("lambda").invoke(FunctionName=warmer)
        result = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, result
        return dict(result)

    def pings(self, function: str) -> Counter[str]:
        """Pings that the ledger has of a function, by the qualifier that they named."""
        records = self.cloud.ledger()["invocations"]
        return Counter(r["qualifier"] for r in records if r["function"] == function and r["ping"])

    def alive(self, function: str) -> Counter[str]:
        """A function's environments that are alive, by version."""
        records = self.cloud.ledger()["environments"]
        return Counter(
            r["version"] for r in records if r["function"] == function and r["ended_at"] is None
        )


def running(tmp_path_factory: pytest.TempPathFactory, clock_rate: int) -> Iterator[Account]:
    """A cloud whose environments live for long."""
    log = tmp_path_factory.mktemp("cloud") / "cloud.log"
    options = ("--clock-rate", str(clock_rate), "--idle-lifetime", str(clock_rate * 3600))
    with CloudProcess((*options, "--any-python"), directory=ROOT, log=log) as cloud:
        yield Account(cloud)


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """A cloud in real time, so that functions and metrics have one clock."""
    yield from running(tmp_path_factory, 1)


@pytest.fixture(scope="module")
def fast_account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """A cloud in which a minute takes two seconds."""
    yield from running(tmp_path_factory, 30)


def targets(*entries: Mapping[str, object]) -> str:
    """A list of targets as JSON."""
    return json.dumps(entries)


def test_a_scheduled_warmer_takes_targets_from_a_parameter_and_from_tags(
    fast_account: Account,
) -> None:
    """The number changes without a deploy, and a function joins by its tags alone.

    A wave may keep one environment more than asked, the spare.
    """
    listed, tagged = fast_account.function(), fast_account.function()
    broken = fast_account.function(Tags={"warmer:concurrency": "many"})
    ssm = fast_account.client("ssm")

    def put(number: int) -> None:
        text = targets({"function": listed, "concurrency": number})
        ssm.put_parameter(Name="/stack/targets", Value=text, Type="String", Overwrite=True)

    put(2)
    warmer = fast_account.warmer(TARGETS_PARAMETER="/stack/targets", TARGETS_BY_TAG="ENABLED")
    functions = fast_account.client("lambda")
    arn = functions.get_function(FunctionName=warmer)["Configuration"]["FunctionArn"]
    fast_account.client("scheduler").create_schedule(
        Name="warmer",
        ScheduleExpression="rate(1 minute)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": arn, "RoleArn": fast_account.role},
    )
    wait_for(lambda: fast_account.alive(listed)["$LATEST"] >= 2, "two environments")
    assert fast_account.alive(listed)["$LATEST"] <= 3

    put(4)
    of_tagged = arn.replace(warmer, tagged)
    functions.tag_resource(Resource=of_tagged, Tags={"warmer:concurrency": "3"})

    wait_for(lambda: fast_account.alive(listed)["$LATEST"] >= 4, "four environments")
    wait_for(lambda: fast_account.alive(tagged)["$LATEST"] >= 3, "three environments")
    assert fast_account.alive(listed)["$LATEST"] <= 5
    fast_account.client("scheduler").delete_schedule(Name="warmer")
    (problem,) = fast_account.run(warmer)["problems"]
    assert f"function:{broken} is not warmed: its tag warmer:concurrency is 'many'" in problem
    assert fast_account.pings(broken) == Counter()


def test_both_versions_of_a_canary_are_warmed(fast_account: Account) -> None:
    """Each by its own number: the one that arrives to all, the other to its share.

    AWS page: "Implement Lambda canary deployments using a weighted alias".
    """
    function = fast_account.function(Publish=True)
    assert fast_account.publish(function) == "2"
    fast_account.client("lambda").create_alias(
        FunctionName=function,
        Name="live",
        FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.9}},
    )
    text = targets({"function": function, "qualifier": "live", "concurrency": 6})

    result = fast_account.run(fast_account.warmer(TARGETS=text))

    assert result["ok"] is True
    waves = {wave["qualifier"]: (wave["asked"], wave["proven"]) for wave in result["waves"]}
    assert waves == {"1": (3, 3), "2": (6, 6)}
    alive = fast_account.alive(function)
    assert (alive["1"] in (3, 4), alive["2"] in (6, 7)) == (True, True), alive  # with the spares
    assert set(fast_account.pings(function)) == {"1", "2"}


def test_what_live_traffic_keeps_warm_gets_no_wave(account: Account) -> None:
    """One probe tells what the version is; CloudWatch tells that four were busy; that is all.

    The next warmer's environment has it from the table, and sends nothing at all.
    """
    dear: dict[str, Any] = {"MemorySize": 10_240}  # so that asking costs less than a wave of four
    used, unused = account.function(**dear), account.function(**dear)
    client = account.client("lambda")
    with ThreadPoolExecutor(4) as users:
        list(
            users.map(
                lambda _: client.invoke(FunctionName=used, Payload=b'{"sleep": 0.7}'), range(4)
            )
        )
    assert account.alive(used) == Counter({"$LATEST": 4})
    account.client("dynamodb").create_table(
        TableName="memory",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
    )
    settings = {
        "TARGETS": targets(
            {"function": used, "concurrency": 4}, {"function": unused, "concurrency": 4}
        ),
        "SCHEDULE": "rate(5 minutes)",
        "IDLE_LIFETIME_SECONDS": "3600",
        "MEMORY_TABLE": "memory",
    }

    first = account.run(account.warmer(**settings))
    second = account.run(account.warmer(**settings))

    assert [wave["function"] for wave in first["waves"]] == [unused]
    (left,) = first["left_alone"]
    assert left["function"] == used
    assert left["reason"].startswith("live traffic keeps 4 warm until ")
    assert account.pings(used).total() == 1
    assert account.alive(used) == Counter({"$LATEST": 4})
    assert (second["ok"], second["waves"], second["problems"]) == (True, [], [])
    assert {item["function"] for item in second["left_alone"]} == {used, unused}
    assert account.pings(used).total() == 1
    assert account.alive(unused)["$LATEST"] in (4, 5)  # with the spare


def test_a_dry_run_plans_as_a_deployed_warmer_and_sends_nothing(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every decision with its reason, and what a month of such runs costs."""
    for name, value in account.cloud.environment({}).items():
        monkeypatch.setenv(name, value)
    function = account.function(Publish=True)
    client = account.client("lambda")
    client.create_alias(FunctionName=function, Name="live", FunctionVersion="1")
    text = targets(
        {"function": function, "qualifier": "live", "concurrency": 10},
        {"function": "absent", "qualifier": "live"},
    )
    warmer = account.warmer(TARGETS=text, SCHEDULE="rate(5 minutes)")

    result = CliRunner().invoke(ping, ["--dry-run", "--warmer", warmer, "--json"])

    plan = json.loads(result.output)
    planned, absent = plan["decisions"]
    assert (planned["action"], planned["version"], planned["number"]) == ("ping", "1", 10)
    assert planned["reason"] == "no more than 0 of 10 are known to be warm"
    assert absent["action"] == "probe"
    assert "absent" in plan["problems"][0]
    assert plan["month_usd"]["total"] == pytest.approx(
        sum(usd for item, usd in plan["month_usd"].items() if item != "total")
    )
    assert result.exit_code == 1
    assert account.pings(function) == Counter()
    monkeypatch.setenv("WARMER_SCHEDULE", "rate(5 minutes)")
    shown = CliRunner().invoke(ping, ["--dry-run", f"{function}:live", "--concurrency", "10"])
    assert shown.exit_code == 0
    assert "A month of such runs" in shown.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name the FUNCTION to warm"),
        (["f", "--warmer", "w"], "--warmer goes with --dry-run"),
        (["f", "--dry-run", "--warmer", "w"], "leave FUNCTION out"),
        (["--dry-run"], "WARMER_TARGETS is None; expected a JSON list"),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(
    arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what would go."""
    monkeypatch.delenv("WARMER_TARGETS", raising=False)
    result = CliRunner().invoke(ping, arguments)

    assert result.exit_code != 0
    assert said in f"{result.output} {result.exception}"
