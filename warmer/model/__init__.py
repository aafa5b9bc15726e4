"""Warm-up inside one execution environment: load a model, prime it, report."""

from __future__ import annotations

from warmer.package import check_package, package_root

# Before numpy is imported, which fails without saying why where its wheel is for another Python.
check_package(package_root())
