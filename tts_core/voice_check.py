"""Use case: how like its model a clone sounds, and whether its start is clean. For information, never a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tts_core.errors import ModelNotReady
from tts_core.model_cache import ModelCache
from tts_core.model_manager import ModelManager
from tts_core.recordings.check import LEAK, leaked_start
from tts_core.recordings.reading import MAX_RECORDING_S, Clip, read_recording

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from tts_core.engine.speech_model import QwenModel

_HEARD_S = 30.0
"""Of each recording; a voice is known by then, and the encoder's time grows with the length."""


@dataclass(frozen=True, slots=True)
class Likeness:
    similarity: float
    """Cosine of the two speaker embeddings, -1 to 1. The same speaker is usually well above another one."""
    leak: float
    """How much the start repeats the end of the reference, 0 to 1."""

    @property
    def has_leak(self) -> bool:
        return self.leak > LEAK


class VoiceCheck:
    def __init__(self, models: ModelManager, cache: ModelCache[QwenModel]) -> None:
        self._models = models
        self._cache = cache

    def compare(self, take: Path, reference: Path, model_key: str) -> Likeness:
        """By the speaker encoder of a Base model. Raises ModelNotReady, CloneNotSupported, AudioUnreadable."""
        status = self._models.status(model_key)
        if not status.valid:
            raise ModelNotReady(name=status.entry.display_name)
        made = read_recording(take, max_seconds=MAX_RECORDING_S)
        original = read_recording(reference, max_seconds=MAX_RECORDING_S)
        with self._cache.lease(model_key) as model:
            similarity = float(_embedding(model, made) @ _embedding(model, original))
        leak = leaked_start(made.samples, made.sample_rate, original.samples, original.sample_rate)
        return Likeness(similarity, leak)


def _embedding(model: QwenModel, clip: Clip) -> npt.NDArray[np.float32]:
    """The speaker's, of length 1; shape (D,)."""
    samples = clip.samples[: round(_HEARD_S * clip.sample_rate)]
    embedding: npt.NDArray[np.float32] = model.prepare_voice(samples, clip.sample_rate).embedding.float().numpy()
    norm = float((embedding @ embedding) ** 0.5)
    return embedding / norm if norm else embedding
