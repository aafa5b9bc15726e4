"""A bundle's files, compared with what its manifest says of them."""

# pathlib would add 3 ms to INIT.
# ruff: noqa: PTH118, PTH202

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from warmer.errors import ModelCorrupt
from warmer.model.checksum import checksum_of_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from warmer.model.manifest import BundleFile

__all__ = ["BundleFiles"]

_WORTH_A_THREAD = 4 << 20  # bytes: their checksum takes half a millisecond


class BundleFiles:
    """The files in `folder` that a manifest describes; each is compared once.

    All methods raise ModelCorrupt, which names the file and the remedy.
    """

    def __init__(self, folder: str, files: Mapping[str, BundleFile]) -> None:
        self._folder = folder
        self._files = files
        self._verified: set[str] = set()

    def check_size(self, name: str) -> None:
        """Compare a file's size: that is done before it is mapped.

        To touch a page that a mapped file does not have ends the process.
        """
        expected = self._files[name].size
        try:
            size = os.path.getsize(os.path.join(self._folder, name))
        except OSError as error:
            raise self._damaged(name, f"cannot be read ({error.strerror})") from error
        if size != expected:
            raise self._damaged(name, f"has {size} bytes; its manifest says {expected}")

    def verify(self, name: str) -> None:
        """Compare a file's size and checksum."""
        if name in self._verified:
            return
        self.check_size(name)
        expected = self._files[name].checksum
        found = checksum_of_file(os.path.join(self._folder, name))
        if found != expected:
            raise self._damaged(name, f"has the checksum {found}; its manifest says {expected}")
        self._verified.add(name)

    @contextmanager
    def verified_meanwhile(self, names: Sequence[str]) -> Iterator[None]:
        """Verify files while a session is made of them, which needs no GIL; small ones before.

        The session touches the same pages: what one brings into memory, the other need not.
        """
        large = [name for name in names if self._files[name].size >= _WORTH_A_THREAD]
        for name in names:
            if name not in large:
                self.verify(name)
        if not large:
            yield
            return
        import threading  # 0.6 ms that small models do without

        errors: list[Exception] = []

        def verify() -> None:
            try:
                for name in large:
                    self.verify(name)
            except Exception as error:  # noqa: BLE001 - raised by the thread that waits for it
                errors.append(error)

        thread = threading.Thread(target=verify)
        thread.start()
        try:
            yield
        finally:
            thread.join()
            if errors:
                raise errors[0]

    def _damaged(self, name: str, fault: str) -> ModelCorrupt:
        return ModelCorrupt(
            f"{os.path.join(self._folder, name)} {fault}: copy the bundle again, whole, or make it "
            "again with `warmer bundle`"
        )
