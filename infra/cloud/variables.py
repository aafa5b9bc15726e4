"""Environment variables inside a function.

Source: AWS Lambda developer guide, "Defined runtime environment variables", "Monitoring for Lambda
SnapStart" (no log variables there).
"""

from __future__ import annotations

from pathlib import Path

from infra.cloud.credentials import OF_FUNCTIONS
from infra.cloud.function import FunctionVersion
from infra.cloud.settings import CloudSettings

__all__ = ["function_variables"]

_LIBRARIES = "/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib"


def function_variables(
    version: FunctionVersion,
    settings: CloudSettings,
    log_stream: str,
    runtime_api: str,
    task_root: str = "/var/task",
) -> dict[str, str]:
    """All environment variables of a function's process, its own included.

    A function may replace the search paths, language, time zone and X-Ray's setting; the rest is
    Lambda's to say.
    runtime_api: host:port. task_root: where the package is.
    """
    python = next((settings.runtime / "lib").glob("python3.*")).name
    replaceable = {
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
        "LD_LIBRARY_PATH": f"{_interpreter_libraries(settings.runtime)}:{_LIBRARIES}",
        "PYTHONPATH": f"/opt/python/lib/{python}/site-packages:/opt/python:/var/runtime",
    }
    reserved = {
        "_HANDLER": version.handler,
        "AWS_ACCESS_KEY_ID": OF_FUNCTIONS.access_key,
        "AWS_SECRET_ACCESS_KEY": OF_FUNCTIONS.secret_key,
        "AWS_SESSION_TOKEN": OF_FUNCTIONS.token,
        "AWS_REGION": version.region,
        "AWS_DEFAULT_REGION": version.region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{version.runtime}",
        "AWS_LAMBDA_FUNCTION_NAME": version.name,
        "AWS_LAMBDA_FUNCTION_VERSION": version.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(version.memory_mb),
        "AWS_LAMBDA_INITIALIZATION_TYPE": version.init_type,
        "AWS_LAMBDA_LOG_GROUP_NAME": version.logs_to,
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "LAMBDA_TASK_ROOT": task_root,
    }
    if version.init_type == "snap-start":
        # A snapshot is restored in many environments, each with a log of its own.
        del reserved["AWS_LAMBDA_LOG_GROUP_NAME"], reserved["AWS_LAMBDA_LOG_STREAM_NAME"]
    if version.log_format == "JSON":
        reserved["AWS_LAMBDA_LOG_FORMAT"] = "JSON"
        reserved["AWS_LAMBDA_LOG_LEVEL"] = version.log_level
    endpoint = {"AWS_ENDPOINT_URL": settings.endpoint_url} if settings.endpoint_url else {}
    return {**replaceable, **endpoint, **version.variables, **reserved}


def _interpreter_libraries(runtime: Path) -> str:
    """What stands for Lambda's /var/lang/lib: there the interpreter's own libraries are."""
    return f"/var/lang/lib:{(runtime / 'bin' / 'python3').resolve().parent.parent / 'lib'}"
