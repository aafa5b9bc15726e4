"""A bundle at INIT: files are verified, a variant is chosen for this machine, opened and proven."""

# pathlib would add 3 ms to INIT.
# ruff: noqa: PTH118, PTH120

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from warmer.errors import BundleMismatch, ModelCorrupt, ModelError
from warmer.model.attempt import Attempt, crashed_attempts
from warmer.model.files import BundleFiles
from warmer.model.golden import Golden, difference, read_golden
from warmer.model.manifest import Manifest, Variant, read_manifest
from warmer.model.processor import architecture, layout_features
from warmer.model.session import Session, onnxruntime_version

if TYPE_CHECKING:
    from collections.abc import Mapping

    from warmer.model.signature import Signature

__all__ = ["BundledSession"]


class BundledSession:
    """The session of a bundle: the first of its variants that fits this machine and is right here.

    The files that are used are compared with the manifest's sizes and checksums, the weights while
    the session is being made. Before the first inference is answered, the golden input is run and
    its outputs compared; a variant whose outputs differ gives way to the next. `variant` names the
    one in use, `passed_over` says of each that was not used why; `inputs` is the path of the file
    with complete warm-up inputs, or None.

    `manifest` is the path of manifest.json; the attempts' markers are kept below TMPDIR, or /tmp.
    Raises ModelCorrupt for a file that is missing or not as the manifest says, and BundleMismatch
    where no variant can be used here.
    """

    def __init__(self, manifest: str) -> None:
        self._folder = os.path.dirname(manifest)
        self._manifest = read_manifest(manifest)
        self._markers = f"{os.environ.get('TMPDIR') or '/tmp'}/warmer-{os.getuid()}"
        self.passed_over: list[str] = []
        self._files = BundleFiles(self._folder, self._manifest.files)
        self.inputs: str | None = None
        if self._manifest.inputs is not None:
            self._files.verify(self._manifest.inputs)
            self.inputs = os.path.join(self._folder, self._manifest.inputs)
        elif self._manifest.samples is not None:
            self._files.verify(self._manifest.samples)
        self._left = list(self._manifest.variants)
        self._crashed = crashed_attempts(self._manifest.digest, self._markers)
        self._proven = False
        self._open_next()

    @property
    def signature(self) -> Signature:
        """The model's inputs and outputs."""
        return self._session.signature

    @property
    def variant(self) -> str:
        """The name of the variant in use."""
        return self._variant.name

    def report(self) -> dict[str, object]:
        """Which variant is used, and why those before it are not; JSON-able."""
        report: dict[str, object] = {
            "variant": self.variant,
            "passed_over": list(self.passed_over),
        }
        if self._attempt.unmarked is not None:
            report["unmarked"] = self._attempt.unmarked
        return report

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """One inference, like Session.run; the first proves the variant.

        Raises ModelError where no variant's outputs are the golden ones on this processor. That is
        said once: the next call serves, for a model that is loaded to be served even so.
        """
        if not self._proven:
            golden = self._prove()
            if golden is not None and _same(golden.inputs, feeds):
                return dict(golden.outputs)
        return self._session.run(feeds)

    def attempt(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """Like Session.attempt: for inputs that may be refused, and prove nothing."""
        return self._session.attempt(feeds)

    def _unfit(self, variant: Variant) -> str | None:
        """Why a variant cannot be used here, or None."""
        safest = variant == self._manifest.variants[-1]
        if self._crashed and not safest:
            crash = self._crashed[0]
            return (
                f"the process that first ran {crash.variant} here crashed in it ({crash.fault}), "
                f"and the safest is used; remove {crash.marker} to try again"
            )
        return _misfit(variant, self._manifest)

    def _open_next(self) -> None:
        """Open the next variant that can be used. Raises BundleMismatch where none is left."""
        while self._left:
            variant = self._left.pop(0)
            unfit = self._unfit(variant)
            if unfit is not None:
                self._pass_over(variant, unfit)
                continue
            attempt = Attempt(self._manifest.digest, variant.name, self._markers)
            # The safest has no other to give way to.
            if variant != self._manifest.variants[-1]:
                attempt.begin()
            try:
                self._session = self._open(variant)
            except _Unopenable as error:
                attempt.end()
                self._pass_over(variant, str(error))
            except BaseException:
                attempt.end()  # the process lives to raise it
                raise
            else:
                self._variant, self._attempt = variant, attempt
                return
        raise BundleMismatch(
            f"no variant of the bundle {self._folder} can be used here: "
            f"{'; '.join(self.passed_over)}. Make the bundle again on a machine like this one, "
            "with the onnxruntime of the function, or with its original graph"
        )

    def _open(self, variant: Variant) -> Session:
        """A session of a variant whose files are as the manifest says."""
        for name in variant.files:
            self._files.check_size(name)
        self._files.verify(variant.graph)
        with self._files.verified_meanwhile(variant.files):
            return self._session_of(variant)

    def _session_of(self, variant: Variant) -> Session:
        try:
            return Session(
                os.path.join(self._folder, variant.graph), optimised=variant.optimised == "all"
            )
        except ModelCorrupt as error:
            raise _Unopenable(str(error)) from error

    def _prove(self) -> Golden | None:
        """Run the golden input, and give way to the next variant until its outputs are right.

        What was run, with the outputs of it: it may be what the caller wants to run.
        """
        while True:
            try:
                run, fault = self._golden_run(), None
            except _Wrong as error:
                fault = str(error)
            finally:
                self._attempt.end()
            if fault is None:
                self._proven = True
                return run
            self._pass_over(self._variant, fault)
            try:
                self._open_next()
            except BundleMismatch as error:
                self._proven = True
                raise ModelError(
                    f"the bundle {self._folder} is wrong on this processor: "
                    f"{'; '.join(self.passed_over)}; make it again with another --tolerance, if "
                    "that is near enough, or for this processor"
                ) from error

    def _golden_run(self) -> Golden | None:
        """One run of the golden input, where there is one. Raises _Wrong for other outputs."""
        manifest = self._manifest
        if manifest.golden is None:
            return None
        self._files.verify(manifest.golden)
        golden = read_golden(
            os.path.join(self._folder, manifest.golden),
            manifest.golden_inputs,
            manifest.golden_outputs,
        )
        inputs = self.signature.convert(golden.inputs)
        try:
            outputs = self._session.run(inputs)
        except ModelError as error:
            raise _Wrong(f"the golden input fails: {error}") from error
        for name, expected in golden.outputs.items():
            found = difference(expected, outputs.get(name))
            if not found <= manifest.tolerance:
                raise _Wrong(
                    f"output {name!r} differs from the golden one by {found:.3g} of its largest "
                    f"magnitude; the tolerance is {manifest.tolerance:g}"
                )
        return Golden(inputs, outputs)

    def _pass_over(self, variant: Variant, fault: str) -> None:
        self.passed_over.append(f"{variant.name}: {fault}")


class _Unopenable(Exception):
    """ONNX Runtime makes no session of a variant."""


class _Wrong(Exception):
    """A variant's outputs are not the golden ones."""


def _same(inputs: Mapping[str, Any], feeds: Mapping[str, Any]) -> bool:
    """Whether these are the same arrays; what is no array is not compared."""
    return inputs.keys() == feeds.keys() and all(
        difference(value, feeds[name]) == 0.0 for name, value in inputs.items()
    )


def _misfit(variant: Variant, manifest: Manifest) -> str | None:
    """Why a variant cannot be used on this machine, or None."""
    if variant.optimised == "none":
        return None
    if manifest.architecture != architecture():
        return f"it was made for {manifest.architecture}, and this is {architecture()}"
    if _minor(manifest.onnxruntime) != _minor(onnxruntime_version()):
        return (
            f"it was made by onnxruntime {manifest.onnxruntime}, and this is "
            f"{onnxruntime_version()}"
        )
    if variant.cpu_features is not None and variant.cpu_features != layout_features():
        return (
            f"it was made for a processor with {_listed(variant.cpu_features)}, and this has "
            f"{_listed(layout_features())}"
        )
    return None


def _minor(version: str) -> list[str]:
    return version.split(".")[:2]


def _listed(features: tuple[str, ...]) -> str:
    return " ".join(features) or "none of the features that decide layouts"
