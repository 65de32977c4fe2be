"""Takes that join and leave while others speak: what each says is what it says alone, whichever way frames are made."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from functools import cache
from threading import Event
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings, strategies as st

from tests.engines.qwen.conftest import LoadTalker
from tests.engines.qwen.takes import codes_of, greedy_request, sampled_request
from tts_core.domain.values import Sampling, StopReason, TextMode
from tts_core.engines.qwen.generation.compiled_blocks import CompiledTalker
from tts_core.engines.qwen.generation.frame_step import FrameStep
from tts_core.engines.qwen.generation.generate import Batch, GenerationEvent, GenerationRequest, generate
from tts_core.engines.qwen.kernels.graphs import Work
from tts_core.engines.qwen.talker.prompt import PresetSpeaker, PromptRequest
from tts_core.engines.qwen.talker_model import TalkerModel

Codes = npt.NDArray[Any]
SLOTS = 4


class Replayed:
    """In the place of recorded graphs: the first work of a key is done whenever the key comes again, as a graph is."""

    def __init__(self) -> None:
        self.works: dict[Hashable, Work] = {}
        self.times_forgotten = 0

    def run(self, key: Hashable, work: Work) -> None:
        self.works.setdefault(key, work)()

    def forget(self) -> None:
        self.works.clear()
        self.times_forgotten += 1


@pytest.fixture
def model(talker_model: LoadTalker) -> TalkerModel:
    return talker_model("custom_voice", "a")


@cache
def kinds(model: TalkerModel) -> list[GenerationRequest]:
    """Takes of all sorts: prompts of different lengths, text beside the frames or before, greedy or not."""
    prompts = [
        model.build_prompt(PromptRequest(text, PresetSpeaker("ryan"), text_mode=mode))
        for text, mode in (
            ("dog", TextMode.FULL),
            ("hello world", TextMode.STREAM),
            ("the quick brown fox jumps over a lazy dog", TextMode.STREAM),
        )
    ]
    return [
        greedy_request(prompts[0], 9),
        sampled_request(prompts[1], 12, seed=1),
        sampled_request(prompts[2], 5, seed=2, sampling=Sampling(top_k=5, predictor_top_p=0.7)),
        sampled_request(prompts[0], 3, seed=3, sampling=Sampling(temperature=1.4, top_k=200)),
    ]


@cache
def alone(model: TalkerModel, kind: int) -> Codes:
    return codes_of(generate(model.talker, kinds(model)[kind]), rows=1)[0][0]


def said_in_turn(step: FrameStep, schedule: Sequence[tuple[int, GenerationRequest]]) -> list[GenerationEvent]:
    """schedule: after how many more frames each take joins; it waits longer where no slot is free."""
    batch, events = Batch(step), list[GenerationEvent]()
    for row, (frames, request) in enumerate(schedule):
        for _ in range(frames):
            events += batch.frame()
        while not batch.has_room:
            events += batch.frame()
        assert batch.join(request, row) is None
    while len(batch):
        events += batch.frame()
    return events


@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    schedule=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 3)), min_size=1, max_size=7), records=st.booleans()
)
def test_any_schedule_gives_each_take_what_it_says_alone(
    talker_model: LoadTalker, schedule: list[tuple[int, int]], records: bool
) -> None:
    model = talker_model("custom_voice", "a")
    step = FrameStep(model.talker, SLOTS, Replayed() if records else None)
    requests = [(frames, kinds(model)[kind]) for frames, kind in schedule]
    codes, reasons = codes_of(said_in_turn(step, requests), rows=len(schedule))
    assert set(reasons) == {StopReason.MAX_LENGTH}
    for (_, kind), said in zip(schedule, codes, strict=True):
        np.testing.assert_array_equal(said, alone(model, kind))


@pytest.mark.parametrize("records", [False, True])
def test_growing_keeps_what_takes_have_said(model: TalkerModel, monkeypatch: pytest.MonkeyPatch, records: bool) -> None:
    monkeypatch.setattr("tts_core.engines.qwen.generation.frame_step._ROOM", 2)
    monkeypatch.setattr("tts_core.engines.qwen.generation.frame_step._GRAPH_POSITIONS", 8)
    monkeypatch.setattr("tts_core.engines.qwen.generation.frame_step._GRAPH_TEXT", 2)
    graphs = Replayed()
    step = FrameStep(model.talker, SLOTS, graphs if records else None)
    schedule = [(0, kinds(model)[0]), (2, kinds(model)[1]), (1, kinds(model)[2])]
    codes, _ = codes_of(said_in_turn(step, schedule), rows=3)
    for kind, said in enumerate(codes):
        np.testing.assert_array_equal(said, alone(model, kind))
    assert graphs.times_forgotten > 2 or not records


def test_prompts_too_long_to_record_are_read_all_the_same(model: TalkerModel) -> None:
    request = kinds(model)[1]
    longer = replace(request.prompt, embeddings=request.prompt.embeddings[:, :1].expand(-1, 600, -1))
    expected, _ = codes_of(generate(model.talker, replace(request, prompt=longer)), rows=1)
    step = FrameStep(model.talker, SLOTS, Replayed())
    schedule = [(0, replace(request, prompt=longer)), (0, request)]
    codes, _ = codes_of(said_in_turn(step, schedule), rows=2)
    np.testing.assert_array_equal(codes[0], expected[0])
    np.testing.assert_array_equal(codes[1], alone(model, 1))


def test_warming_up_records_what_usual_takes_need_and_leaves_no_trace(model: TalkerModel) -> None:
    graphs = Replayed()
    step = FrameStep(model.talker, 2, graphs)
    told = list(step.warm_up())
    assert told == [(number, told[-1][1]) for number in range(1, len(told) + 1)]
    recorded = set(graphs.works)
    assert len(recorded) == len(told)
    codes, _ = codes_of(said_in_turn(step, [(0, kinds(model)[0]), (1, kinds(model)[1])]), rows=2)
    for kind, said in enumerate(codes):
        np.testing.assert_array_equal(said, alone(model, kind))
    assert set(graphs.works) == recorded
    assert graphs.times_forgotten == 1  # when memory was taken at first


def test_memory_is_given_back_when_the_last_take_has_left(model: TalkerModel) -> None:
    step = FrameStep(model.talker, SLOTS)
    said_in_turn(step, [(0, kinds(model)[0]), (1, kinds(model)[3])])
    with pytest.raises(RuntimeError, match="no slot was joined"):
        step.first_codes(1)


def test_a_cancelled_take_leaves_the_others_as_they_were(model: TalkerModel) -> None:
    for records in (False, True):
        stop = Event()
        stopped = replace(kinds(model)[0], cancelled=stop.is_set)
        batch = Batch(FrameStep(model.talker, SLOTS, Replayed() if records else None))
        for row, request in enumerate((kinds(model)[1], stopped, kinds(model)[2])):
            batch.join(request, row)
        events = [*batch.frame(), *batch.frame()]
        stop.set()
        while len(batch):
            events += batch.frame()
        codes, reasons = codes_of(events, rows=3)
        assert reasons[1] is StopReason.CANCELLED
        np.testing.assert_array_equal(codes[0], alone(model, 1))
        np.testing.assert_array_equal(codes[2], alone(model, 2))
        np.testing.assert_array_equal(codes[1], alone(model, 0)[: len(codes[1])])


def test_an_end_that_is_read_late_is_still_no_frame(talker_model: LoadTalker, model: TalkerModel) -> None:
    """The device is a frame ahead when the end is seen; nothing of that frame is told."""
    eos = int(alone(model, 0)[4, 0])
    for records in (False, True):
        step = FrameStep(model.talker, 2, Replayed() if records else None)
        step.eos = eos  # what the take draws fifth is its end here
        codes, reasons = codes_of(said_in_turn(step, [(0, kinds(model)[0]), (0, kinds(model)[1])]), rows=2)
        first = alone(model, 0)[:, 0].tolist().index(eos)
        assert reasons[0] is StopReason.COMPLETE
        np.testing.assert_array_equal(codes[0], alone(model, 0)[:first])


def test_nothing_in_a_frame_looks_at_a_value(model: TalkerModel) -> None:
    """What asks the device for a number can't be recorded: the work runs on tensors that have none."""
    from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode  # noqa: PLC0415

    graphs = Replayed()
    step = FrameStep(model.talker, 2, graphs)
    said_in_turn(step, [(0, kinds(model)[3])])
    assert {key[0] for key in graphs.works if isinstance(key, tuple)} == {"read", "frame"}
    with FakeTensorMode(allow_non_fake_inputs=True), torch.inference_mode():
        with pytest.raises(DataDependentOutputException):
            torch.ones(1).add(1).item()
        for work in graphs.works.values():
            work()


@pytest.mark.slow
def test_compiled_frames_are_the_eager_ones(model: TalkerModel) -> None:
    compiled, batch = CompiledTalker(model.talker), Batch(FrameStep(model.talker, 1, Replayed()))
    batch.join(kinds(model)[2], 0)
    events: list[GenerationEvent] = []
    with compiled.in_use():
        while len(batch):
            events += batch.frame()
    codes, _ = codes_of(events, rows=1)
    np.testing.assert_array_equal(codes[0], alone(model, 2))
    assert model.talker.model.layers.fused is None
