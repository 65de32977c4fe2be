"""The size a safetensors file should have, by its own header: a fraction of a millisecond whatever its size.

The rule is that of the format's own reader: a little-endian u64 N, N bytes of JSON that name each tensor's
`data_offsets`, then exactly the bytes that the offsets cover. Tensor data is not read.
"""

from __future__ import annotations

import json
import operator
import struct
from typing import BinaryIO

_LENGTH = struct.Struct("<Q")
MAX_HEADER_BYTES = 2_000_000
"""The longest list of tensors that is read, some 16000 of them: ten times the longest one of a real model here. JSON is
parsed in one go, and nothing else in this process runs meanwhile."""


def declared_size(stream: BinaryIO) -> int | None:
    """The bytes that the whole file has by its header, or None if the file ends within the header.

    Raises ValueError with a short reason if it is no safetensors file.
    """
    prefix = stream.read(_LENGTH.size + 1)
    if len(prefix) <= _LENGTH.size:
        raise ValueError("too short")
    length: int = _LENGTH.unpack_from(prefix)[0]
    if length < 2 or prefix[-1:] != b"{":
        raise ValueError("no header")
    if length > MAX_HEADER_BYTES:
        raise ValueError("a list of tensors too long for any model")
    text = b"{" + stream.read(length - 1)
    if len(text) < length:
        return None
    return _LENGTH.size + length + _data_bytes(text)


def _data_bytes(text: bytes) -> int:
    try:
        header = json.loads(text)
        spans = [tensor["data_offsets"] for name, tensor in header.items() if name != "__metadata__"]
        sizes: list[int] = [operator.index(end) - operator.index(start) for start, end in spans]
        data_bytes: int = max(operator.index(end) for _, end in spans)
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError) as error:
        raise ValueError("broken header") from error
    if any(size < 0 for size in sizes) or sum(sizes) != data_bytes:
        raise ValueError("tensors overlap or leave gaps")
    return data_bytes
