"""The folder of finished takes: naming, finding, making room. Never touches a file that it did not name itself."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tts_core.audio import FORMATS, PART_SUFFIX, audio_format
from tts_core.errors import UnknownTake
from tts_core.settings import Limits

_TAKE_ID = re.compile(r"[0-9a-f]{32}")
_TAKE_FILE = re.compile(rf"take-[0-9a-f]{{32}}\.[a-z0-9]{{1,8}}(?:{re.escape(PART_SUFFIX)})?")
_ABANDONED_PART_S = 24 * 3600.0
_SECONDS_PER_DAY = 86_400.0


class _Kept(NamedTuple):
    modified: float
    size_bytes: int
    path: Path


class Outputs:
    def __init__(self, outputs_dir: Path, limits: Limits) -> None:
        self._dir = outputs_dir
        self._limits = limits

    def new_take_path(self, take_id: str, format: str) -> Path:  # noqa: A002 - the requests' word
        """Where the take with that id (32 hex digits) goes; raises UnsupportedFormat."""
        return self._path(take_id, audio_format(format).extension)

    def find(self, take_id: str) -> Path:
        """The take's file; raises UnknownTake, also for an id that could never be one."""
        if _TAKE_ID.fullmatch(take_id):
            for kind in FORMATS.values():
                path = self._path(take_id, kind.extension)
                if path.is_file():
                    return path
        raise UnknownTake(take_id=take_id)

    def prune(self) -> int:
        """Remove takes that are too old, then the oldest while all together are too large; returns how many left.

        The newest take stays whatever its size.
        """
        now = time.time()
        room_bytes = self._limits.max_output_bytes
        removed = 0
        for place, kept in enumerate(sorted(self._kept(), reverse=True)):  # newest first
            room_bytes -= kept.size_bytes
            if kept.path.name.endswith(PART_SUFFIX):
                unwanted = now - kept.modified > _ABANDONED_PART_S
            else:
                too_old = now - kept.modified > self._limits.keep_outputs_days * _SECONDS_PER_DAY
                unwanted = too_old or (room_bytes < 0 and place > 0)
            removed += unwanted and _removed(kept.path)
        return removed

    def _path(self, take_id: str, extension: str) -> Path:
        if not _TAKE_ID.fullmatch(take_id):
            raise UnknownTake(take_id=take_id)
        return self._dir / f"take-{take_id}{extension}"

    def _kept(self) -> Iterator[_Kept]:
        if not self._dir.is_dir():
            return
        for path in self._dir.iterdir():
            if not _TAKE_FILE.fullmatch(path.name) or path.is_symlink():
                continue
            try:
                stat = path.stat()
            except FileNotFoundError:  # someone removed it meanwhile
                continue
            yield _Kept(stat.st_mtime, stat.st_size, path)


def _removed(path: Path) -> bool:
    try:
        path.unlink()
    except OSError:  # gone already, or open on Windows: the next pruning sees
        return False
    return True
