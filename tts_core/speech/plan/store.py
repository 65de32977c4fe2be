"""The lexicon's file: one JSON object, written whole, with a revision that grows with every change.

Several processes may write. A change that was made from an older revision is refused, and a file that can't be read is
set aside before anything is written in its place.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from tts_core.domain.errors import InvalidRequest
from tts_core.platform.whole_files import make_private, set_aside, write_json
from tts_core.speech.faults import LexiconBusy, LexiconOutdated, LexiconUnwritable
from tts_core.speech.plan.lexicon import Lexicon, LexiconEntry

logger = logging.getLogger(__name__)

FORMAT = 1
MAX_ENTRIES = 5_000
_LOCK_TIMEOUT_S = 5.0
_Signature = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class LexiconState:
    """The entries as they stand in the file."""

    revision: int = 0
    entries: tuple[LexiconEntry, ...] = ()


class LexiconStore:
    """The user's lexicon; thread-safe. Reading is cheap: the file is parsed again only when it has changed."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.RLock()
        self._seen: _Signature | None = None
        self._state = LexiconState()
        self._lexicon = Lexicon()
        self._is_broken = False

    def state(self) -> LexiconState:
        """The entries and their revision; none where the file is missing or can't be read."""
        with self._lock:
            self._refresh()
            return self._state

    def lexicon(self) -> Lexicon:
        """The entries made ready for reading."""
        with self._lock:
            self._refresh()
            return self._lexicon

    def replace(self, entries: Iterable[LexiconEntry], revision: int | None = None) -> LexiconState:
        """Put `entries` in place of all others. Raises LexiconOutdated where the file is not at `revision` any more
        (None does not ask), InvalidRequest for too many, LexiconBusy, LexiconUnwritable."""
        wanted = tuple(entries)
        if len(wanted) > MAX_ENTRIES:
            raise InvalidRequest(reason=f"a lexicon has at most {MAX_ENTRIES} entries.")
        try:
            make_private(self._file.parent)
            with self._lock, FileLock(self._file.with_suffix(".lock"), timeout=_LOCK_TIMEOUT_S, mode=0o600):
                self._refresh()
                if revision not in (None, self._state.revision):
                    raise LexiconOutdated(revision=self._state.revision)
                if self._is_broken:
                    logger.error("the lexicon can't be read; it is kept as %s", set_aside(self._file).name)
                state = LexiconState(self._state.revision + 1, wanted)
                rows = [entry.as_fields() for entry in wanted]
                write_json(self._file, {"format": FORMAT, "revision": state.revision, "entries": rows}, for_people=True)
                self._refresh()
                return self._state
        except Timeout as error:
            raise LexiconBusy from error
        except OSError as error:
            raise LexiconUnwritable(file=self._file.name, reason=error.strerror or type(error).__name__) from error

    def _refresh(self) -> None:
        seen = _signature(self._file)
        if seen == self._seen:
            return
        try:
            state = LexiconState() if seen is None else _parsed(json.loads(self._file.read_bytes()))
            self._is_broken = False
        except OSError as error:  # it may be sound: nothing is written over it, and the last state stays
            logger.warning("the lexicon can't be read: %s", error)
            return
        except (ValueError, RecursionError, InvalidRequest):
            logger.exception("the lexicon is damaged: texts are spoken without it")
            self._is_broken, state = True, LexiconState()
        self._seen, self._state, self._lexicon = seen, state, Lexicon(state.entries)


def _parsed(data: Any) -> LexiconState:
    """Raises ValueError or InvalidRequest for what is no lexicon, as of a later version."""
    if not isinstance(data, dict) or data.get("format") != FORMAT or not isinstance(data.get("entries"), list):
        raise ValueError("no lexicon of this version")
    entries = tuple(map(LexiconEntry.from_fields, data["entries"]))
    revision = data.get("revision")
    return LexiconState(revision if isinstance(revision, int) else 0, entries)


def _signature(file: Path) -> _Signature | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
