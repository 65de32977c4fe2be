"""Counted noise: the same wherever it is computed, evenly spread, and of no pattern that a seed could share."""

from __future__ import annotations

import math

import pytest
import torch

from tts_core.engines.qwen.kernels.noise import PLACES, gumbel, key_of

WORD = 2**64


def plainly(seed: int, frame: int, place: int) -> float:
    """SplitMix64 in whole numbers of any size, as published."""

    def mix(word: int) -> int:
        word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 % WORD
        word = (word ^ word >> 27) * 0x94D049BB133111EB % WORD
        return word ^ word >> 31

    key = mix((seed + 0x9E3779B97F4A7C15) % WORD)
    word = mix((key + (frame * PLACES + place) * 0x9E3779B97F4A7C15) % WORD)
    chance = min(max((word >> 32) / 2**32, 2**-33), 1 - 2**-24)
    return -math.log(-math.log1p(-chance))


def noise(seed: int, frame: int, first: int, count: int) -> torch.Tensor:
    return gumbel(torch.tensor([[key_of(seed)]]), torch.tensor([[frame]]), first, count)[0]


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
@pytest.mark.parametrize("frame", [0, 1, 8191])
def test_it_is_what_whole_numbers_give(seed: int, frame: int) -> None:
    expected = [plainly(seed, frame, place) for place in range(100, 164)]
    torch.testing.assert_close(noise(seed, frame, 100, 64), torch.tensor(expected), rtol=1e-4, atol=1e-5)


def test_rows_and_parts_do_not_change_it() -> None:
    keys = torch.tensor([[key_of(seed)] for seed in (5, 6, 7)])
    frames = torch.tensor([[3], [0], [9]])
    together = gumbel(keys, frames, 0, 4000)
    torch.testing.assert_close(together[1], noise(6, 0, 0, 4000), rtol=0, atol=0)
    torch.testing.assert_close(together[2, 1000:1100], noise(7, 9, 1000, 100), rtol=0, atol=0)


def test_it_is_finite_and_spread_like_gumbel_noise() -> None:
    drawn = torch.cat([noise(seed, frame, 0, 30_000) for seed in (1, 2) for frame in range(20)])
    assert drawn.isfinite().all()
    assert float(drawn.mean()) == pytest.approx(0.5772, abs=0.01)
    assert float(drawn.var()) == pytest.approx(math.pi**2 / 6, abs=0.02)
    shares = [float((drawn < edge).float().mean()) for edge in (-1.0, 0.0, 1.0, 3.0)]
    assert shares == pytest.approx([math.exp(-math.exp(-edge)) for edge in (-1.0, 0.0, 1.0, 3.0)], abs=0.003)


def test_neighbouring_seeds_and_frames_have_nothing_in_common() -> None:
    columns = torch.stack([noise(seed, frame, 0, 20_000) for seed in (0, 1, 2) for frame in (0, 1)])
    correlation = torch.corrcoef(columns) - torch.eye(6)
    assert float(correlation.abs().max()) < 0.04
