"""The store: every use case around a model's files that is neither downloading nor speaking."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tts_core.domain.engine import CancelCheck, never
from tts_core.domain.errors import Cancelled, ModelNotReady
from tts_core.models.catalogue import Catalogue, ModelEntry, ModelFile
from tts_core.models.download_faults import Interrupted
from tts_core.models.downloads.disk import check_space, disk_faults
from tts_core.models.downloads.existing import CopyPlaces
from tts_core.models.downloads.folder_lock import FolderLock
from tts_core.models.downloads.hub import Hub
from tts_core.models.downloads.queue import Downloads
from tts_core.models.downloads.transfer.part_file import PartStore
from tts_core.models.files.findings import ModelState
from tts_core.models.files.folders import find_models
from tts_core.models.files.hash_cache import HashCache
from tts_core.models.memory import ModelMemory
from tts_core.models.status import ModelStatus, ModelStatuses
from tts_core.models.store import deletion, exchange, leftovers, updates
from tts_core.models.store.faults import DownloadsRunning, FolderNotThere, ModelDownloading, ModelNotThere, StoreBusy
from tts_core.models.store.files import absolute
from tts_core.models.store.move_journal import read_journal
from tts_core.models.store.moving import FolderMove
from tts_core.models.store.reports import (
    Cleaned,
    Exported,
    Imported,
    Leftover,
    Moved,
    MovePlan,
    Progress,
    Removal,
    StoreProgress,
    UpdateReport,
)
from tts_core.platform.settings.preferences import MODELS_DIR_VARIABLE, PreferencesFile
from tts_core.platform.settings.studio import Settings

WAIT_S = 3.0
"""The wait for a short change of another thread, or the last bytes of a paused download; a longer one raises an
error."""
_TRY_AGAIN_S = 0.02


def ignore(_progress: StoreProgress) -> None:
    """A `progress` for callers who show nothing."""


class ModelFolders:
    """The use cases of the store. Thread-safe: changes come one after another.

    Methods that take a key raise UnknownModelKey; those that change something also DiskFault and StoreBusy. `progress`
    is called in the caller's thread; a cancelled call raises Cancelled, and the same call later goes on where it was.
    """

    def __init__(
        self,
        settings: Settings,
        catalogue: Catalogue,
        models: ModelStatuses,
        memory: ModelMemory,
        downloads: Downloads,
        hubs: Callable[[], Sequence[Hub]],
        wait_s: float = WAIT_S,
    ) -> None:
        self._settings = settings
        self._catalogue = catalogue
        self._models = models
        self._memory = memory
        self._downloads = downloads
        self._hubs = hubs
        self._wait_s = wait_s
        self._changing = threading.Lock()
        self._parts = PartStore(settings.paths.parts_dir)

    def removal(self, key: str) -> Removal:
        """The files that deleting the model would take away. Raises ModelNotThere."""
        entry, folder = self._models.entry(key), self._models.folder(key)
        needing = [status.entry for status in self._models.statuses() if status.key != key and _is_begun(status)]
        removal = deletion.plan_removal(entry, folder, self._parts, deletion.part_names(needing))
        if not removal.files:
            raise ModelNotThere(key=key, folder=str(folder))
        return removal

    def delete(self, key: str) -> Removal:
        """Remove the model's files, unfinished ones included; other files in its folder stay and are named.

        Raises ModelNotThere, ModelInUse (in memory: ModelInMemory, being downloaded: ModelDownloading).
        """
        self.removal(key)  # where nothing is there, nothing is locked or made
        with self._alone(), self._memory.keep_out([self._models.folder(key)]), self._nobody_downloads(key):
            removal = self.removal(key)
            self._downloads.cancel(key)  # a paused or failed task would go on showing for a model that is gone
            deletion.remove(removal, self._parts)
            return removal

    @contextmanager
    def filling(self, key: str) -> Iterator[Path]:
        """Keep everybody else from the model's folder while files are put into it. Yields it.

        Raises ModelInUse, also for a model that is being downloaded.
        """
        folder = self._models.folder(key)
        with self._alone(), self._memory.keep_out([folder]), self._nobody_downloads(key):
            yield folder

    def move(self, target: Path, progress: Progress = ignore, cancelled: CancelCheck = never) -> Moved:
        """Move all models to another folder and have the studio use that from its next start on.

        Raises FolderUnusable, PlaceTaken, MoveUnfinished, SourceDamaged, ModelInUse, DownloadsRunning and
        PreferencesUnwritable. Where an environment variable names the folder, the result says that it must be changed.
        """
        paths = self._settings.paths
        with self._alone(), self._memory.keep_out([*map(self._models.folder, self._models.keys())]):
            move = FolderMove(paths.move_file, HashCache(paths.hash_cache_file))
            journal = move.prepare(paths.models_dir, target, self._names_that_move())
            with self._nobody_downloads(None, journal.source / paths.parts_dir.name):
                move.transfer(journal, progress, cancelled)
                if MODELS_DIR_VARIABLE not in self._settings.fixed:
                    chosen = None if journal.target == paths.default_models_dir else journal.target
                    PreferencesFile(paths.preferences_file).change(lambda now: replace(now, models_dir=chosen))
                move.finish(journal)
            left = move.left_behind(journal)
        variable = MODELS_DIR_VARIABLE if MODELS_DIR_VARIABLE in self._settings.fixed else ""
        return Moved(journal.source, journal.target, left, variable)

    def plan_move(self, target: Path) -> MovePlan:
        """The plan of a `move` there; changes nothing. Raises FolderUnusable, PlaceTaken, MoveUnfinished, DiskFault."""
        paths = self._settings.paths
        move = FolderMove(paths.move_file, HashCache(paths.hash_cache_file))
        with disk_faults(target):
            return move.plan(move.prepare(paths.models_dir, target, self._names_that_move()))

    def unfinished_move(self) -> Path | None:
        """The target of a move of the models folder that ended too early; `move` there goes on. None without one."""
        journal = read_journal(self._settings.paths.move_file)
        return journal.target if journal is not None and journal.is_begun else None

    def export(self, key: str, folder: Path, progress: Progress = ignore, cancelled: CancelCheck = never) -> Exported:
        """Copy a complete model and a manifest to a folder in `folder`, for a machine without network.

        Raises ModelNotReady, FolderUnusable, PlaceTaken and SourceDamaged.
        """
        status = self._models.status(key)
        if not status.valid:
            raise ModelNotReady(name=status.entry.display_name)
        return exchange.export_model(self._models.entry(key), self._models.folder(key), folder, progress, cancelled)

    def import_from(
        self, key: str, folder: Path, progress: Progress = ignore, cancelled: CancelCheck = never
    ) -> Imported:
        """Take over the model's files from a folder of any layout: an export, a hub's cache, a flat copy.

        Only files with the published sha256 are taken; the folder is not changed, and a complete model is not touched.
        Raises FolderNotThere and ModelDownloading.
        """
        entry, target = self._models.entry(key), self._models.folder(key)
        folder = absolute(folder)
        if not folder.is_dir():
            raise FolderNotThere(folder=str(folder))
        with self._alone(), self._nobody_downloads(key):
            status = self._models.status(key)
            if status.valid:
                return Imported(key, target, (), (), was_ready=True)
            adopted: list[str] = []
            while wanted := [file for file in _wanted(status) if file.path not in adopted]:
                self._check_room(target, folder, wanted)
                taken = self._adopt(entry, wanted, folder, progress, cancelled)
                adopted += taken
                status = self._read_through(key, progress, cancelled)
                if not taken:
                    break
        return Imported(key, target, tuple(adopted), tuple(file.path for file in _wanted(status)))

    def updates(self, keys: Sequence[str] = (), *, cancelled: CancelCheck = never) -> Iterator[UpdateReport]:
        """The hubs' newest versions of these models, or of all; asks the network. Raises Offline, InvalidSetting where
        a source's address can't be used, and Cancelled."""
        entries = [self._models.entry(key) for key in keys or self._models.keys()]
        is_offline = self._settings.sources.offline
        if not is_offline:
            self._settings.sources.check()
        return updates.check_updates(entries, self._hubs(), is_offline=is_offline, cancelled=cancelled)

    def leftovers(self) -> tuple[Leftover, ...]:
        """The files that could be cleaned up; removes nothing."""
        unfinished = [status.entry for status in self._models.statuses() if not status.valid]
        needed = deletion.part_names(unfinished)
        models_dir = self._settings.paths.models_dir
        return tuple(leftovers.find_leftovers(self._catalogue, models_dir, self._parts, needed))

    def clean(self, listed: Sequence[Leftover]) -> Cleaned:
        """Remove files that `leftovers` listed, unless changed since or still needed. Raises DownloadsRunning."""
        with self._alone(), self._nobody_downloads(None):
            return leftovers.remove_leftovers(tuple(listed), self.leftovers(), self._parts)

    def _names_that_move(self) -> tuple[str, ...]:
        """The names of folders in the models folder that move: known models, other models, parts. A person may have
        chosen a folder that holds more than models."""
        paths = self._settings.paths
        known = [entry.local for entry in self._catalogue.entries()]
        found = [model.path.name for model in find_models(paths.models_dir) if model.path.parent == paths.models_dir]
        return tuple(dict.fromkeys([paths.parts_dir.name, *known, *found]))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._changing.acquire(timeout=self._wait_s):
            raise StoreBusy
        try:
            yield
        finally:
            self._changing.release()

    @contextmanager
    def _nobody_downloads(self, key: str | None, parts_dir: Path | None = None) -> Iterator[None]:
        """Keep every process from downloading this model (None: any model) meanwhile.

        Raises ModelDownloading, DownloadsRunning.
        """
        folder = parts_dir or self._settings.paths.parts_dir
        if key is None and any(task.state.is_active for task in self._downloads.tasks()):
            raise DownloadsRunning(folder=str(folder.parent), pid=os.getpid())
        task = self._downloads.task(key) if key else None
        if task is not None and task.state.is_active:
            raise ModelDownloading(key=task.subject)
        lock = FolderLock(folder)
        is_ours = self._take(lock, key, folder.parent)
        try:
            yield
        finally:
            if is_ours:
                lock.release()

    def _take(self, lock: FolderLock, key: str | None, folder: Path) -> bool:
        """Take the lock; False where another model is being fetched, which touches none of this one's files."""
        deadline = time.monotonic() + self._wait_s
        while not lock.take():
            owner = lock.owner()
            if owner is not None and key not in (None, owner.task.subject):
                return False
            # A download of this process that was paused still writes its last bytes.
            is_ending = owner is None or owner.pid == os.getpid()
            if is_ending and time.monotonic() < deadline:
                time.sleep(_TRY_AGAIN_S)
            elif owner is None:
                raise StoreBusy
            elif key is None:
                raise DownloadsRunning(folder=str(folder), pid=owner.pid)
            else:
                raise ModelDownloading(key=key)
        return True

    def _check_room(self, target: Path, source: Path, wanted: Sequence[ModelFile]) -> None:
        """Check the room for copies; files on the same volume are linked and need none."""
        existing = next(path for path in (target, *target.parents) if path.exists())
        if existing.stat().st_dev != source.stat().st_dev:
            check_space(target, sum(file.size for file in wanted))

    def _adopt(
        self, entry: ModelEntry, wanted: Sequence[ModelFile], folder: Path, progress: Progress, cancelled: CancelCheck
    ) -> tuple[str, ...]:
        places = CopyPlaces(self._settings.paths.models_dir, self._catalogue.entries(), folders=(folder,))
        try:
            return exchange.adopt_files(entry, wanted, self._models.folder(entry.key), places, progress, cancelled)
        except Interrupted as stopped:
            raise Cancelled from stopped

    def _read_through(self, key: str, progress: Progress, cancelled: CancelCheck) -> ModelStatus:
        for step in self._models.validate(key, deep=True, cancelled=cancelled):
            if isinstance(step, ModelStatus):
                return step
            progress(StoreProgress(step.file, step.done_bytes, step.total_bytes))
        raise Cancelled


def _is_begun(status: ModelStatus) -> bool:
    return status.state not in (ModelState.READY, ModelState.NOT_DOWNLOADED)


def _wanted(status: ModelStatus) -> list[ModelFile]:
    lacking = {*status.missing, *(problem.file for problem in status.problems if not problem.is_own)}
    return [file for file in status.entry.files if file.path in lacking]
