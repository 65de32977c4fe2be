from __future__ import annotations

import json
import struct
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from tests.engines.qwen.conftest import CPU_FLOAT32, WriteCheckpoint
from tts_core.engines.faults import ModelFileMissing, WeightsMismatch, WeightsUnreadable
from tts_core.engines.qwen.talker.stored import read_header
from tts_core.engines.qwen.talker.weights import (
    KeepsFloat32,
    Placement,
    build_on_meta,
    load_weights,
    weight_bytes,
)
from tts_core.engines.qwen.talker_model import TalkerModel

BFLOAT16 = Placement(torch.device("cpu"), torch.bfloat16)


class Scale(KeepsFloat32):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(3))


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 5)
        self.scale = Scale()
        self.register_buffer("count", torch.zeros(1, dtype=torch.int64))
        self.register_buffer("empty", torch.zeros(0, 4))


WEIGHTS = {
    "linear.weight": torch.randn(5, 3),
    "linear.bias": torch.randn(5),
    "scale.weight": torch.randn(3),
    "count": torch.tensor([7]),
    "empty": torch.zeros(0, 4),
}


def saved(folder: Path, weights: dict[str, torch.Tensor]) -> Path:
    save_file(weights, folder / "model.safetensors")
    return folder / "model.safetensors"


@pytest.mark.parametrize("stored", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("loaded", [torch.float32, torch.bfloat16, torch.float16])
def test_weights_arrive_in_the_wanted_precision(tmp_path: Path, stored: torch.dtype, loaded: torch.dtype) -> None:
    weights = {name: t.to(stored) if t.is_floating_point() else t for name, t in WEIGHTS.items()}
    module = build_on_meta(Small)
    load_weights(module, saved(tmp_path, weights), Placement(torch.device("cpu"), loaded))
    assert torch.equal(module.linear.weight, weights["linear.weight"].to(loaded))
    assert torch.equal(module.linear.bias, weights["linear.bias"].to(loaded))
    assert torch.equal(module.scale.weight, weights["scale.weight"].float())
    assert module.scale.weight.dtype == torch.float32
    assert module.get_buffer("count").tolist() == [7]
    assert not any(parameter.requires_grad for parameter in module.parameters())


def test_large_tensors_are_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tts_core.engines.qwen.talker.weights._BUFFER_BYTES", 16)
    for placement in (CPU_FLOAT32, BFLOAT16):
        module, seen = build_on_meta(Small), list[tuple[int, int]]()
        file = saved(tmp_path, WEIGHTS)
        load_weights(module, file, placement, progress=lambda done, total: seen.append((done, total)))  # noqa: B023
        assert torch.equal(module.linear.weight, WEIGHTS["linear.weight"].to(placement.dtype))
        total = (15 + 5 + 3) * 4 + 8
        assert seen[-1] == (total, total)
        assert all(later[0] - earlier[0] <= 16 for earlier, later in pairwise(seen))


def test_names_can_be_left_aside_and_renamed(tmp_path: Path) -> None:
    weights = {f"model.{name}": tensor for name, tensor in WEIGHTS.items()} | {"other.weight": torch.zeros(1)}
    module = build_on_meta(Small)
    load_weights(
        module,
        saved(tmp_path, weights),
        CPU_FLOAT32,
        skip=["other."],
        rename=lambda name: name.removeprefix("model."),
    )
    assert torch.equal(module.linear.weight, WEIGHTS["linear.weight"])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"linear.bias": None}, "missing: linear.bias;"),
        ({"linear.extra": torch.zeros(1)}, "left over: linear.extra;"),
        ({"linear.bias": torch.zeros(6)}, "wrong shape: linear.bias"),
        ({f"x{number}": torch.zeros(1) for number in range(8)}, "left over: x0, x1, x2, x3, x4 and 3 more"),
    ],
)
def test_weights_that_do_not_fit_are_named(
    tmp_path: Path, change: dict[str, torch.Tensor | None], complaint: str
) -> None:
    weights = {name: tensor for name, tensor in (WEIGHTS | change).items() if tensor is not None}
    with pytest.raises(WeightsMismatch) as caught:
        load_weights(build_on_meta(Small), saved(tmp_path, weights), CPU_FLOAT32)
    assert complaint in caught.value.message
    assert "model.safetensors" in caught.value.message


def entry(dtype: object = "F32", shape: object = (2,), offsets: object = (0, 8)) -> bytes:
    text = json.dumps({"a": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}).encode()
    return struct.pack("<Q", len(text)) + text + bytes(8)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x02\0\0",
        b"<!DOCTYPE html><html>",
        struct.pack("<Q", 2**40) + b"{}",
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 4) + b"\xff\xff\xff\xff",
        entry(dtype="F3"),
        entry(shape=3),
        entry(shape=[3]),
        entry(shape=["x"]),
        entry(shape=[-2]),
        entry(offsets=[0]),
        entry(offsets=[-8, 0]),
        entry(offsets=["x", 8]),
        entry(shape=[4], offsets=[0, 16]),
    ],
)
def test_a_file_that_is_no_whole_safetensors_file_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(content)
    with pytest.raises(WeightsUnreadable, match=r"model\.safetensors"):
        read_header(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileMissing, match=r"model\.safetensors"):
        load_weights(build_on_meta(Small), tmp_path / "model.safetensors", CPU_FLOAT32)


def test_a_file_cut_while_it_is_read_is_named(tmp_path: Path) -> None:
    file = saved(tmp_path, WEIGHTS)

    def cut(_done: int, _total: int) -> None:
        with file.open("r+b") as stream:
            stream.truncate(file.stat().st_size - 4)

    with pytest.raises(WeightsUnreadable, match="ends too early"):
        load_weights(build_on_meta(Small), file, CPU_FLOAT32, progress=cut)


def test_a_model_of_another_kind_does_not_load(tmp_path: Path, checkpoint: WriteCheckpoint) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    for file in checkpoint("custom_voice", "b").iterdir():
        if file.is_file():
            (folder / file.name).symlink_to(file)
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to(checkpoint("custom_voice", "a") / "model.safetensors")
    with pytest.raises(WeightsMismatch, match=r"talker\.code_predictor\.small_to_mtp_projection"):
        TalkerModel.load(folder, CPU_FLOAT32)


@pytest.mark.parametrize("kind", ["custom_voice", "base", "voice_design"])
@pytest.mark.parametrize("geometry", ["a", "b"])
def test_every_weight_of_a_checkpoint_is_used(kind: str, geometry: str, checkpoint: WriteCheckpoint) -> None:
    folder = checkpoint(kind, geometry)
    model = TalkerModel.load(folder, CPU_FLOAT32)
    stored = load_file(folder / "model.safetensors")
    loaded = {f"talker.{name}": tensor for name, tensor in model.talker.state_dict().items()}
    assert loaded.keys() == {name for name in stored if not name.startswith("speaker_encoder.")}
    assert all(torch.equal(tensor, stored[name]) for name, tensor in loaded.items())
    assert weight_bytes(model.talker) == sum(tensor.numel() * 4 for tensor in loaded.values())


def test_norms_and_heads_stay_exact_in_half_precision(checkpoint: WriteCheckpoint) -> None:
    talker = TalkerModel.load(checkpoint("custom_voice", "b"), BFLOAT16).talker
    exact = {name for name, tensor in talker.state_dict().items() if tensor.dtype == torch.float32}
    assert exact == {name for name in talker.state_dict() if "norm" in name or "head" in name}
