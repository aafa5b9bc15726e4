"""What holds for every test."""

from hypothesis import settings

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

# pytest takes plug-ins from the topmost conftest.py only.
pytest_plugins = ["infra.cloud.testing"]
