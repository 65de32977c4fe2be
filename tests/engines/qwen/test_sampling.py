from __future__ import annotations

from collections import Counter
from functools import reduce

import pytest
import torch
from hypothesis import given, settings, strategies as st

from tests.engines.qwen.conftest import LoadTalker
from tts_core.domain.values import Sampling
from tts_core.engines.qwen.talker.config import TalkerConfig
from tts_core.engines.qwen.talker.sampling import MIN_FRAMES, Drawer, Draws, DrawState, Filter, Reach

CPU = torch.device("cpu")
Setting = tuple[float, int, float]
"""Temperature, top-k, top-p."""


@pytest.fixture
def config(talker_model: LoadTalker) -> TalkerConfig:
    return talker_model("custom_voice", "a").config.talker


def plainly_filtered(logits: list[float], setting: Setting) -> list[float]:
    """Code by code, as one would explain it."""
    temperature, top_k, top_p = setting
    scaled = torch.tensor(logits) / temperature
    order = scaled.argsort(descending=True).tolist()
    least = scaled[order[min(top_k, len(order)) - 1]]
    kept = [code for code in order if scaled[code] >= least]
    chances = scaled[kept].softmax(0)
    nucleus: list[int] = []
    while not nucleus or (len(nucleus) < len(kept) and (top_p == 1.0 or float(chances[: len(nucleus)].sum()) < top_p)):
        nucleus.append(kept[len(nucleus)])
    return [float(scaled[code]) if code in nucleus else -torch.inf for code in range(len(logits))]


def filtered(logits: torch.Tensor, rows: list[Setting]) -> torch.Tensor:
    state = Filter.allocate(len(rows), CPU)
    for number, setting in enumerate(rows):
        state.part(number, 1).fill(setting)
    return state.apply(logits, Reach(max(k for _, k, _ in rows), any(p < 1.0 for *_, p in rows)))


@settings(max_examples=200, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.floats(0.01, 5.0), st.integers(1, 60), st.sampled_from([0.05, 0.31, 0.77, 0.95, 1.0])),
        min_size=1,
        max_size=4,
    ),
    seed=st.integers(0, 2**31),
)
def test_every_row_is_filtered_by_its_own_setting(rows: list[Setting], seed: int) -> None:
    logits = 4 * torch.randn(len(rows), 40, generator=torch.Generator().manual_seed(seed))
    found = filtered(logits, rows)
    expected = torch.tensor([plainly_filtered(row.tolist(), s) for row, s in zip(logits, rows, strict=True)])
    torch.testing.assert_close(found, expected)


def test_equal_logits_at_the_edge_of_top_k_are_all_kept() -> None:
    found = filtered(torch.tensor([[1.0, 3.0, 1.0, 0.0]]), [(1.0, 2, 1.0)])
    assert found.isfinite().tolist() == [[True, True, True, False]]


class RowsOfDraws:
    """Draws for some rows, as the frame loop does."""

    def __init__(self, config: TalkerConfig, *rows: Draws) -> None:
        self.drawer, self.state = Drawer(config, CPU), DrawState.allocate(len(rows), config.vocab_size, CPU)
        for number, draws in enumerate(rows):
            self.state.part(number, 1).fill(draws)
        self.reach = reduce(Reach.joined, map(Reach.of, rows))

    def first(self, logits: torch.Tensor, *, frame: int) -> torch.Tensor:
        return self.drawer.draw_first(logits, self.state, self.frames(frame), self.reach)[:, 0]

    def residual(self, step: int, logits: torch.Tensor, *, frame: int) -> torch.Tensor:
        return self.drawer.residual(self.state, self.frames(frame), self.reach).draw_residual(step, logits)

    def frames(self, frame: int) -> torch.Tensor:
        return torch.full((len(self.state.keys), 1), frame)


def greedy(**values: float) -> Draws:
    return Draws(Sampling(**values), seed=0, greedy=True)  # type: ignore[arg-type]


def test_codes_that_were_drawn_are_penalised_and_others_are_not(config: TalkerConfig) -> None:
    logits = torch.zeros(1, config.vocab_size)
    logits[0, [7, 8]] = torch.tensor([2.0, 1.95])
    draw = RowsOfDraws(config, greedy())
    assert [draw.first(logits.clone(), frame=frame).item() for frame in range(3)] == [7, 8, 7]
    without = RowsOfDraws(config, greedy(repetition_penalty=1.0))
    assert [without.first(logits.clone(), frame=frame).item() for frame in range(3)] == [7, 7, 7]


def test_negative_logits_are_penalised_downwards(config: TalkerConfig) -> None:
    logits = torch.full((1, config.vocab_size), -9.0)
    logits[0, [7, 8]] = torch.tensor([-2.0, -2.05])
    draw = RowsOfDraws(config, greedy())
    assert [draw.first(logits.clone(), frame=frame).item() for frame in range(2)] == [7, 8]


def test_the_end_can_not_come_before_two_frames(config: TalkerConfig) -> None:
    logits = torch.zeros(1, config.vocab_size)
    logits[0, config.codec_ids.eos] = 50.0
    draw = RowsOfDraws(config, greedy())
    codes = [draw.first(logits.clone(), frame=frame).item() for frame in range(MIN_FRAMES + 1)]
    assert (codes[MIN_FRAMES], config.codec_ids.eos in codes[:MIN_FRAMES]) == (config.codec_ids.eos, False)


def test_ids_that_are_no_sound_are_never_drawn(config: TalkerConfig) -> None:
    logits = torch.zeros(1, config.vocab_size)
    logits[0, config.vocab_size - 1024 :] = 50.0
    logits[0, config.codec_ids.eos] = -50.0
    draw = RowsOfDraws(config, Draws(Sampling(top_k=4096, temperature=5.0), seed=1))
    codes = {draw.first(logits.clone(), frame=frame).item() for frame in range(200)}
    assert max(codes) < config.vocab_size - 1024


@pytest.mark.thorough
def test_codes_are_drawn_as_often_as_their_chance_says(config: TalkerConfig) -> None:
    logits = torch.full((1, 2048), -30.0)
    logits[0, :3] = torch.tensor([0.5, 0.3, 0.2]).log()
    draw = RowsOfDraws(config, Draws(Sampling(predictor_temperature=1.0), seed=5))
    counts: Counter[int] = Counter()
    for frame in range(400):
        draw.first(torch.zeros(1, config.vocab_size), frame=frame)
        counts.update(int(draw.residual(step, logits, frame=frame)) for step in range(15))
    shares = [counts[code] / counts.total() for code in range(3)]
    assert shares == pytest.approx([0.5, 0.3, 0.2], abs=0.03)


def test_a_rows_draws_depend_on_its_seed_alone(config: TalkerConfig) -> None:
    logits = torch.randn(1, config.vocab_size, generator=torch.Generator().manual_seed(0))
    alone = RowsOfDraws(config, Draws(Sampling(), seed=11))
    among = RowsOfDraws(config, Draws(Sampling(top_k=5), seed=3), Draws(Sampling(), seed=11), greedy())
    for frame in range(20):
        first = alone.first(logits, frame=frame)
        assert among.first(logits.repeat(3, 1), frame=frame)[1] == first
        residual = alone.residual(frame % 15, logits[:, :2048], frame=frame)
        assert among.residual(frame % 15, logits[:, :2048].repeat(3, 1), frame=frame)[1] == residual
