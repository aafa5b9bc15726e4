"""Slow or heavy checks: `make test-all`, not `make test`."""
