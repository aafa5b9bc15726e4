"""What the build saw a start of this package load, brought in at once.

`sam build` runs a function's INIT once, and leaves at the package's root what it loaded: the
byte-code of its modules, in one file instead of a hundred, and which pages of its shared libraries
and models it touched. `import warmer` begins with it: the kernel is asked for all those pages
while the first modules are still imported, where else each would be waited for when it is touched,
and modules come from the one file, without a search for each.

Only where code comes from is another: modules have the same names, files, sources and paths. A
package without the file, of another Python, or that is not first on `sys.path`, is imported as
Python imports it.
"""

from __future__ import annotations

import os
import sys
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import MAGIC_NUMBER, SourceFileLoader

# Python's own loaders set it in byte-code that was made elsewhere; typeshed does not know it.
from _imp import _fix_co_filename  # type: ignore[attr-defined]
from marshal import loads

from warmer.read_ahead import ask_for

TYPE_CHECKING = False  # type checkers know the name; importing `typing` for it would take 3 ms
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType

__all__ = ["START_NAME", "begin"]

START_NAME = "warmer-start.bin"
"""The file, written by `infra.build.startup`: Python's magic number and the length of the header
(4 bytes, little-endian), the header as `marshal` writes it, and byte-code.

The header is (modules, pages): modules by name as (file, is a package, offset, length), pages as
(file, ((offset, length), ...)); files are relative to the package, offsets count from the header's
end.
"""


def begin(root: str) -> bool:
    """Ask for the pages and serve the modules that the package at `root` has recorded.

    False where it has no record, or one of another Python. Raises PackageMismatch for a record that
    cannot be read.
    """
    try:
        descriptor = os.open(f"{root}/{START_NAME}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    head = os.read(descriptor, 8)
    if head[:4] != MAGIC_NUMBER:
        os.close(descriptor)
        return False
    length = int.from_bytes(head[4:], "little")
    try:
        modules, pages = loads(os.pread(descriptor, length, 8))
    except (EOFError, ValueError, TypeError) as error:
        os.close(descriptor)
        from warmer.errors import PackageMismatch  # recorded like the others

        raise PackageMismatch(
            f"{root}/{START_NAME} is damaged: build the package again (sam build)"
        ) from error
    ask_for(descriptor, 0, os.fstat(descriptor).st_size)
    _ask_for(root, pages)
    sys.meta_path.insert(0, _Finder(root, descriptor, 8 + length, modules))
    return True


def _ask_for(root: str, pages: Sequence[tuple[str, Sequence[tuple[int, int]]]]) -> None:
    """Have the kernel read pages that are not in its cache yet; nothing waits for them here."""
    for file, ranges in pages:
        try:
            descriptor = os.open(f"{root}/{file}", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            continue  # who needs it will say that it is missing
        for offset, length in ranges:
            ask_for(descriptor, offset, length)
        os.close(descriptor)


class _Finder:
    """Finds recorded modules where Python would, and has them loaded from the one file."""

    def __init__(
        self,
        root: str,
        descriptor: int,
        base: int,
        modules: dict[str, tuple[str, bool, int, int]],
    ) -> None:
        self._root = root
        self._descriptor = descriptor
        self._base = base
        self._modules = modules

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, _target: object = None
    ) -> ModuleSpec | None:
        """The spec that Python would find, but for its loader; None for what was not recorded, or
        may now be elsewhere."""
        row = self._modules.get(name)
        if row is None or [*(sys.path if path is None else path)[:1]] != [self._place(name)]:
            return None
        file, is_package = f"{self._root}/{row[0]}", row[1]
        spec = ModuleSpec(name, _Loader(name, file, self), origin=file, is_package=is_package)
        spec.has_location = True
        if spec.submodule_search_locations is not None:
            spec.submodule_search_locations.append(file.rpartition("/")[0])
        return spec

    def _place(self, name: str) -> str:
        parent = name.rpartition(".")[0]
        return f"{self._root}/{parent.replace('.', '/')}" if parent else self._root

    def code(self, name: str) -> CodeType:
        """A module's code object."""
        _, _, offset, length = self._modules[name]
        code: CodeType = loads(os.pread(self._descriptor, length, self._base + offset))
        return code


class _Loader(SourceFileLoader):
    def __init__(self, name: str, path: str, finder: _Finder) -> None:
        super().__init__(name, path)
        self._finder = finder

    def get_code(self, fullname: str) -> CodeType:
        code = self._finder.code(fullname)
        _fix_co_filename(code, self.path)
        return code
