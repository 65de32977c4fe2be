"""Voice prompts that the official Qwen3-TTS demo saves (`voice_clone_prompt_*.pt`), read without running anything.

Such a file is what `torch.save` writes: a zip with `<name>/data.pkl` and `<name>/data/<n>` for the numbers. The pickle
is walked opcode by opcode and only plain values and tensors are understood; whatever else stands there ends the
reading.
Layout: {"items": [{"ref_code", "ref_spk_embedding", "x_vector_only_mode", "icl_mode", "ref_text"}, …]}.
"""

from __future__ import annotations

import math
import pickletools
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tts_core.domain.errors import VoicePromptInvalid
from tts_core.domain.values import PreparedVoice
from tts_core.voices.archive import DAMAGE, refuse_many_entries

MAX_FILE_BYTES = 20_000_000
MAX_ENTRIES = 200
MAX_OPCODES = 100_000
MAX_ITEMS = 16
MAX_NUMBERS = 5_000_000
"""The most numbers in all tensors together: a file may name the same ones over and over."""
CODES_PER_FRAME = 16
_MARK = object()
_STORAGES: Mapping[str, str] = {
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "DoubleStorage": "<f8",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "BFloat16Storage": "bfloat16",
}


@dataclass(frozen=True, slots=True)
class _Name:
    """A global that the pickle names; it is never looked up."""

    module: str
    name: str


@dataclass(frozen=True, slots=True)
class _Storage:
    kind: str
    key: str


class _NotUnderstood(ValueError):
    pass


def read_official_prompt(path: Path) -> tuple[PreparedVoice, ...]:
    """The voices in a prompt file of the official demo. Raises VoicePromptInvalid."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise VoicePromptInvalid(path=path.name, reason="it is too large for a voice")
        refuse_many_entries(path)
        with zipfile.ZipFile(path) as archive:
            data = _Pickle(archive).value()
        return _prompts(data)
    except (OSError, *DAMAGE) as error:
        raise VoicePromptInvalid(path=path.name, reason="it is no voice prompt of the official demo") from error


def _prompts(data: Any) -> tuple[PreparedVoice, ...]:
    items = data["items"]
    if not isinstance(items, list) or not 0 < len(items) <= MAX_ITEMS:
        raise _NotUnderstood
    return tuple(map(_prompt, items))


def _prompt(item: Any) -> PreparedVoice:
    embedding = np.asarray(item["ref_spk_embedding"], np.float32).reshape(-1)
    if not embedding.size or not np.isfinite(embedding).all():
        raise _NotUnderstood
    codes, transcript = item.get("ref_code"), item.get("ref_text")
    if item.get("x_vector_only_mode") or codes is None:
        return PreparedVoice(embedding)
    if (
        not isinstance(transcript, str)
        or codes.ndim != 2
        or codes.shape[1] != CODES_PER_FRAME
        or codes.dtype.kind != "i"
    ):
        raise _NotUnderstood
    return PreparedVoice(embedding, codes.astype(np.int64), transcript)


class _Pickle:
    """Executes the few opcodes that plain values need, on a stack of its own."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        entries = archive.infolist()
        if len(entries) > MAX_ENTRIES or sum(entry.file_size for entry in entries) > MAX_FILE_BYTES:
            raise _NotUnderstood
        self._archive = archive
        pickles = [entry.filename for entry in entries if entry.filename.endswith("data.pkl")]
        self._root = pickles[0].removesuffix("data.pkl")  # IndexError where there is none
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._storages: dict[str, bytes] = {}
        self._room = MAX_NUMBERS

    def value(self) -> Any:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(self._archive.read(f"{self._root}data.pkl"))):
            if count > MAX_OPCODES:
                raise _NotUnderstood
            if opcode.name == "STOP":
                return self._stack.pop()
            self._step(opcode.name, argument)
        raise _NotUnderstood

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
            self._stack.append(_Name(*argument.split(" ", 1)))
        else:
            self._combine(name)

    def _combine(self, name: str) -> None:
        stack = self._stack
        if name == "STACK_GLOBAL":
            attribute, module = stack.pop(), stack.pop()
            stack.append(_Name(module, attribute))
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
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
        elif name == "BINPERSID":
            stack.append(self._storage(stack.pop()))
        elif name == "REDUCE":
            arguments, function = stack.pop(), stack.pop()
            stack.append(self._made(function, arguments))
        else:
            raise _NotUnderstood(name)

    def _since_mark(self) -> list[Any]:
        place = max(place for place, item in enumerate(self._stack) if item is _MARK)  # arrays don't compare
        items = self._stack[place + 1 :]
        del self._stack[place:]
        return items

    def _storage(self, identity: Any) -> _Storage:
        """The storage that the pickle names; `identity` is ("storage", type, key, location, length)."""
        word, kind, key = identity[:3]
        if word != "storage" or not isinstance(kind, _Name) or kind.name not in _STORAGES or not str(key).isdigit():
            raise _NotUnderstood
        return _Storage(kind.name, str(key))

    def _made(self, function: Any, arguments: Any) -> Any:
        if function == _Name("collections", "OrderedDict") and not arguments:
            return {}
        if function != _Name("torch._utils", "_rebuild_tensor_v2"):
            raise _NotUnderstood
        storage, offset, shape, strides = arguments[:4]
        numbers = self._numbers(storage)
        self._room -= math.prod(shape)
        if self._room < 0 or math.prod(shape) > len(numbers):  # strides of zero would make many numbers of few
            raise _NotUnderstood
        if sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True)) + offset >= len(numbers):
            raise _NotUnderstood
        if any(size < 1 or stride < 0 for size, stride in zip(shape, strides, strict=True)) or offset < 0:
            raise _NotUnderstood
        view = np.lib.stride_tricks.as_strided(
            numbers[offset:], shape, [stride * numbers.itemsize for stride in strides], writeable=False
        )
        return view.copy()

    def _numbers(self, storage: _Storage) -> npt.NDArray[Any]:
        data = self._storages.get(storage.key)
        if data is None:
            data = self._storages[storage.key] = self._archive.read(f"{self._root}data/{storage.key}")
        kind = _STORAGES[storage.kind]
        if kind == "bfloat16":  # the upper half of a float32
            return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)
        return np.frombuffer(data, kind)


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
