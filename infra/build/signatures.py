"""Signatures and docstrings that numpy gives its functions, made when `inspect` is imported.

`numpy._core.overrides` imports `inspect`, and with it `ast` and `dis`, to make a signature for each
of some sixty functions that are written in C, for nobody but `inspect.signature`. That is a tenth
of a start. Here the signatures are made as soon as anybody imports `inspect`, which who asks for
one has done; where it has been imported before, they are made at once, as they were. With them come
the docstrings of what is written in C, which `numpy._core` sets from two modules that are all text,
a twentieth of a start: `help`, `pydoc` and whatever else reads them to people imports `inspect`.
"""

from __future__ import annotations

import textwrap

from infra.build.deferral import DoesNotFit

__all__ = ["CORE", "DOCUMENTING", "DOCUMENTS", "OVERRIDES", "clean_without_inspect"]
__all__ += ["document_later", "sign_later"]

OVERRIDES = "numpy._core.overrides"
DOCUMENTING = "numpy._core.function_base"
"""Another module that needs `inspect.cleandoc`, which takes it from the first one."""
CORE = "numpy._core"
DOCUMENTS = ("numpy._core._add_newdocs", "numpy._core._add_newdocs_scalars")
"""What numpy._core imports for nothing but the docstrings that it sets."""

_IMPORT = "import inspect\n"
_CLEAN = "inspect.cleandoc(dispatcher.__doc__)"
_SIGN = "public_api.__signature__ = inspect.signature(dispatcher)"


def clean_without_inspect(source: str) -> str:
    """The source of numpy._core.function_base without its import of `inspect`.

    It is for one that `sign_later` has changed. Raises DoesNotFit.
    """
    call = "inspect.cleandoc(doc)"
    for part in (_IMPORT, call):
        if source.count(part) != 1:
            raise DoesNotFit(f"it has {part.strip()!r} {source.count(part)} times, not once")
    changed = source.replace(call, "overrides._cleandoc(doc)").replace(_IMPORT, "")
    if "inspect." in changed or "from numpy._core import overrides\n" not in changed:
        raise DoesNotFit("it uses inspect elsewhere too, or does not import numpy._core.overrides")
    return changed


def document_later(source: str) -> str:
    """The source of numpy._core, its imports of DOCUMENTS deferred, with them made for `inspect`.

    It is for one that `sign_later` has changed. Raises DoesNotFit.
    """
    if not all(f"('{name}', None)" in source for name in DOCUMENTS):
        raise DoesNotFit("its docstrings are not deferred")
    return f"{source}\nfrom .overrides import _do_later\n\n{_DOCUMENT}\n\ndel _do_later\n"


def sign_later(source: str, cleandoc: str) -> str:
    """The source of numpy._core.overrides without its import of `inspect`.

    `cleandoc` is the source of `inspect.cleandoc` of the Python that will run it, which is needed
    at once. Raises DoesNotFit where the module is not as it was known.
    """
    for part in (_IMPORT, _CLEAN, _SIGN):
        if source.count(part) != 1:
            raise DoesNotFit(f"it has {part.strip()!r} {source.count(part)} times, not once")
    rest = source.replace(_IMPORT, "").replace(_CLEAN, "").replace(_SIGN, "")
    if "inspect." in rest:
        raise DoesNotFit("it uses inspect elsewhere too")
    changed = source.replace(_CLEAN, "_cleandoc(dispatcher.__doc__)")
    changed = changed.replace(_SIGN, "_do_later(_sign, public_api, dispatcher)")
    clean = textwrap.dedent(cleandoc).replace("def cleandoc(", "def _cleandoc(")
    if "def _cleandoc(" not in clean:
        raise DoesNotFit("inspect.cleandoc is no plain function here")
    return changed.replace(_IMPORT, f"import sys\n\n{clean}\n{_LATER}\n")


_DOCUMENT = "\n".join(
    f"_do_later(__import_deferred__, {name.rpartition('.')[2]!r})" for name in DOCUMENTS
)

_LATER = '''
_undone = []


def _do_later(function, *arguments):
    """Call a function: now, or else when inspect is imported."""
    if "inspect" in sys.modules:
        function(*arguments)
    else:
        if not _undone:
            sys.meta_path.insert(0, _InspectFinder())
        _undone.append((function, arguments))


def _sign(public_api, dispatcher):
    import inspect

    public_api.__signature__ = inspect.signature(dispatcher)


class _InspectFinder:
    """Finds inspect as it is found without it, once, and then has the signatures made."""

    def find_spec(self, name, path=None, target=None):
        if name != "inspect":
            return None
        from importlib.util import find_spec

        if self in sys.meta_path:
            sys.meta_path.remove(self)
        spec = find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader = _InspectLoader(spec.loader)
        return spec


class _InspectLoader:
    def __init__(self, loader):
        self._loader = loader

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        while _undone:
            function, arguments = _undone.pop(0)
            function(*arguments)
'''
