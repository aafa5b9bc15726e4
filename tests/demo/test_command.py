"""The demo's options, where they can be wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from infra.demo.command import demo
from warmer.errors import ConfigurationError


def test_a_page_that_cannot_be_written_fails_before_the_run(tmp_path: Path) -> None:
    """Its folder is made first; where that is impossible, the error names the file."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=r"output file is .*demo.html.*expected a file in"):
        demo.main(["--page", str(tmp_path / "file" / "demo.html")], standalone_mode=False)


@pytest.mark.parametrize("option", ["--concurrency", "--requests"])
def test_a_demo_without_requests_is_refused(option: str) -> None:
    """At least one of each, or there is nothing to measure."""
    result = CliRunner().invoke(demo, [option, "0"])
    assert result.exit_code == 2
    assert "0 is not in the range x>=1" in result.output


def test_help_names_the_page() -> None:
    """Where it is written by default, and how to leave it out."""
    said = CliRunner().invoke(demo, ["--help"]).output
    assert "build/demo.html" in said
    assert "--no-page" in said
