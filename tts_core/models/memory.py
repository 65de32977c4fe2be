"""Which models are in memory: loaded once however many ask, kept for a while, put out when room is needed.

    with cache.lease("custom_0_6b") as model:
        model.stream(...)

It knows neither torch nor Qwen: a loader makes the models, and whatever has `memory_bytes` and `close` can be kept.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar, runtime_checkable

from tts_core.domain.errors import (
    MemoryBudgetFull,
    ModelBeingChanged,
    ModelInMemory,
    ModelInUse,
    ModelNotLoaded,
    StudioError,
    memory_errors_typed,
)

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Bytes done and bytes to do."""
Undo = Callable[[], None]
Schedule = Callable[[float, Callable[[], None]], Undo]
"""Calls back once after so many seconds, in any thread, unless undone before."""


PROGRESS_INTERVAL_S = 0.2


class Keepable(Protocol):
    """What the cache needs of a model."""

    @property
    def memory_bytes(self) -> int: ...

    @property
    def device(self) -> str: ...

    def close(self) -> None: ...


@runtime_checkable
class WarmsUp(Protocol):
    """A model that gets faster in the background once it is loaded."""

    @property
    def warming(self) -> tuple[int, int] | None:
        """What is made ready: done, of how many; None when all is."""


Model = TypeVar("Model", bound=Keepable)
Loader = Callable[[str, Progress], Model]


@dataclass(frozen=True, slots=True)
class CachePolicy:
    keep_alive_s: float | None = 300.0
    """Seconds that an idle model stays; 0 lets it go at once, None keeps it."""
    budget_bytes: Callable[[], int | None] = lambda: None
    """What all models together may hold; None is no limit. Asked before each load."""
    size_of: Callable[[str], int] = lambda _key: 0
    """Bytes that a model is going to take, as far as known before it is loaded."""


@dataclass(frozen=True, slots=True)
class CachedModel:
    """One model as it is now."""

    key: str
    is_loaded: bool
    """False while it loads."""
    users: int
    device: str | None
    """Where it computes; None while it loads."""
    memory_bytes: int
    done_bytes: int
    total_bytes: int
    """Of loading."""
    unload_in_s: float | None
    """Seconds until an idle model goes; None while it is used or kept for good."""
    warming: tuple[int, int] | None = None
    """What it makes ready in the background, done and of how many; it speaks meanwhile."""


@dataclass(slots=True, eq=False)
class _Entry(Generic[Model]):
    key: str
    users: int = 0
    model: Model | None = None
    error: BaseException | None = None
    has_loader: bool = False
    """Its load has begun."""
    loaded: threading.Event = field(default_factory=threading.Event)
    """Set when the load has ended, well or not."""
    done_bytes: int = 0
    total_bytes: int = 0
    last_used: int = 0
    """Order of use; higher is later."""
    expires_at: float | None = None
    undo: Undo | None = None


def after(delay_s: float, call: Callable[[], None]) -> Undo:
    """A Schedule on a thread of its own that does not keep the process alive."""
    timer = threading.Timer(delay_s, call)
    timer.daemon = True
    timer.start()
    return timer.cancel


class Lease(Generic[Model]):
    """A hold on a model that may still be loading."""

    def __init__(self, entry: _Entry[Model]) -> None:
        self._entry = entry

    def progress(self, interval_s: float = PROGRESS_INTERVAL_S) -> Iterator[tuple[int, int]]:
        """Bytes done and to do (0 while unknown), at once and then every `interval_s` until the load has ended."""
        is_loaded = self._entry.loaded.is_set()
        while not is_loaded:
            yield self._entry.done_bytes, self._entry.total_bytes
            is_loaded = self._entry.loaded.wait(interval_s)
            if is_loaded:
                yield self._entry.done_bytes, self._entry.total_bytes

    def model(self) -> Model:
        """Waits for the load; raises what the loader raised and MemoryBudgetFull."""
        self._entry.loaded.wait()
        if self._entry.model is None:
            raise self._entry.error or ModelNotLoaded(key=self._entry.key)
        return self._entry.model


