"""`python -m infra.cloud`: the same as `warmer cloud`, without the package being installed."""

import sys

from infra.cloud.command import cloud
from warmer.errors import WarmerError

try:
    cloud(prog_name="warmer cloud")
except WarmerError as error:
    sys.exit(f"Error: {error}")
