"""Where in the state of the policy `auto` what is known of a function is, and in its prices what.

The state is one flat sequence of plain floats: the warmer runs on a list, the simulator
(`warmer.lab.online`) compiled on an array. No imports but how much of it gaps and lifetimes need.
`warmer.fleet.evidence` and `warmer.fleet.lifetime` fill it, `warmer.fleet.hazard` decides by it.
"""

from __future__ import annotations

from warmer.fleet.gaps import GAPS
from warmer.fleet.gaps import PLACES as TABLE
from warmer.fleet.survival import COUNT as LIVES

LEVELS = (
    *(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 17, 20, 24, 29, 35, 42, 50, 60, 72, 86, 103),
    *(124, 149, 179, 215, 258, 310, 372, 446, 535, 642, 720),
)
BANDS = len(LEVELS) - 1
"""Environments that are busy at once are counted in bands: one, two, three, four, up to six, ..."""

# Places in the state. Of those that end with a plus there is one for each band.
LAYOUT, BEGUN, KNOWN, LAST_USE, READ_AT, VALUE, SPENT, REQUESTS = 0, 1, 2, 3, 4, 5, 6, 7
COLDS, ASK_AT, APPOINTED, BEFORE, BEFORE_SIZE, COVERED, BUSY, LARGEST = 8, 9, 10, 11, 12, 13, 14, 15
SUSPECT, INTERVAL, LOGGED, INFORMED, TOP, WORKED = 16, 17, 18, 19, 20, 21
SUSPECT_AT, LONGEST, TRIAL, RECENT, SUSPECT_FROM = 22, 23, 24, 25, 26
ALIVE = SUSPECT_FROM + 1
DEAD = ALIVE + LIVES
TRYING = DEAD + LIVES  # whether a longer interval is tried
SENT = TRYING + 1
SENTS = 24
BAND_USE = SENT + SENTS  # + when it was used last
BAND_WAVE = BAND_USE + BANDS  # + when a wave reached it last
BAND_COLD = BAND_WAVE + BANDS  # + environments that would have been gone when they were needed
BAND_USES = BAND_COLD + BANDS  # + how often it was used
BAND_DEPTH = BAND_USES + BANDS  # + how many environments of it were, then, in all
BAND_REACH = BAND_DEPTH + BANDS  # + how many environments were busy at most, at its last use
GAP = BAND_REACH + BANDS  # + a histogram of the pauses between its uses
OTHERS = GAP + BANDS * GAPS
"""From here on what other functions of the same warmer tell (`share`), not remembered with this."""
OTHERS_TRYING = OTHERS + 2 * LIVES
TOLD = 2 * LIVES + 1
LASTING = OTHERS + TOLD
"""And the table of each band's histogram, for `hazard`; 0 where that has changed since."""

STATE = LASTING + BANDS * TABLE

WAVE_AT = BAND_WAVE
"""When the last wave was sent, which reached the first band at least."""

THIS_LAYOUT = 4.0
"""Changes with the places: what was remembered by others is not known then."""

# Places in the economics.
PING, HELD, LOOK, READ, INIT, DELAY, GOAL, AMOUNT = 0, 1, 2, 3, 4, 5, 6, 7
LOG_LOOK, HELD_EACH = 8, 9
BY_VALUE, BY_BUDGET, BY_RATE = 0.0, 1.0, 2.0

NEVER = -1e18
EARLY = 60.0
"""The warmer runs by the minute at most: a look is made in the last run before its moment."""

HOUR = 3600.0
DEFAULT_VALUE = 1e-4
