"""Tests: each package follows a folder of the project."""
