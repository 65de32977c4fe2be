"""The carrying out of changes: first they are written down, then the files that they change are written."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace

from tts_core.studio.disk.changes import Side, applied, chapters_of
from tts_core.studio.disk.folder import ProjectFolder
from tts_core.studio.disk.journal import ChangeEntry, ChangeLog
from tts_core.studio.model import Project, TextSegment

logger = logging.getLogger(__name__)


class Commits:
    """Not thread-safe: the project's lock guards it."""

    def __init__(self, folder: ProjectFolder, journal: ChangeLog) -> None:
        self._folder = folder
        self._journal = journal
        self._unwritten: set[str] = set()
        """The chapters, and "" for the project's own file, that could not be written after their change was."""
        self._spares: dict[str, int] = {}
        """The revision of each spare copy that was renewed here, by the file's name."""

    def commit(
        self, before: Project, entry: ChangeEntry, sides: tuple[Side, Side], takes: Mapping[str, TextSegment]
    ) -> Project:
        """Record the change and carry it out; returns the project as it is then. `takes` are those of segments that
        come back. Raises OSError where it can't be recorded; nothing is changed then.
        """
        left, right = sides[0], _stamped(sides[1], entry.revision)
        after = replace(applied(before, right, takes), revision=entry.revision, updated_at=entry.at)
        if right.header is not None:
            after = replace(after, header_revision=entry.revision)
        touched = dict.fromkeys((*chapters_of(before, left), *chapters_of(after, right)))
        self._journal.record(replace(entry, chapters=tuple(touched)), left, right)
        self._unwritten.update(touched)
        if right.header is not None:
            self._unwritten.add("")
        self._write_files(after)
        return after

    def _write_files(self, project: Project) -> None:
        """Write what the recorded changes have changed. What fails is written with the next change, or by the next
        process: it is recorded."""
        try:
            for chapter in project.chapters:
                if chapter.id in self._unwritten:
                    self._folder.write_chapter(chapter, project.revision)
                    self._unwritten.discard(chapter.id)
            if "" in self._unwritten:
                self._folder.write_header(project)
            self._unwritten.clear()  # the rest are chapters that are no more
            self._journal.prune(self._renew_spares)
        except OSError as error:
            logger.warning("files of a project can't be written; their change is recorded: %s", error.strerror)

    def _renew_spares(self, entry: ChangeEntry) -> None:
        """Bring the spare copies up to date that need a change which is about to be forgotten."""
        for file in (*map(self._folder.chapter, entry.chapters), self._folder.header):
            if self._spares.get(file.name, 0) <= entry.revision and file.exists():
                self._folder.renew_spare(file)
                self._spares[file.name] = self._journal.newest


def _stamped(side: Side, revision: int) -> Side:
    """The side with the change's number on each segment."""
    segments = {key: None if one is None else replace(one, revision=revision) for key, one in side.segments.items()}
    return replace(side, segments=segments)
