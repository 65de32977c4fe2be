"""Products with 4-bit weights in compiled loops: 16 levels, one factor for 16 weights of an output, 4.5 bits in all.

A byte holds two weights; a shuffle turns them into levels, and whole-number products of four add up at once. For that
the inputs are rounded, too: to 8 bits, 16 of them with a factor of their own, which is a twentieth of what 4 bits do to
the weights. Sums of 16 are exact and are added as floats in one order, whatever lies beside a position.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tts_core.engines.qwen.kernels.native_vectors import (
    DOT,
    LANES,
    MANY,
    Array,
    Crew,
    compiled,
    declared,
    entry,
    meet,
    prefetch,
    share_of,
    spread,
)

GROUP = 16
"""Inputs that share a factor."""
BYTES = LANES + GROUP * LANES // 2
"""Bytes of a group of LANES outputs: their factors, then the weights."""
ZERO = 64
"""The number that is taken off a stored level, because stored levels have no sign."""
LEVELS = np.array([0, 13, 23, 32, 40, 47, 54, 60, 65, 71, 76, 82, 89, 96, 106, 119], np.float32) - ZERO
"""The values of a weight by least squares, if weights are between normally and Laplace distributed. Two times 119 times
127 fit in 16 bits."""
_BORDERS = (LEVELS[1:] + LEVELS[:-1]) / 2
_FITS = np.array([1.0, 0.92, 0.85], np.float32)
"""Shares of a factor that are tried. At 1 the group's largest weight meets either end of the levels."""
_STEP = 8
"""Inputs in one vector of weights: four low halves, four high ones."""
_AHEAD = 4096
_WIDTH = 8 * LANES * 4
"""Bits of a vector register."""
_WHOLE, _WORD = ir.IntType(64), ir.IntType(32)
_BYTES, _WORDS = ir.VectorType(ir.IntType(8), 4 * LANES), ir.VectorType(_WORD, LANES)
_FLOATS = ir.VectorType(ir.FloatType(), LANES)


def _shuffle(at: ir.IRBuilder, table: Any, places: Any) -> Any:
    name = {128: "llvm.x86.ssse3.pshuf.b.128", 256: "llvm.x86.avx2.pshuf.b", 512: "llvm.x86.avx512.pshuf.b.512"}
    return at.call(declared(at, name[_WIDTH], table.type, table.type, table.type), [table, places])


def _add_dots(at: ir.IRBuilder, sums: Any, levels: Any, inputs: Any) -> Any:
    """Add four products of unsigned levels and inputs to each of the sums."""
    if DOT == "vnni":
        name = f"llvm.x86.avx512.vpdpbusd.{_WIDTH}"
        words = ir.VectorType(ir.IntType(32), LANES)
        both = [at.bitcast(each, words) for each in (levels, inputs)]
        return at.call(declared(at, name, words, words, words, words), [sums, *both])
    halves, words = ir.VectorType(ir.IntType(16), 2 * LANES), sums.type
    pairs, fours = {
        128: ("llvm.x86.ssse3.pmadd.ub.sw.128", "llvm.x86.sse2.pmadd.wd"),
        256: ("llvm.x86.avx2.pmadd.ub.sw", "llvm.x86.avx2.pmadd.wd"),
        512: ("llvm.x86.avx512.pmaddubs.w.512", "llvm.x86.avx512.pmaddw.d.512"),
    }[_WIDTH]
    pair = at.call(declared(at, pairs, halves, levels.type, levels.type), [levels, inputs])
    ones = ir.Constant(halves, [1] * 2 * LANES)
    return at.add(sums, at.call(declared(at, fours, words, halves, halves), [pair, ones]))


def _dot(rows: int) -> Any:
    """Intrinsic: `rows` rounded inputs times a block of LANES outputs.

    It gets the addresses of numbers, factors and offsets of the first row (see `_round`), how many groups a row has,
    and the addresses of the weights and of the sums.
    """

    @intrinsic  # type: ignore[untyped-decorator]
    def dot(_typing: Any, _x: Any, _factors: Any, _offsets: Any, _groups: Any, _w: Any, _sums: Any) -> Any:
        def build(_context: Any, at: ir.IRBuilder, _signature: Any, arguments: Any) -> Any:
            if DOT:  # without it the function is never called, but compiled
                _build_dot(at, rows, *arguments)

        return types.void(*[types.intp] * 6), build

    return dot


