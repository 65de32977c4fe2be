"""The projects: which there are, the open ones, and those that were deleted and can be brought back for some weeks."""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from threading import RLock
from typing import TypeVar

from tts_core.domain.errors import StudioError
from tts_core.platform.settings.projects import PROJECTS_VARIABLE, ProjectLimits
from tts_core.platform.whole_files import make_private, patiently, sync_folder, write_json
from tts_core.speech.plan.lexicon import LexiconSource
from tts_core.studio.disk.changes import header_of
from tts_core.studio.disk.folder import ProjectFolder, Unreadable, is_id, keep_source
from tts_core.studio.disk.journal import now
from tts_core.studio.faults import ProjectBusy, ProjectTooLong, ProjectUnwritable, TooManyProjects, UnknownProject
from tts_core.studio.index import Counts
from tts_core.studio.measures import check_limits
from tts_core.studio.model import Project, SegmentState
from tts_core.studio.readers.draft import Draft
from tts_core.studio.speaking import Speaking, VoiceFacts
from tts_core.studio.store import Listener, OpenProject, ProjectChange

Result = TypeVar("Result")

KEEP_DELETED_DAYS = 30
_NEW = ".new-"
_IDLE_S = 600.0
_ABANDONED_S = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class ProjectCard:
    """A project as a list shows it."""

    project: Project
    """The project without its segments."""
    counts: Counts
    problem: StudioError | None = None
    """The reason why it can't be opened."""


@dataclass(slots=True)
class _Held:
    project: OpenProject
    used_at: float
    holders: int = 0


