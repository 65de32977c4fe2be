"""How the frame loop behaves; that it computes what was published is checked in test_golden_speech."""

from __future__ import annotations

from dataclasses import replace
from itertools import count, islice
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from tests.engines.qwen.conftest import CPU_FLOAT32, LoadTalker, WriteCheckpoint
from tests.engines.qwen.takes import codes_of, greedy_request, sampled_request
from tts_core.domain.errors import EngineFailed
from tts_core.domain.values import Sampling, StopReason, TextMode
from tts_core.engines.qwen.generation.generate import Frame, GenerationRequest, generate, generate_batch
from tts_core.engines.qwen.generation.guards import FrameLimit
from tts_core.engines.qwen.talker.kv_cache import KvCache
from tts_core.engines.qwen.talker.layers import RotaryTable, Span
from tts_core.engines.qwen.talker.prompt import PresetSpeaker, Prompt, PromptRequest
from tts_core.engines.qwen.talker.sampling import Draws
from tts_core.engines.qwen.talker.talker import Talker
from tts_core.engines.qwen.talker_model import TalkerModel

LONG_TEXT = "the quick brown fox jumps over a lazy dog"


@pytest.fixture(params=["a", "b"])
def model(request: pytest.FixtureRequest, talker_model: LoadTalker) -> TalkerModel:
    return talker_model("custom_voice", request.param)


def prompt_of(model: TalkerModel, text: str = "hello world", mode: TextMode = TextMode.FULL) -> Prompt:
    return model.build_prompt(PromptRequest(text, PresetSpeaker("ryan"), text_mode=mode))


def take(model: TalkerModel, request: GenerationRequest) -> tuple[npt.NDArray[Any], StopReason | None]:
    codes, reasons = codes_of(generate(model.talker, request), rows=1)
    return codes[0], reasons[0]


@pytest.fixture
def own(checkpoint: WriteCheckpoint) -> TalkerModel:
    """A model whose weights may be changed."""
    return TalkerModel.load(checkpoint("custom_voice", "b"), CPU_FLOAT32)


@pytest.fixture
def ending(own: TalkerModel) -> TalkerModel:
    """A model that ends early: its end is eight times as loud."""
    own.talker.codec_head.weight[own.config.talker.codec_ids.eos] *= 8.0
    return own


