"""Imports that are put off until they are used, where that was seen to change nothing.

Most of what `import onnxruntime` takes is `import numpy`, and most of that is for names that a
model's run never asks for. Importing any part of Powertools imports nearly all of it, two thirds
of which its metrics do without. `DEFERRALS` is made from a profile (`python -X importtime`). A
module is changed only after a run of the original has recorded every name in it, and the changes of
a package are kept only if another run finds each of them again, of the same kind and origin.
Otherwise it stays as it was installed, and the function's package says why.
"""

from __future__ import annotations

import json
import os
import subprocess
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.build.deferral import ADDED_NAMES, Deferral, DoesNotFit, Record, defer_imports
from infra.build.distribution_check import VALIDATION, skip_on_linux
from infra.build.signatures import (
    CORE,
    DOCUMENTING,
    DOCUMENTS,
    OVERRIDES,
    clean_without_inspect,
    document_later,
    sign_later,
)

__all__ = ["DEFERRALS", "REPORT_NAME", "LazyImports", "make_imports_lazy"]

REPORT_NAME = "deferred-imports.json"
"""The file, at the package's root, that says what was deferred and what not, and why."""

DEFERRALS = (
    Deferral(
        "numpy",
        ("numpy.lib", "numpy.matrixlib"),
        "functions beyond the array itself, the first of which needs numpy.linalg, which needs "
        "numpy's types for annotations, which need typing",
    ),
    Deferral(
        "numpy.lib",
        tuple(
            f"numpy.lib.{name}"
            for name in (
                "_arraypad_impl",
                "_arraysetops_impl",
                "_arrayterator_impl",
                "_function_base_impl",
                "_histograms_impl",
                "_index_tricks_impl",
                "_nanfunctions_impl",
                "_npyio_impl",
                "_polynomial_impl",
                "_shape_base_impl",
                "_stride_tricks_impl",
                "_twodim_base_impl",
                "_type_check_impl",
                "_ufunclike_impl",
                "_utils_impl",
                "_version",
                "array_utils",
                "format",
                "introspect",
                "mixins",
                "npyio",
                "scimath",
                "stride_tricks",
            )
        ),
        "the modules of those functions, each on its own",
    ),
    Deferral(CORE, DOCUMENTS, "the docstrings of what is written in C, for people"),
    Deferral(
        "numpy._core._internal",
        ("ast", "ctypes"),
        "data types that are given as text, and those of pointers",
    ),
    Deferral("numpy._core._methods", ("pickle",), "ndarray.dump and ndarray.dumps"),
    Deferral(VALIDATION, ("linecache",), "a check that says nothing on Linux"),
    Deferral(
        "aws_lambda_powertools",
        tuple(f"aws_lambda_powertools.{name}" for name in ("logging", "metrics", "tracing")),
        "Logger and Tracer, where metrics alone are wanted; Logger needs jmespath and inspect",
    ),
    Deferral(
        "aws_lambda_powertools.package_logger",
        ("aws_lambda_powertools.logging",),
        "what Powertools logs of itself, where POWERTOOLS_DEBUG is set",
    ),
)

_COMPLETED = {"numpy.testing.overrides": "numpy"}
"""Modules that list what has been loaded of another one: all of it is, once they are imported."""


