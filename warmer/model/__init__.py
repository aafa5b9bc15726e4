"""Warm-up inside one execution environment: load a model, prime it, report."""

from __future__ import annotations

from warmer.model.model import Model, load

__all__ = ["Model", "load"]
