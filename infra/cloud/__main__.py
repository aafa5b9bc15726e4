"""`python -m infra.cloud`: the same as `warmer cloud`, without the package being installed."""

from infra.cloud.command import cloud

cloud(prog_name="warmer cloud")
