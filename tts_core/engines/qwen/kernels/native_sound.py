"""The costly half of the codec decoder in compiled loops: convolutions from one row per step to 1920 per frame.

Sound lies as (steps, channels), so each tap of a convolution is a matrix product of rows that lie there already: with
those before them where it looks back, a few rows further on where it is dilated. Nothing is copied for it, and a wave
(SnakeBeta) is taken where its numbers have just been made. fp32 throughout; the order of additions does not depend on
how many steps come at once. Channels are filled up with zeros to a multiple of WIDE.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tts_core.engines.qwen.kernels.native_vectors import (
    TALL,
    WIDE,
    Array,
    Crew,
    compiled,
    entry,
    meet,
    tile_1,
    tile_4,
    tile_many,
)

_BLOCK = 16 * TALL
"""Rows for which all taps are added before the next rows: they and their results stay in the processor's cache."""


class Share(NamedTuple):
    """The part of (rows, channels) that a thread computes; channels in units of WIDE."""

    first: int
    last: int
    left: int
    right: int


class Taps(NamedTuple):
    """The weights of a convolution."""

    weights: Array
    """(outputs / WIDE rounded up, taps, inputs, WIDE) float32."""
    bias: Array
    """(outputs rounded up) float32."""
    dilation: int


class Wave(NamedTuple):
    """SnakeBeta: one frequency and amplitude a channel."""

    frequency: Array
    amplitude: Array


class Unit(NamedTuple):
    """The weights of a residual unit and its past."""

    first_wave: Wave
    taps: Taps
    second_wave: Wave
    point: Taps
    past: Array
    """(channels, not filled up; steps): the first wave's last steps before this call; read, then overwritten."""


class UpsamplingStep(NamedTuple):
    """The weights of an upsampling block without its units, and its past."""

    wave: Wave
    taps: Taps
    """A convolution of 2 * rate taps."""
    pending: Array
    """(channels, not filled up; rate): what the last input adds to outputs to come; read, then overwritten."""


class SoundBuffers(NamedTuple):
    """The memory for the steps of a call, each flat and big enough for the widest."""

    x: Array
    waved: Array
    inner: Array


