"""Warm-up across execution environments: targets, waves, proof."""
