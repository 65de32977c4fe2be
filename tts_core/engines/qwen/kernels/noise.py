"""Noise that is counted instead of remembered: row, frame and place alone decide it, whatever is computed beside it.

A counter goes through the mixing function of SplitMix64 (Steele, Lea, Flood 2014), which passes BigCrush. Sums and
products of int64 wrap, on every device alike.
"""

from __future__ import annotations

import torch
from torch import Tensor

PLACES = 2**20
"""Draws that one frame may take from its row."""
_GAMMA = 0x9E3779B97F4A7C15
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_WORD = 2**64
_LEAST_CHANCE, _MOST_CHANCE = 2.0**-33, 1.0 - 2.0**-24


def key_of(seed: int) -> int:
    """The start of a seed's counter, as an int64: seeds that are neighbours start far from each other."""
    word = (seed + _GAMMA) % _WORD
    word = (word ^ word >> 30) * _FIRST % _WORD
    word = (word ^ word >> 27) * _SECOND % _WORD
    return _signed(word ^ word >> 31)


def gumbel(keys: Tensor, frames: Tensor, first: int, count: int) -> Tensor:
    """Standard Gumbel noise (B, count) float32: the argmax of logits plus noise is a draw from their softmax.

    keys, frames: (B, 1) int64; first: the place of the first draw within its frame.
    """
    places = torch.arange(first, first + count, device=keys.device)
    word = keys + (frames * PLACES + places) * _signed(_GAMMA)
    word = (word ^ _shifted(word, 30)) * _signed(_FIRST)
    word = (word ^ _shifted(word, 27)) * _signed(_SECOND)
    word = _shifted(word ^ _shifted(word, 31), 32)
    chance = word.float().mul_(2.0**-32).clamp_(_LEAST_CHANCE, _MOST_CHANCE)
    return chance.neg_().log1p_().neg_().log_().neg_()


def _shifted(word: Tensor, bits: int) -> Tensor:
    """The words shifted to the right, with zeros from the left."""
    return (word >> bits).bitwise_and_(2 ** (64 - bits) - 1)


def _signed(word: int) -> int:
    """The int64 that has the same 64 bits as `word`."""
    return word - _WORD if word >= _WORD // 2 else word
