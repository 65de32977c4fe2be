"""The catalogue's models that do the same work: the ready ones, and the one that a caller names."""

from __future__ import annotations

from dataclasses import dataclass

from tts_core.domain.errors import ModelNotReady, UnknownModelKey
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

    def named(self, key: str) -> ModelStatus:
        """The status of that model. Raises UnknownModelKey, also for a model of another kind, and ModelNotReady."""
        known = self.keys()
        if key not in known:
            raise UnknownModelKey(key=key, known=", ".join(known))
        status = self.models.status(key)
        if not status.valid:
            raise ModelNotReady(name=status.entry.display_name)
        return status