@compiled
def _share(rows: int, outputs: int, me: int, crew: Crew) -> Share:
    """The share of one thread: a part of the channels where these divide by the threads, else of the rows."""
    parts = outputs // WIDE
    if parts % crew.size == 0:
        return Share(0, rows, parts * me // crew.size, parts * (me + 1) // crew.size)
    tiles = (rows + TALL - 1) // TALL
    return Share(min(rows, tiles * me // crew.size * TALL), min(rows, tiles * (me + 1) // crew.size * TALL), 0, parts)


@compiled
def _add_product(x: Array, weights: Array, out: int, gap: int, column: int) -> None:
    """Add x (rows, inputs) times weights (inputs, WIDE) to rows that lie `gap` floats apart from the address `out`."""
    rows, inputs = x.shape
    matrix, start = weights.ctypes.data, x.ctypes.data
    done = 0
    while done < rows:
        here, there = start + 4 * done * inputs, out + 4 * (done * gap + column)
        if rows - done >= TALL:
            tile_many(here, inputs, matrix, inputs, there, gap)
            done += TALL
        elif rows - done >= 4:
            tile_4(here, inputs, matrix, inputs, there, gap)
            done += 4
        else:
            tile_1(here, inputs, matrix, inputs, there, gap)
            done += 1


@compiled
def _convolve(x: Array, taps: Taps, out: Array, share: Share, adds: bool) -> None:
    """Convolve x (taps' reach + rows, inputs), its past first, into this share of out (rows, outputs), or add to it."""
    width = out.shape[1]
    for part in range(share.left, share.right):
        left = part * WIDE
        bias = taps.bias[left : left + WIDE]
        for first in range(share.first, share.last, _BLOCK):
            last = min(first + _BLOCK, share.last)
            for row in range(first, last):
                into = out[row, left : left + WIDE]
                for column in range(WIDE):
                    into[column] = into[column] + bias[column] if adds else bias[column]
            for tap in range(taps.weights.shape[1]):
                before = tap * taps.dilation
                rows, into_rows = x[before + first : before + last], out.ctypes.data + 4 * first * width
                _add_product(rows, taps.weights[part, tap], into_rows, width, left)


@compiled
def _wave(x: Array, wave: Wave, out: Array, share: Share) -> None:
    """Compute x + sin²(x * frequency) * amplitude² for this share; out may be x."""
    left, right = share.left * WIDE, share.right * WIDE
    frequency, amplitude = wave.frequency[left:right], wave.amplitude[left:right]
    for row in range(share.first, share.last):
        before, after = x[row, left:right], out[row, left:right]
        for column in range(len(before)):  # from 0: numba then knows that no index counts from the end
            value = before[column]
            angle = value * frequency[column]
            turns = np.floor(angle * np.float32(0.3183098861837907) + np.float32(0.5))  # of half a circle
            rest = (angle - turns * np.float32(3.140625)) - turns * np.float32(9.676535897932384e-4)
            square = rest * rest
            total = np.float32(-2.3889859e-08)
            total = total * square + np.float32(2.7525562e-06)
            total = total * square + np.float32(-1.9840874e-04)
            total = total * square + np.float32(8.3333310e-03)
            total = total * square + np.float32(-1.6666667e-01)
            sine = (rest + rest * square * total) * amplitude[column]
            after[column] = value + sine * sine


@compiled
def _recall(past: Array, waved: Array) -> None:
    """Copy the past (channels, steps) to the first rows of `waved`."""
    channels, reach = past.shape
    for step in range(reach):
        for column in range(waved.shape[1]):
            waved[step, column] = past[column, step] if column < channels else np.float32(0.0)


@compiled
def _remember(waved: Array, past: Array, me: int, crew: Crew) -> None:
    """Copy the last rows of `waved` to the past (channels, steps)."""
    first = len(waved) - past.shape[1]
    for column in range(len(past) * me // crew.size, len(past) * (me + 1) // crew.size):
        for step in range(past.shape[1]):
            past[column, step] = waved[first + step, column]


@entry
def convolve(me: int, crew: Crew, taps: Taps, past: Array, room: SoundBuffers, rows: int) -> None:
    """Compute a causal convolution alone: `rows` inputs in room.waved, after room for the past, to room.x."""
    reach, inputs, outputs = past.shape[1], taps.weights.shape[2], len(taps.bias)
    x = room.waved[: (reach + rows) * inputs].reshape(reach + rows, inputs)
    out = room.x[: rows * outputs].reshape(rows, outputs)
    if me == 0:
        _recall(past, x)
    meet(crew)
    _convolve(x, taps, out, _share(rows, outputs, me, crew), False)
    _remember(x, past, me, crew)
    meet(crew)


@compiled
def _raise(x: Array, taps: Taps, pending: Array, out: Array, share: Share) -> None:
    """Upsample x (rows, inputs) into this share of out (rows * rate, outputs), but not what is pending after it."""
    if share.first == share.last:  # fewer rows than threads
        return
    outputs, (channels, rate) = out.shape[1], pending.shape
    for part in range(share.left, share.right):
        left = part * WIDE
        bias = taps.bias[left : left + WIDE]
        for row in range(share.first * rate, share.last * rate):
            out[row, left : left + WIDE] = bias
        if share.first == 0:
            for column in range(left, min(left + WIDE, channels)):
                for row in range(rate):
                    out[row, column] += pending[column, row]
        for phase in range(rate):
            now = out.ctypes.data + 4 * (share.first * rate + phase) * outputs
            _add_product(x[share.first : share.last], taps.weights[part, phase], now, rate * outputs, left)
            after = max(share.first, 1)
            later = out.ctypes.data + 4 * (after * rate + phase) * outputs
            _add_product(x[after - 1 : share.last - 1], taps.weights[part, rate + phase], later, rate * outputs, left)


@compiled
def _leave(x: Array, taps: Taps, pending: Array, me: int, crew: Crew) -> None:
    """Put what the last row of x adds to outputs to come into `pending`."""
    parts, rate = len(taps.weights), pending.shape[1]
    sums = np.empty((1, WIDE), np.float32)
    for part in range(parts * me // crew.size, parts * (me + 1) // crew.size):
        for phase in range(rate):
            sums[:] = np.float32(0.0)
            _add_product(x[len(x) - 1 :], taps.weights[part, rate + phase], sums.ctypes.data, WIDE, 0)
            for column in range(part * WIDE, min((part + 1) * WIDE, len(pending))):
                pending[column, phase] = sums[0, column - part * WIDE]


@entry
def upsample(me: int, crew: Crew, step: UpsamplingStep, room: SoundBuffers, rows: int) -> None:
    """Compute wave and transposed convolution: `rows` of room.x to rows * rate of room.x."""
    outputs, rate, inputs = len(step.taps.bias), step.pending.shape[1], step.taps.weights.shape[2]
    x = room.x[: rows * inputs].reshape(rows, inputs)
    waved = room.waved[: rows * inputs].reshape(rows, inputs)
    _wave(x, step.wave, waved, _share(rows, inputs, me, crew))
    meet(crew)
    out = room.x[: rows * rate * outputs].reshape(rows * rate, outputs)
    _raise(waved, step.taps, step.pending, out, _share(rows, outputs, me, crew))
    meet(crew)
    _leave(waved, step.taps, step.pending, me, crew)
    meet(crew)


@entry
def add_unit(me: int, crew: Crew, unit: Unit, room: SoundBuffers, rows: int) -> None:
    """Compute a residual unit on `rows` of room.x, in place."""
    channels, reach = len(unit.taps.bias), unit.past.shape[1]
    share = _share(rows, channels, me, crew)
    x = room.x[: rows * channels].reshape(rows, channels)
    waved = room.waved[: (reach + rows) * channels].reshape(reach + rows, channels)
    inner = room.inner[: rows * channels].reshape(rows, channels)
    if me == 0:
        _recall(unit.past, waved)
    _wave(x, unit.first_wave, waved[reach:], share)
    meet(crew)
    _convolve(waved, unit.taps, inner, share, False)
    _wave(inner, unit.second_wave, inner, share)
    _remember(waved, unit.past, me, crew)
    meet(crew)
    _convolve(inner, unit.point, x, share, True)
    meet(crew)


@entry
def finish(me: int, crew: Crew, wave: Wave, room: SoundBuffers, rows: int, reach: int) -> None:
    """Compute the last wave: `rows` of room.x to room.waved, after `reach` rows for the past."""
    channels = len(wave.frequency)
    x = room.x[: rows * channels].reshape(rows, channels)
    waved = room.waved[: (reach + rows) * channels].reshape(reach + rows, channels)
    _wave(x, wave, waved[reach:], _share(rows, channels, me, crew))
    meet(crew)
