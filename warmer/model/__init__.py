"""Warm-up inside one execution environment: load a model, prime it, report."""
