"""Functions that log in JSON.

Source: Lambda developer guide, "Setting JSON and plain text log formats" and "Log-level filtering".
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cloud.behaviour.conftest import Account, wait_for
from warmer.fleet.uses import Report, report_from_line

LOGS = """
import logging
import os
import time


def handler(event, context):
    logging.getLogger().warning("warned")
    logging.getLogger().info("informed")
    if "exit" in event:
        os._exit(3)
    time.sleep(event.get("sleep", 0))
"""


def events(account: Account, function: str, last: str) -> list[dict[str, Any]]:
    """All that a function logs up to an event of this type."""
    client = account.client("logs")
    group = f"/aws/lambda/{function}"

    def look() -> list[dict[str, Any]]:
        found = client.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
        if not found:
            return []
        texts = [e["message"] for e in client.filter_log_events(logGroupName=group)["events"]]
        read = [json.loads(text) for text in texts]
        return read if any(event.get("type") == last for event in read) else []

    return list(wait_for(look, last))


def kinds(found: list[dict[str, Any]]) -> list[str]:
    """The types of the platform's events, and what the function said."""
    return [str(event.get("type") or event.get("message")) for event in found]


@pytest.mark.aws(
    "Lambda developer guide: Setting JSON and plain text log formats",
    "With the log format JSON the function's lines and Lambda's are JSON objects",
)
def test_a_function_can_log_in_json(account: Account) -> None:
    """INIT, START and REPORT are records; the report tells what the text would.

    AWS page: "Setting JSON and plain text log formats".
    """
    name = account.function(LOGS, LoggingConfig={"LogFormat": "JSON"})
    request_id = account.invoke(name)["ResponseMetadata"]["RequestId"]
    found = events(account, name, "platform.report")

    assert kinds(found) == [
        "platform.initStart",
        "platform.start",
        "warned",
        "informed",
        "platform.report",
    ]
    said = report_from_line(json.dumps(found[-1]))
    assert isinstance(said, Report)
    assert said.request_id == request_id
    assert said.init_ms is not None
    assert found[-1]["record"]["status"] == "success"
    configuration = account.functions.get_function_configuration(FunctionName=name)
    assert configuration["LoggingConfig"] == {
        "LogFormat": "JSON",
        "LogGroup": f"/aws/lambda/{name}",
        "SystemLogLevel": "INFO",
        "ApplicationLogLevel": "INFO",
    }


@pytest.mark.aws(
    "Lambda developer guide: Log-level filtering",
    "The system log level WARN leaves out all records but those of failures",
)
def test_the_system_log_level_leaves_reports_of_successes_out(account: Account) -> None:
    """A log without reports although users came; the application's level is another one.

    AWS page: "Log-level filtering".
    """
    levels = {"SystemLogLevel": "WARN", "ApplicationLogLevel": "WARN"}
    name = account.function(LOGS, LoggingConfig={"LogFormat": "JSON", **levels})
    account.invoke(name)
    account.invoke(name, {"exit": True})
    found = events(account, name, "platform.report")

    assert kinds(found) == ["warned", "warned", "platform.runtimeDone", "platform.report"]
    assert found[-1]["record"]["status"] == "error"
    assert found[-1]["record"]["errorType"] == "Runtime.ExitError"


def test_a_time_out_is_a_record_too(account: Account) -> None:
    """platform.runtimeDone and platform.report say so."""
    name = account.function(LOGS, Timeout=1, LoggingConfig={"LogFormat": "JSON"})
    account.invoke(name, {"sleep": 5})
    found = events(account, name, "platform.report")

    assert [event["record"]["status"] for event in found[-2:]] == ["timeout", "timeout"]
    assert found[-1]["record"]["metrics"]["durationMs"] == 1000
