"""Warm-up inside one execution environment: load a model, prime it, report."""

from __future__ import annotations

import os

from warmer.package import check_package, package_root

# OpenBLAS, which numpy links, reads this when it is loaded. Its worker threads then spin for a
# while, which took half of the processor time of `import numpy`; inferences use ONNX Runtime's own.
# Who multiplies large matrices with numpy sets it to more.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Before numpy is imported, which fails without saying why where its wheel is for another Python.
check_package(package_root())

from warmer.model.model import Model, load  # noqa: E402 - see above

__all__ = ["Model", "load"]
