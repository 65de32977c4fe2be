"""The size and the numbers of a CTranslate2 weights file, by its own headers: a millisecond whatever its size.

The format is that of CTranslate2's writer: a version, the model's name and revision, then for each variable its name,
shape, type and length before its data, and at the end the variables that are others by another name. All numbers are
little-endian. No data is read.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_MAX_VARIABLES = 100_000
_MAX_DIMENSIONS = 8
_KNOWN_VERSIONS = range(4, 8)


class _Ends(Exception):
    """The file ends before its headers do."""


def declared_size(stream: BinaryIO) -> int | None:
    """The bytes that the whole file has by its headers, or None if the file ends before.

    Raises ValueError with a short reason if it is no file of CTranslate2's.
    """
    try:
        for _ in _shapes(stream):
            pass
        aliases = _number(stream, "<I")
        if aliases > _MAX_VARIABLES:
            raise ValueError("broken header")
        for _ in range(2 * aliases):
            _text(stream)
    except _Ends:
        return None
    return stream.tell()


def parameters(file: Path) -> int:
    """The count of all numbers in a weights file. Raises ValueError with a short reason where it is damaged."""
    with file.open("rb") as stream:
        try:
            return sum(math.prod(shape) for shape in _shapes(stream))
        except _Ends:
            raise ValueError("it ends early") from None


def _shapes(stream: BinaryIO) -> Iterator[tuple[int, ...]]:
    """Yield the shape of each variable; the stream stands behind its data then."""
    if _number(stream, "<I") not in _KNOWN_VERSIONS:
        raise ValueError("no header")
    _text(stream)
    _number(stream, "<I")
    count = _number(stream, "<I")
    if count > _MAX_VARIABLES:
        raise ValueError("broken header")
    for _ in range(count):
        _text(stream)
        rank = _number(stream, "<B")
        if rank > _MAX_DIMENSIONS:
            raise ValueError("broken header")
        shape = tuple(_number(stream, "<I") for _ in range(rank))
        _number(stream, "<B")
        stream.seek(_number(stream, "<I"), 1)
        yield shape


def _number(stream: BinaryIO, form: str) -> int:
    size = struct.calcsize(form)
    data = stream.read(size)
    if len(data) < size:
        raise _Ends
    value: int = struct.unpack(form, data)[0]
    return value


def _text(stream: BinaryIO) -> None:
    length = _number(stream, "<H")
    data = stream.read(length)
    if len(data) < length:
        raise _Ends
    if not data.endswith(b"\0"):
        raise ValueError("broken header")
