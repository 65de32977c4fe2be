"""The catalogue's models that do the same work: the ready ones, and the one that a caller names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tts_core.domain.errors import ModelNotReady, StudioError, UnknownModelKey
from tts_core.models.catalogue import ModelKind
from tts_core.models.status import ModelStatus, ModelStatuses


@dataclass(frozen=True, slots=True)
class ModelsOfKind:
    models: ModelStatuses
    kind: ModelKind

    def keys(self) -> list[str]:
        entries = map(self.models.entry, self.models.keys())
        return [entry.key for entry in entries if entry.kind is self.kind]

    def ready(self) -> list[ModelStatus]:
        """The models that can be used now, the smallest first."""
        statuses = map(self.models.status, self.keys())
        return sorted((status for status in statuses if status.valid), key=lambda status: status.entry.total_bytes)

    def chosen(self, key: str, ready: Sequence[ModelStatus], suggested: str, missing: type[StudioError]) -> ModelStatus:
        """The model of that key, "" for the first of `ready`. Raises `missing`, which names the model to download where
        none is ready, and what `named` raises."""
        if key:
            return self.named(key)
        if ready:
            return ready[0]
        entry = self.models.entry(suggested)
        raise missing(key=entry.key, name=entry.display_name, megabytes=round(entry.total_bytes / 1e6))

    def named(self, key: str) -> ModelStatus:
        """The status of that model. Raises UnknownModelKey, also for a model of another kind, and ModelNotReady."""
        known = self.keys()
        if key not in known:
            raise UnknownModelKey(key=key, known=", ".join(known))
        status = self.models.status(key)
        if not status.valid:
            raise ModelNotReady(name=status.entry.display_name)
        return status
