"""The dashboard of a deployed stack: every line of it has data, and its page is one to look at.

Chromium's screenshots stay in build/screenshots for people to look at.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.cloud.deployed import DeployedStack, deployed
from infra.cloud.sam import PROJECT
from infra.cloud.sam_build import build, build_environment
from infra.cloud.status import fetch
from tests.all.test_page_browser import CHROMIUM, DARK, FRAME, OPTIONS, SCREENSHOTS

INFERENCE = "local-inference"
PARAMETERS = {"Dashboard": "ENABLED", "MetricsNamespace": "Warmer", "WarmConcurrency": "4"}
SENT = json.dumps(
    {"inputs": [{"name": "image", "datatype": "FP32", "shape": [1, 8, 8], "data": [0] * 64}]}
)
# A minute of the cloud's is half a second; idle environments live for ten of them.
CLOCK = ("--clock-rate", "120", "--idle-lifetime", "600")
SIZES = {"desktop": "1280,1150", "phone": "390,2900"}

# Runs beside the page's own script: what a user sees, and hears by keyboard.
PROBE = """
<script>
const report = () => {
  if (document.body.dataset.ready !== "yes") return setTimeout(report, 50);
  const cards = [...document.querySelectorAll(".widget")].map((card) => {
    const image = card.querySelector("svg");
    const latest = image.getAttribute("aria-label");
    image.focus({ preventScroll: true });
    image.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
    const first = image.getAttribute("aria-label");
    return { key: card.dataset.widget, latest, first, lines: image.querySelectorAll("path").length };
  });
  parent.postMessage(JSON.stringify({
    cards, width: innerWidth, content: document.documentElement.scrollWidth,
    facts: document.querySelectorAll("[data-fact]").length,
    state: document.getElementById("state").textContent,
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
  }), "*");
};
report();
</script>
"""  # noqa: E501 - JavaScript

Command = list[str | Path]


def infer(stack: DeployedStack, times: int) -> None:
    """So many requests of users at once."""

    def once(_: int) -> None:
        client = stack.client("lambda")
        answer = client.invoke(FunctionName=INFERENCE, Qualifier="live", Payload=SENT)
        assert "FunctionError" not in answer, answer["Payload"].read()

    with ThreadPoolExecutor(times) as threads:
        list(threads.map(once, range(times)))


@pytest.fixture(scope="module")
def stack() -> Iterator[DeployedStack]:
    """The project with its dashboard, after a deploy, bursts and half an hour of pings."""
    template = PROJECT / "template.yaml"
    with deployed(template, PARAMETERS, any_python=True, arguments=CLOCK) as running:
        infer(running, 6)
        built = build(template, PARAMETERS, environment=build_environment(True))
        running.update(built, {**PARAMETERS, "InferenceMemory": "1024"})
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            infer(running, 3 if int(time.monotonic()) % 5 else 8)
            time.sleep(0.2)
        yield running


def test_every_widget_of_the_deployed_dashboard_has_data(stack: DeployedStack) -> None:
    """GetMetricData of what CloudWatch was told to draw: every metric and expression, hidden too.

    AWS page: Amazon CloudWatch user guide, "Dashboard body structure and syntax".
    """
    cloudwatch = stack.client("cloudwatch")
    body = json.loads(cloudwatch.get_dashboard(DashboardName="local")["DashboardBody"])
    now = datetime.fromisoformat(fetch(stack.endpoint)["cloud_time"])
    titles = []
    for widget in body["widgets"]:
        if widget["type"] != "metric":
            continue
        properties = widget["properties"]
        queries = [queried(item, properties["period"]) for item in properties["metrics"]]
        answer = cloudwatch.get_metric_data(
            MetricDataQueries=queries,
            StartTime=now - timedelta(hours=2),
            EndTime=now + timedelta(minutes=10),
        )
        empty = [item["Id"] for item in answer["MetricDataResults"] if not item["Values"]]
        assert empty == [], properties["title"]
        assert len(answer["MetricDataResults"]) == len(queries)
        titles.append(properties["title"])
    assert len(titles) == 8


def queried(item: list[Any], period: int) -> dict[str, Any]:
    """A line of a widget as a query."""
    *metric, said = item
    if not metric:
        return {"Id": said["id"], "Expression": said["expression"]}
    namespace, name, dimension, value = metric
    named = {"Namespace": namespace, "MetricName": name}
    named["Dimensions"] = [{"Name": dimension, "Value": value}]
    stat = {"Metric": named, "Period": period, "Stat": said["stat"]}
    return {"Id": said["id"], "MetricStat": stat}


def command(stack: DeployedStack, *arguments: str | Path) -> Command:
    """`warmer dashboard` of this cloud; it finds the warmer by itself."""
    warmer = Path(sys.executable).parent / "warmer"
    return [warmer, "dashboard", "--endpoint-url", stack.endpoint, *arguments]


def test_the_command_reads_the_same(stack: DeployedStack) -> None:
    """As one JSON object; every line has points, and cold starts are the ledger's."""
    done = subprocess.run(
        command(stack, "--json"),
        env=stack.environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found = json.loads(done.stdout)
    lines = {line["id"]: line["points"] for item in found["widgets"] for line in item["lines"]}
    assert [name for name, points in lines.items() if not points] == []
    assert max(value for _, value in lines["proven"]) == 4
    assert max(value for _, value in lines["alive"]) >= 5
    assert max(value for _, value in lines["cold_rate"]) > 0
    users = sum(not item["ping"] for item in stack.invocations(INFERENCE))
    assert sum(value for _, value in lines["requests"]) == pytest.approx(users, abs=3)
    pings = sum(item["ping"] for item in stack.invocations(INFERENCE))
    assert sum(value for _, value in lines["pings"]) == pytest.approx(pings, abs=users * 0.1)


@contextmanager
def served(stack: DeployedStack) -> Iterator[str]:
    """The address of a running `warmer dashboard`."""
    process = subprocess.Popen(
        command(stack, "--port", "0", "--every", "2"),
        env={**stack.environment(), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[0]
    finally:
        process.terminate()
        process.communicate(timeout=20)


@pytest.fixture
def browse(tmp_path: Path) -> Callable[..., str]:
    """Opens an address in a browser without history; console lines are refused."""

    def run(address: str, size: str, *options: str) -> str:
        done = subprocess.run(
            [
                *(str(CHROMIUM), *OPTIONS, f"--user-data-dir={tmp_path / 'profile'}"),
                *(f"--window-size={size}", "--virtual-time-budget=6000", *options, address),
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
        return done.stdout

    return run


in_a_browser = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on PATH")


@in_a_browser
def test_the_live_page_draws_what_it_reads(
    stack: DeployedStack, browse: Callable[..., str]
) -> None:
    """From the server, again and again; what it says is in the page when a browser dumps it."""
    with served(stack) as address:
        page = browse(address, SIZES["desktop"], "--dump-dom")
    assert 'data-ready="yes"' in page
    assert re.search(r'id="state"[^>]*>as of 20', page)
    assert page.count("data-line=") >= 20
    assert ">no data in this time<" not in page


@pytest.fixture(scope="module")
def kept(stack: DeployedStack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page with its figures in it."""
    file = tmp_path_factory.mktemp("dashboard") / "dashboard.html"
    arguments = command(stack, "--page", file, "--hours", "2")
    subprocess.run(arguments, env=stack.environment(), check=True, stdout=subprocess.DEVNULL)
    return file


@in_a_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", SIZES)
def test_the_page_fits_its_screen_and_can_be_read_by_keyboard(
    kept: Path, browse: Callable[..., str], tmp_path: Path, screen: str, scheme: str
) -> None:
    """Light and dark, desktop and phone; a screenshot of each stays."""
    options = DARK if scheme == "dark" else []
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    picture = SCREENSHOTS / f"dashboard-{screen}-{scheme}.png"
    picture.unlink(missing_ok=True)
    shutil.copy(kept, tmp_path / "probed.html")
    probed = tmp_path / "probed.html"
    frame = tmp_path / "frame.html"
    frame.write_text(FRAME % tuple(SIZES[screen].split(",")))
    browse(frame.as_uri(), SIZES[screen], f"--screenshot={picture}", *options)
    assert picture.stat().st_size > 20_000
    probed.write_text(kept.read_text().replace("</body>", f"{PROBE}</body>"))
    dumped = browse(frame.as_uri(), "1400,1000", "--dump-dom", *options)
    told = re.search('data-probe="([^"]*)"', dumped)
    assert told, "the probe did not run"
    found = json.loads(html.unescape(told[1]))
    assert found["dark"] is (scheme == "dark")
    assert found["content"] <= found["width"] == int(SIZES[screen].split(",")[0])
    assert len(found["cards"]) == 8
    assert found["facts"] == 5
    for card in found["cards"]:
        assert card["lines"] > 0, card
        assert ", latest: " in card["latest"]
        assert re.search(r" at \d\d:\d\d UTC: ", card["first"]), card


def test_what_cannot_be_read_is_said(stack: DeployedStack) -> None:
    """A warmer that is not there, and where to look."""
    done = subprocess.run(
        command(stack, "nobody", "--json"),
        env=stack.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "nobody does not exist" in done.stderr