def _build_dot(
    at: ir.IRBuilder, rows: int, x: Any, factors: Any, offsets: Any, groups: Any, weights: Any, out: Any
) -> None:
    begin, loop, done = at.block, at.append_basic_block("loop"), at.append_basic_block("done")
    at.branch(loop)
    at.position_at_end(loop)
    group, totals = at.phi(_WHOLE), [at.phi(_FLOATS) for _ in range(rows)]
    place = at.add(weights, at.mul(group, _WHOLE(BYTES)))
    for line in range(0, BYTES, 64):
        prefetch(at, at.add(place, _WHOLE(_AHEAD + line)))
    spots = [at.add(at.mul(groups, _WHOLE(row)), group) for row in range(rows)]
    sums = [spread(at, _number(at, offsets, spot, _WORD)) for spot in spots]
    for step in range(GROUP // _STEP):
        both = at.load(at.inttoptr(at.add(place, _WHOLE(LANES * (1 + 4 * step))), _BYTES.as_pointer()), align=1)
        low, four = (ir.Constant(_BYTES, [value] * 4 * LANES) for value in (15, 4))
        for half, nibbles in enumerate((at.and_(both, low), at.lshr(both, four))):
            table = ir.Constant(_BYTES, [int(level) + ZERO for level in LEVELS] * (LANES // 4))
            levels = _shuffle(at, table, nibbles)
            for row, spot in enumerate(spots):
                four_inputs = at.add(at.mul(spot, _WHOLE(GROUP // 4)), _WHOLE(2 * step + half))
                some = at.bitcast(spread(at, _number(at, x, four_inputs, _WORD)), _BYTES)
                sums[row] = _add_dots(at, sums[row], levels, some)
    scales = at.load(at.inttoptr(place, ir.VectorType(ir.IntType(8), LANES).as_pointer()), align=1)
    scales = at.sitofp(at.sext(scales, _WORDS), _FLOATS)
    following = at.add(group, _WHOLE(1))
    group.add_incoming(_WHOLE(0), begin)
    group.add_incoming(following, loop)
    after = []
    for total, own, spot in zip(totals, sums, spots, strict=True):
        factor = spread(at, _number(at, factors, spot, ir.FloatType()))
        product = at.fmul(at.sitofp(own, _FLOATS), at.fmul(scales, factor), flags=("contract",))
        after.append(at.fadd(product, total, flags=("contract",)))
        total.add_incoming(ir.Constant(_FLOATS, [0.0] * LANES), begin)
        total.add_incoming(after[-1], loop)
    at.cbranch(at.icmp_signed("<", following, groups), loop, done)
    at.position_at_end(done)
    for row in range(rows):
        at.store(after[row], at.inttoptr(at.add(out, _WHOLE(4 * LANES * row)), _FLOATS.as_pointer()), align=4)


def _number(at: ir.IRBuilder, base: Any, place: Any, kind: Any) -> Any:
    """The number at `place` of the numbers of four bytes that begin at `base`."""
    return at.load(at.inttoptr(at.add(base, at.mul(place, _WHOLE(4))), kind.as_pointer()), align=4)


dot_1, dot_2, dot_many = _dot(1), _dot(2), _dot(MANY)


@intrinsic  # type: ignore[untyped-decorator]
def _round_group(_typing: Any, _x: Any, _small: Any, _factor: Any, _offset: Any) -> Any:
    """Intrinsic: GROUP floats to 8 bits, their factor and what ZERO adds to each sum. It gets the addresses of all."""

    def build(_context: Any, at: ir.IRBuilder, _signature: Any, arguments: Any) -> Any:
        x, small, factor, offset = arguments
        single = ir.FloatType()
        floats, words = ir.VectorType(single, GROUP), ir.VectorType(_WORD, GROUP)
        numbers = at.load(at.inttoptr(x, floats.as_pointer()), align=4)
        sizes = at.call(declared(at, f"llvm.fabs.v{GROUP}f32", floats, floats), [numbers])
        most = at.call(
            declared(at, f"llvm.vector.reduce.fmax.v{GROUP}f32", single, floats), [sizes], fastmath=("fast",)
        )
        least = single(1e-30)
        most = at.select(at.fcmp_ordered(">", most, least), most, least)
        scaled = at.fmul(numbers, spread(at, at.fdiv(single(127.0), most), GROUP))
        nearest = at.call(declared(at, f"llvm.rint.v{GROUP}f32", floats, floats), [scaled])
        whole = at.fptosi(nearest, words)
        at.store(at.trunc(whole, ir.VectorType(ir.IntType(8), GROUP)), _vector_at(at, small), align=1)
        total = at.call(declared(at, f"llvm.vector.reduce.add.v{GROUP}i32", _WORD, words), [whole])
        at.store(at.fdiv(most, single(127.0)), at.inttoptr(factor, single.as_pointer()))
        at.store(at.mul(total, _WORD(-ZERO)), at.inttoptr(offset, _WORD.as_pointer()))

    return types.void(*[types.intp] * 4), build


def _vector_at(at: ir.IRBuilder, address: Any) -> Any:
    return at.inttoptr(address, ir.VectorType(ir.IntType(8), GROUP).as_pointer())


@compiled
def _round(x: Array, small: Array, factors: Array, offsets: Array) -> None:
    """Round one position (inputs) to 8 bits: its numbers, a factor a group and what ZERO adds to each sum."""
    start, into = x.ctypes.data, small.ctypes.data
    for group in range(len(factors)):
        place = group * GROUP
        _round_group(start + 4 * place, into + place, factors.ctypes.data + 4 * group, offsets.ctypes.data + 4 * group)


@compiled
def multiply_share_4(x: Array, weights: int, scales: Array, share: tuple[int, int], out: Array, adds: bool) -> None:
    """Do what `multiply_share` does, with weights of 4 bits."""
    count, inputs = x.shape
    groups = inputs // GROUP
    small, sums = np.empty((count, inputs), np.int8), np.empty((MANY, LANES), np.float32)
    factors, offsets = np.empty((count, groups), np.float32), np.empty((count, groups), np.int32)
    for row in range(count):
        _round(x[row], small[row], factors[row], offsets[row])
    for block in range(share[0], share[1]):
        matrix, start = weights + block * groups * BYTES, block * LANES
        done = 0
        while done < count:
            numbers = small.ctypes.data + done * inputs
            scaling, shifts = factors.ctypes.data + 4 * done * groups, offsets.ctypes.data + 4 * done * groups
            if count - done >= MANY:
                some = MANY
                dot_many(numbers, scaling, shifts, groups, matrix, sums.ctypes.data)
            elif count - done >= 2:
                some = 2
                dot_2(numbers, scaling, shifts, groups, matrix, sums.ctypes.data)
            else:
                some = 1
                dot_1(numbers, scaling, shifts, groups, matrix, sums.ctypes.data)
            for row in range(some):
                for lane in range(LANES):
                    value = sums[row, lane] * scales[start + lane]
                    if adds:
                        out[done + row, start + lane] += value
                    else:
                        out[done + row, start + lane] = value
            done += some


@compiled
def _nearest(some: Array, factor: float, codes: Array) -> tuple[float, float]:
    """Find the codes of a group at that factor; answers the products of weights and levels, and of levels with
    themselves.
    """
    inverse = np.float32(1.0) / factor
    mixed, own = np.float32(0.0), np.float32(0.0)
    for place in range(GROUP):
        value, code = some[place] * inverse, np.int32(0)
        for border in range(15):
            code += np.int32(value > _BORDERS[border])
        codes[place] = code
        level = LEVELS[code]
        mixed += level * some[place]
        own += level * level
    return mixed, own


@compiled
def _best_factor(some: Array, codes: Array) -> float:
    """The factor of least squared error for a group."""
    extreme = np.float32(0.0)
    for place in range(GROUP):
        if abs(some[place]) > abs(extreme):
            extreme = some[place]
    if abs(extreme) < np.float32(1e-20):
        return 0.0
    best, gain = np.float32(0.0), np.float32(-1.0)
    for end in (LEVELS[0], LEVELS[15]):
        for fit in _FITS:
            mixed, own = _nearest(some, extreme / end * fit, codes)
            if mixed * mixed > gain * own:
                best, gain = mixed / own, mixed * mixed / own
    return best  # type: ignore[no-any-return]


@entry
def round_to_4(me: int, crew: Crew, rows: Array, packed: Array, scales: Array) -> None:
    """Round rows (outputs, inputs) float32 to packed (outputs / LANES, groups, BYTES) and their scales, filled up."""
    outputs, inputs = rows.shape
    groups = inputs // GROUP
    factors, codes = np.empty(groups, np.float32), np.empty(GROUP, np.int32)
    first, last = share_of(len(packed), me, crew)
    for output in range(first * LANES, min(last * LANES, outputs)):
        most = np.float32(1e-30)
        for group in range(groups):
            factors[group] = _best_factor(rows[output, group * GROUP : (group + 1) * GROUP], codes)
            most = max(most, abs(factors[group]))
        scale = most / np.float32(127.0)
        scales[output] = scale
        lane = output % LANES
        for group in range(groups):
            steps = np.floor(factors[group] / scale + np.float32(0.5))
            into = packed[output // LANES, group]
            into[lane] = np.int8(steps)
            if steps == 0.0:
                steps = np.float32(1.0)  # all codes are worth nothing
            _nearest(rows[output, group * GROUP : (group + 1) * GROUP], steps * scale, codes)
            for step in range(GROUP // _STEP):
                for place in range(4):
                    both = codes[step * _STEP + place] + (codes[step * _STEP + 4 + place] << 4)
                    into[LANES + 4 * (step * LANES + lane) + place] = np.int8(both - 256 if both > 127 else both)
    meet(crew)
