"""Warm-up inputs: recorded beside the model, specified by the user, or synthesised."""

from __future__ import annotations

import io
from math import prod
from typing import TYPE_CHECKING, Any
from zipimport import ZipImportError, zipimporter

import numpy as np

from warmer.errors import ModelCorrupt
from warmer.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray

    from warmer.model.signature import Feeds, Signature
    from warmer.model.specification import Specification

__all__ = ["Samples", "read_recorded"]

_MOST_ROWS = 32  # more different inputs than that teach the model's memory nothing new
_MOST_BYTES = 256 << 10
"""More than two rows are taken as long as all have fewer bytes: they take memory, and INIT time."""


class Samples(Record):
    """What the warm-up inferences are fed.

    `buckets` holds, for each shape that is warmed, most important first, one or more complete sets
    of inputs. `sources` says for each input whether it is "recorded", "specified" or "synthesised".
    """

    buckets: tuple[tuple[Feeds, ...], ...]
    sources: Mapping[str, str]

    @property
    def feeds(self) -> tuple[Feeds, ...]:
        """All sets of inputs, bucket after bucket."""
        return tuple(feeds for bucket in self.buckets for feeds in bucket)

    @classmethod
    def of(
        cls,
        signature: Signature,
        recorded_path: str | None,
        *,
        specification: Specification | None = None,
        model_path: str | None = None,
        run: Callable[[Feeds], object] | None = None,
    ) -> Samples:
        """The samples for a model: recorded ones, specified ones, and synthesised ones.

        Recorded inputs come first; the specification's buckets follow; without either there is one
        bucket that is synthesised. An input that its source leaves out is synthesised: from the
        signature, from the graph at `model_path`, and by what `run` (an inference) accepts.

        Raises ModelCorrupt where a file cannot be read, ModelInputError where a recorded array does
        not fit, and PrimingError, which names the input, where no values are found that run.
        """
        names = [spec.name for spec in signature.inputs]
        recorded = read_recorded(recorded_path, names) if recorded_path else {}
        rows = _rows(signature, recorded, str(recorded_path)) if recorded else ()
        if len(recorded) == len(names) and specification is None:
            return cls((rows or ({},),), dict.fromkeys(names, "recorded"))
        # Some milliseconds of imports that a model with recorded samples does not pay.
        from warmer.model.synthesis import Synthesis

        synthesis = Synthesis(signature, model_path, run)
        sources = dict.fromkeys(names, "synthesised")
        buckets: list[tuple[Feeds, ...]] = []
        if rows:
            completed = synthesis.complete(rows[0])[0]
            buckets.append(tuple({**completed, **row} for row in rows))
        if specification is not None:
            for bucket in specification.buckets:
                buckets.append(synthesis.complete(bucket.values, bucket.shapes))
            sources.update(dict.fromkeys(specification.names, "specified"))
        sources.update(dict.fromkeys(recorded, "recorded"))
        return cls(tuple(buckets) or (synthesis.complete({}),), sources)

    @classmethod
    def read(cls, path: str, signature: Signature) -> Samples:
        """The samples whose `arrays` the .npz file at `path` holds, and nothing else is needed.

        Raises ModelCorrupt where it cannot be read, and ModelInputError where it does not fit.
        """
        names = [spec.name for spec in signature.inputs]
        known = read_recorded(path, ["counts", "sources"])
        if len(known) != 2:
            raise ModelCorrupt(f"{path} holds no samples of a bundle: make the bundle again")
        counts = known["counts"].tolist()
        keys = [f"{bucket}.{n}" for bucket in range(len(counts)) for n in range(len(names))]
        arrays = read_recorded(path, keys)
        buckets = tuple(
            tuple(
                signature.convert(
                    {
                        name: arrays[f"{bucket}.{n}"][one]
                        for n, name in enumerate(names)
                        if f"{bucket}.{n}" in arrays
                    }
                )
                for one in range(count)
            )
            for bucket, count in enumerate(counts)
        )
        return cls(buckets, dict(zip(names, known["sources"].tolist(), strict=True)))

    def arrays(self) -> dict[str, NDArray[Any]] | None:
        """All of it as arrays by name, for `read`; None where arrays cannot say it.

        "counts" has the number of sets in each bucket, "sources" each input's, and "B.N" the values
        of the input numbered N in bucket B, one set after the other. Sequences and inputs left out
        are no arrays.
        """
        arrays: dict[str, NDArray[Any]] = {
            "counts": np.array([len(bucket) for bucket in self.buckets]),
            "sources": np.array(list(self.sources.values()), np.str_),
        }
        for bucket, sets in enumerate(self.buckets):
            for number, name in enumerate(self.sources):
                values = [feeds[name] for feeds in sets]
                if len({np.shape(value) for value in values if isinstance(value, np.ndarray)}) != 1:
                    return None
                if not all(isinstance(value, np.ndarray) for value in values):
                    return None
                arrays[f"{bucket}.{number}"] = np.stack(values)
        return arrays


def _rows(
    signature: Signature, recorded: Mapping[str, NDArray[Any]], path: str
) -> tuple[Feeds, ...]:
    """Recorded inputs, one row at a time where the first dimension is dynamic.

    A batch of one is what most requests send, and the rows show the model different values.
    """
    specs = [spec for spec in signature.inputs if spec.name in recorded]
    by_row = {
        spec.name
        for spec in specs
        if recorded[spec.name].ndim and spec.shape and not isinstance(spec.shape[0], int)
    }
    count = min((len(recorded[name]) for name in by_row), default=1)
    if count == 0:
        raise ModelCorrupt(f"{path} holds an input without rows: record one or more")
    row_bytes = sum(recorded[name][0].nbytes for name in by_row)
    most = max(2, min(_MOST_ROWS, _MOST_BYTES // max(row_bytes, 1)))
    return tuple(
        signature.convert_some(
            {
                name: array[row : row + 1] if name in by_row else array
                for name, array in recorded.items()
            }
        )
        for row in range(min(count, most))
    )


def read_recorded(path: str, names: Iterable[str]) -> dict[str, NDArray[Any]]:
    """The arrays with these names that the .npz file at `path` holds; it may hold others.

    Raises ModelCorrupt for a file that is no .npz, and for arrays of Python objects, which are
    pickles: loading one would run whatever code it holds.
    """
    arrays = {}
    try:
        # numpy.load reads the same through `zipfile`, whose import takes 20 to 30 ms.
        archive = zipimporter(path)
        archive.invalidate_caches()  # the file may be another than that which was read before
        for name in names:
            try:
                content = archive.get_data(f"{name}.npy")
            except OSError:  # the archive has no such member
                continue
            arrays[name] = _array(content)
    except (ZipImportError, ValueError, EOFError) as error:
        raise ModelCorrupt(
            f"{path} cannot be read ({error}); write it with numpy.savez, one numeric or "
            "fixed-width string array for each input"
        ) from error
    return arrays


def _array(content: bytes) -> NDArray[Any]:
    """The array in an .npy file: its data are not copied. Raises ValueError."""
    file = io.BytesIO(content)
    header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(np.lib.format.read_magic(file))
    if header is None:  # names of fields beyond Latin-1, which no tensor has
        raise ValueError("a structured array")
    shape, by_column, dtype = header(file)
    if dtype.hasobject:
        raise ValueError("an array of Python objects")
    array = np.frombuffer(content, dtype, prod(shape), file.tell())
    return array.reshape(shape, order="F" if by_column else "C")
