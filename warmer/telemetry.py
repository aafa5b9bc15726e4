"""Metric names and units, their emission, and structured log lines.

Metrics go out in CloudWatch's Embedded Metric Format (EMF): one JSON line on standard output, which
CloudWatch Logs turns into metrics without a call of ours. Powertools for AWS Lambda writes it.
Importing Powertools takes about 30 ms with compiled byte-code and 260 ms without (measured after
numpy and onnxruntime were loaded), some 8 where the build has put off what metrics do without: so
it is imported by `prepare`, or at the first emission, and never where there are no metrics. For the
same reason log lines are plain JSON and not Powertools' Logger, which needs what was put off.

A custom metric costs $0.30 a month for each distinct set of dimensions (CloudWatch pricing page,
us-east-1), several times what keeping ten environments warm costs. So there are none unless
WARMER_METRICS_NAMESPACE names where they go; pass few dimensions, and whatever else should be
searchable as properties.
"""

from __future__ import annotations

import json
import math
import os
from enum import Enum

from warmer.errors import ConfigurationError

TYPE_CHECKING = False  # type checkers know the name; importing `typing` for it would take 3 ms
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LEVEL_VARIABLE", "NAMESPACE_VARIABLE", "Metric", "emit", "log", "prepare"]

NAMESPACE_VARIABLE = "WARMER_METRICS_NAMESPACE"
LEVEL_VARIABLE = "WARMER_LOG_LEVEL"

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


class Metric(Enum):
    """A metric of ours; its value is its CloudWatch name and unit."""

    # Of an inference function, for each request of a user: 1 where it met a cold start and 0 where
    # not, so that the average is the share, and the time to answer once INIT was over. INIT and
    # priming for each cold start.
    COLD_START = ("ColdStart", "Count")
    INIT_DURATION = ("InitDuration", "Milliseconds")
    PRIMING_DURATION = ("PrimingDuration", "Milliseconds")
    INFERENCE_DURATION = ("InferenceDuration", "Milliseconds")
    # Of the warmer, once for each wave.
    ENVIRONMENTS_ASKED = ("EnvironmentsAsked", "Count")
    ENVIRONMENTS_PROVEN = ("EnvironmentsProven", "Count")
    ENVIRONMENTS_NEW = ("EnvironmentsNew", "Count")
    PINGS_THROTTLED = ("PingsThrottled", "Count")
    PINGS_FAILED = ("PingsFailed", "Count")
    BILLED_DURATION = ("BilledDuration", "Milliseconds")
    WAVE_DURATION = ("WaveDuration", "Milliseconds")
    # Of the deployment hook, once for each deploy, beside the environments asked and proven.
    DEPLOYS_REFUSED = ("DeploysRefused", "Count")
    PREWARM_DURATION = ("PrewarmDuration", "Milliseconds")

    @property
    def cloudwatch_name(self) -> str:
        """The metric's name in CloudWatch."""
        return self.value[0]

    @property
    def unit(self) -> str:
        """The metric's unit, as CloudWatch spells it."""
        return self.value[1]


def emit(
    metrics: Mapping[Metric, float],
    dimensions: Mapping[str, str],
    properties: Mapping[str, object] | None = None,
) -> None:
    """Write one EMF line with these metrics, in the namespace that WARMER_METRICS_NAMESPACE names.

    `dimensions` identify the time series; `properties` are JSON-able values that only the log line
    holds. Nothing is written without a namespace, for no metrics, or when
    POWERTOOLS_METRICS_DISABLED is true. Raises ConfigurationError for a value that is not finite
    (CloudWatch would drop the line).
    """
    for metric, value in metrics.items():
        if not math.isfinite(value):
            raise ConfigurationError(metric.cloudwatch_name, value, "a finite number")
    namespace = os.environ.get(NAMESPACE_VARIABLE)
    if not metrics or not namespace:
        return
    # Imported here: the reason is in the module's docstring.
    from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import (
        AmazonCloudWatchEMFProvider,
    )

    provider = AmazonCloudWatchEMFProvider(namespace=namespace)
    for name, text in dimensions.items():
        provider.add_dimension(name, text)
    for key, content in (properties or {}).items():
        provider.add_metadata(key, content)
    for metric, value in metrics.items():
        provider.add_metric(metric.cloudwatch_name, metric.unit, value)
    provider.flush_metrics()


def prepare() -> None:
    """Import at INIT what `emit` needs, where metrics are wanted: a user's request waits else."""
    if os.environ.get(NAMESPACE_VARIABLE):
        from aws_lambda_powertools.metrics.provider.cloudwatch_emf import cloudwatch

        assert cloudwatch


def log(message: str, fields: Mapping[str, object] | None = None, level: str = "INFO") -> None:
    """Write one structured log line: a JSON object with `level`, `message` and `fields`.

    Lambda keeps such a line as it is, whatever the function's log format. Values that JSON lacks
    are written as their text. Nothing is written below the level that WARMER_LOG_LEVEL names:
    DEBUG, INFO, WARNING or ERROR, and INFO without it. Raises ConfigurationError for another.
    """
    least = os.environ.get(LEVEL_VARIABLE) or "INFO"
    if least not in _LEVELS:
        raise ConfigurationError(LEVEL_VARIABLE, least, f"one of {', '.join(_LEVELS)}")
    if _LEVELS.index(level) < _LEVELS.index(least):
        return
    print(json.dumps({"level": level, "message": message, **(fields or {})}, default=str))  # noqa: T201 - standard output is the log
