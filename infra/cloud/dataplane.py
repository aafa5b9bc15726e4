"""The data plane: runs function versions in execution environments of their own."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

from infra.cloud.function import FunctionVersion, Invocation, Outcome
from infra.cloud.ledger import Ledger
from infra.cloud.log_stream import LogSink
from infra.cloud.settings import CloudSettings

__all__ = ["DataPlane", "EnvironmentView"]


@dataclass(frozen=True)
class EnvironmentView:
    """One environment at this moment."""

    id: str
    function: str
    version: str
    key: str
    state: Literal["initialising", "busy", "idle"]
    log_stream: str


class DataPlane:
    """Execution environments of all functions, and the rules by which requests reach them."""

    def __init__(self, settings: CloudSettings, ledger: Ledger, logs: LogSink) -> None:
        raise NotImplementedError

    def invoke(
        self, version: FunctionVersion, invocation: Invocation, reserved: int | None = None
    ) -> Outcome:
        """Run one request; blocks until it is answered. Raises Throttled."""
        raise NotImplementedError

    def retire(self, function: str, *, version: str | None = None, keep: str | None = None) -> None:
        """End the environments of `function` (of one `version`, if given) whose key is not `keep`."""
        raise NotImplementedError

    def environments(self) -> tuple[EnvironmentView, ...]:
        """The environments that exist now."""
        raise NotImplementedError

    def flush_logs(self) -> None:
        """Wait until all that was logged so far has been given to the sink."""
        raise NotImplementedError

    def close(self) -> None:
        """End every environment and thread; requests that run fail. May be called again."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
