"""The baseline "floor"."""
