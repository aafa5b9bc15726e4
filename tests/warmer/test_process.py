"""What the kernel tells of this process."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
from pathlib import Path

import pytest

from warmer import process
from warmer.process import disk_reads, peak_memory_mb, process_age_seconds


def test_the_process_age_is_that_of_the_process() -> None:
    """A process sees its own start, before Python ran, to within the kernel's tick."""
    code = (
        "import time; began = time.monotonic()\n"
        "from warmer.process import process_age_seconds\n"
        "print(process_age_seconds() - (time.monotonic() - began))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    before_our_code = float(result.stdout)
    assert -0.02 <= before_our_code < 10


def test_without_proc_the_age_counts_from_the_import(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other systems have no /proc/self/stat."""

    def no_file(*_: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr("builtins.open", no_file)
    monkeypatch.setattr(process, "_IMPORTED_AT", 0.0)
    assert process_age_seconds() > 1_000_000_000


def test_the_peak_of_memory_grows_with_what_is_used() -> None:
    """A new process that fills 64 MiB has held that much more, and its parent's peak is not its."""
    code = (
        "from warmer.process import peak_memory_mb\n"
        "before = peak_memory_mb(); block = bytearray(b'x') * (64 << 20)\n"
        "print(before, peak_memory_mb() - before)"
    )
    kept = bytearray(b"x") * (128 << 20)  # in this process, which starts that one
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    before, grown = map(float, result.stdout.split())
    assert len(kept) > before * (1 << 20)
    assert 63 < grown < 66


def test_without_proc_the_peak_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other systems have no /proc/self/status."""

    def no_file(*_: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr("builtins.open", no_file)
    assert peak_memory_mb() == 0.0


def test_a_page_that_is_not_in_memory_is_a_read(tmp_path: Path) -> None:
    """A mapped page that the kernel has dropped from its cache must be waited for."""
    path = tmp_path / "page"
    path.write_bytes(b"x" * mmap.PAGESIZE)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as page:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        before = disk_reads()
        assert page[0] == ord("x")
        read = disk_reads() - before
    if not read:
        pytest.skip("this file system keeps its pages in memory")
    assert read == 1
