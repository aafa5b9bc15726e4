"""A loaded model: verified, primed at INIT, ready to answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from warmer import environment
from warmer.errors import ConfigurationError, PrimingError
from warmer.model.priming import DEFAULT_RUNS, Priming, PrimingReport
from warmer.model.samples import Samples
from warmer.model.session import Session
from warmer.model.store import ModelFiles, locate

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from warmer.model.signature import Signature

__all__ = ["INIT_MARGIN_SECONDS", "INIT_SECONDS", "Model", "load"]

INIT_SECONDS = 10.0
"""How long Lambda lets INIT take on demand (Lambda developer guide, "execution environment")."""

INIT_MARGIN_SECONDS = 1.0
"""What priming leaves of it for the rest of INIT."""

_POLICIES = ("raise", "degrade")


class Model:
    """One model in this environment. Made by `warmer.load`.

    `name` is how reports call it, `path` its ONNX file, `signature` its inputs and outputs.
    """

    def __init__(self, files: ModelFiles, *, policy: str, most_runs: int) -> None:
        self.name = files.name
        self.path = files.model
        self._policy = policy
        self._samples_path = files.samples
        self._samples: Samples | None = None
        self._session = Session(files.model)
        self._priming = Priming(self._infer_sample, most_runs)

    @property
    def signature(self) -> Signature:
        """The model's inputs and outputs."""
        return self._session.signature

    def run(self, feeds: Mapping[str, object]) -> dict[str, Any]:
        """One inference over a batch: array-likes by input name in, arrays by output name out.

        An output that the model gives as a sequence or map comes as lists and dicts. Raises
        ModelInputError, which names the input, what came and what is expected, and ModelError where
        the inference itself fails.
        """
        return self._session.run(self._session.signature.convert(feeds))

    def samples(self) -> Samples:
        """The warm-up inputs. Raises ModelCorrupt or ModelInputError for recorded ones amiss."""
        if self._samples is None:
            self._samples = Samples.of(self.signature, self._samples_path)
        return self._samples

    def prime(self, budget_seconds: float) -> PrimingReport:
        """Begin the priming, or go on with it, for at most `budget_seconds`.

        Raises PrimingError where a warm-up inference fails and the policy is "raise".
        """
        report = self._priming.go_on(budget_seconds)
        if report.error is not None and self._policy == "raise":
            raise PrimingError(
                f"priming {self.name!r} failed: {report.error}; correct the model or its recorded "
                'samples, or load it with policy="degrade" to serve it unprimed'
            )
        return report

    @property
    def priming(self) -> PrimingReport:
        """What priming has done up to now."""
        return self._priming.report()

    def report(self) -> dict[str, object]:
        """The fields of `priming`, JSON-able, for ping replies."""
        return self.priming.as_dict()

    def _infer_sample(self, run: int) -> None:
        feeds = self.samples().feeds
        self._session.run(feeds[run % len(feeds)])


def load(
    path: str | os.PathLike[str],
    *,
    policy: str = "raise",
    budget_ms: float | None = None,
    runs: int = DEFAULT_RUNS,
    name: str | None = None,
) -> Model:
    """Load the model at `path` and prime it, at INIT.

    `path` is a folder with a model.onnx (and, if there are recorded inputs, a samples.npz with
    arrays by input name) or an ONNX file; a relative one is looked up from the working directory,
    then from LAMBDA_TASK_ROOT. Priming runs the model until its time is steady, at most `runs`
    times (default 50) and within a budget counted from the start of the process: `budget_ms`, or
    by default the 10 s of INIT less 1 s. Outside Lambda the budget counts from now. What did not
    fit is left to the first ping that asks for it.

    `policy` says what a failing warm-up inference does: "raise" a PrimingError (default), or
    "degrade": serve the model and report it unprimed. `name` is how reports call the model
    (default: the folder's or file's name).

    Raises ConfigurationError, PackageMismatch, ModelNotFound, ModelCorrupt, PrimingError.
    """
    _check(policy, budget_ms, runs)
    files = locate(path)
    here = environment.current()
    model = Model(files, policy=policy, most_runs=runs)
    model.name = files.name if name is None else name
    here.register(model.name, model)
    model.prime(_budget_seconds(here, budget_ms))
    return model


def _budget_seconds(here: environment.Environment, budget_ms: float | None) -> float:
    """What is left for priming."""
    budget = INIT_SECONDS - INIT_MARGIN_SECONDS if budget_ms is None else budget_ms / 1000
    # A notebook or a test process may be hours old; only in Lambda is its age that of INIT.
    return budget - (here.age_seconds if here.on_lambda else 0.0)


def _check(policy: str, budget_ms: float | None, runs: int) -> None:
    if policy not in _POLICIES:
        raise ConfigurationError("policy", policy, 'one of "raise", "degrade"')
    if budget_ms is not None and not 0 <= budget_ms < float("inf"):
        raise ConfigurationError("budget_ms", budget_ms, "a number of milliseconds, 0 or more")
    if isinstance(runs, bool) or not isinstance(runs, int) or runs < 1:
        raise ConfigurationError("runs", runs, "a whole number of 1 or more")
