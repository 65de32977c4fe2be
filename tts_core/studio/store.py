"""An open project: its document in memory, every change of it on the disk before the call returns.

A change is first written down (`journal`), then the files that it changes are written. Wherever the process ends, the
next one finds each file as it was before or after, and completes what was written down.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import RLock

from filelock import FileLock, Timeout

from tts_core.domain.errors import StudioError
from tts_core.platform.settings.projects import ProjectLimits
from tts_core.studio.disk.changes import Side, applied, difference
from tts_core.studio.disk.commits import Commits
from tts_core.studio.disk.folder import ProjectFolder, keep_source
from tts_core.studio.disk.journal import ChangeEntry, ChangeLog, now
from tts_core.studio.disk.loading import Loaded, load
from tts_core.studio.disk.take_files import TakeFiles
from tts_core.studio.faults import (
    EditConflict,
    ProjectInUse,
    ProjectNewer,
    ProjectUnwritable,
    UnknownSegment,
)
from tts_core.studio.index import PAGE, Counts, Filters, SegmentPage, SegmentRow, StateIndex
from tts_core.studio.measures import Space, bytes_below, check_limits, segment_in, take_in
from tts_core.studio.model import Project, SegmentTake, TakeFailure, TextSegment
from tts_core.studio.speaking import Speaking
from tts_core.studio.states import take_that_counts

Change = Callable[[Project], Project]


@dataclass(frozen=True, slots=True)
class ProjectChange:
    """A change of a project, for those who show it."""

    project: str
    revision: int
    segments: tuple[str, ...]
    """The segments to look at anew."""
    is_wider: bool = False
    """Whether rows came, went or moved, or the project itself changed."""


Listener = Callable[[ProjectChange], None]


class OpenProject:
    """A project that this process has open; thread-safe. Where another process writes it, it can only be read."""

    def __init__(self, root: Path, limits: ProjectLimits, speaking: Speaking, listener: Listener) -> None:
        """Raises ProjectDamaged, OSError."""
        self.folder = ProjectFolder(root)
        self._limits = limits
        self._speaking = speaking
        self._listener = listener
        self._guard = RLock()
        self._lock = FileLock(self.folder.lock, timeout=0, mode=0o600, thread_local=False)
        self._journal = ChangeLog(self.folder.revisions, limits.changes)
        self._commits = Commits(self.folder, self._journal)
        self._takes = TakeFiles(self.folder.takes)
        self._index = StateIndex(speaking)
        self._making: set[str] = set()
        self._refusal: StudioError | None = None
        """The reason why the lock could not be had."""
        self._is_ours = self._acquire()
        try:
            self._loaded = self._load()
        except BaseException:
            self._lock.release()
            raise
        self._project = self._loaded.project

    @property
    def id(self) -> str:
        return self._project.id

    @property
    def project(self) -> Project:
        """The document as it is now; it never changes, a later one takes its place."""
        return self._project

    @property
    def notes(self) -> tuple[StudioError, ...]:
        """Notes for people on how the project was found: ChapterRestored, ChapterLost."""
        return self._loaded.notes

    @property
    def obstacle(self) -> StudioError | None:
        """The reason why nothing can be changed here: ProjectInUse, ProjectNewer, ProjectUnwritable; else None."""
        if self._loaded.is_newer:
            return ProjectNewer(title=self._project.title)
        return None if self._is_ours else self._refusal or ProjectInUse(title=self._project.title)

    def segment(self, segment_id: str) -> TextSegment:
        """Raises UnknownSegment."""
        return segment_in(self._project, segment_id)

    def row(self, segment_id: str) -> SegmentRow:
        """The segment with its state and the take that counts. Raises UnknownSegment."""
        with self._guard:
            rows = self._index.rows(self._project, self._making)
            found = next((row for row in rows if row.segment.id == segment_id), None)
        if found is None:
            raise UnknownSegment(segment=segment_id)
        return found

    def rows(self) -> tuple[SegmentRow, ...]:
        """The rows in order, those of chapters that are left out included."""
        with self._guard:
            return tuple(self._index.rows(self._project, self._making))

    def page(self, filters: Filters, *, page: int = 1, size: int = PAGE) -> SegmentPage:
        with self._guard:
            return self._index.page(self._project, filters, page=page, size=size, making=self._making)

    def counts(self) -> dict[str, Counts]:
        """How far each chapter is; "" is the whole project."""
        with self._guard:
            return self._index.counts(self._project, self._making)

    def spoken(self, segment: TextSegment) -> str:
        """The text that a voice gets for the segment."""
        with self._guard:
            return self._speaking.spoken(self._project, segment)

    def edit(self, label: str, change: Change, *, seen: int | None = None) -> Project:
        """Apply a change, so that it can be taken back. `seen` is the revision that the person looked at.

        Raises what the change raises; EditConflict where somebody else has changed the same since; ProjectInUse and its
        like, ProjectUnwritable, TooManySegments, ProjectTooLong. Nothing is changed then.
        """
        with self._guard:
            self.require_writable()
            before = self._project
            after = change(before)
            check_limits(after, self._limits, before)
            left, right = difference(before, after)
            if left == right:
                return before
            self._check_seen(left, right, seen)
            made = self._commit(ChangeEntry(before.revision + 1, label, ()), left, right)
        self._listener(made)
        return self._project

    def undo(self) -> ChangeEntry:
        """Take the last change back. Raises NothingToUndo, ProjectInUse and its like, ProjectUnwritable."""
        return self._again(self._journal.undo)

    def redo(self) -> ChangeEntry:
        """Repeat the change that was taken back last. Raises NothingToRedo and as `undo`."""
        return self._again(self._journal.redo)

    @property
    def undoable(self) -> str:
        """The label of the change that undo takes back; "" where there is none."""
        with self._guard:
            entry = self._journal.undoable()
        return "" if entry is None else entry.label

    @property
    def redoable(self) -> str:
        with self._guard:
            entry = self._journal.redoable()
        return "" if entry is None else entry.label

    def add_take(self, segment_id: str, sound: Path, take: SegmentTake) -> SegmentTake:
        """Keep a finished sound file as a take of the segment, which moves it; returns the take with its id.

        A failure noted before is forgotten, and takes beyond the limit go. Raises UnknownSegment, ProjectInUse and its
        like, ProjectUnwritable.
        """
        with self._guard, self._writing():
            segment = self.segment(segment_id)
            kept = self._takes.keep(segment_id, sound, take)
            self._takes.write_failure(segment_id, None)
            segment = replace(segment, all_takes=(*segment.all_takes, kept), failure=None)
            surplus = self._surplus(segment)
            self._takes.remove(segment_id, surplus)
            self._put_takes(replace(segment, all_takes=tuple(one for one in segment.all_takes if one not in surplus)))
        self._listener(ProjectChange(self.id, self._project.revision, (segment_id,)))
        return kept

    def note_failure(self, segment_id: str, failure: TakeFailure) -> None:
        """Note why no take could be made. Raises as `add_take`."""
        with self._guard, self._writing():
            segment = self.segment(segment_id)
            self._takes.write_failure(segment_id, failure)
            self._put_takes(replace(segment, failure=failure))
        self._listener(ProjectChange(self.id, self._project.revision, (segment_id,)))

    def mark_making(self, segment_ids: Collection[str], *, is_on: bool) -> None:
        """Show segments as being made, or no longer so. It is not kept."""
        with self._guard:
            self._making = self._making | set(segment_ids) if is_on else self._making - set(segment_ids)
        self._listener(ProjectChange(self.id, self._project.revision, tuple(segment_ids)))

    def sound_of(self, segment_id: str, take_id: str) -> Path:
        """The file of a take, which a deleted one has as well. Raises UnknownSegment, UnknownSegmentTake."""
        return self._takes.folder(segment_id) / take_in(self.segment(segment_id), take_id).file

    def unchosen(self) -> dict[str, tuple[SegmentTake, ...]]:
        """The takes that are neither heard nor starred, by segment."""
        found = {}
        for row in self.rows():
            kept = {row.take.id if row.take else "", *row.segment.starred} - set(row.segment.deleted)
            if surplus := tuple(take for take in row.segment.all_takes if take.id not in kept):
                found[row.segment.id] = surplus
        return found

    def drop_unchosen(self) -> int:
        """Remove the takes that are neither heard nor starred, for good; returns the freed bytes."""
        freed = 0
        with self._guard, self._writing():
            surplus = self.unchosen()
            for segment_id, takes in surplus.items():
                freed += self._takes.remove(segment_id, takes)
                segment = self.segment(segment_id)
                self._put_takes(replace(segment, all_takes=tuple(t for t in segment.all_takes if t not in takes)))
            if not self.notes:  # else a lost chapter's takes look as if nobody needed them
                freed += sum(map(self._takes.remove_segment, self._folders_of_nobody()))
        self._listener(ProjectChange(self.id, self._project.revision, tuple(surplus)))
        return freed

    def space(self) -> Space:
        """The bytes that the project takes on the disk."""
        everything = bytes_below(self.folder.root)
        unchosen = sum(self._takes.bytes_of(key, takes) for key, takes in self.unchosen().items())
        if not self.notes:
            unchosen += sum(bytes_below(self._takes.folder(key)) for key in self._folders_of_nobody())
        return Space(everything, bytes_below(self.folder.takes), unchosen, bytes_below(self.folder.exports))

    def require_writable(self) -> None:
        """Raises ProjectInUse, ProjectNewer."""
        if self.obstacle is not None:
            raise self.obstacle

    def try_to_own(self) -> bool:
        """Take the project over from a process that has ended, or read what it has written since; returns whether it
        can be written here now. Raises ProjectDamaged, OSError."""
        with self._guard:
            if not self._is_ours:
                self._is_ours = self._acquire()
                self._loaded = self._load()
                self._project = self._loaded.project
            return self.obstacle is None

    def add_source(self, name: str, content: bytes) -> None:
        """Keep a file that was imported; one of the same name stays beside it. Raises as `add_take`."""
        with self._guard, self._writing():
            keep_source(self.folder.sources, name, content)

    def set_deleted(self, at: str) -> None:
        """Mark the project as deleted at that time, or with "" as there again. It is no change that undo knows."""
        with self._guard, self._writing():
            project = replace(self._project, deleted_at=at, updated_at=now())
            self.folder.write_header(project)
            self._project = project
        self._listener(ProjectChange(self.id, self._project.revision, (), is_wider=True))

    def close(self) -> None:
        """Let another process write the project."""
        with self._guard:
            self._is_ours = False
            self._lock.release()

    def _acquire(self) -> bool:
        try:
            self._lock.acquire()
        except Timeout:
            self._refusal = None
            return False
        except OSError as error:  # a disk that can't be written has no locks either
            self._refusal = self._unwritable(error)
            return False
        self.folder.summary.unlink(missing_ok=True)  # it is not going to be true
        return True

    def _load(self) -> Loaded:
        return load(self.folder, self._journal, self._takes, is_ours=self._is_ours)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Raises ProjectInUse, ProjectNewer; ProjectUnwritable where the disk refuses inside the block."""
        self.require_writable()
        try:
            yield
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> ProjectUnwritable:
        return ProjectUnwritable(folder=self.folder.root, reason=error.strerror or type(error).__name__)

    def _again(self, step: Callable[[int], tuple[ChangeEntry, Side]]) -> ChangeEntry:
        with self._guard:
            self.require_writable()
            try:
                entry, side = step(self._project.revision + 1)
            except (OSError, ValueError) as error:
                raise ProjectUnwritable(folder=self.folder.root, reason="the change can't be read") from error
            after = applied(self._project, side, {one.id: one for one in self._project.segments})
            left, right = difference(self._project, after)
            made = self._commit(entry, left, right)
        self._listener(made)
        return entry

    def _commit(self, entry: ChangeEntry, left: Side, right: Side) -> ProjectChange:
        """Raises ProjectUnwritable; nothing is changed then."""
        before = self._project
        self._loaded.takes.update({one.id: one for one in before.segments if one.all_takes or one.failure})
        with self._writing():
            self._project = self._commits.commit(before, replace(entry, at=now()), (left, right), self._loaded.takes)
        return ProjectChange(self.id, entry.revision, tuple(right.segments), _is_wider(right))

    def _put_takes(self, segment: TextSegment) -> None:
        self._loaded.takes[segment.id] = segment
        for chapter in self._project.chapters:
            if any(one.id == segment.id for one in chapter.segments):
                segments = tuple(segment if one.id == segment.id else one for one in chapter.segments)
                self._project = self._project.with_chapter(replace(chapter, segments=segments))
                return

    def _surplus(self, segment: TextSegment) -> tuple[SegmentTake, ...]:
        """The takes beyond the limit: deleted ones first, then the oldest that are neither heard nor starred."""
        counting = take_that_counts(segment, self._speaking.keys(self._project)(segment))
        kept = {segment.chosen, *segment.starred, counting.id if counting else "", segment.all_takes[-1].id}
        candidates = [take for take in segment.all_takes if take.id in segment.deleted or take.id not in kept]
        candidates.sort(key=lambda take: take.id not in segment.deleted)
        return tuple(candidates[: max(0, len(segment.all_takes) - self._limits.takes)])

    def _folders_of_nobody(self) -> list[str]:
        """The folders of takes whose segment is gone."""
        present = {segment.id for segment in self._project.segments}
        return [key for key in self._takes.segment_ids() if key not in present]

    def _check_seen(self, left: Side, right: Side, seen: int | None) -> None:
        """Raises EditConflict where what is changed is newer than what the person saw."""
        if seen is None:
            return
        newest = max((one.revision for one in left.segments.values() if one is not None), default=0)
        if left.header is not None or right.header is not None:
            newest = max(newest, self._project.header_revision)
        if newest > seen:
            raise EditConflict(revision=self._project.revision)


def _is_wider(side: Side) -> bool:
    return side.header is not None or bool(side.orders)
