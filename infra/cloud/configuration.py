"""What Lambda refuses in a function's configuration, and what this machine cannot run.

Sources: AWS Lambda developer guide, "Improving startup performance with Lambda SnapStart",
"Managing Lambda dependencies with layers"; quotas page.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from moto.awslambda.exceptions import InvalidParameterValueException

from infra.cloud.packages import UNZIPPED_LIMIT_BYTES, PackageStore

__all__ = ["LAYER_LIMIT", "check_layers", "check_runtime", "check_settings", "layer_folders"]

LAYER_LIMIT = 5
_SNAP_START_STORAGE_MB = 512
_OLDEST_SNAP_START = (3, 12)
_DEAD_LETTER_ARN = re.compile(r"arn:[\w-]+:(sqs|sns):[\w-]+:\d{12}:[\w.-]+")

FindLayer = Callable[[str], Any]


def check_runtime(spec: Mapping[str, Any], python: str, any_python: bool) -> None:
    """Refuse what the data plane could not run.

    python: the version that this machine has; any_python: to be used for every other, too.
    """
    package_type, runtime = spec.get("PackageType", "Zip"), spec.get("Runtime")
    if package_type != "Zip":
        raise InvalidParameterValueException(
            f"The local cloud runs zip packages; PackageType is {package_type}"
        )
    if not spec.get("Handler"):
        raise InvalidParameterValueException("Handler must be given, such as app.handler")
    if not runtime or not runtime.startswith("python3."):
        raise InvalidParameterValueException(
            f"The local cloud runs Python functions; Runtime is {runtime}"
        )
    if runtime != f"python{python}" and not any_python:
        raise InvalidParameterValueException(
            f"The function wants {runtime}, and this machine's runtime environment is Python "
            f"{python}: make it with the other one (make clean; make PYTHON={runtime} setup), or "
            f"start the cloud with --any-python to run every function on Python {python}, which "
            "AWS would not do"
        )


def check_settings(spec: Mapping[str, Any]) -> None:
    """Refuse settings that Lambda does not have, or not together."""
    _check_snap_start(spec)
    target = (spec.get("DeadLetterConfig") or {}).get("TargetArn")
    if target and not _DEAD_LETTER_ARN.fullmatch(target):
        raise InvalidParameterValueException(
            f"DeadLetterConfig's TargetArn is {target}; expected the ARN of an SQS queue or an SNS "
            "topic"
        )


def _check_snap_start(spec: Mapping[str, Any]) -> None:
    applied = (spec.get("SnapStart") or {}).get("ApplyOn", "None")
    if applied not in ("None", "PublishedVersions"):
        raise InvalidParameterValueException(
            f"1 validation error detected: Value '{applied}' at 'snapStart.applyOn' failed to "
            "satisfy constraint: Member must satisfy enum value set: [PublishedVersions, None]"
        )
    if applied == "None":
        return
    runtime = str(spec["Runtime"])
    if tuple(int(part) for part in runtime.removeprefix("python").split(".")) < _OLDEST_SNAP_START:
        raise InvalidParameterValueException(
            f"{runtime} is not supported for SnapStart enabled functions."
        )
    size = int((spec.get("EphemeralStorage") or {}).get("Size", _SNAP_START_STORAGE_MB))
    if size > _SNAP_START_STORAGE_MB:
        raise InvalidParameterValueException(
            f"Ephemeral storage of {size} MB is not supported for SnapStart enabled functions: "
            f"at most {_SNAP_START_STORAGE_MB} MB."
        )
    if spec.get("FileSystemConfigs"):
        raise InvalidParameterValueException(
            "FileSystemConfigs is not supported for SnapStart enabled functions."
        )


def check_layers(arns: Sequence[str], find: FindLayer) -> None:
    """Refuse, in Lambda's words, layers that there are not, too many, or one of them twice."""
    if len(arns) > LAYER_LIMIT:
        raise InvalidParameterValueException(f"Cannot reference more than {LAYER_LIMIT} layers.")
    for arn in arns:
        if arn.count(":") != 7 or find(arn) is None:
            raise InvalidParameterValueException(f"Layer version {arn} does not exist.")
    names = Counter(arn.rpartition(":")[0] for arn in arns)
    if any(times > 1 for times in names.values()):
        raise InvalidParameterValueException(
            "Two different versions of the same layer are not allowed to be referenced in the "
            "same function."
        )


def layer_folders(
    arns: Sequence[str], find: FindLayer, code: Path, packages: PackageStore
) -> tuple[Path, ...]:
    """Where a function's layers are unpacked; refuses more than the limit, its code included."""
    folders = tuple(find(arn).unpacked for arn in arns)
    size = sum(packages.unzipped_bytes(folder) for folder in (code, *folders)) if folders else 0
    if size >= UNZIPPED_LIMIT_BYTES:
        raise InvalidParameterValueException(
            f"Layers consume more than the available size of {UNZIPPED_LIMIT_BYTES} bytes: with "
            f"the function's code they have {size}"
        )
    return folders
