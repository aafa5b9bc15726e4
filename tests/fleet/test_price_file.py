"""Prices: by architecture, and replaced by the user's own."""

from __future__ import annotations

import pytest

from warmer.errors import ConfigurationError
from warmer.fleet.price import ARCHITECTURES, PRICES, prices_from_json


def test_arm64_computes_for_less() -> None:
    """Requests and metrics cost the same; a GB-second a fifth less (AWS Lambda pricing page)."""
    arm = ARCHITECTURES["arm64"]
    assert arm.gb_second == pytest.approx(PRICES.gb_second * 0.8, rel=1e-4)
    assert (arm.request, arm.metric_read) == (PRICES.request, PRICES.metric_read)


def test_a_file_names_what_differs() -> None:
    """The rest stays."""
    prices = prices_from_json('{"request": 0.5}', "prices.json")
    assert (prices.request, prices.gb_second) == (0.5, PRICES.gb_second)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "a JSON object of prices"),
        ("[]", "a JSON object with some of request"),
        ('{"colour": 1}', "'colour'; expected one of request"),
        ('{"request": -1}', "request is -1; expected US dollars"),
        ('{"request": "1"}', "request is '1'; expected US dollars"),
        ('{"request": NaN}', "request is nan; expected US dollars"),
    ],
)
def test_a_price_that_cannot_be_is_refused(text: str, problem: str) -> None:
    """The error names the file, the price, and what was expected."""
    with pytest.raises(ConfigurationError, match=r"prices\.json") as raised:
        prices_from_json(text, "prices.json")
    assert problem in str(raised.value)
