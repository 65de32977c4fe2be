"""The list of downloads that have not come to an end, so that it outlives the app."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tts_core.models.download_task import DownloadTask
from tts_core.models.downloads.task_json import task_from_json, task_to_json
from tts_core.platform.whole_files import write_json

logger = logging.getLogger(__name__)

_MAX_BYTES = 5_000_000


class QueueFile:
    """Replaced whole at each save; one that can't be read is kept under another name. Thread-safe."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()

    def read(self) -> tuple[DownloadTask, ...]:
        """In the order of the queue; () if there is no file or it can't be used."""
        try:
            with self._file.open("rb") as stream:
                data = json.loads(stream.read(_MAX_BYTES))
            return tuple(task_from_json(fields) for fields in data["tasks"])
        except FileNotFoundError:
            return ()
        except OSError as error:
            logger.warning("the list of downloads can't be read: %s", error)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            logger.warning("the list of downloads is broken and set aside: %s", error)
            with suppress(OSError):
                self._file.replace(self._file.with_name(f"{self._file.name}.broken"))
        return ()

    def write(self, tasks: Sequence[DownloadTask]) -> None:
        """A list that can't be written costs a click after the next start, so it is no error."""
        data = {"version": 1, "tasks": [task_to_json(task) for task in tasks]}
        with self._lock:
            try:
                write_json(self._file, data)
            except OSError as error:
                logger.warning("the list of downloads can't be written: %s", error)
