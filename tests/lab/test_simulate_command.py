"""`warmer simulate`: a table, a plot, JSON, and errors in a line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from infra.bench.policy import generated_trace
from warmer.cli.group import warmer
from warmer.cli.simulate import simulate
from warmer.lab.trace import MinuteCounts
from warmer.lab.trace_formats import read_trace

KEYS = "HashOwner,HashApp,HashFunction,Trigger"


@pytest.fixture
def counts(tmp_path: Path) -> Path:
    """Three functions over three hours: one each minute, one each half hour, one once."""
    minutes = range(1, 181)
    rows = [[1] * 180, [int(m % 30 == 0) for m in minutes], [int(m == 90) for m in minutes]]
    lines = [",".join([KEYS, *map(str, minutes)])]
    lines += [f"o,a,f{n},http," + ",".join(map(str, row)) for n, row in enumerate(rows)]
    path = tmp_path / "counts.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(simulate, [str(argument) for argument in arguments])


def _json(*arguments: str | Path) -> dict[str, Any]:
    result = _run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_json_has_the_trace_the_floor_and_each_policy(counts: Path) -> None:
    """The object that scripts read, with every figure for each policy."""
    found = _json(counts, "--policy", "none", "-p", "fixed:5")
    assert found["trace"]["functions"] == 3
    assert found["trace"]["invocations"] == 187
    assert found["floor"]["cold_starts_without_pings"] == 8
    none, fixed = found["policies"]
    assert (none["policy"], none["cold_starts"], none["pings"]) == ("none", 8, 0)
    assert none["usd_per_month"] == 0
    assert none["cold_start_rate"] == pytest.approx(8 / 187)
    assert none["cold_start_rate_p50"] == none["cold_start_rate_p90"] == 1.0
    assert (fixed["policy"], fixed["cold_starts"]) == ("fixed:5", 0)
    assert fixed["pings"] == 3 * (180 + 10) / 5
    assert fixed["pings_by_floor"] == fixed["pings"] / 8
    assert fixed["cold_starts_avoided_per_ping"] == 8 / fixed["pings"]
    assert fixed["wasted_gb_s"] > none["wasted_gb_s"] > 0
    assert fixed["spread"]["cold_starts"] == [0, 0]


def test_dollars_hold_all_that_a_policy_spends(counts: Path) -> None:
    """Pings, runs with their schedule, reads and logs add up to the month's figure."""
    fixed, reset = _json(counts, "-p", "fixed:5", "-p", "idle-reset:10")["policies"]
    for row in (fixed, reset):
        items = row["usd"]
        assert row["usd_per_month"] == pytest.approx(items.pop("total"))
        assert sum(items.values()) == pytest.approx(row["usd_per_month"])
        assert items["pings"] > 0
        assert items["runs"] > 0
        assert items["logs"] > 0
    assert (fixed["usd"]["reads"], fixed["reads"]) == (0, 0)
    assert reset["usd"]["reads"] == pytest.approx(reset["reads"] * 1e-5 * 240)


def test_no_wave_is_larger_than_the_targets_number(counts: Path) -> None:
    """A policy that holds three then sends as many pings as one that holds a single one."""
    one, three = ("-p", "fixed:5"), ("-p", "fixed:5x3")
    (capped,) = _json(counts, *three, "--target-number", "1")["policies"]
    alone, wave = _json(counts, *one, *three)["policies"]
    assert capped["pings"] == alone["pings"] < wave["pings"]


def test_functions_share_a_warmer_unless_each_is_to_have_its_own(counts: Path) -> None:
    """The templates deploy one for all: its runs are paid for once."""
    shared, apart = (
        _json(counts, "-p", "fixed:5", *more)["policies"][0]["usd"]
        for more in ((), ("--functions-a-run", "1"))
    )
    assert apart["runs"] == pytest.approx(shared["runs"] * 3)
    assert apart["pings"] == pytest.approx(shared["pings"])


def test_prices_can_be_replaced(counts: Path, tmp_path: Path) -> None:
    """A file names what differs; arm64 is cheaper by itself."""
    prices = tmp_path / "prices.json"
    prices.write_text('{"request": 0, "gb_second": 0, "schedule": 0, "log_gb": 0}')
    options = (counts, "-p", "fixed:5", "--placement", "even")
    usual = _json(*options)["policies"][0]["usd_per_month"]
    arm = _json(*options, "--architecture", "arm64")["policies"][0]["usd_per_month"]
    nothing = _json(*options, "--prices", prices)["policies"][0]["usd_per_month"]
    assert nothing == 0
    assert 0 < arm < usual


def test_a_table_and_a_plot_are_written(counts: Path, tmp_path: Path) -> None:
    """Every policy is a row; the plot is there as PNG and as SVG."""
    stem = tmp_path / "plots" / "pareto"
    result = _run(counts, "--plot", stem)
    assert result.exit_code == 0, result.output
    for policy in ("none", "fixed:5", "windows:8-18", "idle-reset:10x3"):
        assert f" {policy} " in result.output
    assert stem.with_suffix(".png").read_bytes()[:4] == b"\x89PNG"
    assert "fixed:5" in stem.with_suffix(".svg").read_text()


def test_a_trace_with_moments_needs_no_placement(tmp_path: Path) -> None:
    """Then nothing is spread, and the first request alone is cold."""
    path = tmp_path / "trace.csv"
    path.write_text("timestamp,duration\n10,0.1\n20,0.1\n")
    found = _json(path, "-p", "none")
    assert found["trace"]["placements"] == ["uniform"]
    assert found["policies"][0]["cold_starts"] == 1


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["-p", "sometimes"], "policy is 'sometimes'; expected none, fixed:MINUTES"),
        (["--init", "soon"], "--init is 'soon'; expected seconds such as 600"),
        (["--memory", "1"], "memory_mb is 1; expected 128 to 10240"),
        (["--prices", "missing.json"], "--prices is 'missing.json'; expected a JSON file"),
        (["--durations", "missing.csv"], "missing.csv, line 1: No such file"),
    ],
)
def test_an_option_that_cannot_be_used_is_one_line(
    counts: Path, options: list[str], problem: str
) -> None:
    """What was given, and what was expected; no traceback."""
    command = [sys.executable, "-m", "warmer", "simulate", str(counts), *options]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 1
    assert problem in result.stderr
    assert "Traceback" not in result.stderr


def test_without_the_extra_it_says_which(counts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wheel alone has no numba: one line says what to install."""
    monkeypatch.setattr("warmer.cli.simulate.find_spec", lambda _: None)
    result = _run(counts)
    assert result.exit_code == 1
    assert "pip install 'warmer[lab]'" in result.output


def test_a_generated_trace_is_like_the_public_one(tmp_path: Path) -> None:
    """The benchmark's stand-in: the same format, every function invoked, most of them seldom."""
    path = generated_trace(tmp_path / "generated.csv", functions=60, minutes=240, seed=1)
    requests = read_trace(path).requests
    assert isinstance(requests, MinuteCounts)
    totals = np.sort(requests.counts.sum(axis=1))
    assert totals.min() >= 1
    assert totals[-6:].sum() > 0.9 * totals.sum()


def test_help_needs_no_numerical_library() -> None:
    """The list of commands stays quick: the lab is imported when a trace is simulated."""
    code = (
        "import sys; from warmer.cli.simulate import simulate\n"
        "print({'numba', 'numpy', 'matplotlib'} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert result.stdout.strip() == "set()"
    assert "simulate" in warmer.list_commands(None)  # type: ignore[arg-type]  # it is not used
