"""The files of one project: its own file, one for each chapter, and the spare copies that a broken one is read from.

    project.json          everything but segments; written last when a project is made
    chapters/ID.json      the segments of a chapter, one a line
    revisions/            the changes, and for each file above the state before its last write
    takes/SEGMENT/        sounds, each with a file of facts that is written last
    sources/ exports/     what was imported, what was made

Every file is written whole: under another name, to the disk, then renamed.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tts_core.platform.whole_files import (
    copy_private,
    make_private,
    open_private,
    part_of,
    patiently,
    set_aside,
    sync_folder,
    write_text,
)
from tts_core.studio.disk.changes import bare, header_of
from tts_core.studio.disk.records import from_data, to_data
from tts_core.studio.faults import ProjectNewer
from tts_core.studio.model import FORMAT, Chapter, Project, TextSegment

_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
Step = Callable[[dict[str, Any]], dict[str, Any]]
STEPS: Mapping[int, Step] = MappingProxyType({})
"""The functions that bring a file of one format to the next one, by the older format's number."""


class Unreadable(Exception):
    """A file that can't be what it should be; handled inside the store."""


@dataclass(frozen=True, slots=True)
class ReadChapter:
    segments: tuple[TextSegment, ...]
    revision: int
    """The revision that the file was written in."""


@dataclass(frozen=True, slots=True)
class ReadHeader:
    project: Project
    format: int


def is_id(name: str) -> bool:
    """Whether ids of projects, chapters, segments and takes may look so; none of them leads out of its folder."""
    return _ID.fullmatch(name) is not None


class ProjectFolder:
    def __init__(self, root: Path, steps: Mapping[int, Step] = STEPS) -> None:
        self.root = root
        self._steps = steps
        self._lines: dict[str, tuple[TextSegment, str]] = {}
        """The line of each segment as it was last written: most stay the same from one write to the next."""

    @property
    def header(self) -> Path:
        return self.root / "project.json"

    @property
    def lock(self) -> Path:
        return self.root / ".lock"

    @property
    def summary(self) -> Path:
        """The counts for the list of projects; there only while the project is closed."""
        return self.root / "summary.json"

    @property
    def revisions(self) -> Path:
        return self.root / "revisions"

    @property
    def takes(self) -> Path:
        return self.root / "takes"

    @property
    def sources(self) -> Path:
        return self.root / "sources"

    @property
    def exports(self) -> Path:
        return self.root / "exports"

    def chapter(self, chapter_id: str) -> Path:
        return self.root / "chapters" / f"{chapter_id}.json"

    def spare(self, file: Path) -> Path:
        """The place of the state before a file's last write."""
        return self.revisions / file.name

    def read_header(self, file: Path) -> ReadHeader:
        """Raises Unreadable, OSError; ProjectNewer for a newer form of which nothing is understood."""
        data = _object_in(file)
        number = data.get("format")
        if not isinstance(number, int):
            raise Unreadable(file.name)
        try:
            project = from_data(Project, self._migrated(data, number))
        except ValueError as error:
            if number > FORMAT:
                raise ProjectNewer(title=str(data.get("title"))) from error
            raise Unreadable(file.name) from error
        if not all(is_id(chapter.id) for chapter in project.chapters):
            raise Unreadable(file.name)
        return ReadHeader(project, number)

    def read_chapter(self, file: Path) -> ReadChapter:
        """Raises Unreadable, OSError."""
        data = _object_in(file)
        number, revision = data.get("format"), data.get("revision")
        if not isinstance(number, int) or not isinstance(revision, int):
            raise Unreadable(file.name)
        data = self._migrated(data, number)
        try:
            segments = tuple(from_data(TextSegment, one) for one in data["segments"])
        except (ValueError, KeyError, TypeError) as error:
            raise Unreadable(file.name) from error
        if not all(is_id(segment.id) for segment in segments):
            raise Unreadable(file.name)
        return ReadChapter(segments, revision)

    def write_header(self, project: Project) -> None:
        """Raises OSError."""
        data = {"format": FORMAT, **to_data(header_of(project, stamped=True))}
        is_new = not self.header.exists()
        self._keep_spare(self.header)
        write_text(self.header, json.dumps(data, ensure_ascii=False, indent=1))
        if is_new:
            self.renew_spare(self.header)

    def write_chapter(self, chapter: Chapter, revision: int) -> None:
        """Raises OSError."""
        file = self.chapter(chapter.id)
        lines = ",\n".join(map(self._line, chapter.segments))
        start = json.dumps({"format": FORMAT, "chapter": chapter.id, "revision": revision})[:-1]
        is_new = not file.exists()
        self._keep_spare(file)
        write_text(file, f'{start}, "segments": [\n{lines}\n]}}\n')
        if is_new:
            self.renew_spare(file)

    def renew_spare(self, file: Path) -> None:
        """Make the spare copy the same as the file: what lies between them is about to be forgotten. Raises
        OSError."""
        part = part_of(self.spare(file))
        part.parent.mkdir(parents=True, exist_ok=True)
        copy_private(file, part)
        with part.open("rb+") as stream:
            os.fsync(stream.fileno())
        patiently(lambda: part.replace(self.spare(file)))
        sync_folder(self.revisions)

    def put_aside(self, file: Path) -> None:
        """Keep a broken file under another name, so that nothing is written over it."""
        with contextlib.suppress(OSError):
            set_aside(file)

    def _keep_spare(self, file: Path) -> None:
        """Make the file's present state the spare one. A second name of the same bytes is enough: the file itself is
        going to be replaced, not written to."""
        if not file.exists():
            return
        self.revisions.mkdir(parents=True, exist_ok=True)
        part = part_of(self.spare(file))
        try:
            os.link(file, part)
        except OSError:  # disks without second names
            copy_private(file, part)
        patiently(lambda: part.replace(self.spare(file)))

    def _line(self, segment: TextSegment) -> str:
        known = self._lines.get(segment.id)
        if known is not None and known[0] is segment:
            return known[1]
        line = json.dumps(to_data(bare(segment)), ensure_ascii=False)
        self._lines[segment.id] = (segment, line)
        return line

    def _migrated(self, data: dict[str, Any], number: int) -> dict[str, Any]:
        """The data in today's form; that of a newer format as it is, to be read as far as it is understood."""
        while number < FORMAT:
            if number not in self._steps:
                raise Unreadable("format")
            data, number = self._steps[number](data), number + 1
        return data


def keep_source(folder: Path, name: str, content: bytes) -> Path:
    """Keep an imported file under its name, or where that is taken under a numbered one. Raises OSError."""
    make_private(folder)
    plain = Path(safe_name(name))
    number, file = 1, folder / plain
    while file.exists():
        number += 1
        file = folder / f"{plain.stem}-{number}{plain.suffix}"
    with open_private(file, "wb") as stream:
        stream.write(content)
    return file


def safe_name(name: str) -> str:
    """A file's name as a client gave it, without what leads out of a folder or is no name on some system."""
    plain = re.sub(r"[^\w.() -]+", "_", name.replace("\\", "/").rpartition("/")[2]).strip(". ")
    return plain[-120:] or "source"


def _object_in(file: Path) -> dict[str, Any]:
    try:
        data = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise Unreadable(file.name) from error
    if not isinstance(data, dict):
        raise Unreadable(file.name)
    return data
