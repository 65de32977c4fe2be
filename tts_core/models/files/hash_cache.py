"""A cache of large files' sha256 in one JSON file, valid as long as path, size, mtime and inode stay the same.

Losing a record only costs reading that file again, so a broken, unwritable or concurrently written cache file is never
an error: two processes may write, each replaces the file whole, and the last one wins.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tts_core.platform.whole_files import set_aside, write_json

logger = logging.getLogger(__name__)

CHUNK_BYTES = 8 << 20
ZERO_BLOCK_BYTES = 1 << 20
_ZEROS = bytes(ZERO_BLOCK_BYTES)
_MAX_RECORDS = 2000
_MAX_EARLIER = 4
_MAX_CACHE_BYTES = 8_000_000


@dataclass(frozen=True, slots=True)
class Digest:
    sha256: str
    has_zero_block: bool
    """Whether there is at least one aligned ZERO_BLOCK_BYTES of zeros."""
    earlier: tuple[str, ...] = ()
    """The sha256 that files at this path had before, newest first."""


class ContentReader:
    """A reader of one file in chunks that knows its digest at the end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sha256 = hashlib.sha256()
        self._has_zero_block = False

    def chunk_sizes(self) -> Iterator[int]:
        """Read on, one chunk per step; yields the number of bytes of each. Raises OSError."""
        with self._path.open("rb") as stream:
            while chunk := stream.read(CHUNK_BYTES):
                self._sha256.update(chunk)
                self._has_zero_block = self._has_zero_block or _has_zero_block(chunk)
                yield len(chunk)

    def digest(self) -> Digest:
        return Digest(self._sha256.hexdigest(), self._has_zero_block)


def _has_zero_block(chunk: bytes) -> bool:
    return any(chunk.startswith(_ZEROS, start) for start in range(0, len(chunk), ZERO_BLOCK_BYTES))


@dataclass(frozen=True, slots=True)
class _Record:
    size: int
    mtime_ns: int
    inode: int
    """The inode; 0 where the file system has none."""
    digest: Digest

    def describes(self, found: os.stat_result) -> bool:
        return (self.size, self.mtime_ns, self.inode) == (found.st_size, found.st_mtime_ns, found.st_ino)


class HashCache:
    """The cache. Thread-safe. `get` is cheap: it reads the cache file only after another process has changed it."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._records: dict[str, _Record] = {}
        self._seen: tuple[int, int, int] | None = None
        """The mtime, size and inode of the cache file as last read."""

    def get(self, path: Path, found: os.stat_result) -> Digest | None:
        """The digest of the file that `found` describes, if it was read before and has not changed since."""
        with self._lock:
            self._refresh()
            record = self._records.get(_name(path))
        return record.digest if record and record.describes(found) else None

    def put(self, path: Path, found: os.stat_result, digest: Digest) -> None:
        name = _name(path)
        with self._lock:
            self._refresh()
            # The record is taken out first, so that records stand in the order of their age and the oldest can leave.
            before = self._records.pop(name, None)
            earlier = (before.digest.sha256, *before.digest.earlier) if before else ()
            past = [sha256 for sha256 in dict.fromkeys(earlier) if sha256 != digest.sha256]
            digest = replace(digest, earlier=tuple(past[:_MAX_EARLIER]))
            self._records[name] = _Record(found.st_size, found.st_mtime_ns, found.st_ino, digest)
            for oldest in list(self._records)[:-_MAX_RECORDS]:
                del self._records[oldest]
            self._save()

    def _refresh(self) -> None:
        seen = self._signature()
        if seen is None or seen == self._seen:
            return
        self._seen = seen
        try:
            with self._file.open("rb") as stream:
                self._records = _parse(stream.read(_MAX_CACHE_BYTES))
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            logger.warning("model hash cache can't be used and is set aside: %s", type(error).__name__)
            self._set_aside()

    def _signature(self) -> tuple[int, int, int] | None:
        try:
            found = self._file.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _set_aside(self) -> None:
        try:
            set_aside(self._file)
        except OSError as error:
            logger.warning("broken model hash cache stays where it is: %s", error)

    def _save(self) -> None:
        data = {"version": 1, "files": {name: asdict(record) for name, record in self._records.items()}}
        try:
            write_json(self._file, data, durable=False)
            self._seen = self._signature()
        except OSError as error:
            logger.warning("model hash cache can't be written: %s", error)


def _name(path: Path) -> str:
    return os.path.normcase(path.absolute())


def _parse(data: bytes) -> dict[str, _Record]:
    return {name: _record(fields) for name, fields in json.loads(data)["files"].items()}


def _record(fields: dict[str, object]) -> _Record:
    digest = fields["digest"]
    if not isinstance(digest, dict):
        raise TypeError("a record without digest")
    return _Record(
        size=_number(fields["size"]),
        mtime_ns=_number(fields["mtime_ns"]),
        inode=_number(fields["inode"]),
        digest=Digest(
            sha256=str(digest["sha256"]),
            has_zero_block=digest["has_zero_block"] is True,
            earlier=tuple(map(str, digest["earlier"])),
        ),
    )


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError("a record whose stamp is no number")
    return value
