"""Benchmarks, each a program of its own that prints what it measured."""
