"""The sha256 of a file's beginning while the rest still comes.

On the way it notes marks: the digest of everything up to some byte. A later run that hashes the same bytes again finds
at the next mark whether the disk has returned the bytes written, and which block is damaged.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from pathlib import Path

from tts_core.models.downloads.transfer.spans import Span

BLOCK_BYTES = 1 << 20
MARK_BYTES = 64 << 20
"""The distance of marks: the bytes that are fetched again where the disk has damaged one."""


class PrefixHash:
    """The running hash of a file. Thread-safe; `advance` is for one thread."""

    def __init__(self, path: Path, marks: Mapping[int, str], *, mark_bytes: int = MARK_BYTES) -> None:
        """`marks` are those of the run before: each prefix's digest by its end."""
        self._path = path
        self._mark_bytes = mark_bytes
        self._lock = threading.Lock()
        self._hash = hashlib.sha256()
        self._position = 0
        self._good = (0, self._hash.copy())
        self._expected = dict(marks)
        self._marks: dict[int, str] = {}
        self._block = memoryview(bytearray(BLOCK_BYTES))

    @property
    def position(self) -> int:
        """The number of bytes hashed."""
        return self._position

    def digest(self) -> str:
        """The digest of the bytes hashed so far, lower-case hex."""
        with self._lock:
            return self._hash.hexdigest()

    def marks(self) -> dict[int, str]:
        """The marks for the journal: those passed, those still ahead, and one here."""
        with self._lock:
            here = {self._position: self._hash.hexdigest()} if self._position else {}
            return {**self._expected, **self._marks, **here}

    def advance(self, limit: int) -> Span | None:
        """Hash some more, up to `limit`; the bytes must be there.

        Returns the block that is not what the run before wrote (it hashes on from the block's start), else None.
        Raises OSError.
        """
        with self._path.open("rb", buffering=0) as stream:
            stream.seek(self._position)
            while self._position < limit:
                goal = min(limit, self._next_mark())
                while self._position < goal:
                    got = stream.readinto(self._block[: goal - self._position])
                    if not got:
                        raise OSError("the file is shorter than it was a moment ago")
                    with self._lock:
                        self._hash.update(self._block[:got])
                        self._position += got
                if damaged := self._check():
                    return damaged
        return None

    def _next_mark(self) -> int:
        ahead = [end for end in self._expected if end > self._position]
        return min([*ahead, (self._position // self._mark_bytes + 1) * self._mark_bytes])

    def _check(self) -> Span | None:
        with self._lock:
            end = self._position
            expected = self._expected.pop(end, None)
            if expected not in (None, self._hash.hexdigest()):
                start, good = self._good
                self._position, self._hash = start, good.copy()
                return start, end
            if expected is not None or end % self._mark_bytes == 0:
                self._good = (end, self._hash.copy())
            if end % self._mark_bytes == 0:
                self._marks[end] = self._hash.hexdigest()
            return None
