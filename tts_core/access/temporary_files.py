"""Files that are needed for a moment or a day: uploads, the page's copies, leftovers of a killed process. They are
removed by age, at the start and every hour. Only names that we or Gradio give are touched, and no link is followed."""

from __future__ import annotations

import logging
import os
import re
import stat
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

from tts_core.access.kept_bytes import KEPT_S
from tts_core.access.quotas import PRUNED_EVERY_S
from tts_core.platform.paths import Paths

logger = logging.getLogger(__name__)

_NO_NAME = re.compile(r"(?!)")
_RANDOM = "[a-z0-9_]{8}"
"""The random part of names that Python's tempfile makes."""


@dataclass(frozen=True, slots=True)
class TemporaryFolder:
    folder: Path
    folders: re.Pattern[str] = _NO_NAME
    """Names of folders in this place whose files are temporary."""
    files: re.Pattern[str] = _NO_NAME
    """Names of temporary files in this place."""


def places_of(paths: Paths, shared_dir: Path) -> tuple[TemporaryFolder, ...]:
    """The places where temporary files of the studio lie; other programs have theirs in `shared_dir`, too."""
    return (
        # One folder for each file: Gradio's have the name of a hash, ours cannot be guessed. An upload that is still
        # on its way, or broke off, is a file.
        TemporaryFolder(
            paths.page_cache_dir,
            folders=re.compile(rf"[0-9a-f]{{64}}|[0-9a-f]{{32}}|pairs-{_RANDOM}"),
            files=re.compile(f"tmp{_RANDOM}"),
        ),
        TemporaryFolder(paths.transcription_dir, files=re.compile(r"heard-.+|[0-9a-f]{32}\.wav.*")),
        TemporaryFolder(shared_dir, folders=re.compile(f"tts-studio-{_RANDOM}")),
    )


class TemporaryFiles:
    def __init__(
        self,
        places: Collection[TemporaryFolder],
        in_use: Callable[[], Collection[Path]],
        pruned: Callable[[int], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`in_use`: files that a job still needs. `pruned` is called with the number of bytes left."""
        self._places = places
        self._in_use = in_use
        self._pruned = pruned
        self._clock = clock
        self._is_closing = Event()

    def start(self) -> None:
        """Prune now and every hour, in the background."""
        Thread(target=self._run, name="prune-temporary-files", daemon=True).start()

    def close(self) -> None:
        self._is_closing.set()

    def prune(self) -> int:
        """Remove files that nobody has used for a day; returns how many."""
        needed, oldest = set(self._in_use()), self._clock() - KEPT_S
        removed = left_bytes = 0
        for place in self._places:
            for file, found in _files(place, oldest):
                changed_at = max(found.st_mtime, found.st_ctime)  # a copy keeps the time of what it was copied from
                if changed_at < oldest and file not in needed and _removed(file):
                    removed += 1
                else:
                    left_bytes += found.st_size
        self._pruned(left_bytes)
        return removed

    def _run(self) -> None:
        while True:
            try:
                self.prune()
            except Exception:  # the thread's edge: the next hour tries again
                logger.exception("Temporary files can't be pruned")
            if self._is_closing.wait(PRUNED_EVERY_S):
                return


def _files(place: TemporaryFolder, oldest: float) -> Iterator[tuple[Path, os.stat_result]]:
    """The ordinary files. A folder that has been empty since before `oldest` is removed after its files were looked
    at."""
    for entry, found in _entries(place.folder):
        if stat.S_ISREG(found.st_mode) and place.files.fullmatch(entry.name):
            yield entry, found
        elif stat.S_ISDIR(found.st_mode) and place.folders.fullmatch(entry.name):
            yield from ((file, inside) for file, inside in _entries(entry) if stat.S_ISREG(inside.st_mode))
            if max(found.st_mtime, found.st_ctime) < oldest:
                with suppress(OSError):  # not empty: something else is in it
                    entry.rmdir()


def _entries(folder: Path) -> list[tuple[Path, os.stat_result]]:
    """The entries of a folder that belong to this user. Links are returned as links, not followed."""
    entries = []
    with suppress(OSError):  # there is no such folder
        for entry in folder.iterdir():
            with suppress(OSError):  # gone meanwhile
                entries.append((entry, entry.lstat()))
    me = getattr(os, "getuid", None)  # Windows has one folder for each user
    return [(entry, found) for entry, found in entries if me is None or found.st_uid == me()]


def _removed(file: Path) -> bool:
    try:
        file.unlink()
    except OSError:  # gone already, or open on Windows: the next pruning sees
        return False
    return True
