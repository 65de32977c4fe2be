"""A run as data: what it is to make, how far it is, and the file by which the next process goes on with it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum
from pathlib import Path

from tts_core.domain.values import choice_named
from tts_core.platform.feed import FeedItem
from tts_core.platform.whole_files import write_json
from tts_core.studio.index import SegmentRow
from tts_core.studio.making.segments import MOST_TAKES, fitting_takes
from tts_core.studio.model import TO_MAKE, Project, SegmentState
from tts_core.studio.store import OpenProject

_FILE = "run.json"


class ScopeKind(str, Enum):
    ALL = "all"
    """Everything that has no good take yet, in the chapters that are included."""
    CHAPTERS = "chapters"
    SEGMENTS = "segments"
    FLAGGED = "flagged"
    """The segments whose takes may be wrong, and those that say an earlier text."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The segments that a run makes."""

    kind: ScopeKind = ScopeKind.ALL
    chapters: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    again: int = 0
    """The new takes of each of `segments`, whatever there is already; 0 makes what is missing."""

    @classmethod
    def of(cls, kind: str, chapters: tuple[str, ...] = (), segments: tuple[str, ...] = (), again: int = 0) -> Scope:
        """Raises InvalidChoice."""
        return cls(choice_named(ScopeKind, "scope", kind), chapters, segments, again)

    def rows(self, project: OpenProject) -> list[SegmentRow]:
        """The rows to make, in order."""
        chapters = _chapters(self, project.project)
        return [row for row in project.rows() if row.chapter in chapters and self._takes(row)]

    def _takes(self, row: SegmentRow) -> bool:
        if self.kind is ScopeKind.SEGMENTS and row.segment.id not in self.segments:
            return False
        if row.state in (SegmentState.EMPTY, SegmentState.SKIPPED):
            return False
        if self.kind is ScopeKind.FLAGGED:
            return row.state in (SegmentState.FLAGGED, SegmentState.STALE)
        if self.kind is ScopeKind.SEGMENTS and (self.again or row.state is SegmentState.FLAGGED):
            return True
        return row.state in TO_MAKE or _is_half_mended(row)


def _is_half_mended(row: SegmentRow) -> bool:
    """Whether a run ended before it had made a wrong segment as often as it would have."""
    is_untouched = not row.segment.chosen and not row.segment.starred
    return row.state is SegmentState.FLAGGED and is_untouched and fitting_takes(row) < MOST_TAKES


def _chapters(scope: Scope, project: Project) -> set[str]:
    if scope.kind is ScopeKind.CHAPTERS:
        return set(scope.chapters)
    if scope.kind is ScopeKind.SEGMENTS:
        return {chapter.id for chapter in project.chapters}
    return {chapter.id for chapter in project.chapters if chapter.is_included}


class RunState(str, Enum):
    IDLE = "idle"
    WAITING = "waiting"
    """Another project is being made."""
    RUNNING = "running"
    STOPPING = "stopping"
    """The segment that is being made is the last one."""
    STOPPED = "stopped"
    """There is more to make; it can go on."""
    DONE = "done"
    FAILED = "failed"

    @property
    def is_active(self) -> bool:
        return self in (RunState.WAITING, RunState.RUNNING, RunState.STOPPING)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStatus(FeedItem):
    """How far the making of a project is; `key` is the project's id."""

    state: RunState = RunState.IDLE
    total: int = 0
    """The segments of the run."""
    done: int = 0
    flagged: int = 0
    failed: int = 0
    left_s: float | None = None
    """The time that is left; None while nothing can be known about it."""
    is_rough: bool = True
    """Whether the time that is left is a first guess."""
    code: str = ""
    """The code of the error that ended the run."""
    params: Mapping[str, object] = field(default_factory=dict)
    message: str = ""

    def as_json(self) -> dict[str, object]:
        return {
            "project_id": self.key,
            "state": self.state.value,
            "total": self.total,
            "done": self.done,
            "flagged": self.flagged,
            "failed": self.failed,
            "eta_s": None if self.left_s is None else round(self.left_s),
            "is_rough": self.is_rough,
            "code": self.code,
            "message": self.message,
        }


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A run that the last process did not finish."""

    scope: Scope
    is_stopped: bool
    """Whether a person stopped it."""


class RunFile:
    """The file beside a project that says what was being made; gone once all of it is."""

    def __init__(self, project_folder: Path) -> None:
        self._file = project_folder / _FILE

    def write(self, scope: Scope, *, is_stopped: bool) -> None:
        """Raises OSError."""
        write_json(self._file, {"scope": asdict(scope), "is_stopped": is_stopped})

    def read(self) -> Unfinished | None:
        """The run that is not finished; None where there is none, or the file can't be read."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            data = json.loads(self._file.read_bytes())
            scope = data["scope"]
            made = Scope(
                ScopeKind(scope["kind"]), tuple(scope["chapters"]), tuple(scope["segments"]), int(scope["again"])
            )
            return Unfinished(made, bool(data["is_stopped"]))
        return None

    def remove(self) -> None:
        with contextlib.suppress(OSError):
            self._file.unlink(missing_ok=True)
