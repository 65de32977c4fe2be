"""How far a model in another precision strays from float32: the logits of all 16 codebooks, fed with the same codes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tts_core.domain.events import AudioChunk
from tts_core.engines.qwen.speech_model import QwenModel, SpeechRequest
from tts_core.engines.qwen.talker.config import TransformerConfig
from tts_core.engines.qwen.talker.kv_cache import KvCache
from tts_core.engines.qwen.talker.layers import Blocks, RotaryTable, Span, run_blocks
from tts_core.engines.qwen.talker.prompt import Prompt, PromptRequest
from tts_core.engines.qwen.talker.talker import Talker


@dataclass(frozen=True, slots=True)
class Fidelity:
    """One number per codebook."""

    agreement: list[float]
    """Share of frames in which the likeliest code is the same."""
    divergence: list[float]
    """Mean Kullback-Leibler divergence from float32's distribution, nats."""


def compare(exact: QwenModel, other: QwenModel, request: PromptRequest, frames: int) -> Fidelity:
    """Both see the codes that `exact` draws for the request."""
    events = exact.stream(SpeechRequest(request, max_frames=frames + 1))
    codes = torch.from_numpy(
        np.concatenate([e.codes for e in events if isinstance(e, AudioChunk) and e.codes is not None])
    )
    pairs = [
        (wanted.log_softmax(-1), found.log_softmax(-1))
        for wanted, found in zip(
            *(logits(m.talker, m.build_prompt(request), codes) for m in (exact, other)), strict=True
        )
    ]
    return Fidelity(
        [float((wanted.argmax(-1) == found.argmax(-1)).float().mean()) for wanted, found in pairs],
        [float((wanted.exp() * (wanted - found)).sum(-1).mean()) for wanted, found in pairs],
    )


@torch.inference_mode()
def logits(talker: Talker, prompt: Prompt, codes: Tensor) -> list[Tensor]:
    """Of each codebook (F, V), given all codes (F, 16) before."""
    before, frames = prompt.embeddings.shape[1], len(codes)
    text = torch.cat((prompt.trailing, prompt.pad.expand(-1, frames, -1)), dim=1)[:, : frames - 1]
    inputs = torch.cat((prompt.embeddings, talker.embed_frames(codes[None, :-1]) + text), dim=1)
    states = _read(talker.model.layers, talker.config.transformer, inputs)
    hidden = talker.model.norm(states)[0, before - 1 :]  # [F, H]
    predictor = talker.code_predictor
    tables = (talker.model.codec_embedding, *predictor.model.codec_embedding)
    drawn = [table(codes[:, group]) for group, table in enumerate(tables[:-1])]
    inputs = predictor.small_to_mtp_projection(torch.stack((hidden, *drawn), dim=1))  # [F, 16, H]
    states = predictor.model.norm(_read(predictor.model.layers, predictor.config.transformer, inputs))
    return [talker.codec_head(hidden), *(head(states[:, n + 1]) for n, head in enumerate(predictor.lm_head))]


def _read(blocks: Blocks, config: TransformerConfig, x: Tensor) -> Tensor:
    """x (B, T, H) through the blocks, each position seeing those before it."""
    rows, count, _ = x.shape
    table = RotaryTable.build(config.head_dim, config.rope_theta, count, x.device)
    cache = KvCache.allocate(config, rows=rows, capacity=count, device=x.device, dtype=x.dtype)
    positions = torch.arange(count).expand(rows, -1)
    mask = torch.ones(count, count, dtype=torch.bool).tril()[None, None]
    return run_blocks(blocks, x, Span(positions, table.at(positions), count, mask), cache)
