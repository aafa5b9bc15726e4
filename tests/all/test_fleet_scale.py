"""What one run of the warmer can do, under the limits of a function with 1,024 MB."""

from __future__ import annotations

import pytest

from infra.bench.fleet_scale import dispatch_spread, many_functions


@pytest.mark.parametrize("tls", [False, True])
def test_a_thousand_pings_are_sent_within_a_second(tls: bool) -> None:
    """On one processor with 1,024 open files and no thread for each; all are in flight at once."""
    found = dispatch_spread(1000, tls)

    assert found["answered"] == [1000, 1000]
    assert max(found["spread_ms"]) <= 1000
    assert max(found["endpoint"]["arrival_spread_ms"].values()) <= 1000
    assert found["endpoint"]["most_in_flight"] == 1000
    assert found["open_files_limit"] == 1024
    assert found["threads"] <= 2


def test_three_hundred_functions_are_warmed_within_a_minute() -> None:
    """With 2,000 environments, from none and again, on 0.58 of a processor."""
    found = many_functions(300, 2000, cpu=0.58)

    for pool in ("cold", "warm"):
        assert found[pool]["proven"] == 2000
        assert found[pool]["ok"] == 300
        assert found[pool]["seconds"] < 60
    assert found["threads"] <= 4
