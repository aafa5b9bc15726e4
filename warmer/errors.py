"""Every error that Warmer raises, as one tree.

WarmerError
├── ConfigurationError      a setting, target or argument has a value that cannot be used
├── ModelError              a model cannot be served
│   ├── ModelNotFound       there is no model at that path
│   ├── ModelUnavailable    a model's files cannot be brought here: access, connection, space
│   ├── ModelCorrupt        the file is there but is not a model that can be loaded
│   ├── BundleMismatch      no variant of a bundle can be used on this machine
│   ├── ModelInputError     a request does not fit the model's inputs
│   └── PrimingError        a warm-up inference failed
├── RequestError            an inference request breaks the protocol, or names what is not here
├── TraceError              a trace of invocations cannot be read
├── PackageMismatch         the package was built for another Python or architecture
├── InvokeError             a function could not be invoked
│   ├── Throttled           Lambda answered 429
│   ├── FunctionNotFound    there is no such function, version or alias
│   ├── AccessDenied        the caller may not invoke it, or its credentials are not valid
│   ├── EndpointUnreachable no connection to Lambda's endpoint could be made or kept
│   └── AnswerTimeout       no answer came in the time given
├── ServiceError            an AWS service that the warmer asks refused, or gave no answer
└── CloudError              the local cloud cannot do what was asked
    └── BuildError          a function package cannot be built
"""

from __future__ import annotations

__all__ = [
    "AccessDenied",
    "AnswerTimeout",
    "BuildError",
    "BundleMismatch",
    "CloudError",
    "ConfigurationError",
    "EndpointUnreachable",
    "FunctionNotFound",
    "InvokeError",
    "ModelCorrupt",
    "ModelError",
    "ModelInputError",
    "ModelNotFound",
    "ModelUnavailable",
    "PackageMismatch",
    "PrimingError",
    "RequestError",
    "ServiceError",
    "Throttled",
    "TraceError",
    "WarmerError",
]


class WarmerError(Exception):
    """Anything that Warmer refuses or fails to do; the message says what to do about it."""


class ConfigurationError(WarmerError):
    """A setting, target or argument has a value that cannot be used.

    `key` names the setting, `value` is what was found, `expected` says what would be accepted.
    """

    def __init__(self, key: str, value: object, expected: str) -> None:
        self.key = key
        self.value = value
        self.expected = expected
        super().__init__(f"{key} is {value!r}; expected {expected}")


class ModelError(WarmerError):
    """A model cannot be served."""


class ModelNotFound(ModelError):
    """There is no model at the path that was given."""


class ModelUnavailable(ModelError):
    """A model's files are elsewhere and cannot be brought here: no access, connection or space."""


class ModelCorrupt(ModelError):
    """A model file is there, but cannot be loaded."""


class BundleMismatch(ModelError):
    """No variant of a bundle can be used here: another architecture, processor or onnxruntime."""


class ModelInputError(ModelError):
    """A request does not fit the model's inputs: names, shape or dtype."""


class PrimingError(ModelError):
    """A warm-up inference failed."""


class RequestError(WarmerError):
    """An inference request breaks the protocol, or names what is not here.

    `status` is the HTTP status that says so, `headers` what goes with it.
    """

    def __init__(
        self, message: str, status: int = 400, headers: dict[str, str] | None = None
    ) -> None:
        self.status = status
        self.headers = headers or {}
        super().__init__(message)


class TraceError(WarmerError):
    """A trace of invocations cannot be read.

    `path`, `line` and `column` say where: `line` counts from 1, `column` is a column's name, or a
    character's place from 1, or empty. `problem` says what is there and what was expected.
    """

    def __init__(self, path: str, line: int, column: str, problem: str) -> None:
        self.path = path
        self.line = line
        self.column = column
        self.problem = problem
        place = f"{path}, line {line}" + (f", column {column}" if column else "")
        super().__init__(f"{place}: {problem}")


class PackageMismatch(WarmerError):
    """The function package was built for another Python version or architecture than runs it."""


class InvokeError(WarmerError):
    """A function could not be invoked."""


class Throttled(InvokeError):
    """Lambda answered 429; `reason` is its `Reason` field, or an empty string."""

    def __init__(self, message: str, reason: str = "") -> None:
        self.reason = reason
        super().__init__(message)


class FunctionNotFound(InvokeError):
    """There is no such function, version or alias in this account and region."""


class AccessDenied(InvokeError):
    """The caller may not invoke the function, or its credentials are not valid."""


class EndpointUnreachable(InvokeError):
    """No connection to Lambda's endpoint could be made or kept."""


class AnswerTimeout(InvokeError):
    """The function did not answer in the time given; it may still be running, and billed."""


class ServiceError(WarmerError):
    """An AWS service that the warmer asks (settings, tags, parameters, metrics, the table) refused
    or gave no answer; `code` is its error code, empty where there was no answer."""

    def __init__(self, message: str, code: str = "") -> None:
        self.code = code
        super().__init__(message)


class CloudError(WarmerError):
    """The local cloud cannot do what was asked."""


class BuildError(CloudError):
    """A function package cannot be built."""
