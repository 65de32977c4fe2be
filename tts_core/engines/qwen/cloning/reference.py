"""Turns a recording into what a clone is made from: its codes and its speaker embedding. Knows no prompt or file."""

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
    """The parts of a recording that a clone is made from."""

    speaker_embedding: Tensor
    """The speaker's vector, [D] fp32."""
    codes: Tensor | None
    """The recording's codes, [T, 16] whole numbers; None where only the speaker embedding was asked for."""


def analyse(
    audio: npt.NDArray[np.floating], sample_rate: int, *, speaker: SpeakerEncoder, codec: CodecEncoder | None
) -> Reference:
    """Analyse a recording: audio [N] or [N, channels] in [-1, 1] at any rate. Without `codec` no codes are made.

    Raises InvalidValue or InvalidRequest when the recording can't be used.
    """
    samples = mono(audio, sample_rate)
    embedding = speaker.embed(_at_rate(samples, sample_rate, speaker.sample_rate))
    codes = codec.encode(_at_rate(samples, sample_rate, codec.sample_rate)) if codec else None
    return Reference(embedding, codes)


def _at_rate(samples: Samples, from_rate: int, to_rate: int) -> Tensor:
    return torch.from_numpy(resample(samples, from_rate, to_rate))
