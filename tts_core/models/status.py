"""The models on disk: state, validation, capabilities, and commands for fetching one by hand.

States are read from the disk at every call; nothing is remembered but hashes. Loads no model and downloads nothing.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tts_core.domain.engine import CancelCheck
from tts_core.domain.errors import Cancelled
from tts_core.domain.events import CheckProgress
from tts_core.domain.values import AUTO_LANGUAGE, Capabilities, Language
from tts_core.models.by_hand import ManualDownload
from tts_core.models.catalogue import CONFIG_FILE, Catalogue, ModelEntry, ModelFile, ModelKind
from tts_core.models.download_report import summary
from tts_core.models.download_task import DownloadTask
from tts_core.models.files.config import PUBLISHED_LANGUAGES, PUBLISHED_SPEAKERS
from tts_core.models.files.content import FileFacts, look_at, unreadable
from tts_core.models.files.findings import NEXT_STEPS, FileProblem, Hint, ModelState, NextStep, Verification
from tts_core.models.files.folders import FoundModel, find_models
from tts_core.models.files.hash_cache import ContentReader, Digest, HashCache
from tts_core.models.files.hints import look_around
from tts_core.models.files.inspection import OWN_FILES, Inspection, inspect
from tts_core.models.files.piper_voices import language_code
from tts_core.models.files.verdict import FolderJudge, loads_anyway
from tts_core.platform.job import JobState

__all__ = [
    "BackgroundCheck",
    "FileProblem",
    "Hint",
    "ModelState",
    "ModelStatus",
    "ModelStatuses",
    "NextStep",
    "Verification",
]

logger = logging.getLogger(__name__)

_BACKGROUND_PAUSE_S = 0.005
"""The pause after each chunk, so that the disk and the processor are free for requests of speech."""
_CLOSE_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """A model as it lies on the disk now."""

    key: str
    entry: ModelEntry
    path: Path
    """The model's folder, whether it exists or not."""
    exists: bool
    state: ModelState
    verification: Verification
    missing: tuple[str, ...]
    """The missing files, paths inside the folder with forward slashes."""
    problems: tuple[FileProblem, ...]
    hints: tuple[Hint, ...]
    extra_files: tuple[str, ...]
    bytes_done: int
    """The bytes of the expected files that need no second download."""
    bytes_total: int
    is_own: bool = False
    """Whether the folder is taken for another model than the published one, such as a fine-tune."""
    download: DownloadTask | None = None
    """The model's newest download since start, finished ones included."""

    @property
    def valid(self) -> bool:
        return self.state is ModelState.READY

    @property
    def next_step(self) -> NextStep:
        """The step the user should take to have this model."""
        if self.valid or self.state in (ModelState.DOWNLOADING, ModelState.WAITING):
            return NextStep.NOTHING
        if by_hint := NEXT_STEPS.keys() & {hint.code for hint in self.hints}:
            return NEXT_STEPS[by_hint.pop()]
        lacks_own = self.is_own and not set(OWN_FILES).isdisjoint(self.missing)
        if (
            lacks_own
            or any(problem.is_own for problem in self.problems)
            or not (self.entry.hf or self.entry.modelscope)
        ):
            return NextStep.COPY
        steps = {ModelState.NOT_DOWNLOADED: NextStep.FETCH, ModelState.INCOMPLETE: NextStep.FETCH_MISSING}
        return steps.get(self.state, NextStep.MEND)

    @property
    def reason_code(self) -> str:
        """The code of why it is incomplete or broken: "paused", a fault's or problem's code, "missing", else ""."""
        task = self.download
        if self.state not in (ModelState.INCOMPLETE, ModelState.ERROR):
            return ""
        if task is not None and task.state in (JobState.PAUSED, JobState.ERROR):
            return task.code or "paused"
        return self.problems[0].code if self.problems else "missing"

    @property
    def reason(self) -> str | None:
        """The reason why the model is incomplete or broken, in English; None if there is nothing to explain."""
        if self.state not in (ModelState.INCOMPLETE, ModelState.ERROR):
            return None
        stopped = (JobState.PAUSED, JobState.ERROR)
        download = [summary(self.download)] if self.download is not None and self.download.state in stopped else []
        return " ".join([*download, self.disk_reason]).strip()

    @property
    def disk_reason(self) -> str:
        """The problems and missing files on the disk, in English; "" if there are none."""
        missing = [f"Missing: {', '.join(self.missing)}."] if self.missing else []
        return " ".join([*(problem.message for problem in self.problems), *missing])


