"""A whole frame of the code predictor in compiled loops: 15 passes with the draws between them.

Between two passes lie a norm, a head, a draw and a table: a few microseconds here, nearly a millisecond in torch, whose
own code the weights have driven out of the processor's cache. The draws are those of `sampling`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import carray

from tts_core.engines.qwen.kernels.native_blocks import (
    BlockBuffers,
    Matrix,
    Stack,
    Tokens,
    multiply_share,
    norm,
    run_blocks,
)
from tts_core.engines.qwen.kernels.native_vectors import (
    LANES,
    Array,
    Crew,
    at_address,
    compiled,
    entry,
    exp,
    meet,
    share_of,
)


class Predictor(NamedTuple):
    """The predictor's weights outside its blocks. G draws a frame, V codes, W the talker's width."""

    norm: Array
    heads: Array
    """(G, 2) addresses: weights (V / LANES rounded up, hidden, LANES) int8, scales."""
    tables: Array
    """(G) addresses of the codes' embeddings (V, W)."""
    projection: Matrix
    """The product from W to the predictor's width; empty where they are the same."""
    bias: Array


class Drawing(NamedTuple):
    """The settings by which codes are drawn, one value a row."""

    temperature: Array
    top_k: Array
    top_p: Array
    noise: Array
    """(B, G, V): added to the logits."""


class FrameBuffers(NamedTuple):
    """The memory of one frame of B rows: what is read, computed in, and filled."""

    wide: Array
    """(2B, W): hidden state and first code's embedding, row by row; overwritten."""
    narrow: Array
    """(2B, hidden): memory to compute in."""
    logits: Array
    """(B, V rounded up): the logits of one draw."""
    codes: Array
    """(B, G) int64: the answer."""
    total: Array
    """(B, W): the sum of the drawn codes' embeddings."""


@compiled
def _largest(logits: Array, count: int, size: int) -> float:
    """The count-th largest of the first `size` logits."""
    return np.partition(logits[:size], size - count)[size - count]  # type: ignore[no-any-return]


@compiled
def _least_likely_allowed(logits: Array, size: int, top_p: float) -> float:
    """The smallest logit that top-p leaves: those below it hold at most 1 - top_p together."""
    ordered = np.sort(logits[:size])
    total = np.float32(0.0)
    for place in range(size):
        total += exp(max(ordered[place] - ordered[-1], np.float32(-80.0)))
    below = np.float32(0.0)
    for place in range(size - 1):
        below += exp(max(ordered[place] - ordered[-1], np.float32(-80.0))) / total
        if below > np.float32(1.0) - top_p:
            return ordered[place]  # type: ignore[no-any-return]
    return ordered[-1]  # type: ignore[no-any-return]


@compiled
def draw(logits: Array, noise: Array, temperature: float, top_k: int, top_p: float) -> int:
    """Draw one code; the logits (at least as many as the noise) are overwritten."""
    size = len(noise)
    for code in range(size):
        logits[code] = logits[code] / temperature
    least = _largest(logits, min(top_k, size), size)
    if top_p < 1.0:
        for code in range(size):
            if logits[code] < least:
                logits[code] = -np.float32(1e30)
        least = _least_likely_allowed(logits, size, top_p)
    best, most = 0, -np.float32(3e38)
    for code in range(size):
        if logits[code] >= least and logits[code] + noise[code] > most:
            best, most = code, logits[code] + noise[code]
    return best


@compiled
def _project(me: int, crew: Crew, predictor: Predictor, frame: FrameBuffers, count: int) -> Array:
    """The inputs of `count` tokens in the predictor's width; ready on every thread."""
    if not len(predictor.projection.weights):
        return frame.wide[:count]
    matrix, out = predictor.projection, frame.narrow[:count]
    share = share_of(len(matrix.weights), me, crew)
    multiply_share(frame.wide[:count], matrix.weights.ctypes.data, matrix.scales, share, out, False)
    for token in range(count):
        for place in range(share[0] * LANES, share[1] * LANES):
            out[token, place] += predictor.bias[place]
    meet(crew)
    return out


@compiled
def _take(frame: FrameBuffers, table: Array, drawing: Drawing, step: int) -> None:
    """Draw each row's code and put its embedding where the next pass reads."""
    for row in range(len(frame.codes)):
        noise = drawing.noise[row, step]
        code = draw(frame.logits[row], noise, drawing.temperature[row], drawing.top_k[row], drawing.top_p[row])
        frame.codes[row, step] = code
        for place in range(table.shape[1]):
            frame.wide[row, place] = table[code, place]
            frame.total[row, place] += table[code, place]


@entry
def predict(
    me: int,
    crew: Crew,
    stack: Stack,
    predictor: Predictor,
    drawing: Drawing,
    tokens: Tokens,
    room: BlockBuffers,
    frame: FrameBuffers,
) -> None:
    """Predict one frame into `frame`. tokens: places and rotations of all passes, 2B, then B for each other; no x."""
    rows, draws = frame.codes.shape
    size = drawing.noise.shape[2]
    blocks = (size + LANES - 1) // LANES
    first, count = 0, 2 * rows
    for step in range(draws):
        x = _project(me, crew, predictor, frame, count)
        places, rotation = tokens.places[first : first + count], tokens.rotation[first : first + count]
        run_blocks(me, crew, stack, Tokens(x, places, rotation, tokens.caches), room)
        normed = room.normed[me][:rows]
        for row in range(rows):
            norm(x[(row + 1) * (count // rows) - 1], predictor.norm, stack.eps, normed[row])
        scales = carray(at_address(predictor.heads[step, 1], np.float32), blocks * LANES)
        multiply_share(normed, predictor.heads[step, 0], scales, share_of(blocks, me, crew), frame.logits, False)
        meet(crew)
        if me == 0:
            table = carray(at_address(predictor.tables[step], np.float32), (size, frame.wide.shape[1]))
            _take(frame, table, drawing, step)
        meet(crew)
        first += count
        count = rows