def test_the_same_seed_gives_the_same_take_and_another_seed_another(model: TalkerModel) -> None:
    first, again, other = (take(model, sampled_request(prompt_of(model), 12, seed=seed))[0] for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.9


def test_rows_that_have_ended_are_not_computed_any_more(talker_model: LoadTalker) -> None:
    model = talker_model("custom_voice", "a")
    prompts = [
        model.build_prompt(PromptRequest(text, PresetSpeaker("ryan"))) for text in ("a fox", "hello world", LONG_TEXT)
    ]
    requests = [sampled_request(prompt, tokens, seed=tokens) for prompt, tokens in zip(prompts, (5, 9, 3), strict=True)]
    rows: list[int] = []
    hook = model.talker.model.norm.register_forward_hook(lambda _module, inputs, _output: rows.append(len(inputs[0])))
    try:
        together, _ = codes_of(generate_batch(model.talker, requests), rows=3)
    finally:
        hook.remove()
    assert rows == [1, 1, 1, *[3] * 2, *[2] * 2, *[1] * 4]  # three prompts, then a row for each that goes on
    for request, codes in zip(requests, together, strict=True):
        np.testing.assert_array_equal(codes, codes_of(generate(model.talker, request), rows=1)[0][0])


def test_a_take_does_not_depend_on_what_runs_beside_it(model: TalkerModel) -> None:
    requests = [
        sampled_request(prompt_of(model, LONG_TEXT), 20, seed=1, sampling=Sampling(top_k=5, predictor_top_p=0.7)),
        greedy_request(prompt_of(model, "dog", TextMode.STREAM), 9),
        sampled_request(prompt_of(model, mode=TextMode.STREAM), 30, seed=2, sampling=Sampling(temperature=1.4)),
    ]
    together, reasons = codes_of(generate_batch(model.talker, requests), rows=3)
    for request, codes, reason in zip(requests, together, reasons, strict=True):
        alone, alone_reason = take(model, request)
        np.testing.assert_array_equal(codes, alone)
        assert reason == alone_reason


def test_two_takes_in_turn_do_not_disturb_each_other(model: TalkerModel) -> None:
    requests = [sampled_request(prompt_of(model, text), 10, seed=3) for text in ("hello", LONG_TEXT)]
    expected = [take(model, request)[0] for request in requests]
    takes = [generate(model.talker, request) for request in requests]
    frames: list[list[npt.NDArray[Any]]] = [[], []]
    for pair in zip(*takes, strict=True):
        for collected, event in zip(frames, pair, strict=True):
            if isinstance(event, Frame):
                collected.append(event.codes.numpy())
    np.testing.assert_array_equal(frames, expected)


def test_frames_come_as_they_are_made(model: TalkerModel) -> None:
    endless = sampled_request(prompt_of(model), 8000, seed=0)
    assert [type(event) for event in islice(generate(model.talker, endless), 3)] == [Frame, Frame, Frame]


@pytest.mark.parametrize("tokens", [1, 2, 3, 10])
def test_without_an_end_there_is_one_frame_less_than_the_limit(model: TalkerModel, tokens: int) -> None:
    codes, reason = take(model, greedy_request(prompt_of(model), tokens))
    assert (len(codes), reason) == (tokens - 1, StopReason.MAX_LENGTH)


def test_what_a_limit_means_is_told(model: TalkerModel) -> None:
    limit = FrameLimit(4, StopReason.RUNAWAY)
    request = GenerationRequest(prompt_of(model), Draws(Sampling(), seed=0), limit)
    assert take(model, request)[1] is StopReason.RUNAWAY


def test_the_end_is_no_frame(ending: TalkerModel) -> None:
    requests = [greedy_request(prompt_of(ending, text), 30) for text in ("hello", LONG_TEXT, "dog")]
    codes, reasons = codes_of(generate_batch(ending.talker, requests), rows=3)
    assert StopReason.COMPLETE in reasons
    for row, reason in zip(codes, reasons, strict=True):
        assert len(row) >= 2
        assert row.max() < 2048
        assert (len(row) < 29) == (reason is StopReason.COMPLETE)


def test_an_end_at_the_limit_is_complete(ending: TalkerModel) -> None:
    codes, reason = take(ending, greedy_request(prompt_of(ending), 30))
    assert reason is StopReason.COMPLETE
    assert take(ending, greedy_request(prompt_of(ending), len(codes) + 1))[1] is StopReason.COMPLETE
    assert take(ending, greedy_request(prompt_of(ending), len(codes)))[1] is StopReason.MAX_LENGTH


@pytest.mark.parametrize("asked", range(8))
def test_cancelling_takes_effect_within_a_frame(model: TalkerModel, asked: int) -> None:
    calls = count()
    limit, draws = FrameLimit(50), Draws(Sampling(), seed=0)
    request = GenerationRequest(prompt_of(model), draws, limit, cancelled=lambda: next(calls) >= asked)
    codes, reason = take(model, request)
    assert (len(codes), reason) == (asked // 2, StopReason.CANCELLED)
    assert next(calls) == asked + 1


def test_cancelling_one_row_leaves_the_others(model: TalkerModel) -> None:
    kept = sampled_request(prompt_of(model), 12, seed=4)
    stopped = GenerationRequest(kept.prompt, kept.draws, kept.limit, cancelled=lambda: True)
    codes, reasons = codes_of(generate_batch(model.talker, [stopped, kept]), rows=2)
    assert (len(codes[0]), reasons) == (0, [StopReason.CANCELLED, StopReason.MAX_LENGTH])
    np.testing.assert_array_equal(codes[1], take(model, kept)[0])


def test_a_loop_is_stopped_unless_the_take_is_greedy(own: TalkerModel) -> None:
    torch.manual_seed(0)
    weight = own.talker.codec_head.weight
    weight[:2048] = 1e-3 * torch.randn(2048, weight.shape[1])
    weight[7] = 1e3 * torch.randn(weight.shape[1])  # these two are loud whatever comes before
    weight[8] = -weight[7]
    sampling = Sampling(top_k=2, repetition_penalty=1.0)
    codes, reason = take(own, GenerationRequest(prompt_of(own), Draws(sampling, seed=0), FrameLimit(300)))
    assert (reason, len(codes) < 200) == (StopReason.LOOP, True)
    greedy = GenerationRequest(prompt_of(own), Draws(sampling, seed=0, greedy=True), FrameLimit(90))
    assert take(own, greedy)[1] is StopReason.MAX_LENGTH


def with_length(prompt: Prompt, length: int) -> Prompt:
    return replace(prompt, embeddings=prompt.embeddings[:, :1].expand(-1, length, -1))


def test_a_take_ends_where_the_model_has_no_more_positions(own: TalkerModel) -> None:
    own.talker.config = replace(own.talker.config, transformer=replace(own.talker.config.transformer, max_positions=20))
    codes, reason = take(own, sampled_request(with_length(prompt_of(own), 15), 100, seed=0))
    assert (len(codes), reason) == (4, StopReason.MAX_LENGTH)
    with pytest.raises(EngineFailed, match="longer than the model can read"):
        generate(own.talker, sampled_request(with_length(prompt_of(own), 20), 100, seed=0))


@torch.inference_mode()
def recomputed_hidden(talker: Talker, inputs: torch.Tensor) -> torch.Tensor:
    """All positions at once, nothing cached: the slow twin of prompt, cache and steps."""
    length, transformer = inputs.shape[1], talker.config.transformer
    positions = torch.arange(length)[None]
    table = RotaryTable.build(transformer.head_dim, transformer.rope_theta, length, talker.device)
    mask = torch.ones(length, length, dtype=torch.bool).tril()[None, None]
    cache = KvCache.allocate(transformer, rows=1, capacity=length, device=talker.device, dtype=talker.dtype)
    hidden: torch.Tensor = talker(inputs, Span(positions, table.at(positions), length, mask), cache)
    return hidden


def test_steps_equal_computing_everything_again(model: TalkerModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tts_core.engines.qwen.generation.frame_step._ROOM", 3)  # the cache has to grow
    prompt = prompt_of(model, LONG_TEXT, TextMode.STREAM)
    codes, _ = take(model, greedy_request(prompt, 31))
    frames = model.talker.embed_frames(torch.from_numpy(codes)[None])
    text = torch.cat((prompt.trailing, prompt.pad.expand(-1, len(codes) - prompt.trailing.shape[1], -1)), dim=1)
    hidden = recomputed_hidden(model.talker, torch.cat((prompt.embeddings, frames + text), dim=1))
    logits = model.talker.codec_head(hidden[:, prompt.embeddings.shape[1] - 1 : -1])[0]
    for frame, row in enumerate(logits):
        seen = np.unique(codes[:frame, 0])
        row[seen] = torch.where(row[seen] > 0, row[seen] / 1.05, row[seen] * 1.05)
        row[2048:] = -torch.inf
    assert logits.argmax(dim=-1).tolist() == codes[:, 0].tolist()


def test_memory_that_was_not_written_is_not_looked_at(model: TalkerModel, monkeypatch: pytest.MonkeyPatch) -> None:
    expected, _ = take(model, greedy_request(prompt_of(model), 20))
    allocate = KvCache.allocate

    def poisoned(*args: Any, **named: Any) -> KvCache:
        cache = allocate(*args, **named)
        return KvCache(cache.keys.fill_(torch.nan), cache.values.fill_(torch.nan))

    monkeypatch.setattr(KvCache, "allocate", poisoned)
    np.testing.assert_array_equal(take(model, greedy_request(prompt_of(model), 20))[0], expected)
