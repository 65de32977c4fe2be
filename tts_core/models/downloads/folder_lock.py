"""The lock of a models folder: one process at a time transfers into it, and the others can read its progress.

The lock is the operating system's (it ends with its holder, kill -9 included); `owner.json` beside it only informs.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from tts_core.models.download_task import DownloadTask
from tts_core.models.downloads.disk import disk_fault
from tts_core.models.downloads.task_json import task_from_json, task_to_json

logger = logging.getLogger(__name__)

_REPORT_EVERY_S = 1.0
_MAX_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Owner:
    pid: int
    host: str
    task: DownloadTask
    """The task as its process reported it last, a second ago at most while all is well."""


class FolderLock:
    """A lock for one thread. `folder`, which holds the parts, is made when the lock is first taken."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "owner.json"
        self._lock: FileLock | None = None
        self._reported_at = 0.0

    def take(self) -> bool:
        """Try once to take the lock; False if another process has it. Raises DiskFault."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if self._lock is None:
                self._lock = FileLock(self._folder / "lock", thread_local=False)
            self._lock.acquire(timeout=0)
        except Timeout:
            return False
        except OSError as error:
            raise disk_fault(error, self._file) from error
        self._reported_at = 0.0
        return True

    def release(self) -> None:
        """Release the lock; harmless when it is not held."""
        if self._lock is not None and self._lock.is_locked:
            with suppress(OSError):
                self._file.unlink(missing_ok=True)
            self._lock.release()

    def report(self, task: DownloadTask) -> None:
        """Report the task to other processes, once a second at most. Only the holder calls this."""
        now = time.monotonic()
        if now - self._reported_at < _REPORT_EVERY_S or self._lock is None or not self._lock.is_locked:
            return
        self._reported_at = now
        part = self._folder / f".owner.{uuid.uuid4().hex}.part"
        report = {"pid": os.getpid(), "host": socket.gethostname(), "key": task.subject, "task": task_to_json(task)}
        try:
            part.write_text(json.dumps(report), encoding="utf-8")
            part.replace(self._file)
        except OSError as error:  # a full disk, or a reader on Windows: the numbers are only news
            logger.debug("owner.json can't be written: %s", error)
            with suppress(OSError):
                part.unlink(missing_ok=True)

    def owner(self) -> Owner | None:
        """The holder's last report, None if there is none (yet)."""
        try:
            with self._file.open("rb") as stream:
                fields = json.loads(stream.read(_MAX_BYTES))
            return Owner(int(fields["pid"]), str(fields["host"]), task_from_json(fields["task"]))
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None
