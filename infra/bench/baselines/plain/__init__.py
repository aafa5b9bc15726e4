"""The baseline "plain"."""
