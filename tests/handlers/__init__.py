"""Tests of the deployed functions."""
