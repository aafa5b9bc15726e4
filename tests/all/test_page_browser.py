"""The demo's page in a real browser: light, dark, on a phone; by keyboard; no errors.

Chromium's screenshots stay in build/screenshots for people to look at.
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.cloud.sam import PROJECT

SCREENSHOTS = PROJECT / "build" / "screenshots"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
]
DARK = ["--blink-settings=preferredColorScheme=0"]
DESKTOP, PHONE = "1200,3400", "390,5200"

# Runs after the page's own script: what a user would see, and meet by keyboard.
PROBE = """
<script>
addEventListener("load", () => {
  const root = document.documentElement;
  const tips = [];
  for (const chart of document.querySelectorAll("[data-chart]")) {
    chart.focus({ preventScroll: true });
    for (const key of ["ArrowRight", "ArrowRight"])
      chart.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    const tip = document.getElementById("tip");
    const box = tip.getBoundingClientRect();
    const inside = box.left >= 0 && box.right <= innerWidth;
    tips.push({ text: tip.textContent, shown: tip.classList.contains("shown"), inside });
    chart.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
    tips.at(-1).hidden = !tip.classList.contains("shown");
  }
  const overlaps = [];
  for (const image of document.querySelectorAll("svg[role=img]")) {
    const found = [...image.querySelectorAll("text")].map((text) => [text, text.getBoundingClientRect()]);
    const frame = image.getBoundingClientRect();
    found.forEach(([text, a], index) => {
      if (a.left < frame.left - 1 || a.right > frame.right + 1) overlaps.push(`outside: ${text.textContent}`);
      for (const [other, b] of found.slice(index + 1))
        if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 3 && b.top < a.bottom - 3)
          overlaps.push(`${text.textContent} | ${other.textContent}`);
    });
  }
  parent.postMessage(JSON.stringify({
    width: innerWidth, content: root.scrollWidth, tips, overlaps,
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
    native: document.querySelectorAll("svg[role=img] title").length,
  }), "*");
});
</script>
"""  # noqa: E501 - JavaScript

# A window has a least width of some 500 pixels; a frame has none.
FRAME = """<!doctype html>
<body style="margin: 0">
<script>
addEventListener("message", (event) => { document.body.dataset.probe = event.data; });
</script>
<iframe src="probed.html" width="%s" height="%s" style="border: 0"></iframe>
</body>
"""

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on PATH"),
]

Browse = Callable[..., str]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a real run."""
    path = tmp_path_factory.mktemp("page") / "demo.html"
    finished = subprocess.run(
        [sys.executable, "-m", "warmer", "demo", "--page", str(path)],
        cwd=PROJECT,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return path


@pytest.fixture
def browse(tmp_path: Path) -> Browse:
    """Opens a file in a browser without history; gives what it printed, refuses console lines."""

    def run(path: Path, size: str, *options: str) -> str:
        finished = subprocess.run(
            [
                str(CHROMIUM),
                *OPTIONS,
                f"--user-data-dir={tmp_path / 'profile'}",
                f"--window-size={size}",
                *options,
                path.as_uri(),
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert finished.returncode == 0, finished.stderr
        assert [line for line in finished.stderr.splitlines() if "CONSOLE" in line] == []
        return finished.stdout

    return run


@pytest.fixture
def probe(page: Path, browse: Browse, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """What the probe finds at a window's size."""

    def run(size: str, *options: str) -> dict[str, Any]:
        probed = tmp_path / "probed.html"
        probed.write_text(page.read_text().replace("</body>", f"{PROBE}</body>"))
        frame = tmp_path / "frame.html"
        frame.write_text(FRAME % tuple(size.split(",")))
        found = re.search(
            'data-probe="([^"]*)"', browse(frame, "1300,1000", "--dump-dom", *options)
        )
        assert found, "the probe did not run"
        return dict(json.loads(html.unescape(found[1])))

    return run


@pytest.mark.parametrize(
    ("name", "size", "options"),
    [
        ("desktop-light", DESKTOP, []),
        ("desktop-dark", DESKTOP, DARK),
        ("phone-light", PHONE, []),
        ("phone-dark", PHONE, DARK),
    ],
)
def test_screenshots_are_taken_without_a_console_line(
    page: Path, browse: Browse, name: str, size: str, options: list[str]
) -> None:
    """Kept as build output; an empty picture compresses to less than 20 kB."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    picture = SCREENSHOTS / f"{name}.png"
    picture.unlink(missing_ok=True)
    browse(page, size, f"--screenshot={picture}", *options)
    assert picture.stat().st_size > 20_000


@pytest.mark.parametrize("size", ["1200,900", "768,900", "390,844"])
def test_nothing_is_wider_than_the_screen(probe: Callable[..., Any], size: str) -> None:
    """Wide drawings and tables scroll in their own frames."""
    found = probe(size)
    assert found["width"] == int(size.split(",")[0])
    assert found["content"] <= found["width"]


@pytest.mark.parametrize("size", ["1200,900", "390,844"])
def test_no_text_in_a_drawing_covers_another(probe: Callable[..., Any], size: str) -> None:
    """Nor is any cut off at a drawing's edge."""
    assert probe(size)["overlaps"] == []


@pytest.mark.parametrize("size", ["1200,900", "390,844"])
def test_arrow_keys_reach_the_marks_of_every_chart(probe: Callable[..., Any], size: str) -> None:
    """A tooltip tells the second mark, within the screen; Escape hides it."""
    tips = probe(size)["tips"]
    assert len(tips) == 5
    for tip in tips:
        assert tip["text"]
        assert (tip["shown"], tip["inside"], tip["hidden"]) == (True, True, True)


def test_dark_is_the_systems_choice(probe: Callable[..., Any]) -> None:
    """The screenshot in the dark was one."""
    assert probe("1200,900", *DARK)["dark"] is True
    assert probe("1200,900")["dark"] is False


def test_tooltips_are_not_doubled(probe: Callable[..., Any]) -> None:
    """The browser's own titles give way to the page's."""
    assert probe("1200,900")["native"] == 0


def test_it_prints(page: Path, browse: Browse, tmp_path: Path) -> None:
    """As a PDF of a few pages."""
    paper = tmp_path / "demo.pdf"
    browse(page, "1200,900", f"--print-to-pdf={paper}", "--no-pdf-header-footer")
    pages = len(re.findall(rb"/Type\s*/Page\b", paper.read_bytes()))
    assert 1 <= pages <= 6
