"""The tensors that a model's safetensors files hold, by their headers: one file, or the shards that an index names.

Loads no torch and reads no tensor, so that a folder can be judged in milliseconds; nothing is built or allocated before
these numbers are known to fit.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath

from tts_core.engines.faults import ModelConfigInvalid, ModelFileMissing, WeightsUnreadable
from tts_core.engines.qwen.talker.checkpoint_json import read_json
from tts_core.models.catalogue import WEIGHTS_INDEX_SUFFIX, WEIGHTS_SUFFIX
from tts_core.models.files.safetensors_header import MAX_HEADER_BYTES

DTYPE_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "U8": 1, "BOOL": 1}
"""The types of tensors that can be loaded, and the bytes of one value."""
_MAX_SHARDS = 100
_DERIVED = (".inv_freq", ".original_inv_freq")
"""The endings of rotations' frequencies, which some trainers save; they follow from the config and are computed."""


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """The place of a tensor in a file."""

    dtype: str
    """The type in the format's words, a key of DTYPE_BYTES."""
    shape: tuple[int, ...]
    file: Path
    start: int
    """First byte, counted from the beginning of the file."""
    end: int


def is_derived(name: str) -> bool:
    """Whether a tensor of that name holds what is computed anyway."""
    return name.endswith(_DERIVED)


def read_header(file: Path) -> dict[str, StoredTensor]:
    """The tensors of `file`, or of the shards that its index names where the file itself is missing.

    Raises ModelFileMissing, ModelConfigInvalid for the index, or WeightsUnreadable.
    """
    if not file.exists() and (index := index_of(file)).exists():
        tensors: dict[str, StoredTensor] = {}
        for shard in _shards(index):
            tensors.update(_tensors_in(shard))
        return tensors
    return _tensors_in(file)


def index_of(file: Path) -> Path:
    """The index that lists the shards which stand for a weights file."""
    return file.with_name(file.name + WEIGHTS_INDEX_SUFFIX)


def _shards(index: Path) -> list[Path]:
    section = read_json(index).section("weight_map")
    names = sorted({name for name in section.data.values() if isinstance(name, str)})
    is_plain = all(name.endswith(WEIGHTS_SUFFIX) and PurePath(name).name == name and "\\" not in name for name in names)
    if not is_plain or not 1 <= len(names) <= _MAX_SHARDS:
        raise ModelConfigInvalid(file=str(index), reason="it does not name the weights' files beside it")
    return [index.with_name(name) for name in names]


def _tensors_in(file: Path) -> dict[str, StoredTensor]:
    try:
        with file.open("rb") as stream:
            size = file.stat().st_size
            length = int.from_bytes(stream.read(8), "little")
            if size < 8 or length > size - 8:
                raise WeightsUnreadable(file=str(file), reason="it is cut off or no safetensors file")
            if length > MAX_HEADER_BYTES:
                raise WeightsUnreadable(file=str(file), reason="its list of tensors is too long for any model")
            header = json.loads(stream.read(length))
            found = {name: _parse(file, entry, 8 + length) for name, entry in header.items() if name != "__metadata__"}
    except FileNotFoundError as error:
        raise ModelFileMissing(file=str(file)) from error
    except OSError as error:
        raise WeightsUnreadable(file=str(file), reason=str(error.strerror)) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise WeightsUnreadable(file=str(file), reason="its list of tensors is damaged") from error
    for name, tensor in found.items():
        if tensor.dtype not in DTYPE_BYTES:
            raise WeightsUnreadable(file=str(file), reason=f"{name} is of type {tensor.dtype}, which can't be loaded")
        if tensor.end > size:
            raise WeightsUnreadable(file=str(file), reason=f"it is cut off before the end of {name}")
    return found


def _parse(file: Path, entry: Mapping[str, object], data_start: int) -> StoredTensor:
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or not isinstance(shape, list) or not isinstance(offsets, list):
        raise TypeError(entry)
    start, end = offsets
    if not all(type(number) is int and number >= 0 for number in (*shape, start, end)):
        raise ValueError(entry)
    if dtype in DTYPE_BYTES and end - start != math.prod(shape) * DTYPE_BYTES[dtype]:
        raise ValueError(entry)
    return StoredTensor(dtype, tuple(shape), file, data_start + start, data_start + end)
