"""Unfinished files: where their bytes lie, which of them are proven to be on the disk, how they get to their place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tts_core.catalogue import ModelFile


@dataclass(frozen=True, slots=True)
class Want:
    """One file as it should become."""

    file: str
    """Its path in the model's folder, for messages."""
    size: int
    sha256: str | None
    name: str
    """Stem of the part's name: equal for equal content, whatever the source and the model."""


def want_of(file: ModelFile, repository: str) -> Want:
    """`repository` tells files without a sha256 apart."""
    raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Leftover:
    """A file in the parts' folder."""

    path: Path
    name: str
    """The Want's name."""
    bytes: int
    is_wrong: bool
    """Whole, but with another sha256 than it should have (`.bad`)."""


class PartFile:
    """One open part. Thread-safe. Use it as a context manager: leaving it journals what has been written."""

    want: Want

    @property
    def present_bytes(self) -> int:
        raise NotImplementedError

    @property
    def is_whole(self) -> bool:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> PartFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class PartStore:
    """The folder of parts, `{models_dir}/.downloads`. Whoever calls it holds the folder's lock."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def present_bytes(self, want: Want) -> int:
        """Journalled bytes of an unfinished part, 0 if there are none. Never raises."""
        raise NotImplementedError

    def open(self, want: Want) -> PartFile:
        """Creates it if need be. Raises DiskFault."""
        raise NotImplementedError

    def set_aside(self, want: Want) -> Path | None:
        """Keep a whole part with wrong content as `.bad` (one per name). None, and nothing done, if there is no whole
        part: an unfinished one is not proven wrong. Raises DiskFault."""
        raise NotImplementedError

    def publish(self, want: Want, target: Path) -> None:
        """Move a verified part to its place, durably; what stands there becomes `<name>.wrong-<n>`; a `.bad` of this
        content is dropped. The part must be closed. Raises DiskFault."""
        raise NotImplementedError

    def discard(self, want: Want) -> None:
        """Remove the part and its journal. Raises DiskFault."""
        raise NotImplementedError

    def leftovers(self) -> tuple[Leftover, ...]:
        """All parts and `.bad` files. Never raises."""
        raise NotImplementedError

    def remove(self, leftover: Leftover) -> None:
        """Raises DiskFault."""
        raise NotImplementedError

    def total_bytes(self) -> int:
        """Disk space that all of them take."""
        raise NotImplementedError
