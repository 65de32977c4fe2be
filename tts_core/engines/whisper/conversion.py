"""Use case: make a model of one that lies here in the form that earlier versions used. Nothing is downloaded.

job = services.conversion.start(services.jobs, "whisper_small")
services.conversion.convert("whisper_small")
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tts_core.domain.engine import CancelCheck, never
from tts_core.domain.errors import Cancelled
from tts_core.engines.faults import ConversionFailed, NothingToConvert
from tts_core.engines.whisper.transcriber import Say, say_nothing
from tts_core.models.catalogue import VOCABULARY_FILES, WEIGHTS_FILE, WHISPER_WEIGHTS_FILE
from tts_core.models.downloads.disk import check_space
from tts_core.models.files.ctranslate2_file import parameters
from tts_core.models.files.hints import older_form
from tts_core.models.status import ModelStatus, ModelStatuses
from tts_core.models.store.store import ModelFolders
from tts_core.platform.job import Job, JobKind, JobRun
from tts_core.platform.jobs import Jobs
from tts_core.platform.paths import ROOT_DIR

CONVERTING = "convert"
"""The only phase."""
_BEGUN, _WRITTEN = 5.0, 95.0
"""Percent while the model is read, and when it is written."""
_POLL_S = 0.2


class WhisperConversion:
    """Converts models, in another process each. Thread-safe."""

    def __init__(self, models: ModelStatuses, store: ModelFolders) -> None:
        self._models = models
        self._store = store

    def start(self, jobs: Jobs, key: str) -> Job:
        """Convert as a job; one that is under way is joined. Raises UnknownModelKey and NothingToConvert at once."""
        running = active_conversion(jobs, key)
        if running is not None:
            return running
        self._source(key)
        return jobs.submit(JobKind.CONVERSION, key)

    def do(self, run: JobRun) -> Mapping[str, Any]:
        """Do the work of a job that `start` has queued."""
        key = run.subject
        source = self._source(key)
        self.convert(key, run.cancelled, run.say)
        return {"model_key": key, "source": source.name}

    def convert(self, key: str, cancelled: CancelCheck = never, say: Say = say_nothing) -> ModelStatus:
        """Put the model into its folder; the older one stays where it is, untouched.

        Raises UnknownModelKey, NothingToConvert, ConversionFailed, DiskFault, ModelInUse and Cancelled, leaving
        nothing behind.
        """
        source, folder = self._source(key), self._models.folder(key)
        size = (source / WEIGHTS_FILE).stat().st_size
        check_space(folder, size)
        files = {file.path for file in self._models.entry(key).files}
        vocabulary = next(name for name in VOCABULARY_FILES if name in files)
        made = folder.with_name(f".{folder.name}.converting")
        try:
            shutil.rmtree(made, ignore_errors=True)  # of a process that was killed
            _run(source, made, vocabulary, lambda: say(CONVERTING, _percent(made, size)), cancelled)
            with self._store.filling(key):
                _put(made, folder)
        except (OSError, ValueError) as error:
            raise ConversionFailed(folder=str(source), reason=_one_line(str(error))) from error
        finally:
            shutil.rmtree(made, ignore_errors=True)
        return self._models.status(key)

    def _source(self, key: str) -> Path:
        status = self._models.status(key)
        found = older_form(status.hints)
        if found is None:
            raise NothingToConvert(name=status.entry.display_name)
        return found


def active_conversion(jobs: Jobs, key: str) -> Job | None:
    """The conversion of that model that waits or runs; None if there is none."""
    mine = (job for job in jobs.jobs() if job.kind is JobKind.CONVERSION and job.subject == key)
    return next((job for job in mine if job.state.is_active), None)


def _run(source: Path, target: Path, vocabulary: str, report: Callable[[], None], cancelled: CancelCheck) -> None:
    """Run the converter to its end. Raises Cancelled, OSError, and ValueError with the reason of a failure."""
    command = [sys.executable, "-m", "tts_core.engines.whisper.converter", str(source), str(target), vocabulary]
    report()
    process = subprocess.Popen(  # noqa: S603 - our own module
        command, cwd=ROOT_DIR, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace"
    )
    try:
        while True:
            with suppress(subprocess.TimeoutExpired):
                _, words = process.communicate(timeout=_POLL_S)
                break
            if cancelled():
                raise Cancelled
            report()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    if process.returncode:
        raise ValueError((words.strip().splitlines() or [f"it ended with status {process.returncode}"])[-1])
    parameters(target / WHISPER_WEIGHTS_FILE)


def _percent(made: Path, size: int) -> float:
    """The percent done: half precision takes half of the source's bytes where those are of full precision."""
    try:
        written = (made / WHISPER_WEIGHTS_FILE).stat().st_size
    except OSError:
        return _BEGUN
    return _BEGUN + (_WRITTEN - _BEGUN) * min(1.0, 2 * written / max(1, size))


def _put(made: Path, folder: Path) -> None:
    """Move the files into the model's folder, the config last: by it others know the model."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in sorted(made.iterdir(), key=lambda file: file.name == "config.json"):
        file.replace(folder / file.name)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]