class ModelMemory(Generic[Model]):
    """Thread-safe. Loads run one after the other; nothing waits while it holds the lock of the table."""

    def __init__(
        self,
        load: Loader[Model],
        policy: CachePolicy | None = None,
        *,
        schedule: Schedule = after,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load = load
        self._policy = policy or CachePolicy()
        self._schedule = schedule
        self._clock = clock
        self._entries: dict[str, _Entry[Model]] = {}
        self._leaving: list[_Entry[Model]] = []
        """No longer on the table, but still used."""
        self._kept_out: set[str] = set()
        self._lock = threading.Lock()
        self._loading = threading.Lock()
        self._uses = 0
        self._last_error: str | None = None

    @property
    def last_error(self) -> str | None:
        """Why the last load failed, in a sentence; None if it went well."""
        return self._last_error

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
        """The same without waiting for the load, which goes on even if nobody waits for it any more."""
        entry = self._enter(key)
        try:
            with memory_errors_typed():
                yield Lease(entry)
        finally:
            self._leave(entry)

    def load(self, key: str) -> None:
        """Have it in memory from now on, for as long as idle models stay."""
        with self.lease(key):
            pass

    def unload(self, key: str) -> None:
        """Free it now. Raises ModelNotLoaded, and ModelInUse while somebody speaks with it or it loads."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                raise ModelNotLoaded(key=key)
            if entry.users or not entry.loaded.is_set():
                raise ModelInUse(key=key, users=max(1, entry.users))
            self._forget(entry)
        self._free(entry, "on request")

    def let_go(self) -> None:
        """Free what is idle; what is used or loads goes once it is given back. Requests from now on load anew."""
        with self._lock:
            entries = list(self._entries.values())
            for entry in entries:
                self._forget(entry)
            idle = [entry for entry in entries if not entry.users and entry.loaded.is_set()]
            self._leaving += [entry for entry in entries if entry not in idle]
        for entry in idle:
            self._free(entry, "it would be loaded otherwise now")

    @contextmanager
    def keep_out(self, keys: Collection[str]) -> Iterator[None]:
        """Nobody can load these models meanwhile, so that their files can be changed.

        Raises ModelInUse, or its kinds ModelInMemory and ModelBeingChanged, and then keeps nothing out.
        """
        with self._lock:
            for key in keys:
                if entry := self._entries.get(key) or next((one for one in self._leaving if one.key == key), None):
                    raise ModelInUse(key=key, users=entry.users) if entry.users else ModelInMemory(key=key)
                if key in self._kept_out:
                    raise ModelBeingChanged(key=key)
            self._kept_out.update(keys)
        try:
            yield
        finally:
            with self._lock:
                self._kept_out.difference_update(keys)

    def loaded(self, key: str) -> Model | None:
        """The model if it is in memory now, only to look at: it may go at any time."""
        entry = self._entries.get(key)
        return None if entry is None else entry.model

    def statuses(self) -> tuple[CachedModel, ...]:
        """What is in memory or on its way, the one used last first. Never waits for a load."""
        with self._lock:
            entries = sorted(self._entries.values(), key=lambda entry: -entry.last_used)
            return tuple(self._status(entry) for entry in entries)

    def close(self) -> None:
        """Free every idle model; those in use go when they are given back."""
        self._policy = CachePolicy(0.0, self._policy.budget_bytes, self._policy.size_of)
        with self._lock:
            idle = [entry for entry in self._entries.values() if not entry.users and entry.loaded.is_set()]
            for entry in idle:
                self._forget(entry)
        for entry in idle:
            self._free(entry, "the studio closes")

    def _enter(self, key: str) -> _Entry[Model]:
        with self._lock:
            if key in self._kept_out:
                raise ModelBeingChanged(key=key)
            entry = self._entries.setdefault(key, _Entry(key))
            self._uses += 1
            entry.users += 1
            entry.last_used = self._uses
            self._keep(entry)
            is_first = not entry.has_loader
            entry.has_loader = True
        if is_first:
            threading.Thread(target=self._fill, args=(entry,), name=f"load-{key}", daemon=True).start()
        return entry

    def _leave(self, entry: _Entry[Model]) -> None:
        with self._lock:
            entry.users -= 1
            if entry.users or not entry.loaded.is_set():
                return
            leaves = entry in self._leaving
            if not leaves and (self._entries.get(entry.key) is not entry or self._policy.keep_alive_s is None):
                return
            if leaves:
                self._leaving.remove(entry)
            elif self._policy.keep_alive_s:
                entry.expires_at = self._clock() + self._policy.keep_alive_s
                entry.undo = self._schedule(self._policy.keep_alive_s, lambda: self._expire(entry))
                return
            self._forget(entry)
        self._free(entry, "it is not kept")

    def _fill(self, entry: _Entry[Model]) -> None:
        """Load the entry's model, or note why that failed and leave nothing behind."""

        def progress(done_bytes: int, total_bytes: int) -> None:
            entry.done_bytes, entry.total_bytes = done_bytes, total_bytes

        try:
            with self._loading:
                self._make_room(entry)
                started = self._clock()
                entry.model = self._load(entry.key, progress)
                self._last_error = None
                logger.info("model %s loaded in %.1f s", entry.key, self._clock() - started)
        except BaseException as error:  # kept for whoever waits; the lease raises it
            entry.error = error
            self._last_error = str(error) or type(error).__name__
            if not isinstance(error, StudioError):
                logger.exception("model %s could not be loaded", entry.key)
            with self._lock:
                self._forget(entry)
        finally:
            with self._lock:
                entry.users += 1
            entry.loaded.set()
            self._leave(entry)  # in case nobody waits for it any more

    def _make_room(self, wanted: _Entry[Model]) -> None:
        """Put out idle models, the longest unused first, until the wanted one fits. One alone always may try."""
        budget = self._policy.budget_bytes()
        needed = self._policy.size_of(wanted.key)
        while budget is not None:
            with self._lock:
                known = (*self._entries.values(), *self._leaving)
                others = [entry for entry in known if entry.model is not None]
                held = sum(entry.model.memory_bytes for entry in others if entry.model is not None)
                if not others or held + needed <= budget:
                    return
                idle = [entry for entry in others if not entry.users]
                if not idle:
                    raise MemoryBudgetFull(key=wanted.key, in_use=", ".join(entry.key for entry in others))
                oldest = min(idle, key=lambda entry: entry.last_used)
                self._forget(oldest)
            self._free(oldest, f"to make room for {wanted.key}")

    def _expire(self, entry: _Entry[Model]) -> None:
        with self._lock:
            is_due = entry.expires_at is not None and self._clock() >= entry.expires_at
            if entry.users or not is_due or self._entries.get(entry.key) is not entry:
                return
            self._forget(entry)
        self._free(entry, "nobody used it for a while")

    def _forget(self, entry: _Entry[Model]) -> None:
        """Take it off the table; call with the lock held."""
        self._keep(entry)
        if self._entries.get(entry.key) is entry:
            del self._entries[entry.key]

    def _keep(self, entry: _Entry[Model]) -> None:
        """Call off that it goes; call with the lock held."""
        if entry.undo is not None:
            entry.undo()
        entry.undo = entry.expires_at = None

    def _free(self, entry: _Entry[Model], reason: str) -> None:
        model, entry.model = entry.model, None
        if model is not None:
            model.close()
            logger.info("model %s unloaded: %s", entry.key, reason)

    def _status(self, entry: _Entry[Model]) -> CachedModel:
        unload_in_s = None if entry.expires_at is None else max(0.0, entry.expires_at - self._clock())
        return CachedModel(
            key=entry.key,
            is_loaded=entry.model is not None,
            users=entry.users,
            device=None if entry.model is None else entry.model.device,
            memory_bytes=0 if entry.model is None else entry.model.memory_bytes,
            done_bytes=entry.done_bytes,
            total_bytes=entry.total_bytes,
            unload_in_s=unload_in_s,
            warming=entry.model.warming if isinstance(entry.model, WarmsUp) else None,
        )
