"""Models in memory: each is loaded once however many ask, kept for a while, and unloaded when room is needed.

    memory = ModelMemory(keep_alive_s=300.0, budget_bytes=lambda: 8_000_000_000)
    voices = ModelCache(memory, ModelLoader("piper", load=load_voice, files=path_of))
    with voices.lease("en_US-amy-medium") as model:
        model.speak(...)

Models of all kinds share one memory with one budget; each engine sees those of its own kind, as a `ModelCache`. It
knows neither torch nor Qwen: whatever has `memory_bytes` and `close` can be kept.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic

from tts_core.domain.errors import StudioError, memory_errors_typed
from tts_core.models.cached_model import CachedModel, Entry, Lease, Model, ModelLoader
from tts_core.models.faults import MemoryBudgetFull, ModelBeingChanged, ModelInMemory, ModelInUse, ModelNotLoaded

logger = logging.getLogger(__name__)

Undo = Callable[[], None]
Schedule = Callable[[float, Callable[[], None]], Undo]
"""Calls back once after so many seconds, in any thread, unless undone before."""


def after(delay_s: float, call: Callable[[], None]) -> Undo:
    """A Schedule on a thread of its own that does not keep the process alive."""
    timer = threading.Timer(delay_s, call)
    timer.daemon = True
    timer.start()
    return timer.cancel


@dataclass(frozen=True, slots=True, eq=False)
class ModelCache(Generic[Model]):
    """The models of one kind, by their keys, in the memory that they share with all other kinds."""

    memory: ModelMemory
    loader: ModelLoader[Model]

    @contextmanager
    def lease(self, key: str) -> Iterator[Model]:
        """Hold the model, loading it first if needed; it stays while anybody holds it.

        Raises what the loader raises (to everybody who waited for that load), MemoryBudgetFull, ModelBeingChanged, and
        OutOfMemory wherever memory is lacking while it is held.
        """
        with self.begin(key) as lease:
            yield lease.model()

    @contextmanager
    def begin(self, key: str) -> Iterator[Lease[Model]]:
        """Hold the model without waiting for its load, which goes on even if nobody waits for it any more."""
        with self.memory.begin(self.loader, key) as lease:
            yield lease

    def load(self, key: str) -> None:
        """Load the model; it stays for as long as idle models stay."""
        with self.lease(key):
            pass

    def loaded(self, key: str) -> Model | None:
        """The model if it is in memory now, only to look at: it may go at any time."""
        model: Model | None = self.memory.loaded(self.loader.kind, key)
        return model

    def statuses(self) -> tuple[CachedModel, ...]:
        """The models of this kind in memory or on their way, the one used last first."""
        return self.memory.statuses(self.loader.kind)

    def newest(self) -> CachedModel | None:
        """The one used last, of those in memory."""
        return next((model for model in self.statuses() if model.is_loaded), None)


class ModelMemory:
    """Thread-safe. Nothing waits while it holds the lock of the table."""

    def __init__(
        self,
        keep_alive_s: float | None = 300.0,
        budget_bytes: Callable[[], int | None] = lambda: None,
        *,
        schedule: Schedule = after,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """keep_alive_s: seconds that an idle model stays; 0 lets it go at once, None keeps it.

        budget_bytes: what all models together may hold; None is no limit. Asked before each load.
        """
        self._keep_alive_s = keep_alive_s
        self._budget_bytes = budget_bytes
        self._schedule = schedule
        self._clock = clock
        self._entries: dict[tuple[str, str], Entry[Any]] = {}
        """The models by kind and key."""
        self._leaving: list[Entry[Any]] = []
        """Models that are no longer on the table, but still used."""
        self._kept_out: list[Path] = []
        self._lock = threading.Lock()
        self._uses = 0
        self._errors: dict[str, str | None] = {}
        """How the last load of each kind ended, the newest last."""

    def last_error(self, *kinds: str) -> str | None:
        """Why the last load of these kinds failed, in a sentence; None if it went well."""
        ended = [error for kind, error in self._errors.copy().items() if kind in kinds]
        return ended[-1] if ended else None

    @contextmanager
    def begin(self, loader: ModelLoader[Model], key: str) -> Iterator[Lease[Model]]:
        """See `ModelCache.begin`."""
        entry = self._enter(loader, key)
        try:
            with memory_errors_typed():
                yield Lease(entry)
        finally:
            self._leave(entry)

    def unload(self, kind: str, key: str) -> None:
        """Free the model now. Raises ModelNotLoaded, and ModelInUse while somebody speaks with it or it loads."""
        self._unload(key, lambda entry: entry.slot == (kind, key))

    def unload_from(self, folder: Path, key: str) -> None:
        """Free every model that was read from that folder; `key` names it in errors, which are those of `unload`."""
        self._unload(key, lambda entry: entry.files.is_relative_to(folder))

    def _unload(self, key: str, is_meant: Callable[[Entry[Any]], bool]) -> None:
        with self._lock:
            meant = [entry for entry in self._entries.values() if is_meant(entry)]
            if not meant:
                raise ModelNotLoaded(key=key)
            if any(not entry.is_idle for entry in meant):
                raise ModelInUse(key=key, users=max(1, sum(entry.users for entry in meant)))
            for entry in meant:
                self._forget(entry)
        for entry in meant:
            self._free(entry, "on request")

    def let_go(self, kind: str) -> None:
        """Free the idle models of that kind; what is used or loads goes once it is given back."""
        with self._lock:
            entries = [entry for entry in self._entries.values() if entry.loader.kind == kind]
            for entry in entries:
                self._forget(entry)
            self._leaving += [entry for entry in entries if not entry.is_idle]
            idle = [entry for entry in entries if entry.is_idle]
        for entry in idle:
            self._free(entry, "it would be loaded otherwise now")

    @contextmanager
    def keep_out(self, folders: Collection[Path]) -> Iterator[None]:
        """Keep anybody from loading what lies in these folders, so that it can be changed.

        Raises ModelInUse, or its kinds ModelInMemory and ModelBeingChanged, and then keeps nothing out.
        """
        with self._lock:
            for folder in folders:
                for entry in (*self._entries.values(), *self._leaving):
                    if entry.files.is_relative_to(folder):
                        key, users = entry.key, entry.users
                        raise ModelInUse(key=key, users=users) if users else ModelInMemory(key=key)
                if folder in self._kept_out:
                    raise ModelBeingChanged(key=folder.name)
            self._kept_out += folders
        try:
            yield
        finally:
            with self._lock:
                for folder in folders:
                    self._kept_out.remove(folder)

    def loaded(self, kind: str, key: str) -> Any:
        """See `ModelCache.loaded`."""
        entry = self._entries.get((kind, key))
        return None if entry is None else entry.model

    def statuses(self, *kinds: str) -> tuple[CachedModel, ...]:
        """The models in memory or on their way, of these kinds or of all, the one used last first."""
        with self._lock:
            known = [entry for entry in self._entries.values() if not kinds or entry.loader.kind in kinds]
            now = self._clock()
            return tuple(entry.status(now) for entry in sorted(known, key=lambda entry: -entry.last_used))

    def close(self) -> None:
        """Free every idle model; those in use go when they are given back."""
        self._keep_alive_s = 0.0
        with self._lock:
            idle = [entry for entry in self._entries.values() if entry.is_idle]
            for entry in idle:
                self._forget(entry)
        for entry in idle:
            self._free(entry, "the studio closes")

    def _enter(self, loader: ModelLoader[Model], key: str) -> Entry[Model]:
        slot = loader.kind, key
        known = self._entries.get(slot)
        files = loader.files(key) if known is None else known.files  # may look on the disk: not with the lock held
        with self._lock:
            if any(files.is_relative_to(folder) for folder in self._kept_out):
                raise ModelBeingChanged(key=key)
            entry = self._entries.setdefault(slot, Entry(loader, key, files))
            self._uses += 1
            entry.users += 1
            entry.last_used = self._uses
            self._keep(entry)
            is_first = not entry.has_loader
            entry.has_loader = True
        if is_first:
            threading.Thread(target=self._fill, args=(entry,), name=f"load-{key}", daemon=True).start()
        return entry

    def _leave(self, entry: Entry[Any]) -> None:
        with self._lock:
            entry.users -= 1
            if not entry.is_idle:
                return
            leaves = entry in self._leaving
            if not leaves and (self._entries.get(entry.slot) is not entry or self._keep_alive_s is None):
                return
            if leaves:
                self._leaving.remove(entry)
            elif self._keep_alive_s:
                entry.expires_at = self._clock() + self._keep_alive_s
                entry.undo = self._schedule(self._keep_alive_s, lambda: self._expire(entry))
                return
            self._forget(entry)
        self._free(entry, "it is not kept")

    def _fill(self, entry: Entry[Any]) -> None:
        """Load the entry's model, or note why that failed and leave nothing behind."""

        def progress(done_bytes: int, total_bytes: int) -> None:
            entry.done_bytes, entry.total_bytes = done_bytes, total_bytes

        try:
            with entry.loader.busy:
                self._make_room(entry)
                started = self._clock()
                entry.model = entry.loader.load(entry.files, progress)
                self._note(entry.loader.kind, None)
                logger.info("model %s loaded in %.1f s", entry.key, self._clock() - started)
        except BaseException as error:  # kept for whoever waits; the lease raises it
            entry.error = error
            self._note(entry.loader.kind, str(error) or type(error).__name__)
            if not isinstance(error, StudioError):
                logger.exception("model %s could not be loaded", entry.key)
            with self._lock:
                self._forget(entry)
        finally:
            with self._lock:
                entry.users += 1
            entry.loaded.set()
            self._leave(entry)  # in case nobody waits for it any more

    def _note(self, kind: str, error: str | None) -> None:
        with self._lock:
            self._errors.pop(kind, None)
            self._errors[kind] = error

    def _make_room(self, wanted: Entry[Any]) -> None:
        """Put out idle models, the longest unused first, until the wanted one fits. One alone always may try."""
        budget = self._budget_bytes()
        needed = wanted.loader.size_of(wanted.files)
        while budget is not None:
            with self._lock:
                known = (*self._entries.values(), *self._leaving)
                others = [entry for entry in known if entry is not wanted and entry.memory_bytes]
                if not others or sum(entry.memory_bytes for entry in others) + needed <= budget:
                    wanted.expected_bytes = needed
                    return
                idle = [entry for entry in others if entry.is_idle]
                if not idle:
                    raise MemoryBudgetFull(key=wanted.key, in_use=", ".join(entry.key for entry in others))
                oldest = min(idle, key=lambda entry: entry.last_used)
                self._forget(oldest)
            self._free(oldest, f"to make room for {wanted.key}")

    def _expire(self, entry: Entry[Any]) -> None:
        with self._lock:
            is_due = entry.expires_at is not None and self._clock() >= entry.expires_at
            if entry.users or not is_due or self._entries.get(entry.slot) is not entry:
                return
            self._forget(entry)
        self._free(entry, "nobody used it for a while")

    def _forget(self, entry: Entry[Any]) -> None:
        """Take it off the table; call with the lock held."""
        self._keep(entry)
        if self._entries.get(entry.slot) is entry:
            del self._entries[entry.slot]

    def _keep(self, entry: Entry[Any]) -> None:
        """Call off that it goes; call with the lock held."""
        if entry.undo is not None:
            entry.undo()
        entry.undo = entry.expires_at = None

    def _free(self, entry: Entry[Any], reason: str) -> None:
        model, entry.model = entry.model, None
        if model is not None:
            model.close()
            logger.info("model %s unloaded: %s", entry.key, reason)
