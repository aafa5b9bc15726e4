"""Loading models at INIT: one, or several side by side with whatever else INIT does."""

from __future__ import annotations

import _thread
from importlib import import_module
from typing import TYPE_CHECKING

from warmer import environment
from warmer.read_ahead import read_ahead
from warmer.runs import DEFAULT_MOST_RUNS, check_count, check_policy

if TYPE_CHECKING:
    import os
    import threading

    from warmer.model.model import Model

__all__ = ["Loading", "load", "start_load"]


class Loading:
    """A model on its way, made by `warmer.start_load`, which says what the arguments mean."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        policy: str,
        budget_ms: float | None,
        runs: int,
        least_runs: int,
        name: str | None,
        warmup: object,
    ) -> None:
        # A bad setting fails before anything is loaded.
        check_policy(policy)
        check_count("runs", runs)
        check_count("least_runs", least_runs)
        self._here = environment.current()
        self._here.remaining_budget_seconds(budget_ms)
        self._path = path
        self._policy = policy
        self._least_runs, self._most_runs = least_runs, runs
        self._warmup = warmup
        self._name = name
        self._budget_ms = budget_ms
        self._thread: threading.Thread | None = None
        self._opened: Model | None = None
        self._primed = False
        self._error: Exception | None = None

    def begin(self) -> None:
        """Open the model in a thread, now."""
        import threading  # 0.6 ms that `load` does without

        self._thread = threading.Thread(target=self._try_open, name="warmer.start_load")
        self._thread.start()
        # Imported here, while the thread waits: two threads that import take turns, for longer.
        import_module("warmer.model.model")

    def model(self) -> Model:
        """The model, loaded and primed: what is still to be done, is done now.

        Priming is never done beside anything else, for which it would take steps to be steady. A
        second call gives the same model. Raises what `warmer.load` raises.
        """
        if self._thread is not None:
            self._thread.join()
        if self._error is not None:
            raise self._error
        model = self._open() if self._opened is None else self._opened
        if not self._primed:
            self._primed = True
            here = self._here
            here.register(model.name, model)
            here.prime(model.name, model, here.remaining_budget_seconds(self._budget_ms))
        return model

    def _open(self) -> Model:
        from warmer.model.store import locate

        files = locate(self._path)
        _thread.start_new_thread(read_ahead, (files.to_open(),))
        # What opens the files is imported while they are read.
        from warmer.model.model import Model

        self._opened = Model(
            files,
            policy=self._policy,
            least_runs=self._least_runs,
            most_runs=self._most_runs,
            warmup=self._warmup,
        )
        if self._name is not None:
            self._opened.name = self._name
        return self._opened

    def _try_open(self) -> None:
        try:
            self._open()
        except Exception as error:  # noqa: BLE001 - raised by `model`, in the thread that asks
            self._error = error


def load(
    path: str | os.PathLike[str],
    *,
    policy: str = "raise",
    budget_ms: float | None = None,
    runs: int = DEFAULT_MOST_RUNS,
    least_runs: int = 1,
    name: str | None = None,
    warmup: object = None,
) -> Model:
    """Load the model at `path` and prime it, at INIT.

    `path` is a bundle (made by `warmer bundle`), a folder with a model.onnx (and, if there are
    recorded inputs, a samples.npz with arrays by input name) or an ONNX file; a relative one is
    looked up from the working directory, then from LAMBDA_TASK_ROOT, then from /opt, where layers
    are. Or it is `s3://bucket/prefix`: what is under that prefix is brought to /tmp first, and
    stays there as long as the environment.

    Priming runs the model with each shape that the warm-up inputs have, the first one first, until
    its time is steady: at most `runs` times a shape (default 50), at least `least_runs` times
    (default 1: as few as show it), and within a budget counted from the start of the process. That
    is `budget_ms`, else the variable WARMER_PRIME_BUDGET_MS, else what INIT may take less 1 s: 10 s
    on demand, 130 s with SnapStart or provisioned concurrency. Outside Lambda the budget counts
    from now. What did not fit is left to the first ping that asks for it.

    `policy` says what a failing warm-up inference does: "raise" a PrimingError (default), or
    "degrade": serve the model and report it unprimed. `name` is how reports call the model
    (default: the folder's or file's name).

    Warm-up inputs come from samples.npz, if there is one; then from `warmup`, a specification as
    warmup.json beside the model may hold it (see `warmer.model.specification`), which it replaces;
    what neither says is synthesised.

    Raises ConfigurationError, PackageMismatch, ModelNotFound, ModelUnavailable, ModelCorrupt,
    BundleMismatch and PrimingError.
    """
    return Loading(
        path,
        policy=policy,
        budget_ms=budget_ms,
        runs=runs,
        least_runs=least_runs,
        name=name,
        warmup=warmup,
    ).model()


def start_load(
    path: str | os.PathLike[str],
    *,
    policy: str = "raise",
    budget_ms: float | None = None,
    runs: int = DEFAULT_MOST_RUNS,
    least_runs: int = 1,
    name: str | None = None,
    warmup: object = None,
) -> Loading:
    """Begin to load a model, beside the rest of INIT; `.model()` of what this gives ends it.

        loading = [warmer.start_load(path) for path in ("models/first", "models/second")]
        import boto3  # and other imports, clients, connections
        first, second = (one.model() for one in loading)

    Files are brought from S3, verified and opened in a thread, for the greater part without
    Python's lock. Priming waits for `.model()`, and so do the model's place among this
    environment's models, and errors; but settings that cannot be used are refused at once.
    Arguments and errors are those of `warmer.load`.
    """
    loading = Loading(
        path,
        policy=policy,
        budget_ms=budget_ms,
        runs=runs,
        least_runs=least_runs,
        name=name,
        warmup=warmup,
    )
    loading.begin()
    return loading
