"""Warm-up schedules."""
