"""Additions to numba: vectors of floats, numbers that all threads see, a cache that knows all its sources.

Knows addresses and numbers, nothing of models. Everything here and in the files that use it is compiled for the
processor at hand, once, and kept on the disk.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core.caching import FunctionCache
from numba.extending import intrinsic

Array = np.ndarray[Any, Any]


_SOURCES = sorted(Path(__file__).parent.glob("native_*.py"))


class _Cache(FunctionCache):  # type: ignore[misc]
    """A cache keyed by all sources: numba's own looks at the function's file only, but a function spans several."""

    _sources = hashlib.sha256(b"".join(file.read_bytes() for file in _SOURCES)).digest()

    def _index_key(self, sig: Any, codegen: Any) -> Any:
        return (*super()._index_key(sig, codegen), self._sources)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except (ImportError, AttributeError):  # kept by another version, with records that no longer exist
            self.flush()
            return None


def compiled(function: Callable[..., Any]) -> Any:
    """Compile for this processor: runs without Python's lock, sums in any order. For callers that are compiled, too."""
    return njit(nogil=True, fastmath=True)(function)


def entry(function: Callable[..., Any]) -> Any:
    """Compile like `compiled`, for callers in Python; the result is kept on the disk."""
    dispatcher = compiled(function)
    dispatcher._cache = _Cache(function)
    return dispatcher


_HAS = llvm.get_host_cpu_features().get


def _dot() -> str:
    """The way this processor multiplies small whole numbers: "vnni", "pairs" or, not fast enough, ""."""
    if _HAS("avx512vnni") or (_HAS("avxvnni") and not _HAS("avx512f")):
        return "vnni"
    return "pairs" if _HAS("avx512bw" if _HAS("avx512f") else "avx2") else ""


LANES = next((lanes for name, lanes in (("avx512f", 16), ("avx", 8)) if _HAS(name)), 4)
"""Outputs computed beside each other: weights lie as (outputs / LANES, inputs, LANES)."""
DOT = _dot()
_STEPS = 2
"""Inputs per turn of the inner loop, each with sums of its own, so that additions need not wait for each other."""
_AHEAD_BYTES = 4096
"""How far ahead weights are fetched; 1 KB and less is a tenth slower."""
MANY = 8
"""Positions that share one reading of the weights."""
_PARTS = 2 if LANES == 8 else 3
"""Vectors beside each other in one tile of a float32 product."""
WIDE = _PARTS * LANES
"""Outputs of one tile."""
TALL = 6 if LANES == 8 else 8
"""Rows of one tile: with its weights it fills the registers (AVX has fewer than the others)."""
LINE = 8
"""Whole numbers in a cache line."""
SYNC_SIZE = 2 * LINE
"""How many numbers `meet` needs."""
_PATIENCE = 4000
"""Turns of waiting (some 50 µs) before the core is offered to others."""


class Crew(NamedTuple):
    """The threads that compute together."""

    size: int
    sync: Array
    """SYNC_SIZE int64 zeros: how many have come to the meeting, and the number of the meeting."""


def _float_dot(rows: int) -> Any:
    """Intrinsic: `rows` inputs times a block of LANES outputs. It gets addresses and the inputs' distance in floats."""

    @intrinsic  # type: ignore[untyped-decorator]
    def dot(_typing: Any, _x: Any, _stride: Any, _w: Any, _count: Any, _sums: Any) -> Any:
        def build(_context: Any, at: ir.IRBuilder, _signature: Any, arguments: Any) -> Any:
            x, stride, w, count, sums = arguments
            whole, floats = ir.IntType(64), ir.VectorType(ir.FloatType(), LANES)
            zero = ir.Constant(floats, [0.0] * LANES)
            entry, loop, done = at.block, at.append_basic_block("loop"), at.append_basic_block("done")
            at.branch(loop)
            at.position_at_end(loop)
            step = at.phi(whole)
            step.add_incoming(whole(0), entry)
            totals = [[at.phi(floats) for _ in range(_STEPS)] for _ in range(rows)]
            block = at.add(w, at.mul(step, whole(LANES)))
            prefetch(at, at.add(block, whole(_AHEAD_BYTES)))
            after = [list(row) for row in totals]
            for turn in range(_STEPS):
                small = at.load(
                    at.inttoptr(at.add(block, whole(LANES * turn)), ir.VectorType(ir.IntType(8), LANES).as_pointer()),
                    align=1,
                )
                wide = at.sitofp(at.sext(small, ir.VectorType(ir.IntType(32), LANES)), floats)
                for row in range(rows):
                    place = at.add(at.add(step, whole(turn)), at.mul(stride, whole(row)))
                    address = at.add(x, at.mul(place, whole(4)))
                    everywhere = spread(at, at.load(at.inttoptr(address, ir.FloatType().as_pointer())))
                    product = at.fmul(everywhere, wide, flags=("contract",))
                    after[row][turn] = at.fadd(product, after[row][turn], flags=("contract",))
            following = at.add(step, whole(_STEPS))
            step.add_incoming(following, loop)
            for row in range(rows):
                for total, new in zip(totals[row], after[row], strict=True):
                    total.add_incoming(zero, entry)
                    total.add_incoming(new, loop)
            at.cbranch(at.icmp_signed("<", following, count), loop, done)
            at.position_at_end(done)
            for row in range(rows):
                total = after[row][0]
                for more in after[row][1:]:
                    total = at.fadd(total, more)
                at.store(total, at.inttoptr(at.add(sums, whole(4 * LANES * row)), floats.as_pointer()), align=4)
            return None

        return types.void(*[types.intp] * 5), build

    return dot


