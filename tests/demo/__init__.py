"""The demo and the README: what a newcomer does first."""
