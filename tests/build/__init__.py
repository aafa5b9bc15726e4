"""Tests of infra.build and template.yaml."""
