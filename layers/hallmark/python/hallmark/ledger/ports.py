"""What the ledger needs of what lies elsewhere."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Stored(NamedTuple):
    """A file that may be replaced, and the version that it has."""

    content: bytes
    version: str


class LogStore(Protocol):
    """Where the files of a log are kept."""

    def read(self, path: str) -> bytes | None:
        """Return a file; None where there is none."""
        ...

    def create(self, path: str, content: bytes) -> bool:
        """Write a file that must not exist yet; False where it does."""
        ...

    def read_version(self, path: str) -> Stored | None:
        """Return a file with its version; None where there is none."""
        ...

    def replace(self, path: str, content: bytes, version: str | None) -> bool:
        """Replace a file of this version (None: of none); False where it has another one by now."""
        ...
