"""Invocations as the runtime makes them."""

from __future__ import annotations

from types import SimpleNamespace

from warmer.ping import Ping


def context(ping: object = None, remaining_ms: float = 30_000.0) -> SimpleNamespace:
    """A Lambda context: with `ping` as the ClientContext's `custom.warmer`, or without any."""
    client = None if ping is None else SimpleNamespace(custom={"warmer": fields(ping)})
    return SimpleNamespace(client_context=client, get_remaining_time_in_millis=lambda: remaining_ms)


def fields(ping: object) -> object:
    """What travels for `ping`; anything but a Ping travels as it is."""
    return ping.fields() if isinstance(ping, Ping) else ping
