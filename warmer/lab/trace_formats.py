"""Which format a trace has, told by its first line; and reading it."""

from __future__ import annotations

from pathlib import Path

from warmer.lab import azure2019, cloudwatch_export, request_csv
from warmer.lab.trace import Service, Trace
from warmer.lab.trace_file import TraceFile

__all__ = ["DEFAULT_SERVICE_SECONDS", "read_trace"]

DEFAULT_SERVICE_SECONDS = 0.1
"""How long requests run where neither the trace nor another file tells: an assumption."""

FORMATS = (
    "timestamp,duration[,function]",
    "Azure Functions 2019 (HashOwner,HashApp,HashFunction,Trigger,1,2,...)",
    "Azure Functions 2021 (app,func,end_timestamp,duration)",
    "Azure LLM inference (TIMESTAMP,ContextTokens,GeneratedTokens)",
    "the JSON of `warmer demand --export`",
)


def read_trace(
    path: Path, durations: Path | None = None, service_seconds: float = DEFAULT_SERVICE_SECONDS
) -> Trace:
    """The trace in a file, plain or compressed by gzip; its format is told by its first line.

    durations: for Azure Functions 2019, the file that says how long functions run.
    service_seconds: how long requests run where nothing tells.

    Raises TraceError: the file cannot be read, has no known format, does not keep to it, has no
    request, or has durations of its own while `durations` are given.
    """
    file = TraceFile(path)
    if durations is not None and not azure2019.is_format(file):
        problem = "this trace says itself how long requests run; leave --durations out"
        raise file.error("", problem)
    trace = _read(file, durations, Service.constant(service_seconds))
    if not trace.invocations:
        raise file.error("", "there is no request in the trace; expected one at least")
    return trace


def _read(file: TraceFile, durations: Path | None, service: Service) -> Trace:
    if cloudwatch_export.is_format(file):
        return cloudwatch_export.read(file)
    if azure2019.is_format(file):
        return azure2019.read(file, durations, service)
    if request_csv.is_azure2021(file):
        return request_csv.read_azure2021(file)
    if request_csv.is_azure_llm(file):
        return request_csv.read_azure_llm(file)
    if request_csv.is_plain(file):
        return request_csv.read_plain(file)
    problem = f"no format has the columns {file.first_line[:80]!r}; expected "
    raise file.error(file.columns[0], problem + "; or ".join(FORMATS))
