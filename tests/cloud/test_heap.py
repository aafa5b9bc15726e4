"""What the cloud's process gives back of its memory."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

_GROWTH = """
import re, sys
from pathlib import Path
from infra.cloud.heap import return_freed_memory

def resident_mb():
    return int(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

if sys.argv[1] == "ours":
    assert return_freed_memory()
before = resident_mb()
package = bytearray(30_000_000)
del package  # from now on glibc takes such blocks from its heap, unless it is told not to
answers, kept = [], []
for _ in range(100):
    answers.append(bytearray(1_000_000))
    kept.append(bytearray(1_000))  # what stays, such as a log line, holds the heap above it
del answers
print(resident_mb() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps freed memory so")
def test_large_blocks_go_back_to_the_machine_when_they_are_freed() -> None:
    """Whatever lies between them; without it, a hundred megabytes would stay."""
    grown = {}
    for how in ("ours", "theirs"):
        command = [sys.executable, "-c", _GROWTH, how]
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
        grown[how] = float(ran.stdout)
    assert grown["ours"] < 10 < 50 < grown["theirs"]
