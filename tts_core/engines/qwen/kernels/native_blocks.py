"""The inner loops of int8 transformers, compiled for the processor at hand. Knows addresses, not modules.

A frame reads every weight once, so these loops only have to keep up with the memory: weights are widened to floats in
registers, inputs stay float32. Every thread of a crew runs the same function with a number of its own (`me`) and
computes its share; `meet` holds it until all have come as far. The order of additions never depends on how many
positions or threads there are: a position gives the same alone and beside others.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import carray

from tts_core.engines.qwen.kernels.native_int4 import multiply_share_4
from tts_core.engines.qwen.kernels.native_vectors import (
    LANES,
    MANY,
    Array,
    Crew,
    at_address,
    compiled,
    dot_1,
    dot_2,
    dot_many,
    entry,
    exp,
    meet,
    share_of,
)


class Matrix(NamedTuple):
    """The weights of a product, with one scale per output."""

    weights: Array
    """(outputs / LANES, inputs, LANES) int8 for weights of 8 bits; as `native_int4` has them for 4."""
    scales: Array
    bits: int


class Stack(NamedTuple):
    """The blocks of a transformer."""

    weights: Array
    """(layers, 5) addresses: query, key and value; output; gate; up; down."""
    scales: Array
    """(layers, 5) addresses of the scales of these products."""
    bits: Array
    """(layers, 5): 8 or 4, the bits of these products' weights."""
    norms: Array
    """(layers, 2 * hidden + 2 * head dim): norms before attention, before the MLP, of each query, of each key."""
    hidden: int
    inner: int
    query_heads: int
    kv_heads: int
    head_dim: int
    eps: float


class Tokens(NamedTuple):
    """N positions of any rows. Each looks at what its row's cache holds up to itself."""

    x: Array
    """(N, hidden), replaced by the result."""
    places: Array
    """(N, 2) int64: row and position."""
    rotation: Array
    """(N, 2, head dim): cosines and sines."""
    caches: Array
    """Addresses of keys and values, then the strides of layer, row and head in numbers: 5 int64."""


class BlockBuffers(NamedTuple):
    """The memory for intermediate results."""

    normed: Array
    """(crew, N, hidden): normed inputs, for each thread its own."""
    heads: Array
    """(N, heads * head dim): all queries, keys and values."""
    mixed: Array
    """(N, query heads * head dim): the attention's outputs."""
    inner: Array
    """(2, N, inner): the MLP's gate and up."""
    scores: Array
    """(crew, longest row): a query's scores, for each thread its own."""


@compiled
def norm(x: Array, weight: Array, eps: float, out: Array) -> None:
    """Compute the RMS norm of x (size) into out."""
    total = np.float32(0.0)
    for place in range(x.size):
        total += x[place] * x[place]
    factor = np.float32(1.0) / np.sqrt(total / np.float32(x.size) + np.float32(eps))
    for place in range(x.size):
        out[place] = weight[place] * (x[place] * factor)


@compiled
def multiply_share(x: Array, weights: int, scales: Array, share: tuple[int, int], out: Array, adds: bool) -> None:
    """Compute blocks share[0] to share[1] of a product: x (N, inputs) to their places in out (N, outputs)."""
    count, inputs = x.shape
    sums = np.empty((MANY, LANES), np.float32)
    for block in range(share[0], share[1]):
        matrix = weights + block * inputs * LANES
        start = block * LANES
        done = 0
        while done < count:
            if count - done >= MANY:
                some = MANY
                dot_many(x.ctypes.data + 4 * done * inputs, inputs, matrix, inputs, sums.ctypes.data)
            elif count - done >= 2:
                some = 2
                dot_2(x.ctypes.data + 4 * done * inputs, inputs, matrix, inputs, sums.ctypes.data)
            else:
                some = 1
                dot_1(x.ctypes.data + 4 * done * inputs, inputs, matrix, inputs, sums.ctypes.data)
            for row in range(some):
                for lane in range(LANES):
                    value = sums[row, lane] * scales[start + lane]
                    if adds:
                        out[done + row, start + lane] += value
                    else:
                        out[done + row, start + lane] = value
            done += some


@entry
def multiply(me: int, crew: Crew, matrix: Matrix, x: Array, out: Array) -> None:
    """Multiply x (N, inputs) by the matrix, into out (N, outputs)."""
    share = share_of(len(matrix.weights), me, crew)
    if matrix.bits == 4:
        multiply_share_4(x, matrix.weights.ctypes.data, matrix.scales, share, out, False)
    else:
        multiply_share(x, matrix.weights.ctypes.data, matrix.scales, share, out, False)
    meet(crew)


@compiled
def _multiply_in(
    stack: Stack, layer: int, which: int, x: Array, share: tuple[int, int], out: Array, adds: bool
) -> None:
    """Compute a share of a block's product number `which`; `out` is as wide as its outputs."""
    scales = carray(at_address(stack.scales[layer, which], np.float32), out.shape[1])
    if stack.bits[layer, which] == 4:
        multiply_share_4(x, stack.weights[layer, which], scales, share, out, adds)
    else:
        multiply_share(x, stack.weights[layer, which], scales, share, out, adds)


