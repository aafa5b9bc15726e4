"""An ONNX Runtime session for one model file. The only module that imports onnxruntime."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from warmer.errors import ModelCorrupt, ModelError, ModelInputError
from warmer.model.signature import Signature
from warmer.record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from warmer.model.signature import Value

__all__ = ["Session", "Threads", "onnxruntime_version", "runtime", "session_options"]

MB_PER_CPU = 1769
"""Memory at which a function has one full CPU (Lambda developer guide, "Configure memory")."""

_MOST_CPUS = 6  # at 10,240 MB, same source

# ONNX Runtime looks for this when it is imported.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"


class Threads(Record):
    """How one inference uses the CPUs: `intra_op` threads, which may `spin` while they wait.

    Spinning threads burn the CPU share that the kernels need where there are less than two CPUs.
    """

    intra_op: int
    spin: bool

    @classmethod
    def for_memory(cls, memory_mb: int | None, cpus_seen: int) -> Threads:
        """The threads for a function of `memory_mb`, or for the machine's CPUs outside Lambda."""
        share = float(cpus_seen) if memory_mb is None else min(memory_mb / MB_PER_CPU, _MOST_CPUS)
        return cls(intra_op=max(1, min(round(share), cpus_seen)), spin=share >= 2)

    @classmethod
    def here(cls) -> Threads:
        """The threads for this environment (AWS_LAMBDA_FUNCTION_MEMORY_SIZE)."""
        text = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "")
        return cls.for_memory(int(text) if text.isdecimal() else None, os.cpu_count() or 1)


def runtime() -> Any:
    """The onnxruntime module, imported now: some 100 ms that only those pay who open a model."""
    import onnxruntime

    return onnxruntime


def onnxruntime_version() -> str:
    """The version of onnxruntime that is installed here."""
    return str(runtime().__version__)


class Session:
    """A loaded model that can run.

    `path` is an ONNX file. `optimised`: its graph is as ONNX Runtime's optimisations left it, and
    they are not made again. Raises ModelCorrupt where ONNX Runtime cannot load it.
    """

    def __init__(
        self, path: str, threads: Threads | None = None, *, optimised: bool = False
    ) -> None:
        onnxruntime = runtime()
        from onnxruntime.capi import onnxruntime_pybind11_state as state

        self._invalid_argument = state.InvalidArgument
        known = [getattr(state, name) for name in _FAILURES if hasattr(state, name)]
        self._failures = (RuntimeError, *known)
        try:
            options = session_options(threads or Threads.here())
            if optimised:
                options.graph_optimization_level = (
                    onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
                )
            self._session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
        except self._failures as error:
            raise ModelCorrupt(
                f"{path} cannot be loaded by ONNX Runtime {onnxruntime.__version__}: "
                f"{_first_line(error)}; export or copy the model again"
            ) from error
        self.signature = Signature.of(self._session.get_inputs(), self._session.get_outputs())
        self._output_names = [spec.name for spec in self.signature.outputs]
        self._run = self._session.run
        if any(spec.narrow for spec in (*self.signature.inputs, *self.signature.outputs)):
            from warmer.model.exchange import Exchange

            self._run = Exchange(self._session, onnxruntime.OrtValue, self.signature).run

    def run(self, feeds: Mapping[str, Value]) -> dict[str, Any]:
        """One inference: the outputs by name, arrays unless the model gives sequences or maps.

        `feeds` are values that fit the signature. Raises ModelInputError where the graph refuses
        their values (an index out of range, say), and ModelError where it fails otherwise.
        """
        return self._infer(feeds, None)

    def attempt(self, feeds: Mapping[str, Value]) -> dict[str, Any]:
        """The same where a refusal is no news: ONNX Runtime does not log it."""
        options = runtime().RunOptions()
        options.log_severity_level = 4  # fatal
        return self._infer(feeds, options)

    def _infer(self, feeds: Mapping[str, Value], options: Any) -> dict[str, Any]:
        try:
            outputs = self._run(self._output_names, feeds, options)
        except self._invalid_argument as error:
            raise ModelInputError(f"the model refuses the input: {_first_line(error)}") from error
        except self._failures as error:
            raise ModelError(f"the inference failed: {_first_line(error)}") from error
        return dict(zip(self._output_names, outputs, strict=True))


# ONNX Runtime's own exceptions have no base class but Exception.
_FAILURES = (
    "EPFail",
    "EngineError",
    "Fail",
    "InvalidArgument",
    "InvalidGraph",
    "InvalidProtobuf",
    "ModelLoadCanceled",
    "ModelLoaded",
    "ModelRequiresCompilation",
    "NoModel",
    "NoSuchFile",
    "NotFound",
    "NotImplemented",
    "RuntimeException",
)


def session_options(threads: Threads) -> Any:
    """ONNX Runtime's SessionOptions for sessions that run with these threads."""
    onnxruntime = runtime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads.intra_op
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry(
        "session.intra_op.allow_spinning", "1" if threads.spin else "0"
    )
    options.log_severity_level = 3  # errors; warnings are about the graph's making, not about use
    return options


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]
