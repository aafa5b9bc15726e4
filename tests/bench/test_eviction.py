"""A cold page cache, and a warm one."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.bench.eviction import evict, fill
from infra.bench.models import ROOT
from warmer.errors import ConfigurationError

_SIZE = 1 << 20


@pytest.fixture
def file() -> Iterator[Path]:
    """A file beside the project, which is on a disk more often than /tmp is."""
    with tempfile.NamedTemporaryFile(dir=ROOT, prefix=".evict-") as opened:
        opened.write(bytes(_SIZE))
        opened.flush()
        yield Path(opened.name)


def test_evicted_files_are_read_from_disk(file: Path) -> None:
    """A process that maps them waits for the disk, as the kernel counts."""
    evict([file])
    assert _waits(file) > 0
    assert _waits(file) == 0


def test_a_file_that_was_filled_in_is_in_memory(file: Path) -> None:
    """All of it can be read without waiting for the disk."""
    fill([file])
    with file.open("rb") as opened:
        assert os.preadv(opened.fileno(), [bytearray(_SIZE)], 0, os.RWF_NOWAIT) == _SIZE


def _waits(file: Path) -> int:
    """How often a process that maps a file waits for the disk."""
    read = "import mmap, resource, sys; file = open(sys.argv[1], 'rb')\n"
    read += "before = resource.getrusage(resource.RUSAGE_SELF).ru_majflt\n"
    read += "len(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)[:])\n"
    read += "print(resource.getrusage(resource.RUSAGE_SELF).ru_majflt - before)"
    return int(subprocess.check_output([sys.executable, "-c", read, file], text=True))


def test_files_in_memory_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The measurement would call them cold."""
    monkeypatch.setattr("infra.bench.eviction._MOST_SECONDS", 0.05)
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as opened:
        opened.write(b"memory")
        opened.flush()
        with pytest.raises(ConfigurationError, match="a disk, which memory is not"):
            evict([Path(opened.name)])
