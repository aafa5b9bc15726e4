"""Warm-up across execution environments: targets, waves, proof."""

from warmer.fleet.report import Outcome, WaveReport
from warmer.fleet.run import warm
from warmer.fleet.spread import DispatchSpread
from warmer.fleet.target import Target, targets_from_json
from warmer.fleet.wave import WaveSettings, run_wave

__all__ = [
    "DispatchSpread",
    "Outcome",
    "Target",
    "WaveReport",
    "WaveSettings",
    "run_wave",
    "targets_from_json",
    "warm",
]
