"""The processor, as far as a bundle depends on it."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from warmer.model.processor import architecture, layout_features


@pytest.mark.parametrize(("machine", "name"), [("aarch64", "arm64"), ("x86_64", "x86_64")])
def test_the_architecture_has_lambdas_name(
    monkeypatch: pytest.MonkeyPatch, machine: str, name: str
) -> None:
    """Lambda says arm64 where Linux says aarch64 (Lambda developer guide, "Selecting and
    configuring an instruction set architecture for your Lambda function")."""
    monkeypatch.setattr("os.uname", type("Machine", (), {"machine": machine}))
    assert architecture() == name


@pytest.mark.parametrize(
    ("machine", "line", "features"),
    [
        ("x86_64", "flags\t\t: fpu fma avx sse2 avx512f avx2 avx512_vnni", "avx avx2 avx512f fma"),
        ("x86_64", "flags\t\t: fpu avx avx2 fma", "avx avx2 fma"),
        ("aarch64", "Features\t: fp asimd sve asimdhp", "asimdhp sve"),
        ("riscv64", "isa\t\t: rv64imafdc", ""),
    ],
)
def test_the_features_that_decide_layouts_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machine: str, line: str, features: str
) -> None:
    """Those of the first processor, and no others."""
    monkeypatch.setattr("os.uname", type("Machine", (), {"machine": machine}))
    path = tmp_path / "cpuinfo"
    path.write_text(f"processor\t: 0\n{line}\nbogomips\t: 1\n\nprocessor\t: 1\n{line} fma sme\n")
    assert " ".join(layout_features(str(path))) == features


def test_without_the_kernels_list_there_are_none(tmp_path: Path) -> None:
    """No Linux: a bundle that needs some is then passed over."""
    assert layout_features(str(tmp_path / "none")) == ()


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the feature is that of x86-64")
def test_this_machines_features_are_found() -> None:
    """Any machine that runs onnxruntime's wheels at speed has AVX."""
    assert "avx" in layout_features()
