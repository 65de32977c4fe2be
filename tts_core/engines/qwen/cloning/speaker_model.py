"""The speaker encoder of a Base model, loaded by itself: a hundredth of its weights, and ready in a moment."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from tts_core.domain.errors import CloneNotSupported, EngineFailed
from tts_core.engines.qwen.cloning.reference import analyse
from tts_core.engines.qwen.cloning.speaker import SpeakerEncoder
from tts_core.engines.qwen.placing import AUTO, choose, use_few_threads
from tts_core.engines.qwen.talker.config import WEIGHTS_FILE, read_model_config
from tts_core.engines.qwen.talker.weights import weight_bytes


class SpeakerModel:
    """A loaded speaker encoder; make it with `load`. Thread-safe."""

    def __init__(self, encoder: SpeakerEncoder, device: str, dimension: int) -> None:
        self.device = device
        self.dimension = dimension
        self.memory_bytes = weight_bytes(encoder)
        self._encoder: SpeakerEncoder | None = encoder

    @classmethod
    def load(cls, folder: Path, *, device: str = AUTO, threads: int | None = None) -> SpeakerModel:
        """Read the encoder from a Base model's folder. `device` is "auto" or torch's name of one.

        Raises DeviceUnavailable, CloneNotSupported for another kind of model, ModelFolderInvalid naming the file.
        """
        choice = choose(device)
        use_few_threads(threads)
        config = read_model_config(folder)
        if config.speaker_encoder is None:
            raise CloneNotSupported(voice=config.kind)
        encoder = SpeakerEncoder.load(folder / WEIGHTS_FILE, config.speaker_encoder, choice.placement.device)
        return cls(encoder, choice.device, config.speaker_encoder.embedding_size)

    def embed(self, samples: npt.NDArray[np.floating], sample_rate: int) -> npt.NDArray[np.float32]:
        """The embedding [D] of samples [N] in [-1, 1] at any rate. Raises InvalidValue, InvalidRequest."""
        encoder = self._encoder
        if encoder is None:
            raise EngineFailed(engine="speaker encoder", reason="its model is closed")
        found = analyse(samples, sample_rate, speaker=encoder, codec=None).speaker_embedding
        embedding: npt.NDArray[np.float32] = found.float().cpu().numpy()
        return embedding

    def close(self) -> None:
        self._encoder = None