@dataclass(frozen=True)
class LazyImports:
    """What became of the deferrals: `deferred` modules, and by module why others were `kept`."""

    deferred: tuple[str, ...]
    kept: Mapping[str, str]

    def write(self, folder: Path) -> None:
        """Write the report into the folder of the wheels."""
        content = {"deferred": list(self.deferred), "kept": dict(self.kept)}
        text = json.dumps(content, indent=2) + "\n"
        folder.joinpath(REPORT_NAME).write_text(text, encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> LazyImports:
        """The report in a folder of wheels or a package."""
        content = json.loads(folder.joinpath(REPORT_NAME).read_text(encoding="utf-8"))
        return cls(tuple(content["deferred"]), content["kept"])


def make_imports_lazy(
    folder: Path, interpreter: Path | None, deferrals: Sequence[Deferral] = DEFERRALS
) -> LazyImports:
    """Put off imports of the modules in `folder`, where wheels are installed.

    `interpreter` is one that can run them, or None: then they stay as they are. The report is
    written into `folder`, too.
    """
    present = [one for one in deferrals if _file(folder, one.module) is not None]
    if not present:
        report = LazyImports((), {})
    elif interpreter is None:
        why = "no Python for it on this machine, whose run would show that nothing else changes"
        report = LazyImports((), {one.module: why for one in present})
    else:
        # Each by itself: what is no fit in one says nothing of the other.
        packages = dict.fromkeys(_package(one.module) for one in present)
        reports = [
            _make_lazy(
                folder, interpreter, name, [one for one in present if _package(one.module) == name]
            )
            for name in packages
        ]
        deferred = (module for one in reports for module in one.deferred)
        kept = {module: why for one in reports for module, why in one.kept.items()}
        report = LazyImports(tuple(deferred), kept)
    report.write(folder)
    return report


def _package(module: str) -> str:
    return module.partition(".")[0]


def _make_lazy(
    folder: Path, interpreter: Path, package: str, deferrals: Sequence[Deferral]
) -> LazyImports:
    modules = [one.module for one in deferrals]
    try:
        recorded = _record(folder, interpreter, modules)
    except DoesNotFit as error:
        return LazyImports((), dict.fromkeys(modules, str(error)))
    rewriting = _Rewriting(folder)
    for one in deferrals:
        rewriting.defer(one, recorded[one.module])
    if _package(OVERRIDES) == package:
        rewriting.sign_later(recorded[modules[0]]["cleandoc"])
    rewriting.complete()
    if not rewriting.done:
        return LazyImports((), rewriting.kept)
    try:
        names = {module: [*record["kinds"]] for module, record in recorded.items()}
        _compare(recorded, _record(folder, interpreter, modules, names))
    except DoesNotFit as error:
        rewriting.take_back(str(error))
    return LazyImports(tuple(rewriting.done), rewriting.kept)


class _Rewriting:
    """Changes modules in a folder; `done` are those that were, `kept` says why others were not."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._originals: dict[Path, str] = {}
        self.done: list[str] = []
        self.kept: dict[str, str] = {}

    def defer(self, deferral: Deferral, recorded: Mapping[str, Any]) -> None:
        """Put off a module's imports."""
        record = Record(
            frozenset(recorded["listed"]),
            recorded["exported"],
            _submodules(deferral.module, recorded),
        )

        def change(source: str, package: bool) -> str:
            if deferral.module == VALIDATION:
                source = skip_on_linux(source)
            return defer_imports(source, deferral, package=package, record=record)

        self._change(deferral.module, change)

    def sign_later(self, cleandoc: str) -> None:
        """Put off numpy's signatures and docstrings."""
        if _file(self._folder, OVERRIDES) is not None:
            self._change(OVERRIDES, lambda source, _: sign_later(source, cleandoc))
        if OVERRIDES in self.done and _file(self._folder, DOCUMENTING) is not None:
            self._change(DOCUMENTING, lambda source, _: clean_without_inspect(source))
        if CORE in self.done:
            self._document_later()

    def _document_later(self) -> None:
        """Have the docstrings set after all, or leave numpy._core as it was."""
        file = _file(self._folder, CORE)
        assert file is not None
        try:
            if OVERRIDES not in self.done:
                raise DoesNotFit("numpy's signatures are not put off, with which docstrings come")
            self._write(file, document_later(file.read_text(encoding="utf-8")))
        except DoesNotFit as error:
            self._write(file, self._originals[file])
            self.done.remove(CORE)
            self.kept[CORE] = str(error)

    def complete(self) -> None:
        """Have modules that list what is loaded load it all."""
        for module, other in _COMPLETED.items():
            file = _file(self._folder, module)
            if file is not None and other in self.done:
                self._write(file, file.read_text(encoding="utf-8") + _COMPLETE.format(other=other))

    def take_back(self, why: str) -> None:
        """Make everything as it was."""
        for file, source in self._originals.items():
            file.write_text(source, encoding="utf-8")
        self.kept |= dict.fromkeys(self.done, why)
        self.done = []

    def _change(self, module: str, change: Callable[[str, bool], str]) -> None:
        file = _file(self._folder, module)
        assert file is not None
        try:
            changed = change(file.read_text(encoding="utf-8"), file.name == "__init__.py")
        except DoesNotFit as error:
            self.kept[module] = str(error)
        else:
            self._write(file, changed)
            self.done.append(module)

    def _write(self, file: Path, text: str) -> None:
        self._originals.setdefault(file, file.read_text(encoding="utf-8"))
        file.write_text(text, encoding="utf-8")


_COMPLETE = """

def _complete():
    import {other} as other

    for name in other.__deferred_imports__:
        getattr(other, name)


_complete()
del _complete
"""


def _submodules(module: str, record: Mapping[str, Any]) -> frozenset[str]:
    kinds: Mapping[str, list[str]] = record["kinds"]
    return frozenset(
        name for name, kind in kinds.items() if kind[:2] == ["module", f"{module}.{name}"]
    )


def _file(folder: Path, module: str) -> Path | None:
    path = folder.joinpath(*module.split("."))
    candidates = (path / "__init__.py", path.with_suffix(".py"))
    return next((one for one in candidates if one.is_file()), None)


_RECORD = """
import importlib, json, re, sys, types, zlib

def kind(module, name):
    try:
        value = getattr(module, name)
    except (AttributeError, ImportError) as error:  # what is pruned, for one
        return ["missing", type(error).__name__]
    if isinstance(value, types.ModuleType):
        return ["module", value.__name__]
    named = [getattr(value, name, None) for name in ("__module__", "__qualname__", "__name__")]
    plain = repr(value) if isinstance(value, (int, float, str, bytes, tuple, type(None))) else ""
    return [type(value).__module__, type(value).__qualname__, *map(str, named), plain]

def documented(value):
    texts = [getattr(value, "__doc__", None)]
    if isinstance(value, type):
        texts += [getattr(getattr(value, name, None), "__doc__", None) for name in dir(value)]
    return zlib.crc32(repr(texts).encode())

def signature(value):
    try:
        shown = str(inspect.signature(value)) if callable(value) else ""
        return re.sub(" at 0x[0-9a-f]+", "", shown)
    except (TypeError, ValueError):
        return None

modules, asked = json.loads(sys.argv[1]), json.loads(sys.argv[2])
importlib.import_module(modules[0].partition(".")[0])
found = {name: importlib.import_module(name) for name in modules}
result = {}
for name, module in found.items():
    # Before a name is asked for: asking binds it.
    listed, bound = sorted(dir(module)), sorted(vars(module))
    names = sorted({*listed, *bound, *asked.get(name, ())})
    result[name] = {
        "listed": listed,
        "exported": getattr(module, "__all__", None),
        "kinds": {one: kind(module, one) for one in names if not one.startswith("__")},
        "dunders": [one for one in bound if one.startswith("__")],
    }
import inspect
for name, module in found.items():
    for one, shown in result[name]["kinds"].items():
        if shown[0] != "missing":
            value = getattr(module, one)
            shown += [signature(value), documented(value)]
    result[name]["cleandoc"] = inspect.getsource(inspect.cleandoc)
json.dump(result, sys.stdout)
"""


def _record(
    folder: Path,
    interpreter: Path,
    modules: Sequence[str],
    asked: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Any]:
    """Names, kinds and exports of modules in `folder`, by a run. Raises DoesNotFit.

    `asked` are names that each module is asked for beside those that it shows.
    """
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [interpreter, "-W", "ignore", "-c", _RECORD, json.dumps(modules), json.dumps(asked or {})],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = done.stderr.strip().rpartition("\n")[2]
        raise DoesNotFit(f"they cannot be imported here: {textwrap.shorten(last, 300)}")
    return dict(json.loads(done.stdout))


def _compare(recorded: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """Raise DoesNotFit where modules are not what they were."""
    for module, before in recorded.items():
        after = found[module]
        for name, kind in before["kinds"].items():
            if after["kinds"].get(name) != kind:
                got = after["kinds"].get(name)
                raise DoesNotFit(f"{module}.{name} was {kind} and would be {got}")
        if set(before["listed"]) != set(after["listed"]):
            raise DoesNotFit(f"dir({module}) would differ")
        if sorted(before["exported"] or ()) != sorted(after["exported"] or ()):
            raise DoesNotFit(f"{module}.__all__ would differ")
        added = set(after["dunders"]) - set(before["dunders"]) - ADDED_NAMES
        if added:
            raise DoesNotFit(f"{module} would have {', '.join(sorted(added))}")
