"""Tests of `warmer.fleet` and the AWS adapter."""
