"""A recording of a voice to what a clone is made from: its codes and its speaker embedding. Knows no prompt or file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tts_core.audio.files import resample
from tts_core.domain.events import Samples
from tts_core.engines.qwen.cloning.speaker import SpeakerEncoder
from tts_core.engines.qwen.codec.encoder import CodecEncoder
from tts_core.engines.qwen.codec.recording import mono


@dataclass(frozen=True, slots=True)
class Reference:
    """What a clone is made from."""

    speaker_embedding: Tensor
    """[D], fp32."""
    codes: Tensor | None
    """[T, 16], whole numbers; None where only the speaker embedding was asked for."""


def analyse(
    audio: npt.NDArray[np.floating], sample_rate: int, *, speaker: SpeakerEncoder, codec: CodecEncoder | None
) -> Reference:
    """audio [N] or [N, channels] in [-1, 1] at any rate. Without `codec` the speaker embedding is all.

    Raises InvalidValue or InvalidRequest when the recording can't be used.
    """
    samples = mono(audio, sample_rate)
    embedding = speaker.embed(_at_rate(samples, sample_rate, speaker.sample_rate))
    codes = codec.encode(_at_rate(samples, sample_rate, codec.sample_rate)) if codec else None
    return Reference(embedding, codes)


def _at_rate(samples: Samples, from_rate: int, to_rate: int) -> Tensor:
    return torch.from_numpy(resample(samples, from_rate, to_rate))
