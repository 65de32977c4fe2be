"""Use case: how like its model a clone sounds, and whether its start is clean. For information, never a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tts_core.audio.judging import LEAK, leaked_start
from tts_core.audio.reading import MAX_RECORDING_S, read_recording
from tts_core.engines.qwen.speaker_embedding import SpeakerEmbedder


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
    def __init__(self, embedder: SpeakerEmbedder) -> None:
        self._embedder = embedder

    def compare(self, take: Path, reference: Path, model_key: str) -> Likeness:
        """Compare a take with its reference by the speaker encoder of the Base model `model_key`.

        Raises UnknownModelKey, ModelNotReady, AudioUnreadable.
        """
        self._embedder.choose(model_key)  # cheap, so before the decoding
        made = read_recording(take, max_seconds=MAX_RECORDING_S)
        original = read_recording(reference, max_seconds=MAX_RECORDING_S)
        similarity = self._embedder.cosine(made, original, model_key)
        leak = leaked_start(made.samples, made.sample_rate, original.samples, original.sample_rate)
        return Likeness(similarity, leak)
