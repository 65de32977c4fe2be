"""A model in memory or on its way there: how it is loaded, its state, and a hold on it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Protocol, TypeVar, runtime_checkable

from tts_core.models.faults import ModelNotLoaded

LoadProgress = Callable[[int, int], None]
"""A function called with the bytes done and the bytes to do; may raise Cancelled to give up."""
PROGRESS_INTERVAL_S = 0.2


class Keepable(Protocol):
    """The properties that the memory needs of a model."""

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
        """The parts that are ready and the parts in all; None once all are ready."""


@runtime_checkable
class Explains(Protocol):
    """A model that may compute elsewhere than was asked for."""

    @property
    def device_reason(self) -> str:
        """The reason, in English; "" where there is nothing to explain."""


Model = TypeVar("Model", bound=Keepable)


@dataclass(frozen=True, slots=True, eq=False)
class ModelLoader(Generic[Model]):
    """How models of one kind come into memory."""

    kind: str
    load: Callable[[Path, LoadProgress], Model]
    """Makes a model of the file or folder that `files` gives."""
    files: Callable[[str], Path]
    """The file or folder that the model of a key is read from."""
    size_of: Callable[[Path], int] = lambda _files: 0
    """The bytes that a model is going to take, as far as known before it is loaded."""
    name_of: Callable[[str], str] = str
    """The name for people of the model of a key; must not wait for anything."""
    busy: threading.Lock = field(default_factory=threading.Lock)
    """Models of one kind load one after another, which is faster than all at once. Each kind has its own lock, for a
    small voice is there in a moment and must not wait minutes for a large model."""


@dataclass(frozen=True, slots=True)
class CachedModel:
    """The state of a model at one moment."""

    kind: str
    key: str
    """Unique among those of its kind."""
    name: str
    """The model's name for people."""
    is_loaded: bool
    """False while it loads."""
    users: int
    device: str | None
    """Where it computes; None while it loads."""
    memory_bytes: int
    done_bytes: int
    total_bytes: int
    """The bytes to load; 0 while unknown."""
    unload_in_s: float | None
    """Seconds until an idle model goes; None while it is used or kept for good."""
    warming: tuple[int, int] | None = None
    """The parts made ready in the background and the parts in all; the model speaks meanwhile."""
    device_reason: str = ""
    """The reason why it computes elsewhere than was asked for, in English."""


@dataclass(slots=True, eq=False)
class Entry(Generic[Model]):
    """A model on the memory's table, from the first request for it until it is freed."""

    loader: ModelLoader[Model]
    key: str
    files: Path
    """The file or folder that the model is read from."""
    users: int = 0
    model: Model | None = None
    error: BaseException | None = None
    has_loader: bool = False
    """Whether its load has begun."""
    loaded: threading.Event = field(default_factory=threading.Event)
    """Set when the load has ended, well or not."""
    expected_bytes: int = 0
    """The bytes for which room was made."""
    done_bytes: int = 0
    total_bytes: int = 0
    last_used: int = 0
    """Order of use; higher is later."""
    expires_at: float | None = None
    undo: Callable[[], None] | None = None
    """Cancels the unloading at `expires_at`."""

    @property
    def slot(self) -> tuple[str, str]:
        return self.loader.kind, self.key

    @property
    def memory_bytes(self) -> int:
        """The bytes that it takes, or is going to take while it loads."""
        return self.expected_bytes if self.model is None else self.model.memory_bytes

    @property
    def is_idle(self) -> bool:
        return not self.users and self.loaded.is_set()

    def status(self, now: float) -> CachedModel:
        return CachedModel(
            kind=self.loader.kind,
            key=self.key,
            name=self.loader.name_of(self.key),
            is_loaded=self.model is not None,
            users=self.users,
            device=None if self.model is None else self.model.device,
            memory_bytes=0 if self.model is None else self.model.memory_bytes,
            done_bytes=self.done_bytes,
            total_bytes=self.total_bytes,
            unload_in_s=None if self.expires_at is None else max(0.0, self.expires_at - now),
            warming=self.model.warming if isinstance(self.model, WarmsUp) else None,
            device_reason=self.model.device_reason if isinstance(self.model, Explains) else "",
        )


class Lease(Generic[Model]):
    """A hold on a model that may still be loading."""

    def __init__(self, entry: Entry[Model]) -> None:
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
