"""Smaller precisions: how close they stay to float32, and what int8 products compute."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.engine.conftest import CPU_FLOAT32, WriteCheckpoint
from tests.engine.fidelity import compare
from tts_core.engine.linear import Int8Product, Part, Product, expect_int8, needs_seven_bits
from tts_core.engine.placing import check_int8
from tts_core.engine.prompt import PresetSpeaker, PromptRequest
from tts_core.engine.speech_model import QwenModel, SpeechRequest
from tts_core.engine.weights import weight_bytes
from tts_core.errors import PrecisionNotSupported
from tts_core.events import AudioChunk

REQUEST = PromptRequest("the quick brown fox jumps over a lazy dog", PresetSpeaker("ryan"), "English")
FRAMES = 40


@pytest.mark.parametrize("geometry", ["a", "b"])
@pytest.mark.parametrize(
    ("precision", "least_agreement", "most_divergence"),
    [("int8", 0.9, 1e-3), ("bfloat16", 0.95, 2e-4), ("float16", 0.98, 5e-6)],
)
def test_every_codebook_stays_close_to_float32(
    precision: str, least_agreement: float, most_divergence: float, geometry: str, checkpoint: WriteCheckpoint
) -> None:
    """Mean agreement of the likeliest codes; divergence (nats) of the worst codebook. Measured values: NOTES.md."""
    folder = checkpoint("custom_voice", geometry)
    exact, other = (QwenModel.load(folder, device="cpu", precision=name) for name in ("float32", precision))
    found = compare(exact, other, REQUEST, FRAMES)
    assert np.mean(found.agreement) >= least_agreement
    assert max(found.divergence) <= most_divergence
    assert other.choice.precision == precision
    events = other.stream(SpeechRequest(REQUEST, max_frames=4))
    sound = np.concatenate([event.samples for event in events if isinstance(event, AudioChunk)])
    assert len(sound) == 3 * 1920
    assert np.isfinite(sound).all()
    assert next(other.codec.decoder.parameters()).dtype == torch.float32


def products(*, bias: bool) -> tuple[Product, Product]:
    """Two parts of one input in float32 and the same in int8."""
    with torch.device("meta"):
        floats = torch.nn.ModuleList([Part(64, 48, bias=bias)])
        floats.append(Part(64, 80, whole=floats[0].whole))  # type: ignore[arg-type]
    ints = copy.deepcopy(floats)
    expect_int8(ints)
    for one, other in zip(reversed(floats), reversed(ints), strict=True):  # in any order
        weight = torch.randn(one.weight.shape) / 8  # type: ignore[arg-type]
        for part in (one, other):
            room = part.room(torch.float32, CPU_FLOAT32.device)  # type: ignore[operator]
            part.take(room.copy_(weight))  # type: ignore[operator]
    return floats[0].whole, ints[0].whole  # type: ignore[return-value]


@pytest.mark.parametrize("bias", [False, True])
def test_int8_products_equal_rounded_ones(bias: bool) -> None:
    """The slow twin rounds weights per output and inputs per position, then multiplies in float64."""
    torch.manual_seed(0)
    floats, ints = products(bias=bias)
    assert isinstance(ints, Int8Product)
    x, offset = 3.0 * torch.randn(2, 5, 64), torch.randn(128) if bias else None
    weight = floats(torch.eye(64)).T  # [out, in]
    scales = weight.abs().amax(1, keepdim=True) / 127
    step = (63 if needs_seven_bits() else 127) + 0.5
    range_ = x.abs().amax(-1, keepdim=True)
    rounded = ((x / range_ * step).round() / step * range_).double()
    expected = rounded @ ((weight / scales).round() * scales).double().T + (0 if offset is None else offset)
    found = ints(x, offset)
    assert (found - expected).norm() / expected.norm() < 0.008  # the operator's zero lies half a step beside ours
    assert (found - floats(x, offset)).norm() / found.norm() < 0.02
    assert ints.own_bytes == 128 * (64 + 4)


def test_an_int8_position_does_not_depend_on_those_beside_it() -> None:
    torch.manual_seed(0)
    _, ints = products(bias=False)
    x = torch.randn(6, 64) * torch.tensor([1e-3, 1.0, 50.0, 0.0, 2.0, 7.0])[:, None]
    assert torch.equal(ints(x), torch.cat([ints(row[None]) for row in x]))


def test_int8_weights_take_less_memory(checkpoint: WriteCheckpoint) -> None:
    folder = checkpoint("custom_voice", "b")
    exact, small = (QwenModel.load(folder, device="cpu", precision=name) for name in ("float32", "int8"))
    parts = [part for part in exact.talker.modules() if isinstance(part, Part)]
    saved = sum(3 * part.weight.numel() - 4 * len(part.weight) for part in parts)
    assert weight_bytes(exact.talker) - weight_bytes(small.talker) == saved
    assert exact.memory_bytes - small.memory_bytes == saved


def test_int8_is_refused_where_it_does_not_compute() -> None:
    with pytest.raises(PrecisionNotSupported, match="bfloat16"):
        check_int8(torch.device("cuda:0"))
    check_int8(torch.device("cpu"))


def test_the_text_table_stays_as_small_as_the_file_has_it(tmp_path: Path, checkpoint: WriteCheckpoint) -> None:
    folder = shutil.copytree(checkpoint("custom_voice", "a"), tmp_path / "halved")
    weights = load_file(folder / "model.safetensors")
    save_file({name: tensor.bfloat16() for name, tensor in weights.items()}, folder / "model.safetensors")
    for precision in ("float32", "float16", "bfloat16", "int8"):
        talker = QwenModel.load(folder, device="cpu", precision=precision).talker
        assert talker.model.text_embedding.weight.dtype == torch.bfloat16
        assert talker.embed_text(torch.tensor([[1, 2]])).dtype == talker.dtype
    original = QwenModel.load(checkpoint("custom_voice", "a"), device="cpu", precision="bfloat16").talker
    assert original.model.text_embedding.weight.dtype == torch.bfloat16
