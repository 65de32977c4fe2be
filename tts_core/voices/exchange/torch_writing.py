"""Files as `torch.save` writes them, written without torch: plain values and tensors, which `torch.load` reads with
`weights_only=True`, as the published package's demo asks for.

The file is a zip: `voice/data.pkl` is a pickle of the value, in which each tensor names its numbers, and
`voice/data/<n>` holds them. The few opcodes that this takes are written one by one, so that no pickle is made of
whatever else a value may hold.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tts_core.platform.whole_files import make_private, open_private

Value = Mapping[str, "Value"] | Sequence["Value"] | npt.NDArray[Any] | str | bool | None
_ROOT = "voice"
_VERSION = "3\n"
"""The version of the zip form that every torch since 1.6 writes and reads."""
_PROTOCOL, _STOP, _MARK, _NONE = b"\x80\x02", b".", b"(", b"N"
_STORAGES: Mapping[str, str] = {"<f4": "FloatStorage", "<i8": "LongStorage"}


def write_torch_file(value: Value, path: Path) -> None:
    """Write the value to a new private file; arrays of float32 and int64 become tensors. Raises OSError."""
    pickling = _Pickling()
    pickled = _PROTOCOL + pickling.opcodes(value) + _STOP
    make_private(path.parent)
    with open_private(path, "wb") as stream, zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(f"{_ROOT}/data.pkl", pickled)
        archive.writestr(f"{_ROOT}/byteorder", "little")
        for number, array in enumerate(pickling.arrays):
            archive.writestr(f"{_ROOT}/data/{number}", array.tobytes())
        archive.writestr(f"{_ROOT}/version", _VERSION)


@dataclass
class _Pickling:
    arrays: list[npt.NDArray[Any]] = field(default_factory=list)
    """The numbers of the tensors so far."""

    def opcodes(self, value: Value) -> bytes:
        """The opcodes that put the value on the reader's stack."""
        if value is None:
            return _NONE
        if isinstance(value, bool):
            return b"\x88" if value else b"\x89"
        if isinstance(value, str):
            return _text(value)
        if isinstance(value, np.ndarray):
            return self._tensor(value)
        if isinstance(value, Mapping):
            pairs = b"".join(_text(key) + self.opcodes(one) for key, one in value.items())
            return b"}" + _MARK + pairs + b"u"
        return b"]" + _MARK + b"".join(map(self.opcodes, value)) + b"e"

    def _tensor(self, array: npt.NDArray[Any]) -> bytes:
        whole = np.ascontiguousarray(array)
        kind = _STORAGES[whole.dtype.newbyteorder("<").str]
        named = _tuple(
            _text("storage"), _name("torch", kind), _text(str(len(self.arrays))), _text("cpu"), _whole(whole.size)
        )
        self.arrays.append(whole.astype(whole.dtype.newbyteorder("<")))
        strides = (stride // whole.itemsize for stride in whole.strides)
        made_of = (
            named + b"Q",
            _whole(0),
            _tuple(*map(_whole, whole.shape)),
            _tuple(*map(_whole, strides)),
            b"\x89",  # no gradient
            _name("collections", "OrderedDict") + b")R",
        )
        return _name("torch._utils", "_rebuild_tensor_v2") + _tuple(*made_of) + b"R"


def _text(text: str) -> bytes:
    encoded = text.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(encoded)) + encoded


def _whole(number: int) -> bytes:
    return b"J" + struct.pack("<i", number)


def _tuple(*parts: bytes) -> bytes:
    return _MARK + b"".join(parts) + b"t"


def _name(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode("ascii")
