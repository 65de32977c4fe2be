"""Collects what the frame loop yields."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from tts_core.domain.values import Sampling, StopReason
from tts_core.engines.qwen.generation.generate import Frame, GenerationEvent, GenerationRequest, Stopped
from tts_core.engines.qwen.generation.guards import FrameLimit
from tts_core.engines.qwen.talker.prompt import Prompt
from tts_core.engines.qwen.talker.sampling import Draws


def greedy_request(prompt: Prompt, max_new_tokens: int) -> GenerationRequest:
    return GenerationRequest(prompt, Draws(Sampling(), seed=0, greedy=True), FrameLimit(max_new_tokens))


def sampled_request(
    prompt: Prompt, max_new_tokens: int, *, seed: int, sampling: Sampling | None = None
) -> GenerationRequest:
    return GenerationRequest(prompt, Draws(sampling or Sampling(), seed), FrameLimit(max_new_tokens))


def codes_of(events: Iterable[GenerationEvent], rows: int) -> tuple[list[npt.NDArray[Any]], list[StopReason | None]]:
    """Each row's codes (frames, 16) and why it stopped; checks that nothing follows a row's Stopped."""
    frames: list[list[npt.NDArray[Any]]] = [[] for _ in range(rows)]
    reasons: list[StopReason | None] = [None] * rows
    for event in events:
        assert reasons[event.row] is None
        match event:
            case Frame(row, codes):
                frames[row].append(codes.numpy())
            case Stopped(row, reason):
                reasons[row] = reason
    return [np.array(row).reshape(-1, 16) for row in frames], reasons
