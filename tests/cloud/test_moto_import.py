"""What makes moto's import quick changes nothing of what it imports."""

from __future__ import annotations

import json
import subprocess
import sys

_REGIONS = """
import gc, json, sys
if sys.argv[1] == "ours":
    from infra.cloud.moto_import import import_moto
    import_moto()
from botocore.session import Session
from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend as found
described = Session().get_service_data("ec2")["metadata"]["serviceId"]
regions = [vars(region) for region in found.regions]
print(json.dumps([regions, sorted(found.zones), described, gc.isenabled()]))
"""


def _regions(how: str) -> list[object]:
    """EC2's regions and zones as moto has them, in a process of their own."""
    ran = subprocess.run(
        [sys.executable, "-c", _REGIONS, how], capture_output=True, text=True, check=True
    )
    found: list[object] = json.loads(ran.stdout)
    return found


def test_moto_knows_the_same_regions() -> None:
    """And botocore describes EC2, and garbage is collected, as ever afterwards."""
    ours = _regions("ours")
    assert ours == _regions("moto's own")
    assert ours[2:] == ["EC2", True]