@compiled
def _turn(head: Array, weight: Array, eps: float, rotation: Array, out: Array) -> None:
    """Norm and rotate one head; `out` may not be `head`."""
    norm(head, weight, eps, out)
    half = head.size // 2
    for place in range(half):
        left, right = out[place], out[place + half]
        out[place] = left * rotation[0, place] - right * rotation[1, place]
        out[place + half] = right * rotation[0, place + half] + left * rotation[1, place + half]


@compiled
def _look(query: Array, keys: Array, values: Array, scores: Array, out: Array) -> None:
    """Attend with a query (D) to keys and values (L, D), into out (D)."""
    length, width = keys.shape
    factor = np.float32(1.0) / np.sqrt(np.float32(width))
    most = np.float32(-3e38)
    for place in range(length):
        total = np.float32(0.0)
        for lane in range(width):
            total += query[lane] * keys[place, lane]
        scores[place] = total * factor
        most = max(most, scores[place])
    whole = np.float32(0.0)
    for place in range(length):
        scores[place] = exp(scores[place] - most)
        whole += scores[place]
    out[:] = np.float32(0.0)
    for place in range(length):
        weight = scores[place] / whole
        for lane in range(width):
            out[lane] += weight * values[place, lane]


@compiled
def _attend(
    share: tuple[int, int], stack: Stack, layer: int, tokens: Tokens, room: BlockBuffers, scores: Array
) -> None:
    """Attention of this share's key and value heads: write the new ones, then let every position look."""
    width, queries = stack.head_dim, stack.query_heads
    group = queries // stack.kv_heads
    weights = stack.norms[layer, 2 * stack.hidden :]
    for head in range(share[0], share[1]):
        for past in range(2):  # write all before any looks
            for token in range(len(tokens.x)):
                offset = layer * tokens.caches[2] + tokens.places[token, 0] * tokens.caches[3] + head * tokens.caches[4]
                length = tokens.places[token, 1] + 1
                keys = carray(at_address(tokens.caches[0] + 4 * offset, np.float32), (length, width))
                values = carray(at_address(tokens.caches[1] + 4 * offset, np.float32), (length, width))
                heads = room.heads[token].reshape(-1, width)
                rotation = tokens.rotation[token]
                if past == 0:
                    _turn(heads[queries + head], weights[width:], stack.eps, rotation, keys[length - 1])
                    values[length - 1] = heads[queries + stack.kv_heads + head]
                else:
                    mixed = room.mixed[token].reshape(-1, width)
                    for query in range(head * group, (head + 1) * group):
                        turned = mixed[query]  # until it is replaced
                        _turn(heads[query], weights[:width], stack.eps, rotation, turned)
                        heads[query] = turned
                        _look(heads[query], keys, values, scores, turned)


@compiled
def run_blocks(me: int, crew: Crew, stack: Stack, tokens: Tokens, room: BlockBuffers) -> None:
    """Compute all blocks for all tokens."""
    x, count, hidden, inner = tokens.x, len(tokens.x), stack.hidden, stack.inner
    normed, mixed = room.normed[me][:count], room.mixed[:count]
    gate, up = room.inner[0][:count], room.inner[1][:count]
    of_hidden, of_inner = share_of(hidden // LANES, me, crew), share_of(inner // LANES, me, crew)
    of_heads, of_kv = share_of(room.heads.shape[1] // LANES, me, crew), share_of(stack.kv_heads, me, crew)
    for layer in range(len(stack.weights)):
        for token in range(count):
            norm(x[token], stack.norms[layer, :hidden], stack.eps, normed[token])
        _multiply_in(stack, layer, 0, normed, of_heads, room.heads, False)
        meet(crew)
        _attend(of_kv, stack, layer, tokens, room, room.scores[me])
        meet(crew)
        _multiply_in(stack, layer, 1, mixed, of_hidden, x, True)
        meet(crew)
        for token in range(count):
            norm(x[token], stack.norms[layer, hidden : 2 * hidden], stack.eps, normed[token])
        _multiply_in(stack, layer, 2, normed, of_inner, gate, False)
        _multiply_in(stack, layer, 3, normed, of_inner, up, False)
        for token in range(count):
            for place in range(of_inner[0] * LANES, of_inner[1] * LANES):
                value = gate[token, place]
                gate[token, place] = value / (np.float32(1.0) + exp(-value)) * up[token, place]
        meet(crew)
        _multiply_in(stack, layer, 4, gate, of_hidden, x, True)
        meet(crew)


@entry
def compute_blocks(me: int, crew: Crew, stack: Stack, tokens: Tokens, room: BlockBuffers) -> None:
    """Run `run_blocks` as a job of `Workers`."""
    run_blocks(me, crew, stack, tokens, room)
