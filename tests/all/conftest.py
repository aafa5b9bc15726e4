"""Fixtures of the local cloud, for the slow checks too."""

from tests.cloud.conftest import cloud_settings, runtime, start

__all__ = ["cloud_settings", "runtime", "start"]
