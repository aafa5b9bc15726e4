"""Warm-up inputs: recorded ones from beside the model, else synthesised from its signature."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any
from zipimport import ZipImportError, zipimporter

import numpy as np

from warmer.errors import ModelCorrupt
from warmer.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from warmer.model.signature import Signature, TensorSpec

__all__ = ["SAMPLES_NAME", "Samples", "read_recorded", "synthesise"]

SAMPLES_NAME = "samples.npz"
"""A file of this name beside the model holds recorded inputs: arrays by input name."""

_MOST_ROWS = 32  # more different inputs than that teach the model's memory nothing new


class Samples(Record):
    """What the warm-up inferences are fed.

    `feeds` holds one or more complete sets of inputs, taken in turn. `sources` says for each input
    whether it is "recorded" or "synthesised".
    """

    feeds: tuple[Mapping[str, NDArray[Any]], ...]
    sources: Mapping[str, str]

    @classmethod
    def of(cls, signature: Signature, recorded_path: str | None) -> Samples:
        """The samples for a model: recorded where the file has the input, else synthesised.

        Recorded inputs with a dynamic first dimension are taken one row at a time, as a batch of
        one: that is what most requests send, and the rows show the model different values. Raises
        ModelCorrupt where the file cannot be read, ModelInputError where an array does not fit.
        """
        names = [spec.name for spec in signature.inputs]
        recorded = read_recorded(recorded_path, names) if recorded_path else {}
        chosen: dict[str, NDArray[Any]] = {
            spec.name: recorded[spec.name] if spec.name in recorded else synthesise(spec)
            for spec in signature.inputs
        }
        by_row = {
            spec.name
            for spec in signature.inputs
            if spec.name in recorded
            and recorded[spec.name].ndim
            and spec.shape
            and not isinstance(spec.shape[0], int)
        }
        count = min((len(chosen[name]) for name in by_row), default=1)
        if count == 0:
            raise ModelCorrupt(f"{recorded_path} holds an input without rows: record one or more")
        feeds = tuple(
            signature.convert(
                {
                    name: array[row : row + 1] if name in by_row else array
                    for name, array in chosen.items()
                }
            )
            for row in range(min(count, _MOST_ROWS))
        )
        sources = {name: "recorded" if name in recorded else "synthesised" for name in names}
        return cls(feeds, sources)


def read_recorded(path: str, names: Iterable[str]) -> dict[str, NDArray[Any]]:
    """The arrays with these names that the .npz file at `path` holds; it may hold others.

    Raises ModelCorrupt for a file that is no .npz, and for arrays of Python objects, which are
    pickles: loading one would run whatever code it holds.
    """
    arrays = {}
    try:
        # numpy.load reads the same through `zipfile`, whose import takes 20 to 30 ms.
        archive = zipimporter(path)
        for name in names:
            try:
                content = archive.get_data(f"{name}.npy")
            except OSError:  # the archive has no such member
                continue
            arrays[name] = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    except (ZipImportError, ValueError, EOFError) as error:
        raise ModelCorrupt(
            f"{path} cannot be read ({error}); write it with numpy.savez, one numeric or "
            "fixed-width string array for each input"
        ) from error
    return arrays


def synthesise(spec: TensorSpec) -> NDArray[Any]:
    """An array that fits `spec`, with 1 for every dimension that is not fixed.

    The values are arithmetic and not all zero, so that no kernel takes a shortcut: floats run
    evenly from just above 0 to 1, integers and booleans alternate 1 and 0 (valid as token numbers,
    masks and indices of nearly every model), strings are "sample". The same every time.
    """
    shape = tuple(size if isinstance(size, int) else 1 for size in spec.shape)
    count = int(np.prod(shape, dtype=np.int64))
    if spec.dtype == object:
        return np.full(shape, "sample", dtype=object)
    steps = np.arange(1, count + 1)
    values = steps / max(count, 1) if np.issubdtype(spec.dtype, np.floating) else steps % 2
    return values.reshape(shape).astype(spec.dtype)