def prefetch(at: ir.IRBuilder, address: Any) -> None:
    pointer, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
    function = declared(at, "llvm.prefetch.p0", ir.VoidType(), pointer, flag, flag, flag)
    at.call(function, [at.inttoptr(address, pointer), flag(0), flag(3), flag(1)])


def declared(at: ir.IRBuilder, name: str, answer: Any, *arguments: Any) -> Any:
    """LLVM's own function of that name; `answer` and `arguments` are the types of its result and its arguments."""
    known = at.module.globals.get(name)
    return known or ir.Function(at.module, ir.FunctionType(answer, arguments), name)


def _tile(rows: int) -> Any:
    """Intrinsic: add `rows` inputs times WIDE outputs of a float32 matrix to what lies in `out`; addresses, distances.

    x: inputs, `stride` floats from row to row; w: (count, WIDE); out: `gap` floats from row to row.
    """

    @intrinsic  # type: ignore[untyped-decorator]
    def tile(_typing: Any, _x: Any, _stride: Any, _w: Any, _count: Any, _out: Any, _gap: Any) -> Any:
        def build(_context: Any, at: ir.IRBuilder, _signature: Any, arguments: Any) -> Any:
            x, stride, w, count, out, gap = arguments
            whole, floats = ir.IntType(64), ir.VectorType(ir.FloatType(), LANES)
            places = [(row, part) for row in range(rows) for part in range(_PARTS)]

            def place_of(row: int, part: int) -> Any:
                offset = at.add(at.mul(gap, whole(4 * row)), whole(4 * LANES * part))
                return at.inttoptr(at.add(out, offset), floats.as_pointer())

            before = {place: at.load(place_of(*place), align=4) for place in places}
            entry, loop, done = at.block, at.append_basic_block("loop"), at.append_basic_block("done")
            at.branch(loop)
            at.position_at_end(loop)
            step = at.phi(whole)
            step.add_incoming(whole(0), entry)
            totals = {place: at.phi(floats) for place in places}
            matrix = at.add(w, at.mul(step, whole(4 * WIDE)))
            weights = [
                at.load(at.inttoptr(at.add(matrix, whole(4 * LANES * part)), floats.as_pointer()), align=4)
                for part in range(_PARTS)
            ]
            after = {}
            for row in range(rows):
                address = at.add(x, at.mul(at.add(step, at.mul(stride, whole(row))), whole(4)))
                everywhere = spread(at, at.load(at.inttoptr(address, ir.FloatType().as_pointer())))
                for part in range(_PARTS):
                    product = at.fmul(everywhere, weights[part], flags=("contract",))
                    after[row, part] = at.fadd(product, totals[row, part], flags=("contract",))
            following = at.add(step, whole(1))
            step.add_incoming(following, loop)
            for place in places:
                totals[place].add_incoming(before[place], entry)
                totals[place].add_incoming(after[place], loop)
            at.cbranch(at.icmp_signed("<", following, count), loop, done)
            at.position_at_end(done)
            for place in places:
                at.store(after[place], place_of(*place), align=4)
            return None

        return types.void(*[types.intp] * 6), build

    return tile


def spread(at: ir.IRBuilder, number: Any, lanes: int = LANES) -> Any:
    """A vector of one number, repeated."""
    kind, index = ir.VectorType(number.type, lanes), ir.IntType(32)
    nothing = ir.Constant(kind, ir.Undefined)
    one = at.insert_element(nothing, number, index(0))
    return at.shuffle_vector(one, nothing, ir.Constant(ir.VectorType(index, lanes), [0] * lanes))


