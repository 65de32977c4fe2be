"""Reads safetensors files straight into modules that were built on the meta device. Knows no model.

The file is read piece by piece through one small buffer instead of being mapped: the peak is the weights themselves
plus that buffer, whatever device and precision they go to, and no file stays open that a user may want to delete.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

import torch
from torch import nn

from tts_core.engines.faults import ModelFileMissing, WeightsMismatch, WeightsUnreadable
from tts_core.models.cached_model import LoadProgress

Module = TypeVar("Module", bound=nn.Module)

_BUFFER_BYTES = 16 * 2**20
_MAX_HEADER_BYTES = 100_000_000
_NAMED_TENSORS = 5
_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


class KeepsFloat32(nn.Module):
    """Base of modules whose own weights stay in float32 whatever precision the model is loaded in."""


class KeepsStored(nn.Module):
    """Base of modules whose own weights stay as the file has them unless the model's precision is smaller."""


class MakesRoom(nn.Module):
    """Base of modules that say where their own `weight` is read to, and what becomes of it."""

    def room(self, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
        """Contiguous memory of the weight's shape, to read it to."""
        raise NotImplementedError

    def take(self, value: torch.Tensor) -> None:
        """Keep the weight: `value` is the memory from `room`, filled."""
        raise NotImplementedError


class HoldsOwnBytes(nn.Module):
    """Base of modules that keep weights where torch does not see them."""

    own_bytes: int = 0


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """The place of a tensor in a file."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    start: int
    """First byte, counted from the beginning of the file."""
    end: int


@dataclass(frozen=True, slots=True)
class Placement:
    """The device and the types that weights are loaded to."""

    device: torch.device
    dtype: torch.dtype
    """float32, bfloat16 or float16; whole numbers keep their type."""
    weight_bits: int = 0
    """8 or 4: weights of the transformers' products are whole numbers of so many bits, all else is of type `dtype`."""

    @property
    def uses_loops(self) -> bool:
        """Whether whole numbers are computed by compiled loops."""
        return self.weight_bits > 0 and self.device.type == "cpu"


def build_on_meta(build: Callable[[], Module]) -> Module:
    """Call a constructor without allocating or initialising its weights."""
    with torch.device("meta"):
        return build()


def load_weights(
    module: nn.Module,
    file: Path,
    placement: Placement,
    *,
    skip: Collection[str] = (),
    rename: Callable[[str], str] | None = None,
    progress: LoadProgress | None = None,
) -> None:
    """Fill every parameter and persistent buffer of `module` from a file that must hold exactly these.

    Names in the file that begin with one of `skip` are left aside. `rename` maps a name in the file to the module's.
    Raises ModelFileMissing, WeightsUnreadable or WeightsMismatch.
    """
    rename = rename or str
    stored = read_header(file)
    wanted = {rename(name): tensor for name, tensor in stored.items() if not name.startswith(tuple(skip))}
    _check_names(file, module, wanted)
    dtypes = _target_dtypes(module, placement.dtype, wanted)
    total = sum(tensor.end - tensor.start for tensor in wanted.values())
    done = 0
    try:
        with file.open("rb", buffering=0) as stream:
            buffer = torch.empty(_BUFFER_BYTES, dtype=torch.uint8)
            for name, tensor in sorted(wanted.items(), key=lambda item: item[1].start):
                target = _room(module, name, tensor.shape, dtypes[name], placement.device)
                for count in _fill(target, tensor, stream, buffer):
                    done += count
                    if progress:
                        progress(done, total)
                _assign(module, name, target)
    except (OSError, EOFError) as error:
        raise WeightsUnreadable(file=str(file), reason=str(error) or type(error).__name__) from error


def read_header(file: Path) -> dict[str, StoredTensor]:
    """The tensors that a safetensors file holds. Raises ModelFileMissing or WeightsUnreadable."""
    try:
        with file.open("rb") as stream:
            size = file.stat().st_size
            length = int.from_bytes(stream.read(8), "little")
            if size < 8 or length > min(_MAX_HEADER_BYTES, size - 8):
                raise WeightsUnreadable(file=str(file), reason="it is cut off or no safetensors file")
            header = json.loads(stream.read(length))
            tensors = {name: _parse(entry, 8 + length) for name, entry in header.items() if name != "__metadata__"}
    except FileNotFoundError as error:
        raise ModelFileMissing(file=str(file)) from error
    except OSError as error:
        raise WeightsUnreadable(file=str(file), reason=str(error.strerror)) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise WeightsUnreadable(file=str(file), reason="its list of tensors is damaged") from error
    for name, tensor in tensors.items():
        if tensor.end > size:
            raise WeightsUnreadable(file=str(file), reason=f"it is cut off before the end of {name}")
    return tensors


def weight_bytes(module: nn.Module) -> int:
    """Bytes that a module's weights, and what was computed from them, occupy."""
    own = sum(part.own_bytes for part in module.modules() if isinstance(part, HoldsOwnBytes))
    return own + sum(tensor.nbytes for tensor in (*module.parameters(), *module.buffers()))


def _parse(entry: Mapping[str, object], data_start: int) -> StoredTensor:
    dtype = _DTYPES[str(entry["dtype"])]
    shape, offsets = entry["shape"], entry["data_offsets"]
    if not isinstance(shape, list) or not isinstance(offsets, list):
        raise TypeError(entry)
    start, end = offsets
    tensor = StoredTensor(dtype, tuple(shape), data_start + start, data_start + end)
    if start < 0 or end - start != torch.Size(shape).numel() * dtype.itemsize:
        raise ValueError(entry)
    return tensor


def _check_names(file: Path, module: nn.Module, found: Mapping[str, StoredTensor]) -> None:
    wanted = module.state_dict()
    missing = sorted(wanted.keys() - found.keys())
    unknown = sorted(found.keys() - wanted.keys())
    misshapen = sorted(name for name in wanted.keys() & found.keys() if wanted[name].shape != found[name].shape)
    if missing or unknown or misshapen:
        raise WeightsMismatch(
            file=str(file), missing=_listed(missing), unknown=_listed(unknown), misshapen=_listed(misshapen)
        )


def _listed(names: list[str]) -> str:
    more = len(names) - _NAMED_TENSORS
    return ", ".join(names[:_NAMED_TENSORS]) + (f" and {more} more" if more > 0 else "") or "none"


def _target_dtypes(module: nn.Module, dtype: torch.dtype, stored: Mapping[str, StoredTensor]) -> dict[str, torch.dtype]:
    """The type that each weight, by its name, is loaded in."""
    dtypes = {name: dtype if t.is_floating_point() else t.dtype for name, t in module.state_dict().items()}
    for prefix, part in module.named_modules():
        if isinstance(part, KeepsFloat32):
            dtypes.update((f"{prefix}.{name}", torch.float32) for name, _ in part.named_parameters(recurse=False))
        elif isinstance(part, KeepsStored):
            names = [f"{prefix}.{name}" for name, _ in part.named_parameters(recurse=False)]
            dtypes.update((name, min(stored[name].dtype, dtype, key=lambda kind: kind.itemsize)) for name in names)
    return dtypes


def _fill(target: torch.Tensor, tensor: StoredTensor, stream: BinaryIO, buffer: torch.Tensor) -> Iterator[int]:
    """Read a tensor, through the buffer unless it needs no change; yields the bytes of each piece."""
    stream.seek(tensor.start)
    size = tensor.end - tensor.start
    flat = target.view(-1)
    is_direct = target.device.type == "cpu" and target.dtype == tensor.dtype and size > 0
    raw = flat.view(torch.uint8) if is_direct else buffer
    for start in range(0, size, buffer.numel()):
        count = min(buffer.numel(), size - start)
        piece = raw[start : start + count] if is_direct else raw[:count]
        _read_exactly(stream, memoryview(piece.numpy().data))
        if not is_direct:
            first = start // tensor.dtype.itemsize
            flat[first : first + count // tensor.dtype.itemsize].copy_(piece.view(tensor.dtype))
        yield count


def _read_exactly(stream: BinaryIO, into: memoryview) -> None:
    while into:
        count = stream.readinto(into)  # type: ignore[attr-defined]
        if not count:
            raise EOFError("it ends too early")
        into = into[count:]


def _room(
    module: nn.Module, name: str, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device
) -> torch.Tensor:
    """The memory that the weight of that name is to be read to."""
    path, _, leaf = name.rpartition(".")
    owner = module.get_submodule(path)
    if isinstance(owner, MakesRoom) and leaf == "weight":
        return owner.room(dtype, device)
    return torch.empty(shape, dtype=dtype, device=device)


def _assign(module: nn.Module, name: str, value: torch.Tensor) -> None:
    path, _, leaf = name.rpartition(".")
    owner = module.get_submodule(path)
    if isinstance(owner, MakesRoom) and leaf == "weight":
        owner.take(value)
        return
    is_buffer = any(name == leaf for name, _ in owner.named_buffers(recurse=False))
    setattr(owner, leaf, value if is_buffer else nn.Parameter(value, requires_grad=False))
