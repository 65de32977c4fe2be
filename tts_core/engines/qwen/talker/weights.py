"""Reads safetensors files straight into modules that were built on the meta device. Knows no model.

The file is read piece by piece through one small buffer instead of being mapped: the peak is the weights themselves
plus that buffer, whatever device and precision they go to, and no file stays open that a user may want to delete.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

import torch
from torch import nn

from tts_core.engines.faults import WeightsUnreadable
from tts_core.engines.qwen.talker.expected import compare_shapes
from tts_core.engines.qwen.talker.stored import StoredTensor, is_derived, read_header
from tts_core.models.cached_model import LoadProgress

Module = TypeVar("Module", bound=nn.Module)

_BUFFER_BYTES = 16 * 2**20
DTYPES = {
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
    """Fill every parameter and persistent buffer of `module` from a file, or its shards, that must hold exactly these.

    Names in the file that begin with one of `skip` are left aside, and what is computed anyway. `rename` maps a name in
    the file to the module's. Raises ModelFileMissing, WeightsUnreadable or WeightsMismatch.
    """
    rename = rename or str
    stored = read_header(file)
    left_aside = [name for name in stored if name.startswith(tuple(skip)) or is_derived(name)]
    wanted = {rename(name): tensor for name, tensor in stored.items() if name not in set(left_aside)}
    built = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    compare_shapes(built, {name: tensor.shape for name, tensor in wanted.items()}, file)
    dtypes = _target_dtypes(module, placement.dtype, wanted)
    total = sum(tensor.end - tensor.start for tensor in wanted.values())
    done = 0
    try:
        buffer = torch.empty(_BUFFER_BYTES, dtype=torch.uint8)
        for source in sorted({tensor.file for tensor in wanted.values()}):
            with source.open("rb", buffering=0) as stream:
                here = [(name, tensor) for name, tensor in wanted.items() if tensor.file == source]
                for name, tensor in sorted(here, key=lambda item: item[1].start):
                    target = _room(module, name, tensor.shape, dtypes[name], placement.device)
                    for count in _fill(target, tensor, stream, buffer):
                        done += count
                        if progress:
                            progress(done, total)
                    _assign(module, name, target)
    except (OSError, EOFError) as error:
        raise WeightsUnreadable(file=str(file), reason=str(error) or type(error).__name__) from error


def weight_bytes(module: nn.Module) -> int:
    """Bytes that a module's weights, and what was computed from them, occupy."""
    own = sum(part.own_bytes for part in module.modules() if isinstance(part, HoldsOwnBytes))
    return own + sum(tensor.nbytes for tensor in (*module.parameters(), *module.buffers()))


def _target_dtypes(module: nn.Module, dtype: torch.dtype, stored: Mapping[str, StoredTensor]) -> dict[str, torch.dtype]:
    """The type that each weight, by its name, is loaded in."""
    dtypes = {name: dtype if t.is_floating_point() else t.dtype for name, t in module.state_dict().items()}
    for prefix, part in module.named_modules():
        if isinstance(part, KeepsFloat32):
            dtypes.update((f"{prefix}.{name}", torch.float32) for name, _ in part.named_parameters(recurse=False))
        elif isinstance(part, KeepsStored):
            names = [f"{prefix}.{name}" for name, _ in part.named_parameters(recurse=False)]
            dtypes.update(
                (name, min(DTYPES[stored[name].dtype], dtype, key=lambda kind: kind.itemsize)) for name in names
            )
    return dtypes


def _fill(target: torch.Tensor, tensor: StoredTensor, stream: BinaryIO, buffer: torch.Tensor) -> Iterator[int]:
    """Read a tensor, through the buffer unless it needs no change; yields the bytes of each piece."""
    stream.seek(tensor.start)
    size, stored_dtype = tensor.end - tensor.start, DTYPES[tensor.dtype]
    flat = target.view(-1)
    is_direct = target.device.type == "cpu" and target.dtype == stored_dtype and size > 0
    raw = flat.view(torch.uint8) if is_direct else buffer
    for start in range(0, size, buffer.numel()):
        count = min(buffer.numel(), size - start)
        piece = raw[start : start + count] if is_direct else raw[:count]
        _read_exactly(stream, memoryview(piece.numpy().data))
        if not is_direct:
            first = start // stored_dtype.itemsize
            flat[first : first + count // stored_dtype.itemsize].copy_(piece.view(stored_dtype))
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
