"""Messages between the studio and YourTTS's own process: a line of JSON, then as many samples as that line says.

Both sides import it, so it needs nothing but the standard library and numpy.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

COUNT = "floats"
MAX_LINE_BYTES = 1 << 20
MAX_FLOATS = 64_000_000
NOTHING: Floats = np.zeros(0, np.float32)


class BrokenMessage(Exception):
    """The bytes that came are no message of this protocol."""


def write_message(stream: BinaryIO, message: Mapping[str, Any], floats: Floats = NOTHING) -> None:
    """Write one message; `floats` has shape (n,). Raises OSError, and ValueError once the stream is closed."""
    line = json.dumps({**message, COUNT: len(floats)}, ensure_ascii=True)
    stream.write(line.encode() + b"\n" + floats.astype("<f4").tobytes())
    stream.flush()


def read_message(stream: BinaryIO) -> tuple[dict[str, Any], Floats] | None:
    """The next message and its floats, shape (n,); None at the end. Raises BrokenMessage, OSError."""
    line = stream.readline(MAX_LINE_BYTES)
    if not line:
        return None
    try:
        message = json.loads(line)
        count = message[COUNT]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BrokenMessage from error
    if not isinstance(count, int) or not 0 <= count <= MAX_FLOATS:
        raise BrokenMessage
    data = stream.read(4 * count)
    if len(data) < 4 * count:
        return None  # the other side has gone in the middle of it
    return message, np.frombuffer(data, "<f4").astype(np.float32)
