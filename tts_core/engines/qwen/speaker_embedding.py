"""Use case: who speaks, as a vector (x-vector), and whether two recordings are of one speaker.

found = services.embedder.extract(samples, 16_000)
likeness = services.embedder.compare(read_recording(one), read_recording(other))

It loads the speaker encoder of a Base model and nothing else of it. Embeddings of the two sizes differ in length and
can't be compared.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import numpy as np

from tts_core.audio.gender import Gender, estimated_gender
from tts_core.audio.judging import HOP_S, frame_levels, speech_frames
from tts_core.audio.reading import Clip
from tts_core.domain.errors import InvalidRequest, StudioError
from tts_core.domain.events import Samples
from tts_core.engines.faults import EmbedderMissing
from tts_core.models.cached_model import CachedModel
from tts_core.models.catalogue import ModelKind
from tts_core.models.memory import ModelCache
from tts_core.models.of_kind import ModelsOfKind
from tts_core.models.status import ModelStatus, ModelStatuses

if TYPE_CHECKING:
    import numpy.typing as npt

    from tts_core.engines.qwen.cloning.speaker_model import SpeakerModel

logger = logging.getLogger(__name__)

SPEAKER_ENCODER = "speaker_encoder"
"""The kind of these models in memory."""
ENCODER_BYTES = 35_000_000
"""The bytes that an encoder takes in memory, roughly."""
SUGGESTED = "base_0_6b"
"""The model to suggest where no Base model is ready."""
MIN_S, MIN_SPEECH_S = 1.0, 0.5
"""Least seconds of a recording and of the speech in it: less says more about the words than about the speaker."""
WARM_UP_RATE = 16_000
JUDGED_S = 30.0
"""Seconds of each recording that are judged; a voice is known by then, and time and memory grow with the length."""
SAME_FROM, OTHER_BELOW = 0.75, 0.4
"""Cosines from which two recordings have the same speaker, and below which not. These are rules of thumb: nobody has
measured error rates of this encoder."""


@dataclass(frozen=True, slots=True)
class Extraction:
    """The findings about the speaker of a recording."""

    embedding: npt.NDArray[np.float32] | None
    """The speaker's vector, [D]; None where the recording is too short."""
    model_key: str
    gender: Gender | None
    """The speaker's estimated gender; None where the pitch does not tell."""
    message: str
    """A sentence in English: how long the speaker was heard, or why the recording can't be judged."""


@dataclass(frozen=True, slots=True)
class Similarity:
    cosine: float
    """The cosine of the two embeddings, -1 to 1."""
    model_key: str

    @property
    def same_speaker(self) -> bool | None:
        """A guess whether the speakers are the same; None where the cosine allows none."""
        if self.cosine >= SAME_FROM:
            return True
        return False if self.cosine < OTHER_BELOW else None


class SpeakerEmbedder:
    """Extracts and compares embeddings. Thread-safe. Encoders lie in memory under the keys of their Base models."""

    def __init__(self, models: ModelStatuses, cache: ModelCache[SpeakerModel]) -> None:
        self._models = models
        self._bases = ModelsOfKind(models, ModelKind.BASE)
        self._cache = cache

    def ready(self) -> tuple[ModelStatus, ...]:
        """The Base models that can be used now, the smallest first."""
        return tuple(self._bases.ready())

    def choose(self, model_key: str = "") -> ModelStatus:
        """The model of that key, "" for the smallest. Raises EmbedderMissing, UnknownModelKey, ModelNotReady."""
        return self._bases.chosen(model_key, self.ready(), SUGGESTED, EmbedderMissing)

    def extract(self, clip: Clip, model_key: str = "") -> Extraction:
        """Find out who speaks in a recording. Raises what `choose` raises, InvalidRequest, EngineFailed."""
        key = self.choose(model_key).key
        if (why := _too_short(clip)) is not None:
            return Extraction(None, key, None, why)
        judged = _judged_part(clip)
        with self._cache.lease(key) as encoder:
            embedding = encoder.embed(judged, clip.sample_rate)
        gender = estimated_gender(judged, clip.sample_rate)
        return Extraction(embedding, key, gender, f"The speaker was heard for {len(judged) / clip.sample_rate:.1f} s.")

    def compare(self, one: Clip, other: Clip, model_key: str = "") -> Similarity:
        """How alike two speakers sound. Raises what `extract` raises; InvalidRequest for a recording without speech."""
        for clip in (one, other):
            if (why := _too_short(clip)) is not None:
                raise InvalidRequest(reason=f"one of the recordings can't be judged: {why}")
        key = self.choose(model_key).key
        return Similarity(self.cosine(one, other, key), key)

    def cosine(self, one: Clip, other: Clip, model_key: str) -> float:
        """How alike two speakers sound, by a model known to be ready; whether the recordings suffice is not checked."""
        with self._cache.lease(model_key) as encoder:
            first, second = (_unit(encoder.embed(_judged_part(clip), clip.sample_rate)) for clip in (one, other))
        return float(first @ second)

    def warm_up(self, until: Event) -> None:
        """Load the smallest model's encoder, let it hear a second that is thrown away, and hold it until the event is
        set: what a first request waits for takes long. Never raises."""
        try:
            with self._cache.lease(self.choose().key) as encoder:
                encoder.embed(np.zeros(WARM_UP_RATE, np.float32), WARM_UP_RATE)
                until.wait()
        except StudioError as error:
            logger.warning("%s", error.message)

    def loaded(self) -> CachedModel | None:
        """The encoder in memory that was used last."""
        return self._cache.newest()


def load_speaker(folder: Path, device: str, threads: int | None = None) -> SpeakerModel:
    """Read a Base model's speaker encoder. Raises what `SpeakerModel.load` raises."""
    from tts_core.engines.qwen.cloning.speaker_model import SpeakerModel  # noqa: PLC0415 - torch: seconds, much memory

    return SpeakerModel.load(folder, device=device, threads=threads)


def _too_short(clip: Clip) -> str | None:
    """The reason why a recording can't be judged; None if it can."""
    if clip.duration_s < MIN_S:
        return f"{clip.duration_s:.1f} s are too short; at least {MIN_S:.0f} s are needed."
    speech_s = float(speech_frames(frame_levels(clip.samples, clip.sample_rate)).sum() * HOP_S)
    if speech_s < MIN_SPEECH_S:
        return f"only {speech_s:.1f} s of speech are heard in it."
    return None


def _judged_part(clip: Clip) -> Samples:
    return clip.samples[: round(JUDGED_S * clip.sample_rate)]


def _unit(embedding: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    norm = float((embedding @ embedding) ** 0.5)
    return embedding / norm if norm else embedding
