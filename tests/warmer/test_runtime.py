"""A decorated handler under awslambdaric, the client that Lambda's own Python runtime runs."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

from warmer.ping import Ping, Reply, client_context, parse_reply

RUNTIME = Path(".tools/runtime/bin/python").absolute()  # made by `make setup`

# One event through the runtime's own handling: context, unmarshalling, handler, marshalling.
PROGRAM = """
import sys
from types import SimpleNamespace
from awslambdaric.bootstrap import StandardLogSink, handle_event_request
from awslambdaric.lambda_runtime_marshaller import LambdaMarshaller
import warmer

@warmer.warmable
def handler(event, context):
    return {"user": event}

results = SimpleNamespace(
    marshaller=LambdaMarshaller(),
    post_invocation_result=lambda invoke_id, result, *rest: print(result),
    post_invocation_error=lambda *rest: sys.exit(f"error {rest}"),
)
context_json = sys.argv[1] or None
handle_event_request(
    results, handler, "id", sys.argv[2], "application/json", context_json, None, "arn",
    4_000_000_000_000, None, StandardLogSink(),
)
"""


def _invoke(context_text: str, event: object) -> str:
    """The response to one invoke, with ClientContext as the base64 text that Lambda takes."""
    result = subprocess.run(
        [RUNTIME, "-c", PROGRAM, base64.b64decode(context_text).decode(), json.dumps(event)],
        env={"PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return result.stdout.strip()


def test_a_ping_is_answered_under_the_real_runtime() -> None:
    """Its context class, JSON parser and marshaller carry the ping in and the reply out."""
    reply = parse_reply(_invoke(client_context(Ping(wave="w", index=2, size=3)), {}).encode())
    assert isinstance(reply, Reply)
    assert (reply.wave, reply.index, reply.new, reply.held_ms < 20) == ("w", 2, True, True)
    assert 0 < reply.init_ms < 30_000


def test_a_request_reaches_the_handler_under_the_real_runtime() -> None:
    """Without a client context, and with one of the user's own."""
    own = base64.b64encode(b'{"custom": {"trace": "x"}, "env": null}').decode()
    assert json.loads(_invoke("", {"a": 1})) == {"user": {"a": 1}}
    assert json.loads(_invoke(own, [])) == {"user": []}
