"""Files that `torch.save` writes, read without torch and without running anything.

There are two forms: a zip with `<name>/data.pkl` and `<name>/data/<n>` for the numbers, and the older one, which is
five pickles in a row followed by the numbers. A pickle is walked opcode by opcode; only plain values, tensors and the
fields of one class are understood, and no name in it is ever looked up. Whatever else stands there ends the reading.
"""

from __future__ import annotations

import io
import math
import pickletools
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from tts_core.voices.exchange.archive import refuse_many_entries

MAX_FILE_BYTES = 20_000_000
MAX_ENTRIES = 200
MAX_OPCODES = 100_000
MAX_NUMBERS = 5_000_000
"""The most numbers in all tensors together: a file may name the same ones over and over."""
MAX_AXES = 8
_OLD_MAGIC = 0x1950A86A20F9469CFC6C
_OLD_MAGIC_BYTES = b"\x8a\x0a" + _OLD_MAGIC.to_bytes(10, "little")
_OLD_VERSION = 1001
_MARK = object()
_STORAGES: Mapping[str, str] = {
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "DoubleStorage": "<f8",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "BFloat16Storage": "<u2",
}
"""The types of numbers; bfloat16 is the upper half of a float32."""


class NotUnderstood(ValueError):
    """The file holds something else than plain values and tensors."""


@dataclass(frozen=True, slots=True)
class ClassName:
    """A global that a pickle names; it is never looked up."""

    module: str
    name: str


@dataclass(frozen=True, slots=True)
class Tensor:
    """A view of the numbers in one storage of the file."""

    storage: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TorchFile:
    value: Any
    """Plain values, with a Tensor in the place of each tensor, and a dict in that of each object of the known class."""
    storages: Mapping[str, npt.NDArray[Any]]

    def array(self, tensor: Tensor) -> npt.NDArray[Any]:
        """A copy of the tensor's numbers. Raises NotUnderstood where they lie outside of its storage."""
        numbers, spans = self.storages[tensor.storage], list(zip(tensor.shape, tensor.strides, strict=True))
        if math.prod(tensor.shape) > len(numbers):  # strides of zero would make many numbers of few
            raise NotUnderstood
        if any(stride < 0 for _, stride in spans) or tensor.offset < 0:
            raise NotUnderstood
        if sum((size - 1) * stride for size, stride in spans) + tensor.offset >= len(numbers):
            raise NotUnderstood
        strides = [stride * numbers.itemsize for stride in tensor.strides]
        view = np.lib.stride_tricks.as_strided(numbers[tensor.offset :], tensor.shape, strides, writeable=False)
        copied: npt.NDArray[Any] = view.copy()
        return copied


def is_torch_file(path: Path, names: frozenset[str]) -> bool:
    """Whether the file begins as those of torch do; `names` are those in it, where it is a zip. Raises OSError."""
    if names:
        return any(name.endswith("/data.pkl") for name in names)
    with path.open("rb") as stream:
        return stream.read(2 + len(_OLD_MAGIC_BYTES))[2:] == _OLD_MAGIC_BYTES


def read_torch_file(path: Path, is_known: Callable[[ClassName], bool]) -> TorchFile:
    """Read a file of at most MAX_FILE_BYTES; objects of the class that `is_known` knows become dicts.

    Raises NotUnderstood, OSError and, for damaged files, the errors of `archive.DAMAGE`.
    """
    if path.stat().st_size > MAX_FILE_BYTES:
        raise NotUnderstood("too large")
    if zipfile.is_zipfile(path):
        refuse_many_entries(path)
        with zipfile.ZipFile(path) as archive:
            return _read_zip(archive, is_known)
    return _read_old(io.BytesIO(path.read_bytes()), is_known)


def _read_zip(archive: zipfile.ZipFile, is_known: Callable[[ClassName], bool]) -> TorchFile:
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES or sum(entry.file_size for entry in entries) > MAX_FILE_BYTES:
        raise NotUnderstood
    pickles = [entry.filename for entry in entries if entry.filename.endswith("data.pkl")]
    root = pickles[0].removesuffix("data.pkl")  # IndexError where there is none
    pickle = _Pickle(is_known)
    value = pickle.value(io.BytesIO(archive.read(f"{root}data.pkl")))
    storages = {key: _numbers(kind, archive.read(f"{root}data/{key}")) for key, kind in pickle.storages.items()}
    return TorchFile(value, storages)


def _read_old(stream: IO[bytes], is_known: Callable[[ClassName], bool]) -> TorchFile:
    magic, version, machine = (_Pickle(is_known).value(stream) for _ in range(3))
    if magic != _OLD_MAGIC or version != _OLD_VERSION or machine["little_endian"] is not True:
        raise NotUnderstood
    pickle = _Pickle(is_known)
    value = pickle.value(stream)
    storages = {}
    for key in _Pickle(is_known).value(stream):
        kind = pickle.storages[key]
        size = int.from_bytes(stream.read(8), "little") * np.dtype(_STORAGES[kind]).itemsize
        data = stream.read(size)
        if len(data) < size:
            raise NotUnderstood
        storages[key] = _numbers(kind, data)
    return TorchFile(value, storages)


