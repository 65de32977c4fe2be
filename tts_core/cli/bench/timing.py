"""Times the parts of a take for benchmarks: a frame loop of its own, part by part."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass
from threading import Lock

import torch

from tts_core.domain.values import Sampling
from tts_core.engines.qwen.codec.chunks import chunk_sizes
from tts_core.engines.qwen.codec.slots import CodecSlots
from tts_core.engines.qwen.generation.frame_step import FrameStep
from tts_core.engines.qwen.kernels.graphs import Graphs
from tts_core.engines.qwen.speech_model import QwenModel
from tts_core.engines.qwen.talker.prompt import DesignedVoice, PresetSpeaker, PromptRequest, VoicePrompt, XVectorClone
from tts_core.engines.qwen.talker.sampling import Draws

SAMPLE_SEED = 1
_TAKES_UNTIL_RECORDED = 2


@dataclass(frozen=True, slots=True)
class FrameTimes:
    """The seconds that each part of a frame takes, means over one take; the parts add up to the total."""

    prefill_s: float
    """A frame's share of the prompt: text to ids to embeddings, read by the talker."""
    talker_s: float
    code_predictor_s: float
    codec_s: float
    host_s: float
    """The time between the parts."""
    total_s: float


class FrameTimer:
    """Makes takes beside the model's scheduler, the parts of a frame one after the other with a clock around each."""

    def __init__(self, model: QwenModel) -> None:
        self._model = model
        self._device = device = model.choice.placement.device
        records, recording = device.type == "cuda", Lock()
        self._step = FrameStep(model.talker, 1, Graphs(recording) if records else None)
        self._codec = CodecSlots(model.codec.decoder, device, 1, Graphs(recording) if records else None)
        self._stream = torch.cuda.Stream(device) if records else None  # type: ignore[no-untyped-call]

    def times(self, text: str, frames: int, takes: int) -> list[FrameTimes]:
        """Time `takes` takes of `frames` frames each, whatever the model draws."""
        before = 0 if self._stream is None else _TAKES_UNTIL_RECORDED
        with nullcontext() if self._stream is None else torch.cuda.stream(self._stream):
            return [self._time(text, frames) for _ in range(before + takes)][before:]

    def _time(self, text: str, frames: int) -> FrameTimes:
        started = self._now()
        prompt = self._model.build_prompt(PromptRequest(text, any_voice(self._model)))
        self._step.join(0, prompt, Draws(Sampling(), SAMPLE_SEED))
        self._codec.begin(0, None)
        spent = {"prefill": self._now() - started, "talker": 0.0, "code_predictor": 0.0, "codec": 0.0}
        last_code = self._model.codec.config.decoder.codebook_size - 1
        sizes, chunk = chunk_sizes(None), []
        wanted = next(sizes)
        for frame in range(frames):
            at = self._now()
            chunk.append(self._step.predict(1).wait().clamp(max=last_code))
            predicted = self._now()
            if len(chunk) == wanted or frame + 1 == frames:
                self._codec.decode([0], torch.stack(chunk, dim=1))
                chunk, wanted = [], next(sizes)
            decoded = self._now()
            if frame + 1 < frames:
                self._step.advance(1)
            spent["code_predictor"] += predicted - at
            spent["codec"] += decoded - predicted
            spent["talker"] += self._now() - decoded
        total_s = self._now() - started
        self._step.leave(0)
        parts = {f"{name}_s": seconds / frames for name, seconds in spent.items()}
        return FrameTimes(**parts, host_s=(total_s - sum(spent.values())) / frames, total_s=total_s / frames)

    def _now(self) -> float:
        if self._stream is not None:
            torch.cuda.synchronize(self._device)
        return time.perf_counter()


def any_voice(model: QwenModel) -> VoicePrompt:
    """A voice that a model of its kind can speak with."""
    speakers = model.config.talker.speaker_ids
    if speakers:
        return PresetSpeaker(next(iter(speakers)))
    if model.config.speaker_encoder is not None:
        return XVectorClone(torch.zeros(model.config.speaker_encoder.embedding_size))
    return DesignedVoice()


def threads() -> int:
    """The number of threads that torch computes with on the CPU."""
    return torch.get_num_threads()


def gpu_peak_bytes() -> int | None:
    """The most memory that this process has taken of the graphics card; None where it uses none."""
    used = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    return torch.cuda.max_memory_reserved() if used else None
