"""Credentials that every local cloud knows, beside the access keys that are made in its IAM."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["OF_FUNCTIONS", "OF_USERS", "LocalCredentials"]


@dataclass(frozen=True)
class LocalCredentials:
    """An access key that can do no harm; `token` is the session token, or empty for none."""

    access_key: str
    secret_key: str
    token: str = ""


# What `CloudProcess.environment` gives to AWS's tools, and what the README tells users to export.
OF_USERS = LocalCredentials("local", "local")
# What every execution environment finds in its variables.
OF_FUNCTIONS = LocalCredentials("ASIALOCALCLOUD000000", "local-cloud", "local-cloud")
