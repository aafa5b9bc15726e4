"""How an alias's requests shift to a new version, and how many environments to have warm ahead.

A shift's ramp gives the new version's share of the requests by minutes since the shift began.
CodeDeploy's own configurations are such ramps: of `Linear10PercentEvery1Minute` it is
`staircase(10, increments=10)`, of `Canary10Percent5Minutes` it is `hold(5, from=0.1) then hold`
("Working with deployment configurations in CodeDeploy").

An alias tells the share that a version has, not since when. So the share that it gets next is the
ramp's, counted from the last minute at which it still has this one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from warmer.errors import ConfigurationError

__all__ = ["TrafficShift", "environments_for"]

MOST_MINUTES = 2880
"""CodeDeploy shifts traffic within two days at most ("CodeDeploy quotas")."""

SAMPLES_A_MINUTE = 4
"""How closely a ramp is looked at, for whether it rises."""

SLACK = 1e-9

_EXPECTED = (
    "shares of the requests that rise to 1, by minute, such as staircase(10, increments=10), or one"
    " of CodeDeploy's, such as Linear10PercentEvery1Minute"
)
_CODEDEPLOY = re.compile(
    r"(?:CodeDeployDefault\.Lambda)?"
    r"(?:(?P<at_once>AllAtOnce)"
    r"|Canary(?P<canary>\d{1,2})Percent(?P<canary_minutes>\d{1,4})Minutes?"
    r"|Linear(?P<linear>\d{1,2})PercentEvery(?P<linear_minutes>\d{1,4})Minutes?)",
    re.ASCII,
)


@dataclass(frozen=True)
class TrafficShift:
    """The share of the requests, 0 to 1, that a new version has, by minutes since the shift began.

    `share_at` never falls, and is 1 from minute `minutes` on.
    """

    share_at: Callable[[float], float]
    minutes: float

    @classmethod
    def parse(cls, text: object) -> TrafficShift:
        """The shift that `text` describes: a ramp (see `warmer.ramp`) of minutes, or a
        configuration of CodeDeploy's by its name, with or without `CodeDeployDefault.Lambda`.

        Raises ConfigurationError, whose key is `ramp`, for anything else: a ramp without an end, or
        one that falls, goes above 1 or never gets there.
        """
        if not isinstance(text, str):
            raise ConfigurationError("ramp", text, _EXPECTED)
        return _parse(text)

    def share_within(self, share: float, seconds: float) -> float:
        """The largest share that a version will have within `seconds`, which has `share` now."""
        if seconds == math.inf:
            return 1.0
        return max(share, self.share_at(self._last_minute(share) + seconds / 60))

    def _last_minute(self, share: float) -> float:
        """The last moment at which the share is still no larger; 0 if it never was so small."""
        if share >= 1 - SLACK:
            return self.minutes
        low, high = 0.0, self.minutes
        for _ in range(40):
            middle = (low + high) / 2
            if self.share_at(middle) <= share + SLACK:
                low = middle
            else:
                high = middle
        return low


def environments_for(wanted: int, share: float) -> int:
    """Environments for a version that gets `share` of the requests which need `wanted` in all.

    An alias draws the version of each request by its weight, so that of n concurrent requests a
    binomial number meets this one: its mean, and two standard deviations.
    """
    mean = wanted * share
    margin = 2 * math.sqrt(mean * (1 - share)) if share < 1 else 0.0
    return min(wanted, math.ceil(mean + margin - SLACK))


@lru_cache(maxsize=64)
def _parse(text: str) -> TrafficShift:
    from warmer.ramp import Ramp  # for those who ask

    try:
        ramp = Ramp.parse(_as_ramp(text))
    except ConfigurationError as error:
        expected = f"{_EXPECTED} ({error})"
        raise ConfigurationError("ramp", text[:80], expected) from error
    minutes = max([joint for joint in ramp.joints if joint < math.inf], default=0.0)
    if minutes > MOST_MINUTES:
        raise ConfigurationError("ramp", text[:80], f"a shift of at most {MOST_MINUTES} minutes")
    count = math.ceil(minutes * SAMPLES_A_MINUTE)
    shares = [ramp(at / SAMPLES_A_MINUTE) for at in range(count + 2)]
    rises = all(next_ >= share for share, next_ in pairwise(shares))
    ends = all(abs(ramp(minutes + later) - 1) <= SLACK for later in (0, 1, MOST_MINUTES))
    if not (rises and ends and max(shares) <= 1 + SLACK):
        raise ConfigurationError("ramp", text[:80], _EXPECTED)
    return TrafficShift(ramp, float(minutes))


def _as_ramp(text: str) -> str:
    """A configuration of CodeDeploy's as a ramp; any other text as it is."""
    match = _CODEDEPLOY.fullmatch(text.strip())
    if match is None:
        return text
    if match["at_once"]:
        return "hold"
    if match["canary"]:
        share = int(match["canary"]) / 100
        return f"hold({match['canary_minutes']}, from={share}) then hold"
    percent, every = int(match["linear"]), int(match["linear_minutes"])
    if not percent:
        raise ConfigurationError("percent", percent, "1 or more")
    full, rest = divmod(100, percent)
    steps = f"staircase({full * every}, increments={full}, to={full * percent / 100})"
    return f"{steps} then hold({every}, from=1)" if rest else steps