class Projects:
    """Thread-safe. Methods that take an id raise UnknownProject."""

    def __init__(self, root: Path, limits: ProjectLimits, voices: VoiceFacts, lexicon: LexiconSource) -> None:
        self._root = root
        self._limits = limits
        self._voices = voices
        self._lexicon = lexicon
        self._guard = RLock()
        self._open: dict[str, _Held] = {}
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        """Call `listener` after every change of any project, from the thread that made it."""
        self._listeners.append(listener)

    def cards(self, *, deleted: bool = False) -> tuple[ProjectCard, ...]:
        """The projects, those that changed last first; with `deleted` those that can be brought back."""
        found = [self._card(folder) for folder in self._folders()]
        shown = [card for card in found if bool(card.project.deleted_at) is deleted]
        return tuple(sorted(shown, key=lambda card: card.project.updated_at, reverse=True))

    def check_draft(self, draft: Draft) -> None:
        """Refuse a text that is far too long before any work on it: signs that are not read may shorten it by a third.

        Raises ProjectTooLong.
        """
        count = sum(len(chapter.text) for chapter in draft.chapters)
        if count > 1.5 * self._limits.chars:
            raise ProjectTooLong(count=count, limit=self._limits.chars)

    def create(self, project: Project, sources: Mapping[str, bytes] | None = None) -> OpenProject:
        """Keep a new project, whose id is set here; `sources` are the files that it was made from, by their names.

        Raises TooManyProjects, TooManySegments, ProjectTooLong, ProjectUnwritable.
        """
        check_limits(project, self._limits)
        with self._guard:
            if len(self._folders()) >= self._limits.projects:
                raise TooManyProjects(limit=self._limits.projects, variable=PROJECTS_VARIABLE)
            project = replace(project, id=secrets.token_hex(8), created_at=now(), updated_at=now())
            try:
                self._write_new(project, sources or {})
            except OSError as error:
                raise ProjectUnwritable(folder=self._root, reason=error.strerror or type(error).__name__) from error
            return self.open(project.id)

    def open(self, project_id: str, *, deleted: bool = False) -> OpenProject:
        """The project, opened if it is not; where another process writes it, as it is there now.

        A deleted one is opened only if asked for. Raises ProjectDamaged, ProjectNewer, ProjectUnwritable.
        """
        with self._guard:
            self._close_idle()
            held = self._open.get(project_id)
            if held is None:
                held = _Held(self._opened(project_id), time.monotonic())
                self._open[project_id] = held
            elif held.project.obstacle is not None:
                self._typed(held.project.try_to_own)
            held.used_at = time.monotonic()
            if bool(held.project.project.deleted_at) and not deleted:
                raise UnknownProject(project=project_id)
            return held.project

    @contextmanager
    def holding(self, project_id: str) -> Iterator[OpenProject]:
        """The project, kept open until the end of the block, however long nobody looks at it."""
        with self._guard:
            project = self.open(project_id)
            self._open[project_id].holders += 1
        try:
            yield project
        finally:
            with self._guard:
                if project_id in self._open:
                    self._open[project_id].holders -= 1

    def delete(self, project_id: str) -> None:
        """Hide a project; `restore` brings it back for KEEP_DELETED_DAYS. Raises ProjectBusy, ProjectInUse,
        ProjectUnwritable."""
        with self._guard:
            project = self.open(project_id)
            self._check_not_held(project_id)
            project.set_deleted(now())

    def restore(self, project_id: str) -> OpenProject:
        """Bring back a deleted project. One that was not deleted stays as it is."""
        project = self.open(project_id, deleted=True)
        if project.project.deleted_at:
            project.set_deleted("")
        return project

    def remove(self, project_id: str) -> None:
        """Remove a project with all its files for good, a damaged one as well. Raises ProjectBusy,
        ProjectInUse."""
        with self._guard:
            self._check_not_held(project_id)
            if project_id not in self._open:
                with contextlib.suppress(StudioError):
                    self.open(project_id, deleted=True)
            if held := self._open.get(project_id):
                held.project.require_writable()
                held.project.close()
                del self._open[project_id]
            folder = self._folder(project_id)
            aside = folder.with_name(f"{_NEW}{secrets.token_hex(8)}")  # a name under which nobody finds half a project
            self._typed(lambda: patiently(lambda: folder.rename(aside)))
            shutil.rmtree(aside, ignore_errors=True)

    def purge(self) -> int:
        """Remove projects that were deleted more than KEEP_DELETED_DAYS ago, and what unfinished ones left behind;
        returns how many projects."""
        oldest = (datetime.now(timezone.utc) - timedelta(days=KEEP_DELETED_DAYS)).isoformat()
        removed = 0
        for card in self.cards(deleted=True):
            if card.project.deleted_at < oldest:
                with contextlib.suppress(StudioError):
                    self.remove(card.project.id)
                    removed += 1
        for folder in self._root.glob(f"{_NEW}*"):
            with contextlib.suppress(OSError):
                if time.time() - folder.stat().st_mtime > _ABANDONED_S:
                    shutil.rmtree(folder, ignore_errors=True)
        return removed

    def close(self) -> None:
        """Close all projects, so that another process can write them."""
        with self._guard:
            for project_id in list(self._open):
                _shut(self._open.pop(project_id).project)

    def _check_not_held(self, project_id: str) -> None:
        held = self._open.get(project_id)
        if held is not None and held.holders:
            raise ProjectBusy(title=held.project.project.title)

    def _changed(self, change: ProjectChange) -> None:
        for listener in self._listeners:
            listener(change)

    def _opened(self, project_id: str) -> OpenProject:
        folder = self._folder(project_id)
        speaking = Speaking(self._voices, self._lexicon)
        return self._typed(lambda: OpenProject(folder, self._limits, speaking, self._changed))

    def _folder(self, project_id: str) -> Path:
        folder = self._root / project_id
        if not is_id(project_id) or not folder.is_dir():
            raise UnknownProject(project=project_id)
        return folder

    def _folders(self) -> list[Path]:
        if not self._root.is_dir():
            return []
        return [folder for folder in self._root.iterdir() if is_id(folder.name) and folder.is_dir()]

    def _card(self, folder: Path) -> ProjectCard:
        with self._guard:
            held = self._open.get(folder.name)
            if held is not None:
                return _card_of(held.project)
            with contextlib.suppress(OSError, ValueError, Unreadable, StudioError):
                return _card_on_disk(folder)
            try:
                project = self._opened(folder.name)
            except StudioError as error:
                return ProjectCard(Project(folder.name, folder.name), Counts(), error)
            card = _card_of(project)
            _shut(project)
            return card

    def _write_new(self, project: Project, sources: Mapping[str, bytes]) -> None:
        make_private(self._root)
        root = self._root / f"{_NEW}{project.id}"
        try:
            folder = ProjectFolder(root)
            for place in (root, root / "chapters", folder.revisions, folder.takes, folder.sources):
                make_private(place)
            for name, content in sources.items():
                keep_source(folder.sources, name, content)
            for chapter in project.chapters:
                folder.write_chapter(chapter, 0)
            folder.write_header(project)
            patiently(lambda: root.rename(self._root / project.id))
        except BaseException:
            shutil.rmtree(root, ignore_errors=True)
            raise
        sync_folder(self._root)

    def _close_idle(self) -> None:
        """Let go of projects that nobody has looked at for a while, so that another process can write them."""
        oldest = time.monotonic() - _IDLE_S
        for project_id in [key for key, held in self._open.items() if held.used_at < oldest and not held.holders]:
            _shut(self._open.pop(project_id).project)

    def _typed(self, work: Callable[[], Result]) -> Result:
        try:
            return work()
        except OSError as error:
            raise ProjectUnwritable(folder=self._root, reason=error.strerror or type(error).__name__) from error


def _shut(project: OpenProject) -> None:
    """Close a project; the counts are kept for the list, so that it needs not be read for that."""
    if project.obstacle is None:
        counts = project.counts()[""]
        data = {
            "states": {state.value: count for state, count in counts.states.items()},
            "seconds": counts.seconds,
            "characters": counts.characters,
            "updated_at": project.project.updated_at,
        }
        with contextlib.suppress(OSError):
            write_json(project.folder.summary, data, durable=False)
    project.close()


def _card_of(project: OpenProject) -> ProjectCard:
    return ProjectCard(header_of(project.project, stamped=True), project.counts()[""])


def _card_on_disk(path: Path) -> ProjectCard:
    """The card of a project that is closed. Raises OSError where it was not closed in order, and Unreadable,
    ValueError, StudioError."""
    folder = ProjectFolder(path)
    data = json.loads(folder.summary.read_bytes())
    states = {SegmentState(state): int(count) for state, count in data["states"].items()}
    project = folder.read_header(folder.header).project
    project = replace(project, id=path.name, updated_at=str(data["updated_at"]))
    return ProjectCard(project, Counts(states, float(data["seconds"]), int(data["characters"])))