def _numbers(kind: str, data: bytes) -> npt.NDArray[Any]:
    numbers = np.frombuffer(data, _STORAGES[kind])
    return (numbers.astype(np.uint32) << 16).view(np.float32) if kind == "BFloat16Storage" else numbers


class _Fields(dict[str, Any]):
    """The fields of an object of the known class."""


@dataclass
class _Pickle:
    """Executes the few opcodes that plain values need, on a stack of its own."""

    is_known: Callable[[ClassName], bool]
    storages: dict[str, str] = field(default_factory=dict)
    """The storages that were named, with their types."""
    _stack: list[Any] = field(default_factory=list)
    _memo: dict[int, Any] = field(default_factory=dict)
    _room: int = MAX_NUMBERS

    def value(self, stream: IO[bytes]) -> Any:
        """The value of the pickle that begins here in the stream, which is left behind its end."""
        for count, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
            if count > MAX_OPCODES:
                raise NotUnderstood
            if opcode.name == "STOP":
                return self._stack.pop()
            self._step(opcode.name, argument)
        raise NotUnderstood

    def _step(self, name: str, argument: Any) -> None:
        if name in ("PROTO", "FRAME"):
            return
        if name in _CONSTANTS:
            self._stack.append(_CONSTANTS[name]())
        elif name in _LITERALS:
            self._stack.append(argument)
        elif name in ("BINPUT", "LONG_BINPUT"):
            self._memo[argument] = self._stack[-1]
        elif name == "MEMOIZE":
            self._memo[len(self._memo)] = self._stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            self._stack.append(self._memo[argument])
        elif name == "GLOBAL":
            self._stack.append(ClassName(*argument.split(" ", 1)))
        elif name in ("NEWOBJ", "BUILD", "REDUCE", "BINPERSID", "STACK_GLOBAL"):
            self._make(name)
        else:
            self._combine(name)

    def _make(self, name: str) -> None:
        """Execute an opcode that makes an object in the real pickle."""
        last = self._stack.pop()
        if name == "BINPERSID":
            self._stack.append(self._storage(last))
        elif name == "STACK_GLOBAL":
            self._stack[-1] = ClassName(self._stack[-1], last)
        elif name == "REDUCE":
            self._stack[-1] = self._called(self._stack[-1], last)
        elif name == "NEWOBJ":
            function = self._stack.pop()
            if last != () or not isinstance(function, ClassName) or not self.is_known(function):
                raise NotUnderstood
            self._stack.append(_Fields())
        else:
            made = self._stack[-1]
            if not isinstance(made, _Fields) or not isinstance(last, dict):
                raise NotUnderstood
            made.update(last)

    def _combine(self, name: str) -> None:
        stack = self._stack
        if name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            count = int(name[-1])
            stack[-count:] = [tuple(stack[-count:])]
        elif name == "TUPLE":
            stack.append(tuple(self._since_mark()))
        elif name == "APPEND":
            item = stack.pop()
            stack[-1].append(item)
        elif name == "APPENDS":
            items = self._since_mark()
            stack[-1].extend(items)
        elif name == "SETITEM":
            value, key = stack.pop(), stack.pop()
            stack[-1][key] = value
        elif name == "SETITEMS":
            items = self._since_mark()
            stack[-1].update(zip(items[::2], items[1::2], strict=True))
        else:
            raise NotUnderstood(name)

    def _since_mark(self) -> list[Any]:
        place = max(place for place, item in enumerate(self._stack) if item is _MARK)
        items = self._stack[place + 1 :]
        del self._stack[place:]
        return items

    def _storage(self, identity: Any) -> str:
        """The key of the storage that the pickle names; `identity` is ("storage", type, key, location, length, …)."""
        word, kind, key = identity[:3]
        if word != "storage" or not isinstance(kind, ClassName) or kind.name not in _STORAGES or not str(key).isdigit():
            raise NotUnderstood
        if self.storages.setdefault(str(key), kind.name) != kind.name:
            raise NotUnderstood
        return str(key)

    def _called(self, function: Any, arguments: Any) -> Any:
        if function == ClassName("collections", "OrderedDict") and not arguments:
            return {}
        if function != ClassName("torch._utils", "_rebuild_tensor_v2"):
            raise NotUnderstood
        storage, offset, shape, strides = arguments[:4]
        if storage not in self.storages or len(shape) > MAX_AXES or any(size < 1 for size in shape):
            raise NotUnderstood
        self._room -= math.prod(shape)
        if self._room < 0:
            raise NotUnderstood
        return Tensor(storage, offset, shape, strides)


_CONSTANTS: Mapping[str, Callable[[], Any]] = {
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "MARK": lambda: _MARK,
}
_LITERALS = frozenset(
    {"BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"}
)
