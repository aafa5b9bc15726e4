"""Metrics embedded in log lines, as CloudWatch Logs extracts them.

Source: Amazon CloudWatch user guide, "Specification: Embedded metric format". High resolution
(StorageResolution) is ignored. A document that breaks the specification gives no metric at all.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from infra.cloud.clock import Clock
from infra.cloud.metrics import MetricId, MetricStore, Sample
from warmer.errors import ConfigurationError

__all__ = ["EmbeddedMetrics", "parse_document"]

_log = logging.getLogger("warmer.cloud")

_MOST_METRICS = 100
_MOST_VALUES = 100
# CloudWatch takes this many dimensions (API reference, MetricDatum).
_MOST_DIMENSIONS = 30
_SIZES = frozenset(
    f"{size}{what}" for what in ("bytes", "bits") for size in ("", "kilo", "mega", "giga", "tera")
)
_UNITS = frozenset(
    {"Seconds", "Microseconds", "Milliseconds", "Percent", "Count", "Count/Second", "None"}
    | {size.capitalize() for size in _SIZES}
    | {f"{size.capitalize()}/Second" for size in _SIZES}
)


class EmbeddedMetrics:
    """Turns log events into metrics; what is malformed is logged, and counted as on AWS.

    The counts are the metrics EMFParsingErrors and EMFValidationErrors of AWS/Logs, by
    LogGroupName (CloudWatch Logs user guide, "Monitoring with CloudWatch metrics").
    """

    def __init__(self, store: MetricStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def extract(self, group: str, events: Sequence[tuple[int, str]]) -> None:
        """Read log events (Unix milliseconds of real time, message) of a log group."""
        for at, message in events:
            # Cheap, since most lines are none. Lambda may have put fields of its own before it.
            if '"_aws"' in message and '"CloudWatchMetrics"' in message:
                self._extract(group, at, message[message.find("{") :])

    def _extract(self, group: str, at: int, text: str) -> None:
        try:
            document = json.loads(text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            self._refused("EMFParsingErrors", group, at, error)
            return
        if not isinstance(document, dict) or "_aws" not in document:
            return  # what looked like EMF is inside something else
        try:
            self._store.add(list(parse_document(document, self._clock)))
        except ConfigurationError as error:
            self._refused("EMFValidationErrors", group, at, error)

    def _refused(self, name: str, group: str, at: int, error: Exception) -> None:
        _log.warning("%s: a log line gives no metrics: %s", group, error)
        moment = self._clock.at(at / 1000).timestamp()
        metric = MetricId.of("AWS/Logs", name, {"LogGroupName": group})
        self._store.add([Sample(metric, moment, 1.0, "Count")])


def parse_document(document: Any, clock: Clock) -> Iterator[Sample]:
    """The samples of one EMF document; ConfigurationError says which member breaks the format.

    Its timestamp is of the function's clock, which is real time; the samples are in cloud time.
    """
    root = _of(dict, document, "the document", "a JSON object")
    metadata = _of(dict, root.get("_aws"), "_aws", "an object")
    moment = _moment(metadata.get("Timestamp"), clock).timestamp()
    directives = _of(list, metadata.get("CloudWatchMetrics"), "CloudWatchMetrics", "an array")
    samples: list[Sample] = []
    for item in directives:
        directive = _of(dict, item, "CloudWatchMetrics", "an array of objects")
        namespace = _of(str, directive.get("Namespace"), "Namespace", "a string")
        if not namespace:
            raise ConfigurationError("Namespace", namespace, "a name")
        sets = list(_dimension_sets(root, directive))
        for name, unit, values in _definitions(root, directive):
            metrics = [MetricId.of(namespace, name, dimensions) for dimensions in sets]
            samples += (Sample(metric, moment, v, unit) for metric in metrics for v in values)
    return iter(samples)


def _moment(milliseconds: Any, clock: Clock) -> datetime:
    if _finite(milliseconds):
        try:
            return clock.at(milliseconds / 1000)
        except (OverflowError, ValueError, OSError):
            pass  # refused below, as any other bad value is
    raise ConfigurationError("Timestamp", milliseconds, "milliseconds since the epoch")


def _dimension_sets(
    root: Mapping[str, Any], directive: Mapping[str, Any]
) -> Iterator[dict[str, str]]:
    for names in _of(list, directive.get("Dimensions"), "Dimensions", "an array of arrays"):
        listed = _of(list, names, "Dimensions", "an array of arrays")
        if len(listed) > _MOST_DIMENSIONS:
            raise ConfigurationError(
                "Dimensions", len(listed), f"at most {_MOST_DIMENSIONS} in a set"
            )
        keys = [_of(str, name, "Dimensions", "names of members") for name in listed]
        yield {key: _of(str, root.get(key), f"dimension {key}", "a string") for key in keys}


def _definitions(
    root: Mapping[str, Any], directive: Mapping[str, Any]
) -> Iterator[tuple[str, str, list[float]]]:
    definitions = _of(list, directive.get("Metrics"), "Metrics", "an array")
    if len(definitions) > _MOST_METRICS:
        raise ConfigurationError("Metrics", len(definitions), f"at most {_MOST_METRICS}")
    for item in definitions:
        definition = _of(dict, item, "Metrics", "an array of objects")
        name = _of(str, definition.get("Name"), "Name", "a string")
        unit = _of(str, definition.get("Unit", "None"), f"Unit of {name}", "a string")
        if unit not in _UNITS:
            raise ConfigurationError(f"Unit of {name}", unit, "a unit of CloudWatch's")
        yield name, unit, _values(name, root.get(name))


def _values(name: str, target: Any) -> list[float]:
    values = target if isinstance(target, list) else [target]
    if len(values) > _MOST_VALUES or not all(_finite(value) for value in values):
        expected = f"a finite number, or an array of at most {_MOST_VALUES} of them"
        raise ConfigurationError(f"metric {name}", target, expected)
    return [float(value) for value in values]


def _finite(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def _of(kind: type, value: Any, key: str, expected: str) -> Any:
    if not isinstance(value, kind):
        raise ConfigurationError(key, value, expected)
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