@dataclass(frozen=True, slots=True)
class BackgroundCheck:
    """The progress of the check after start."""

    running: bool = False
    key: str | None = None
    """The model that is being read."""
    done_bytes: int = 0
    total_bytes: int = 0


class ModelStatuses:
    """The statuses of all models. Thread-safe. `task_of` returns a model's download, `part_bytes` the bytes of a
    file's unfinished part, `judge` the engine's verdict about a folder with other files than the published ones."""

    def __init__(
        self,
        catalogue: Catalogue,
        models_dir: Path,
        hash_cache_file: Path,
        task_of: Callable[[str], DownloadTask | None] = lambda _key: None,
        part_bytes: Callable[[ModelEntry, ModelFile], int] = lambda _entry, _file: 0,
        judge: FolderJudge = loads_anyway,
    ) -> None:
        self._judge = judge
        self._task_of = task_of
        self._part_bytes = part_bytes
        self._catalogue = catalogue
        self._models_dir = models_dir.absolute()
        self._hashes = HashCache(hash_cache_file)
        self._background = BackgroundCheck()
        self._closing = threading.Event()
        self._worker: threading.Thread | None = None
        self._worker_lock = threading.Lock()

    def keys(self) -> tuple[str, ...]:
        return self._catalogue.keys()

    def entry(self, key: str) -> ModelEntry:
        """The catalogue's entry of that model. Raises UnknownModelKey."""
        return self._catalogue.entry(key)

    def display_name(self, key: str) -> str:
        """The name for people. Raises UnknownModelKey."""
        return self.entry(key).display_name

    def folder(self, key: str) -> Path:
        """The folder where the model belongs. Raises UnknownModelKey."""
        return self._models_dir / self.entry(key).local

    def status(self, key: str) -> ModelStatus:
        """The model's status, without reading files through: milliseconds. Raises UnknownModelKey."""
        return self._status(self.entry(key), self._neighbours())

    def statuses(self) -> tuple[ModelStatus, ...]:
        """The status of every model, in the catalogue's order."""
        neighbours = self._neighbours()
        return tuple(self._status(entry, neighbours) for entry in self._catalogue.entries())

    def validate(self, key: str, *, deep: bool, cancelled: CancelCheck) -> Iterator[CheckProgress | ModelStatus]:
        """Check one model; the last item is its status. Raises UnknownModelKey at the call, Cancelled on the way.

        A deep check reads every file whose sha256 is not known yet, and yields its progress after each chunk.
        """
        return self._validate(self.entry(key), deep=deep, cancelled=cancelled)

    def files_to_fetch(self, key: str) -> tuple[ModelFile, ...]:
        """The files known to be missing or wrong; none of a usable model, published or not.

        A fine-tune that lacks files needs only those; its own files are left alone. Raises UnknownModelKey.
        """
        found = self._inspect(self.entry(key))
        if found.state is ModelState.READY:
            return ()
        bad = {*found.missing, *(problem.file for problem in found.problems if not problem.is_own)}
        if found.differing:
            bad -= set(OWN_FILES)
            return tuple(fact.file for fact in found.facts if fact.file.path in bad)
        # With another kind of model's config here, no other file can be told from that model's.
        return tuple(fact.file for fact in found.facts if fact.file.path in bad or fact.differs)

    def held_bytes(self, key: str) -> dict[str, int]:
        """The bytes of each expected file known to need no fetching. Raises UnknownModelKey."""
        entry = self.entry(key)
        wanted = {file.path for file in self.files_to_fetch(key)}
        return {
            fact.file.path: (
                self._part_bytes(entry, fact.file) if fact.file.path in wanted else min(fact.size, fact.file.size)
            )
            for fact in self._inspect(entry).facts
        }

    def remember(self, key: str, file: ModelFile, sha256: str) -> None:
        """Remember the content of a file in the model's folder, which has just been read through."""
        path = self.folder(key) / file.path
        try:
            self._hashes.put(path, path.stat(), Digest(sha256, has_zero_block=False))
        except OSError as error:
            logger.warning("model file %s can't be looked at: %s", path, error)

    def capabilities(self, key: str) -> Capabilities:
        """The capabilities by the folder's config.json if it fits or is the published one, else as published.

        Raises UnknownModelKey.
        """
        entry = self.entry(key)
        if entry.kind is ModelKind.HIBARI:
            return Capabilities((Language(AUTO_LANGUAGE, "Auto"), Language("en", "English")), supports_speed=True)
        if entry.kind is ModelKind.PIPER:
            codes = {language_code(Path(path).stem.removesuffix(".onnx")) for path in entry.inference_files}
            spoken = [Language(code, code) for code in sorted(filter(None, codes))]
            return Capabilities((Language(AUTO_LANGUAGE, "Auto"), *spoken), supports_speed=True)
        if not entry.kind.speaks:
            return Capabilities(languages=())
        found = next(file for file in entry.files if file.path == CONFIG_FILE)
        fact = look_at(self.folder(key), found, self._hashes)
        config = fact.config if fact.config and (fact.is_published or fact.config.fits(entry)) else None
        languages = (config.languages if config else ()) or PUBLISHED_LANGUAGES
        published_speakers = PUBLISHED_SPEAKERS if entry.kind is ModelKind.CUSTOM_VOICE else ()
        obeys = entry.kind is ModelKind.VOICE_DESIGN or (entry.kind is ModelKind.CUSTOM_VOICE and entry.size == "1.7B")
        return Capabilities(
            languages=tuple(Language(code, code.title()) for code in (AUTO_LANGUAGE, *languages)),
            speakers=config.speakers if config else published_speakers,
            supports_instruct=config.obeys_instruct if config else obeys,
            supports_sampling=True,
            can_clone=entry.kind is ModelKind.BASE,
            can_design=entry.kind is ModelKind.VOICE_DESIGN,
        )

    def manual_download(self, key: str) -> ManualDownload:
        """The commands that fetch the model by hand. Raises UnknownModelKey."""
        return ManualDownload.of(self.entry(key), self.folder(key))

    @property
    def background(self) -> BackgroundCheck:
        return self._background

    def start_background_check(self) -> None:
        """Read each ready model whose content is not known through, in a thread of its own; one check at a time."""
        with self._worker_lock:
            if self._worker is not None and self._worker.is_alive():
                return
            self._closing.clear()
            self._background = BackgroundCheck(running=True)
            self._worker = threading.Thread(target=self._check_all, name="model-check", daemon=True)
            self._worker.start()

    def close(self) -> None:
        """Stop the background check; the hashes it has found stay known."""
        with self._worker_lock:
            self._closing.set()
            if self._worker is not None:
                self._worker.join(_CLOSE_TIMEOUT_S)

    def _neighbours(self) -> tuple[FoundModel, ...]:
        return find_models(self._models_dir, skip=frozenset(entry.local for entry in self._catalogue.entries()))

    def _status(
        self, entry: ModelEntry, neighbours: Sequence[FoundModel], read_errors: tuple[FileProblem, ...] = ()
    ) -> ModelStatus:
        folder = self._models_dir / entry.local
        found = inspect(entry, folder, self._hashes, read_errors=read_errors, judge=self._judge)
        around = look_around(entry, folder, found, neighbours=neighbours, models_dir=self._models_dir)
        status = ModelStatus(
            key=entry.key,
            entry=entry,
            path=folder,
            exists=os.path.isdir(folder),  # noqa: PTH112 - Path.is_dir raises where permission is refused
            state=found.state,
            verification=found.verification,
            missing=found.missing,
            problems=found.problems,
            hints=around.hints,
            extra_files=around.extra_files,
            bytes_done=found.bytes_done,
            bytes_total=entry.total_bytes,
            is_own=bool(found.differing),
            download=self._task_of(entry.key),
        )
        return _with_download(status, self._bytes_with_parts(entry, found))

    def _bytes_with_parts(self, entry: ModelEntry, found: Inspection) -> int:
        """The bytes of the model that are there; a file counts by its content in place, else by its unfinished part.

        The parts of a model of which nothing is in place count once it was asked for: another model may have left them.
        """
        is_begun = found.state is ModelState.NOT_DOWNLOADED and self._task_of(entry.key) is not None
        if found.state not in (ModelState.INCOMPLETE, ModelState.ERROR) and not is_begun:
            return found.bytes_done
        return sum(fact.bytes_done or self._part_bytes(entry, fact.file) for fact in found.facts)

    def _inspect(self, entry: ModelEntry) -> Inspection:
        return inspect(entry, self._models_dir / entry.local, self._hashes, judge=self._judge)

    def _validate(
        self, entry: ModelEntry, *, deep: bool, cancelled: CancelCheck
    ) -> Iterator[CheckProgress | ModelStatus]:
        if cancelled():
            raise Cancelled
        read_errors: list[FileProblem] = []
        if deep:
            yield from self._read_through(self._inspect(entry).unread, read_errors, cancelled=cancelled)
        yield self._status(entry, self._neighbours(), tuple(read_errors))

    def _read_through(
        self, unread: Sequence[FileFacts], read_errors: list[FileProblem], *, cancelled: CancelCheck
    ) -> Iterator[CheckProgress]:
        total = sum(facts.size for facts in unread)
        done_before = 0
        for facts in unread:
            path, reader, read = facts.path, ContentReader(facts.path), 0
            try:
                for chunk_bytes in reader.chunk_sizes():
                    # A file may grow meanwhile; progress never runs ahead of what was announced.
                    read = min(read + chunk_bytes, facts.size)
                    yield CheckProgress(facts.file.path, done_before + read, total)
                    if cancelled():
                        raise Cancelled
                now = path.stat()
            except OSError as error:
                logger.warning("model file %s can't be read: %s", path, error)
                read_errors.append(unreadable(facts.file, error))
            else:
                if facts.found is not None and _is_same_content(facts.found, now):
                    self._hashes.put(path, now, reader.digest())
            done_before += facts.size

    def _check_all(self) -> None:
        try:
            for key in self.keys():
                if self._closing.is_set():
                    return
                self._check(key)
        except Cancelled:
            logger.info("model check stopped")
        finally:
            self._background = BackgroundCheck()

    def _check(self, key: str) -> None:
        try:
            entry = self.entry(key)
            found = self._inspect(entry)
            if found.state is not ModelState.READY or not found.unread:
                return
            for event in self._validate(entry, deep=True, cancelled=self._closing.is_set):
                if isinstance(event, CheckProgress):
                    self._background = BackgroundCheck(True, key, event.done_bytes, event.total_bytes)
                    self._closing.wait(_BACKGROUND_PAUSE_S)
                else:
                    logger.info("model %s checked: %s, %s", key, event.state.value, event.verification.value)
        except Cancelled:
            raise
        except Exception:
            logger.exception("model %s could not be checked", key)


def _with_download(status: ModelStatus, bytes_done: int) -> ModelStatus:
    """The disk's status changed by a download's state; a usable model is ready whatever its download does."""
    task = status.download
    if task is None or status.valid:
        return replace(status, bytes_done=bytes_done)
    match task.state:
        case JobState.WAITING:
            return replace(status, state=ModelState.WAITING, bytes_done=task.bytes_done)
        case JobState.RUNNING:
            return replace(status, state=ModelState.DOWNLOADING, bytes_done=task.bytes_done)
        case JobState.PAUSED:
            return replace(status, state=ModelState.INCOMPLETE, bytes_done=task.bytes_done)
        case JobState.ERROR if status.state is ModelState.NOT_DOWNLOADED:
            return replace(status, state=ModelState.ERROR)
    return replace(status, bytes_done=bytes_done)


def _is_same_content(before: os.stat_result, now: os.stat_result) -> bool:
    return (before.st_size, before.st_mtime_ns, before.st_ino) == (now.st_size, now.st_mtime_ns, now.st_ino)
