"""The processor that this process runs on, as far as a bundle depends on it."""

from __future__ import annotations

import os

__all__ = ["architecture", "layout_features"]

# What ONNX Runtime's kernel library (MLAS, platform.cpp) decides data layouts by: with AVX-512F the
# blocked convolution layout has blocks of 16 channels, without it 8; on arm64 the kernels for half
# floats, dot products and SVE bring their own.
_LAYOUT_FEATURES = {
    "x86_64": ("avx", "avx2", "avx512f", "fma"),
    "arm64": ("asimddp", "asimdhp", "bf16", "i8mm", "sme", "sve"),
}


def architecture() -> str:
    """The machine's architecture by Lambda's name: x86_64 or arm64."""
    machine = os.uname().machine
    return "arm64" if machine == "aarch64" else machine


def layout_features(cpuinfo: str = "/proc/cpuinfo") -> tuple[str, ...]:
    """The processor's features that decide how ONNX Runtime lays out data, sorted.

    Linux lists them in /proc/cpuinfo (proc_cpuinfo(5)) as `flags` on x86-64 and `Features` on
    arm64. Without that file there are none.
    """
    try:
        # Unbuffered, as much as one call gives: the first processor's lines are enough.
        with open(cpuinfo, "rb", buffering=0) as file:  # noqa: PTH123 - pathlib costs 3 ms of INIT
            lines = file.read(1 << 16).decode("ascii", "replace").splitlines()
    except OSError:
        return ()
    line = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    present = set(line.partition(":")[2].split())
    return tuple(name for name in _LAYOUT_FEATURES.get(architecture(), ()) if name in present)
