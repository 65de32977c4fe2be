"""The models that saved voices may belong to, whichever engine speaks with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tts_core.domain.engine import Engine, VoiceModel
from tts_core.domain.errors import ModelNotReady, StudioError, UnknownModelKey
from tts_core.domain.values import Capabilities
from tts_core.models.catalogue import WEIGHTS_SUFFIX
from tts_core.models.status import ModelStatuses


@dataclass(frozen=True, slots=True)
class CatalogueModel:
    """A model of the catalogue, as saved voices see it. See `domain.engine.VoiceModel`."""

    key: str
    engine: Engine | None
    statuses: ModelStatuses

    @property
    def name(self) -> str:
        return self.statuses.display_name(self.key)

    def problem(self) -> StudioError | None:
        return None if self.statuses.status(self.key).valid else ModelNotReady(name=self.name)

    def capabilities(self) -> Capabilities:
        return self.statuses.capabilities(self.key)

    def weights(self) -> tuple[Path, ...]:
        folder = self.statuses.folder(self.key)
        return tuple(sorted(folder.rglob(f"*{WEIGHTS_SUFFIX}"))) if folder.is_dir() else ()


class VoiceModels:
    """Every model of the catalogue, and those that engines bring without the catalogue."""

    def __init__(
        self, statuses: ModelStatuses, engines: Mapping[str, Engine], others: Iterable[VoiceModel] = ()
    ) -> None:
        """`engines` are those of the catalogue's models by their keys, best first. Where a user's catalogue gives a
        model the key of one of the `others`, the catalogue's model is meant."""
        keys = dict.fromkeys((*engines, *statuses.keys()))
        catalogued = {key: CatalogueModel(key, engines.get(key), statuses) for key in keys}
        self._models: dict[str, VoiceModel] = {**catalogued}
        for model in others:
            self._models.setdefault(model.key, model)

    def model(self, key: str) -> VoiceModel:
        """The model with that key, on this machine or not. Raises UnknownModelKey."""
        try:
            return self._models[key]
        except KeyError:
            raise UnknownModelKey(key=key, known=", ".join(self._models)) from None

    def ready(self, key: str) -> VoiceModel:
        """The model with that key, which can speak now. Raises UnknownModelKey, and the model's problem: ModelNotReady,
        YourTtsMissing."""
        model = self.model(key)
        if problem := model.problem():
            raise problem
        return model

    def cloning(self) -> tuple[VoiceModel, ...]:
        """The models that can imitate a recording now, best first."""
        models = self._models.values()
        return tuple(model for model in models if model.capabilities().can_clone and model.problem() is None)

    def best_cloning(self) -> VoiceModel:
        """The best model that can imitate a recording now. Raises ModelNotReady."""
        found = self.cloning()
        if not found:
            raise ModelNotReady(name="Qwen3-TTS Base")
        return found[0]