tile_1, tile_4, tile_many = _tile(1), _tile(4), _tile(TALL)
dot_1, dot_2, dot_many = _float_dot(1), _float_dot(2), _float_dot(MANY)


@intrinsic  # type: ignore[untyped-decorator]
def at_address(_typing: Any, _address: Any, kind: Any) -> Any:
    """Intrinsic: the address as a pointer to numbers of that kind."""
    pointer = types.CPointer(kind.dtype)

    def build(context: Any, at: ir.IRBuilder, _signature: Any, arguments: Any) -> Any:
        return at.inttoptr(arguments[0], context.get_value_type(pointer))

    return pointer(types.intp, kind), build


@intrinsic  # type: ignore[untyped-decorator]
def _power_of_two(_typing: Any, _exponent: Any) -> Any:
    """Intrinsic: 2 to the power of a whole number between -126 and 127."""

    def build(_context: Any, at: ir.IRBuilder, _signature: Any, arguments: Any) -> Any:
        word = ir.IntType(32)
        return at.bitcast(at.shl(at.add(arguments[0], word(127)), word(23)), ir.FloatType())

    return types.float32(types.int32), build


@intrinsic  # type: ignore[untyped-decorator]
def _add(_typing: Any, _address: Any, _amount: Any) -> Any:
    """Intrinsic: add to a number that all threads see; answers what it was."""

    def build(_context: Any, at: ir.IRBuilder, _signature: Any, arguments: Any) -> Any:
        pointer = at.inttoptr(arguments[0], ir.IntType(64).as_pointer())
        return at.atomic_rmw("add", pointer, arguments[1], "seq_cst")

    return types.int64(types.intp, types.int64), build


@intrinsic  # type: ignore[untyped-decorator]
def _read(_typing: Any, _address: Any) -> Any:
    """Intrinsic: read a number that all threads see."""

    def build(_context: Any, at: ir.IRBuilder, _signature: Any, arguments: Any) -> Any:
        return at.load_atomic(at.inttoptr(arguments[0], ir.IntType(64).as_pointer()), "seq_cst", 8)

    return types.int64(types.intp), build


@intrinsic  # type: ignore[untyped-decorator]
def _relax(_typing: Any) -> Any:
    """Intrinsic: tell the processor that this loop waits."""

    def build(_context: Any, at: ir.IRBuilder, _signature: Any, _arguments: Any) -> Any:
        if llvm.get_process_triple().startswith(("x86_64", "amd64", "i686")):
            at.call(declared(at, "llvm.x86.sse2.pause", ir.VoidType()), [])
        return None

    return types.void(), build


def try_compiler() -> None:
    """Compile a little and run it. Raises whatever a compiler that does not work raises."""
    if compiled(lambda x: x + 1)(1) != 2:
        raise ArithmeticError("compiled code counts wrongly")


_offer_core = types.ExternalFunction("SwitchToThread" if sys.platform == "win32" else "sched_yield", types.int32())


@compiled
def share_of(count: int, me: int, crew: Crew) -> tuple[int, int]:
    """The range of `count` things that one thread computes: its first, and the first of the next thread."""
    return count * me // crew.size, count * (me + 1) // crew.size


@compiled
def meet(crew: Crew) -> None:
    """Wait until the whole crew is here."""
    if crew.size == 1:
        return
    come, number = crew.sync.ctypes.data, crew.sync.ctypes.data + 8 * LINE
    now = _read(number)
    if _add(come, 1) == crew.size - 1:
        _add(come, -crew.size)
        _add(number, 1)
        return
    waited = 0
    while _read(number) == now:
        waited += 1
        _relax()
        if waited > _PATIENCE:
            _offer_core()


@compiled
def exp(x: float) -> float:
    """e to the x, for x up to 88, with an error of 2e-7 of it. The library's own is no vector function."""
    y = max(min(x * np.float32(1.4426950408889634), np.float32(126.0)), np.float32(-126.0))
    whole = np.floor(y + np.float32(0.5))
    part = (y - whole) * np.float32(0.6931471805599453)
    total = np.float32(1 / 720)
    total = total * part + np.float32(1 / 120)
    total = total * part + np.float32(1 / 24)
    total = total * part + np.float32(1 / 6)
    total = total * part + np.float32(0.5)
    total = total * part + np.float32(1.0)
    total = total * part + np.float32(1.0)
    return total * _power_of_two(np.int32(whole))  # type: ignore[no-any-return]
