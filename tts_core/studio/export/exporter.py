"""Exports in the background: a joined file in the project's folder, kept for a week."""

from __future__ import annotations

import contextlib
import json
import logging
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event, Lock, Thread

from tts_core.domain.errors import Cancelled, StudioError
from tts_core.platform.job import JobKind
from tts_core.platform.jobs import Jobs
from tts_core.platform.whole_files import write_json
from tts_core.studio.disk.journal import now
from tts_core.studio.export.assembly import Assembly, JoinChoices, assembled
from tts_core.studio.export.joined import join_format, write_joined
from tts_core.studio.faults import UnknownExport
from tts_core.studio.projects import Projects
from tts_core.studio.speaking import VoiceFacts

logger = logging.getLogger(__name__)

KEEP_DAYS = 7
_ID = re.compile(r"[0-9a-f]{16}")
_MAKING, _DONE, _FAILED, _STOPPED = "making", "done", "failed", "stopped"
_UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f]+')
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")


@dataclass(frozen=True, slots=True)
class ExportRecord:
    """An export: in the making, done, or failed."""

    id: str
    format: str
    name: str
    """The name of the file that people download."""
    created_at: str
    state: str = _MAKING
    percent: float = 0.0
    size_bytes: int = 0
    duration_s: float = 0.0
    missing: tuple[str, ...] = ()
    """The segments that have no take and are left out, or are silence."""
    code: str = ""
    message: str = ""

    @property
    def file(self) -> str:
        """The name of its file in the project's folder of exports."""
        return f"{self.id}.{self.format}"


@dataclass(slots=True)
class _Work:
    """An export that is being made."""

    record: ExportRecord
    stop: Event = field(default_factory=Event)
    thread: Thread | None = None


class Exporter:
    """Thread-safe. Methods that take a project's id raise UnknownProject."""

    def __init__(self, projects: Projects, voices: VoiceFacts, jobs: Jobs) -> None:
        self._projects = projects
        self._voices = voices
        self._jobs = jobs
        self._lock = Lock()
        self._works: dict[tuple[str, str], _Work] = {}

    def assemble(self, project_id: str, choices: JoinChoices) -> Assembly:
        """The pieces of a file as they are now. Raises UnsupportedFormat, SegmentsMissing, NothingToExport."""
        join_format(choices.format)
        return assembled(self._projects.open(project_id), choices, self._voices)

    def start(self, project_id: str, choices: JoinChoices) -> ExportRecord:
        """Begin to make a file. Raises as `assemble`."""
        assembly = self.assemble(project_id, choices)
        project = self._projects.open(project_id)
        self._clear_old(project.folder.exports)
        name = f"{safe_title(choices.name or project.project.title)}.{choices.format}"
        record = ExportRecord(secrets.token_hex(8), choices.format, name, now(), missing=assembly.missing)
        work = _Work(record)
        with self._lock:
            self._works[project_id, record.id] = work
        work.thread = Thread(target=self._make, args=(project_id, work, assembly), name="studio-export", daemon=True)
        work.thread.start()
        return record

    def find(self, project_id: str, export_id: str) -> ExportRecord:
        """Raises UnknownExport."""
        with self._lock:
            work = self._works.get((project_id, export_id))
        if work is not None:
            return work.record
        record = _read(self._folder(project_id), export_id) if _ID.fullmatch(export_id) else None
        if record is None:
            raise UnknownExport(export=export_id)
        return record

    def list(self, project_id: str) -> tuple[ExportRecord, ...]:
        """The exports, newest first."""
        folder = self._folder(project_id)
        names = [file.stem for file in folder.glob("*.json")] if folder.is_dir() else []
        found = {record.id: record for name in names if (record := _read(folder, name)) is not None}
        with self._lock:
            found.update({key[1]: work.record for key, work in self._works.items() if key[0] == project_id})
        return tuple(sorted(found.values(), key=lambda record: record.created_at, reverse=True))

    def path(self, project_id: str, export_id: str) -> Path:
        """The finished file. Raises UnknownExport."""
        record = self.find(project_id, export_id)
        path = self._folder(project_id) / record.file
        if record.state != _DONE or not path.is_file():
            raise UnknownExport(export=export_id)
        return path

    def wait(self, project_id: str, export_id: str) -> ExportRecord:
        """The export once it has ended."""
        with self._lock:
            work = self._works.get((project_id, export_id))
        if work is not None and work.thread is not None:
            work.thread.join()
        return self.find(project_id, export_id)

    def close(self) -> None:
        """Stop what is being made; a half file goes."""
        with self._lock:
            works = list(self._works.values())
        for work in works:
            work.stop.set()
        for work in works:
            if work.thread is not None:
                work.thread.join()

    def _make(self, project_id: str, work: _Work, assembly: Assembly) -> None:
        record = work.record
        try:
            with (
                self._projects.holding(project_id) as project,
                self._jobs.watch(JobKind.PROJECT_EXPORT, project_id, work.stop) as job,
            ):
                path = project.folder.exports / record.file

                def progress(percent: float) -> None:
                    work.record = replace(work.record, percent=round(percent, 1))
                    job.say("joining", percent)

                made = write_joined(assembly, path, record.format, cancelled=work.stop.is_set, progress=progress)
                size = path.stat().st_size
                done = replace(work.record, state=_DONE, percent=100.0, size_bytes=size, duration_s=made.duration_s)
                write_json(path.with_suffix(".json"), _as_json(done))
                job.result = {"export_id": record.id, "format": record.format, "duration_seconds": made.duration_s}
                work.record = done
        except Cancelled:
            work.record = replace(work.record, state=_STOPPED)
        except StudioError as error:
            work.record = replace(work.record, state=_FAILED, code=error.code, message=error.message)
        except Exception:
            logger.exception("an export broke")
            error = StudioError()
            work.record = replace(work.record, state=_FAILED, code=error.code, message=error.message)

    def _folder(self, project_id: str) -> Path:
        return self._projects.open(project_id).folder.exports

    def _clear_old(self, folder: Path) -> None:
        """Remove the files that are older than a week."""
        oldest = time.time() - KEEP_DAYS * 24 * 3600
        for file in folder.iterdir() if folder.is_dir() else ():
            with contextlib.suppress(OSError):
                if _ID.fullmatch(file.name[:16]) and file.stat().st_mtime < oldest:
                    file.unlink()


def safe_title(title: str) -> str:
    """A title as the name of a file that every system takes."""
    plain = " ".join(_UNSAFE.sub(" ", title).split()).strip(" .")[:100].strip(" .")
    return f"_{plain}" if _RESERVED.fullmatch(plain) else plain or "export"


def _as_json(record: ExportRecord) -> Mapping[str, object]:
    return {
        "id": record.id,
        "format": record.format,
        "name": record.name,
        "created_at": record.created_at,
        "size_bytes": record.size_bytes,
        "duration_s": record.duration_s,
        "missing": list(record.missing),
    }


def _read(folder: Path, export_id: str) -> ExportRecord | None:
    """The record of a finished export; None where its file or its facts are not there any more."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        data = json.loads((folder / f"{export_id}.json").read_bytes())
        record = ExportRecord(
            id=export_id,
            format=str(data["format"]),
            name=str(data["name"]),
            created_at=str(data["created_at"]),
            state=_DONE,
            percent=100.0,
            size_bytes=int(data["size_bytes"]),
            duration_s=float(data["duration_s"]),
            missing=tuple(map(str, data["missing"])),
        )
        return record if (folder / record.file).is_file() else None
    return None
