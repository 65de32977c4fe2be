"""The folder of finished takes: naming, finding, making room. A file that was not named here is never touched."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Lock, Thread
from typing import NamedTuple

from tts_core.audio.faults import OutputFailed
from tts_core.audio.files import FORMATS, audio_format
from tts_core.platform.settings.studio import Limits
from tts_core.platform.whole_files import PART_SUFFIX
from tts_core.speech.faults import UnknownTake

_TAKE_ID = re.compile(r"[0-9a-f]{32}")
_TAKE_FILE = re.compile(rf"take-[0-9a-f]{{32}}\.[a-z0-9]{{1,8}}(?:{re.escape(PART_SUFFIX)})?")
_ABANDONED_PART_S = 24 * 3600.0
_SECONDS_PER_DAY = 86_400.0
_LOOK_AGAIN_S = 600.0
"""The seconds between two looks at the folder: other processes add takes, too, and all of them get older."""
_CLEARED_SHARE = 0.05
"""The share of the allowed size that is made free at once, for the folder may hold tens of thousands of takes."""


class _Kept(NamedTuple):
    modified: float
    size_bytes: int
    path: Path


class Outputs:
    """The folder of finished takes; thread-safe."""

    def __init__(self, outputs_dir: Path, limits: Limits) -> None:
        self._dir = outputs_dir
        self._limits = limits
        self._looking = Lock()
        self._counting = Lock()
        self._room_bytes = 0
        """The bytes that may still be written until the folder has to be looked at."""
        self._counted_at: float | None = None
        """The time of the last look at the folder, on the monotonic clock."""

    def new_take_path(self, take_id: str, format: str) -> Path:  # noqa: A002 - the requests' word
        """The path of the take with that id (32 hex digits). Raises UnsupportedFormat."""
        return self._path(take_id, audio_format(format).extension)

    def find(self, take_id: str) -> Path:
        """The take's file. Raises UnknownTake, also for an id that could never be one."""
        if _TAKE_ID.fullmatch(take_id):
            for kind in FORMATS.values():
                path = self._path(take_id, kind.extension)
                if path.is_file():
                    return path
        raise UnknownTake(take_id=take_id)

    def delete(self, take_id: str) -> None:
        """Delete the take for good. Raises UnknownTake, and OutputFailed where that can't be done."""
        path = self.find(take_id)
        try:
            path.unlink()
        except FileNotFoundError as error:
            raise UnknownTake(take_id=take_id) from error
        except OSError as error:
            raise OutputFailed(folder=self._dir, reason=error.strerror or type(error).__name__) from error

    def added(self, take: Path) -> None:
        """Make room for a take that was just written.

        Looking through the folder takes long where it holds many takes. It is done only once there may be too much by
        this process's count, or after a while, and in another thread, except for the first time, as a program may end
        then.
        """
        with suppress(OSError), self._counting:
            self._room_bytes -= take.stat().st_size
        if (
            self._counted_at is not None
            and self._room_bytes >= 0
            and time.monotonic() - self._counted_at < _LOOK_AGAIN_S
        ):
            return
        if self._looking.locked():  # another thread is at it
            return
        if self._counted_at is None:
            self.prune()
        else:
            Thread(target=self.prune, name="prune-outputs", daemon=True).start()

    def prune(self) -> int:
        """Remove takes that are too old, then the oldest once all together are too large; returns how many left.

        The newest take stays whatever its size.
        """
        with self._looking:
            most_bytes, now, removed = self._limits.max_output_bytes, time.time(), 0
            found = sorted(self._kept(), reverse=True)  # newest first
            total_bytes = kept_bytes = sum(kept.size_bytes for kept in found)
            margin_bytes = int(most_bytes * _CLEARED_SHARE)
            wanted_bytes = most_bytes - margin_bytes if total_bytes > most_bytes else most_bytes
            for kept in reversed(found):
                age_s, is_part = now - kept.modified, kept.path.name.endswith(PART_SUFFIX)
                too_old = age_s > (_ABANDONED_PART_S if is_part else self._limits.keep_outputs_days * _SECONDS_PER_DAY)
                too_much = kept_bytes > wanted_bytes and kept is not found[0] and not is_part
                if (too_old or too_much) and _removed(kept.path):
                    kept_bytes -= kept.size_bytes
                    removed += 1
            with self._counting:  # what can't be made smaller is not looked at for every take
                self._room_bytes, self._counted_at = max(most_bytes - kept_bytes, margin_bytes), time.monotonic()
            return removed

    def _path(self, take_id: str, extension: str) -> Path:
        if not _TAKE_ID.fullmatch(take_id):
            raise UnknownTake(take_id=take_id)
        return self._dir / f"take-{take_id}{extension}"

    def _kept(self) -> Iterator[_Kept]:
        if not self._dir.is_dir():
            return
        with os.scandir(self._dir) as entries:
            for entry in entries:
                if not _TAKE_FILE.fullmatch(entry.name) or entry.is_symlink():
                    continue
                with suppress(FileNotFoundError):  # someone removed it meanwhile
                    stat = entry.stat()
                    yield _Kept(stat.st_mtime, stat.st_size, Path(entry.path))


def _removed(path: Path) -> bool:
    try:
        path.unlink()
    except OSError:  # gone already, or open on Windows: the next pruning sees
        return False
    return True
