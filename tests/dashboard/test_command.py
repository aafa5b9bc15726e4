"""`warmer dashboard`: whose figures it shows, and what it says where it cannot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from warmer.aws.functions import Configuration, FunctionSettings
from warmer.cli.dashboard import dashboard, names_of
from warmer.dashboard.widgets import Names
from warmer.errors import ConfigurationError, FunctionNotFound


class Functions(FunctionSettings):
    """Functions with these environment variables, and no others."""

    def __init__(self, **found: dict[str, str]) -> None:
        self._found = {name.replace("_", "-"): variables for name, variables in found.items()}

    def configuration(self, function: str, qualifier: str | None = None) -> Configuration:
        """What the function is configured to be."""
        assert qualifier is None
        if function not in self._found:
            raise FunctionNotFound(f"{function} does not exist")
        return Configuration(2048, False, False, self._found[function], "arm64")


SENDING = {"WARMER_METRICS_NAMESPACE": "Warmer"}


def test_a_stacks_functions_are_found_by_its_warmers_name() -> None:
    """With what pings of the inference function cost: its memory, and its processor's price."""
    settings = Functions(s_warmer=SENDING, s_inference={}, s_pre_traffic={})
    assert names_of("s-warmer", None, settings) == Names(
        "Warmer", "s-warmer", "s-inference", "s-pre-traffic", "2048", "0.0000133334"
    )


def test_a_warmer_alone_is_shown_alone() -> None:
    """There is no inference function beside it."""
    assert names_of("s-warmer", None, Functions(s_warmer=SENDING)) == Names("Warmer", "s-warmer")
    assert names_of("pinger", None, Functions(pinger=SENDING)) == Names("Warmer", "pinger")


def test_another_function_can_be_named() -> None:
    """It must be there."""
    settings = Functions(s_warmer=SENDING, mine={})
    assert names_of("s-warmer", "mine", settings).function == "mine"
    with pytest.raises(FunctionNotFound):
        names_of("s-warmer", "yours", settings)


def test_a_warmer_without_metrics_is_refused_with_the_remedy() -> None:
    """There is nothing to show."""
    with pytest.raises(ConfigurationError, match="deploy with MetricsNamespace=Warmer"):
        names_of("s-warmer", None, Functions(s_warmer={}))


@pytest.fixture
def canned(monkeypatch: pytest.MonkeyPatch) -> None:
    """A warmer alone whose metrics have no data."""
    module = "warmer.cli.dashboard"
    monkeypatch.setattr(f"{module}.FunctionSettings", lambda **_: Canned())
    monkeypatch.setattr(f"{module}.MetricData", lambda **_: Canned())


class Canned(Functions):
    """Functions and their metrics."""

    def __init__(self) -> None:
        super().__init__(s_warmer=SENDING)

    def close(self) -> None:
        """Nothing is open."""

    def series(self, queries: Any, start: float, end: float) -> dict[str, dict[float, float]]:
        """No points."""
        assert queries
        assert start < end
        return {}


@pytest.mark.usefixtures("canned")
def test_json_has_every_widget_without_a_server() -> None:
    """For scripts; the price is in it."""
    run = CliRunner().invoke(dashboard, ["s-warmer", "--json"])
    assert run.exit_code == 0, run.output
    found = json.loads(run.output)
    assert [item["key"] for item in found["widgets"]] == ["pool", "pings", "cost"]
    assert found["read_usd"] > 0


@pytest.mark.usefixtures("canned")
def test_a_page_can_be_kept(tmp_path: Path) -> None:
    """With its figures in it, and what reading them cost."""
    file = tmp_path / "page.html"
    run = CliRunner().invoke(dashboard, ["s-warmer", "--page", str(file)])
    assert "is written; reading it cost $0.0000" in run.output
    assert "const EVERY = null;" in file.read_text(encoding="utf-8")
