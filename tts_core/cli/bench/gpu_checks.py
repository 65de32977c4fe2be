"""Checks of a graphics processor, without which its speed means nothing: recorded, batched and single takes agree."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np
import torch
from torch import Tensor

from tts_core.cli.bench.timing import any_voice
from tts_core.domain.events import AudioChunk
from tts_core.domain.values import Sampling
from tts_core.engines.qwen.generation.compiled_blocks import CompiledTalker, can_compile
from tts_core.engines.qwen.generation.frame_step import FrameStep
from tts_core.engines.qwen.generation.generate import Batch, Frame, GenerationRequest
from tts_core.engines.qwen.generation.guards import FrameLimit
from tts_core.engines.qwen.kernels.graphs import Graphs, Work
from tts_core.engines.qwen.kernels.noise import gumbel, key_of
from tts_core.engines.qwen.speech_model import QwenModel, SpeechRequest
from tts_core.engines.qwen.talker.prompt import PromptRequest
from tts_core.engines.qwen.talker.sampling import Draws

_TEXTS = ("Hello.", "The quick brown fox jumps over the lazy dog.", "It does so every morning, and nobody knows why.")
_SAMPLES_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    passed: bool
    detail: str


class Unrecorded:
    """A runner that takes the way of recorded work on a device that records nothing."""

    def run(self, _key: Hashable, work: Work) -> None:
        work()

    def forget(self) -> None:
        pass


def check(folder: Path, device: str, frames: int) -> Iterator[Check]:
    """Load the model in float32 on `device` and try everything that takes can share."""
    model = QwenModel.load(folder, device=device, precision="float32")
    model.scheduler.wait_until_warm()  # only one thread may record at a time
    yield _same_noise(model.talker.device)
    requests = [_request(model, number, frames) for number in range(len(_TEXTS))]
    with _stream(model.talker.device):
        alone = [_codes(FrameStep(model.talker, 1), [(0, request)])[0] for request in requests]
        graphs = _runner(model.talker.device)
        step = FrameStep(model.talker, 1, graphs)
        yield _equal("recorded = eager", alone, [_codes(step, [(0, request)])[0] for request in requests])
        if isinstance(graphs, Graphs):
            detail = f"{graphs.recorded} works recorded, {graphs.refused} refused"
            yield Check("recording works", graphs.recorded > 0 and not graphs.refused, detail)
            if can_compile(model.talker.device):
                step = FrameStep(model.talker, 1, Graphs(Lock()))
                with CompiledTalker(model.talker).in_use():
                    yield _equal("compiled = eager", alone, [_codes(step, [(0, request)])[0] for request in requests])
        schedule = [(3 * place, request) for place, request in enumerate(requests)]
        yield _equal("batched = single, eager", alone, _codes(FrameStep(model.talker, 4), schedule))
        step = FrameStep(model.talker, 4, _runner(model.talker.device))
        for turn in ("first", "second"):
            yield _equal(f"batched = single, recorded, {turn} time", alone, _codes(step, schedule))
    yield _same_sound(model, frames)
    model.close()


def device_facts(device: str) -> dict[str, str | int | None]:
    """The facts about a device that belong beside numbers measured on it."""
    if not device.startswith("cuda"):
        return {"device": device}
    return {
        "device": torch.cuda.get_device_name(device),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "peak_memory_bytes": torch.cuda.max_memory_allocated(device),
    }


def _same_noise(device: torch.device) -> Check:
    keys, places = torch.tensor([[key_of(seed)] for seed in range(4)]), torch.tensor([[0], [1], [100], [8191]])
    here = gumbel(keys, places, 5, 30_000)
    there = gumbel(keys.to(device), places.to(device), 5, 30_000).cpu()
    furthest = float((here - there).abs().max())
    return Check("noise = the CPU's", furthest < 1e-3, f"furthest {furthest:.1e}")


def _same_sound(model: QwenModel, frames: int) -> Check:
    request = SpeechRequest(PromptRequest(_TEXTS[1], any_voice(model)), seed=1, max_frames=frames + 1)
    chunks = [event for event in model.stream(request) if isinstance(event, AudioChunk)]
    codes = np.concatenate([chunk.codes for chunk in chunks if chunk.codes is not None])
    furthest = float(np.abs(np.concatenate([chunk.samples for chunk in chunks]) - model.codec.decode(codes)).max())
    return Check("streamed = whole", furthest < _SAMPLES_TOLERANCE, f"{len(chunks)} chunks, furthest {furthest:.1e}")


def _equal(name: str, wanted: Sequence[Tensor], found: Sequence[Tensor]) -> Check:
    same = [len(one) == len(other) and bool((one == other).all()) for one, other in zip(wanted, found, strict=True)]
    return Check(name, all(same), f"{sum(same)} of {len(same)} takes, {sum(map(len, wanted))} frames")


def _request(model: QwenModel, number: int, frames: int) -> GenerationRequest:
    prompt = model.build_prompt(PromptRequest(_TEXTS[number], any_voice(model)))
    draws = Draws(Sampling(top_k=50 - 20 * number), seed=number, greedy=number == 0)
    return GenerationRequest(prompt, draws, FrameLimit(frames + 1))


def _codes(step: FrameStep, schedule: Sequence[tuple[int, GenerationRequest]]) -> list[Tensor]:
    """The codes (F, 16) of each take. schedule: the frame at which each joins, and its request."""
    batch, codes = Batch(step), [list[Tensor]() for _ in schedule]
    waiting, made = list(enumerate(schedule)), 0
    while waiting or len(batch):
        while waiting and waiting[0][1][0] <= made:
            row, (_, request) = waiting.pop(0)
            batch.join(request, row)
        for event in batch.frame():
            if isinstance(event, Frame):
                codes[event.row].append(event.codes.clone())
        made += 1
    return [torch.stack(frames) for frames in codes]


def _runner(device: torch.device) -> Graphs | Unrecorded:
    return Graphs(Lock()) if device.type == "cuda" else Unrecorded()


def _stream(device: torch.device) -> AbstractContextManager[object]:
    """A stream of its own, which recording needs; prompts that were read before are waited for."""
    if device.type != "cuda":
        return nullcontext()
    torch.cuda.synchronize(device)
    return torch.cuda.stream(torch.cuda.Stream(device))  # type: ignore[no-untyped-call]
