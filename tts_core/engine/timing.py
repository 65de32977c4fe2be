"""Where a take's time goes: its own frame loop, part by part, for benchmarks."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

from tts_core.domain import Sampling
from tts_core.engine.chunks import chunk_sizes
from tts_core.engine.codec_slots import CodecSlots
from tts_core.engine.frame_step import FrameStep
from tts_core.engine.guards import FRAMES_PER_SECOND
from tts_core.engine.prompt import DesignedVoice, PresetSpeaker, PromptRequest, VoicePrompt, XVectorClone
from tts_core.engine.sampling import Draws
from tts_core.engine.speech_model import QwenModel

SAMPLE_SEED = 1


@dataclass(frozen=True, slots=True)
class FrameTimes:
    """Seconds a frame, means over one take, but for `first_audio_s`."""

    talker_s: float
    code_predictor_s: float
    codec_s: float
    total_s: float
    first_audio_s: float
    """From the request to its first samples."""
    rtf: float
    """Audio seconds made per wall second."""


def time_take(model: QwenModel, text: str, frames: int) -> FrameTimes:
    """Make one take of so many frames, whatever the model draws."""
    spent = {"talker": 0.0, "code_predictor": 0.0, "codec": 0.0}
    started = time.perf_counter()
    prompt = model.build_prompt(PromptRequest(text, any_voice(model)))
    step, codec = FrameStep(model.talker, 1), CodecSlots(model.codec.decoder, model.codec.device, 1)
    step.join(0, prompt, Draws(Sampling(), SAMPLE_SEED))
    codec.begin(0, None)
    sizes, chunk, first_audio_s = chunk_sizes(None), [], 0.0
    wanted = next(sizes)
    for frame in range(frames):
        at = time.perf_counter()
        chunk.append(step.predict(1).wait().clamp(max=model.codec.config.decoder.codebook_size - 1))
        predicted = time.perf_counter()
        if len(chunk) == wanted or frame + 1 == frames:
            codec.decode([0], torch.stack(chunk, dim=1))
            chunk, wanted = [], next(sizes)
            first_audio_s = first_audio_s or time.perf_counter() - started
        decoded = time.perf_counter()
        if frame + 1 < frames:
            step.advance(1)
        spent["code_predictor"] += predicted - at
        spent["codec"] += decoded - predicted
        spent["talker"] += time.perf_counter() - decoded
    total_s = time.perf_counter() - started
    return FrameTimes(
        talker_s=spent["talker"] / max(1, frames - 1),
        code_predictor_s=spent["code_predictor"] / frames,
        codec_s=spent["codec"] / frames,
        total_s=total_s / frames,
        first_audio_s=first_audio_s,
        rtf=frames / FRAMES_PER_SECOND / total_s,
    )


def any_voice(model: QwenModel) -> VoicePrompt:
    """One that a model of its kind can speak with."""
    speakers = model.config.talker.speaker_ids
    if speakers:
        return PresetSpeaker(next(iter(speakers)))
    if model.config.speaker_encoder is not None:
        return XVectorClone(torch.zeros(model.config.speaker_encoder.embedding_size))
    return DesignedVoice()
