"""What an environment logs, and the figures of its REPORT lines."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from infra.cloud.log_stream import LogStream
from tests.cloud.conftest import Start
from tests.cloud.sample_function import Together, call, deploy, request, wait_until


@pytest.mark.aws(
    "Lambda developer guide: Sending Lambda function logs to CloudWatch Logs",
    "START, the function's lines, END and REPORT, in that order",
)
def test_the_log_is_lambdas(start: Start, tmp_path: Path) -> None:
    """START, what the function printed and logged, END and REPORT come in that order."""
    source = """
import logging
print("importing")
def handler(event, context):
    print("printed")
    logging.getLogger().warning("logged\\nin two lines")
    print("unfinished", end="")
"""
    running, version = start(), deploy(tmp_path, source, version="7")
    invocation = request(version)
    outcome = running.plane.invoke(version, invocation)
    running.plane.flush_logs()
    groups = {(group, stream) for group, stream, _, _ in running.logs.events}
    ((group, stream),) = groups
    assert group == "/aws/lambda/sample"
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[7\][0-9a-f]{32}", stream)
    head, importing, begin, printed, logged, unfinished, end, report = running.logs.messages()
    assert head.startswith("INIT_START Runtime Version: python:3.12")
    assert importing == "importing\n"
    assert begin == f"START RequestId: {invocation.request_id} Version: 7\n"
    assert printed == "printed\n"
    assert logged.startswith("[WARNING]\t")
    assert logged.endswith(f"\t{invocation.request_id}\tlogged\nin two lines\n")
    assert unfinished == "unfinished\n"
    assert end == f"END RequestId: {invocation.request_id}\n"
    assert re.fullmatch(
        rf"REPORT RequestId: {invocation.request_id}\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms"
        r"\tMemory Size: 1769 MB\tMax Memory Used: \d+ MB\tInit Duration: [\d.]+ ms\t\n",
        report,
    )
    assert outcome.log_tail.decode().endswith("".join([end, report]))


def test_a_line_of_lambdas_comes_after_all_that_was_written_before_it() -> None:
    """Whether or not the thread that reads functions' output has seen it yet."""
    output, function = os.pipe2(os.O_NONBLOCK)
    stream = LogStream("/aws/lambda/sample", "stream")
    stream.attach(output)
    os.write(function, b"importing\n")
    stream.write("START\n")
    os.write(function, b"printed\n")
    os.close(function)
    stream.write("END\n")
    assert not stream.drain()
    assert [message for _, message in stream.take()] == [
        "importing\n",
        "START\n",
        "printed\n",
        "END\n",
    ]


def test_memory_counts_what_the_function_used(start: Start, tmp_path: Path) -> None:
    """Max Memory Used grows with what the function allocates."""
    running, version = start(), deploy(tmp_path)
    before = running.plane.invoke(version, request(version)).max_memory_mb
    after = running.plane.invoke(version, request(version, {"run": "len(b'x' * 50_000_000)"}))
    assert before > 5
    assert after.max_memory_mb >= before + 45


def test_output_of_a_request_that_runs_is_seen_meanwhile(start: Start, tmp_path: Path) -> None:
    """A long request's lines reach the sink while it runs."""
    running, version = start(), deploy(tmp_path)
    together = Together()
    together.start(running.plane, version, {"run": "[print('begun'), time.sleep(2)] and 1"})
    wait_until(lambda: "begun\n" in running.logs.messages())
    assert together.outcomes == []
    together.join()


@pytest.mark.aws("Lambda API reference: Invoke", "LogType Tail gives the last 4 KB of the log")
def test_the_tail_is_the_last_4_kb(start: Start, tmp_path: Path) -> None:
    """Of a long log the caller gets the end, of this invocation alone."""
    running, version = start(), deploy(tmp_path)
    long = {"run": "print('x' * 10_000)"}
    outcome = running.plane.invoke(version, request(version, long))
    assert len(outcome.log_tail) == 4096
    assert b"REPORT RequestId: " in outcome.log_tail
    assert b"xxx" not in running.plane.invoke(version, request(version)).log_tail


def test_a_failing_sink_fails_no_request(
    start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """When the sink raises, requests are answered, and the loss is logged."""
    running, version = start(), deploy(tmp_path)
    running.logs.fail = True
    assert call(running.plane, version)["calls"] == 1
    running.plane.flush_logs()
    assert "the disk is full" in caplog.text
    running.logs.fail = False
    assert call(running.plane, version)["calls"] == 2
    running.plane.flush_logs()
    assert any(line.startswith("REPORT") for line in running.logs.messages())
