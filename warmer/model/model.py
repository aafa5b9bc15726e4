"""A loaded model: verified, primed at INIT, ready to answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from warmer.errors import PrimingError
from warmer.model.priming import Priming, PrimingReport
from warmer.model.samples import Samples
from warmer.model.session import Session

if TYPE_CHECKING:
    from collections.abc import Mapping

    from warmer.model.bundle import BundledSession
    from warmer.model.signature import Signature
    from warmer.model.specification import Specification
    from warmer.model.store import ModelFiles

__all__ = ["Model"]


class Model:
    """One model in this environment. Made by `warmer.load`, or by `warmer.start_load`.

    `name` is how reports call it, `path` its ONNX file, `signature` its inputs and outputs.
    """

    def __init__(
        self,
        files: ModelFiles,
        *,
        policy: str,
        least_runs: int,
        most_runs: int,
        warmup: object = None,
    ) -> None:
        self.name = files.name
        self.path = files.model
        self._policy = policy
        self._samples_path = files.samples
        self._samples: Samples | None = None
        self._sources: Mapping[str, str] | None = None
        self._session = _open(files)
        self._specification = _specification(files, warmup, self._session.signature)
        self._inputs_path: str | None = None
        if self._specification is None and not isinstance(self._session, Session):
            self._inputs_path = self._session.inputs
        self._priming = Priming(
            lambda: self.samples().feeds,
            self.run,
            least_runs=least_runs,
            most_runs=most_runs,
        )

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
        """The warm-up inputs; they are let go once they have primed the model, and found again.

        Raises ModelCorrupt or ModelInputError for recorded ones amiss, and PrimingError where none
        are found that the model runs with.
        """
        if self._samples is None and self._inputs_path is not None:
            self._samples = Samples.read(self._inputs_path, self.signature)
        elif self._samples is None:
            self._samples = Samples.of(
                self.signature,
                self._samples_path,
                specification=self._specification,
                model_path=self.path,
                run=self._session.attempt,
            )
        return self._samples

    @property
    def sources(self) -> Mapping[str, str]:
        """For each input, whether its warm-up values are recorded, specified or synthesised.

        Raises what `samples` raises.
        """
        if self._sources is None:
            self._sources = self.samples().sources
        return self._sources

    def prime(self, budget_seconds: float) -> PrimingReport:
        """Begin the priming, or go on with it, for at most `budget_seconds`.

        Raises PrimingError where a warm-up inference fails and the policy is "raise".
        """
        report = self._priming.go_on(budget_seconds)
        if self._samples is not None and not self.pending:
            self._sources = self._samples.sources
            self._samples = None
        if report.error is not None and self._policy == "raise":
            raise PrimingError(
                f"priming {self.name!r} failed: {report.error}; correct the model or its recorded "
                'samples, or load it with policy="degrade" to serve it unprimed'
            )
        return report

    @property
    def pending(self) -> bool:
        """Whether priming has left something to do: its budget ended, or an inference failed."""
        return self._priming.pending

    @property
    def priming(self) -> PrimingReport:
        """What priming has done up to now."""
        return self._priming.report()

    def report(self) -> dict[str, object]:
        """The fields of `priming`, JSON-able, for ping replies; of a bundle also its variant."""
        report = self.priming.as_dict()
        return report if isinstance(self._session, Session) else report | self._session.report()


def _open(files: ModelFiles) -> Session | BundledSession:
    if files.manifest is None:
        return Session(files.model)
    from warmer.model.bundle import BundledSession

    return BundledSession(files.manifest)


def _specification(files: ModelFiles, warmup: object, signature: Signature) -> Specification | None:
    """The user's specification of warm-up inputs: the argument, or else the file."""
    if warmup is None and files.specification is None:
        return None
    from warmer.model.specification import Specification

    if warmup is not None:
        return Specification.of(warmup, signature)
    return Specification.read(str(files.specification), signature)
