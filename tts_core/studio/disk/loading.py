"""The reading of a project from the disk: broken files are read from their spare copies, and changes that were written
down but not carried out are."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from tts_core.domain.errors import StudioError
from tts_core.studio.disk.changes import applied
from tts_core.studio.disk.folder import ProjectFolder, ReadChapter, Unreadable
from tts_core.studio.disk.journal import ChangeLog, ReadChange
from tts_core.studio.disk.take_files import TakeFiles
from tts_core.studio.faults import ChapterLost, ChapterRestored, ProjectDamaged, ProjectRestored
from tts_core.studio.model import FORMAT, Chapter, Project, TextSegment

logger = logging.getLogger(__name__)

Read = TypeVar("Read")


@dataclass(slots=True)
class Loaded:
    """A project as it was found."""

    project: Project
    takes: dict[str, TextSegment]
    """The takes of all segments, of those that undo brings back as well."""
    is_newer: bool = False
    """Whether a newer version wrote it."""
    notes: tuple[StudioError, ...] = ()


@dataclass(slots=True)
class _State:
    """The findings while a project is read."""

    folder: ProjectFolder
    revisions: dict[str, int] = field(default_factory=dict)
    """The revision of each file that was read: by the chapter's id, "" for the project's own."""
    broken: list[Path] = field(default_factory=list)
    notes: list[StudioError] = field(default_factory=list)


def load(folder: ProjectFolder, journal: ChangeLog, takes: TakeFiles, *, is_ours: bool) -> Loaded:
    """Read the project. Where it is ours, broken files are kept aside and written anew.

    Raises ProjectDamaged where its own file and the spare copy of it can't be read.
    """
    state = _State(folder)
    header, number = _header(state)
    project = replace(header, chapters=tuple(_chapter(state, chapter) for chapter in header.chapters))
    entries = journal.load()
    behind = _first_behind(entries, state)
    for one in entries[behind:]:
        project = applied(project, one.after, {})
    newest = max(project.revision, *state.revisions.values(), journal.newest)
    headers = [one.entry.revision for one in entries if one.after.header is not None]
    project = replace(
        project,
        revision=newest,
        header_revision=max([project.header_revision, *headers]),
        updated_at=max([project.updated_at, *(one.entry.at for one in entries[-1:])]),
    )
    is_newer = number > FORMAT
    if is_ours and not is_newer:
        takes.sweep()
        _mend(state, project, entries[behind:])
    found = takes.load()
    project = replace(project, chapters=tuple(_with_takes(chapter, found) for chapter in project.chapters))
    return Loaded(project, found, is_newer, tuple(state.notes))


def _header(state: _State) -> tuple[Project, int]:
    folder = state.folder
    found = _either(state, folder.header, folder.read_header)
    if found is None:
        raise ProjectDamaged(project=folder.root.name, folder=folder.root)
    read, is_spare = found
    if is_spare:
        state.notes.append(ProjectRestored(title=read.project.title))
    state.revisions[""] = read.project.revision
    return replace(read.project, id=folder.root.name), read.format


def _chapter(state: _State, chapter: Chapter) -> Chapter:
    file = state.folder.chapter(chapter.id)
    found = _either(state, file, state.folder.read_chapter)
    read, is_spare = found or (ReadChapter((), 0), True)
    state.revisions[chapter.id] = read.revision
    if is_spare:
        fault = ChapterLost if found is None else ChapterRestored
        state.notes.append(fault(chapter=chapter.title or chapter.id))
        logger.error("a chapter of a project can't be read: %s", "its last revision is" if found else "nothing is left")
    return replace(chapter, segments=read.segments)


def _either(state: _State, file: Path, read: Callable[[Path], Read]) -> tuple[Read, bool] | None:
    """The file, or its spare copy, with whether it is that; None where neither can be read. Raises OSError where a file
    is there but may not be read: it may be sound."""
    for place, is_spare in ((file, False), (state.folder.spare(file), True)):
        try:
            return read(place), is_spare
        except FileNotFoundError:
            continue
        except Unreadable:
            if not is_spare:
                state.broken.append(file)
    return None


def _first_behind(entries: tuple[ReadChange, ...], state: _State) -> int:
    """The place of the first change that some file lacks. All later ones are then repeated in order, which leads to
    the same state for files that had them already."""
    for place, one in enumerate(entries):
        files = [key for key in one.entry.chapters if key in state.revisions]  # others are gone by now
        if one.after.header is not None:
            files.append("")
        if any(state.revisions[key] < one.entry.revision for key in files):
            return place
    return len(entries)


def _mend(state: _State, project: Project, missed: Iterable[ReadChange]) -> None:
    """Write the files anew that were broken or behind. Where the disk refuses, they stay for the next time."""
    folder = state.folder
    late = {key for one in missed for key in one.entry.chapters}
    try:
        for file in state.broken:
            folder.put_aside(file)
        for chapter in project.chapters:
            file = folder.chapter(chapter.id)
            if chapter.id in late or (file in state.broken and chapter.segments):
                folder.write_chapter(chapter, project.revision)
        if folder.header in state.broken or any(one.after.header is not None for one in missed):
            folder.write_header(project)
    except OSError as error:
        logger.warning("files of a project can't be mended now: %s", error.strerror)


def _with_takes(chapter: Chapter, takes: dict[str, TextSegment]) -> Chapter:
    def completed(segment: TextSegment) -> TextSegment:
        found = takes.get(segment.id)
        return segment if found is None else replace(segment, all_takes=found.all_takes, failure=found.failure)

    return replace(chapter, segments=tuple(map(completed, chapter.segments)))
