"""Smaller precisions: how close they stay to float32, and what int8 products compute."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.engines.qwen.conftest import CPU_FLOAT32, WriteCheckpoint
from tests.engines.qwen.fidelity import compare
from tts_core.cli.bench.random_checkpoint import write_random_checkpoint
from tts_core.domain.events import AudioChunk
from tts_core.domain.values import Sampling
from tts_core.engines.faults import PrecisionNotSupported
from tts_core.engines.qwen import placing
from tts_core.engines.qwen.kernels.native_blocks import Matrix
from tts_core.engines.qwen.kernels.native_int4 import LEVELS
from tts_core.engines.qwen.kernels.native_vectors import LANES
from tts_core.engines.qwen.kernels.workers import Workers
from tts_core.engines.qwen.placing import Choice, check_whole_numbers
from tts_core.engines.qwen.quantised.int4 import Int4Product
from tts_core.engines.qwen.quantised.int8 import Int8Blocks, Int8Product, expect_int8
from tts_core.engines.qwen.quantised.rounding import expect_rounded
from tts_core.engines.qwen.speech_model import QwenModel, SpeechRequest
from tts_core.engines.qwen.talker.config import WEIGHTS_FILE, read_generation_config, read_model_config
from tts_core.engines.qwen.talker.kv_cache import KvCache
from tts_core.engines.qwen.talker.layers import RotaryTable, Span, run_blocks
from tts_core.engines.qwen.talker.linear import Part, Product
from tts_core.engines.qwen.talker.prompt import PresetSpeaker, PromptRequest
from tts_core.engines.qwen.talker.sampling import Drawer, Draws, DrawState, Reach
from tts_core.engines.qwen.talker.talker import Talker
from tts_core.engines.qwen.talker.text_tokenizer import TextTokenizer
from tts_core.engines.qwen.talker.weights import Placement, build_on_meta, load_weights, weight_bytes
from tts_core.engines.qwen.talker_model import TalkerModel

REQUEST = PromptRequest("the quick brown fox jumps over a lazy dog", PresetSpeaker("ryan"), "English")
FRAMES = 40


@pytest.mark.parametrize("geometry", ["a", "b"])
@pytest.mark.parametrize(
    ("precision", "least_agreement", "most_divergence"),
    [("int4", 0.62, 3e-2), ("int8", 0.93, 5e-4), ("bfloat16", 0.95, 2e-4), ("float16", 0.98, 5e-6)],
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


def products(*, bias: bool) -> tuple[Product, Product]:
    """Two parts of one input in float32 and the same in int8."""
    with torch.device("meta"):
        floats = torch.nn.ModuleList([Part(64, 48, bias=bias)])
        floats.append(Part(64, 80, whole=floats[0].whole))  # type: ignore[arg-type]
    ints = copy.deepcopy(floats)
    expect_int8(ints, Workers(2))
    for one, other in zip(reversed(floats), reversed(ints), strict=True):  # in any order
        weight = torch.randn(one.weight.shape) / 8  # type: ignore[arg-type]
        for part in (one, other):
            room = part.room(torch.float32, CPU_FLOAT32.device)  # type: ignore[operator]
            part.take(room.copy_(weight))  # type: ignore[operator]
    return floats[0].whole, ints[0].whole  # type: ignore[return-value]


@pytest.mark.parametrize("bias", [False, True])
def test_int8_products_equal_those_of_rounded_weights(bias: bool) -> None:
    """The slow twin rounds weights per output, then multiplies in float64."""
    torch.manual_seed(0)
    floats, ints = products(bias=bias)
    assert isinstance(ints, Int8Product)
    x, offset = 3.0 * torch.randn(2, 5, 64), torch.randn(128) if bias else None
    weight = floats(torch.eye(64)).T.double()  # [out, in]
    scales = weight.abs().amax(1, keepdim=True) / 127
    expected = x.double() @ ((weight / scales).round() * scales).T + (0 if offset is None else offset)
    found = ints(x, offset)
    assert (found - expected).norm() / expected.norm() < 1e-6
    assert (found - floats(x, offset)).norm() / found.norm() < 0.01
    assert ints.own_bytes == 128 * (64 + 4)


@pytest.mark.parametrize(
    ("geometry", "threads", "precision"),
    [("a", 1, "int8"), ("b", 2, "int8"), ("a", 3, "int8"), ("a", 2, "int4"), ("b", 3, "int4")],
)
def test_blocks_in_one_call_equal_the_modules(
    geometry: str, threads: int, precision: str, checkpoint: WriteCheckpoint
) -> None:
    """Rows of different lengths beside each other, read at once and then position by position.

    int4 rounds inputs to 8 bits: where one lies on an edge, another processor's last bit may let it fall the other way.
    """
    limit = 1e-3 if precision == "int4" else 1e-5
    talker = QwenModel.load(checkpoint("custom_voice", geometry), device="cpu", precision=precision).talker
    config, blocks = talker.config.transformer, talker.model.layers
    fused = Int8Blocks(blocks, Workers(threads))
    torch.manual_seed(0)
    x = torch.randn(2, 11, config.hidden_size)
    caches = [KvCache.allocate(config, rows=2, capacity=16, device=x.device, dtype=x.dtype) for _ in range(2)]
    table = RotaryTable.build(config.head_dim, config.rope_theta, 16, x.device)
    for starts, count in (((0, 0), 8), ((8, 5), 1), ((9, 6), 2)):  # the second row forgets three positions
        positions = torch.tensor(starts)[:, None] + torch.arange(count)
        length = int(positions.max()) + 1
        mask = (torch.arange(length) <= positions[..., None])[:, None]
        span = Span(positions, table.at(positions), length, mask)
        part = x[:, :count] + starts[0]
        found = fused.run(part, span, caches[0])
        blocks.fused = None
        expected = run_blocks(blocks, part, span, caches[1])
        assert (found - expected).norm() / expected.norm() < limit
        for mine, theirs in ((caches[0].keys, caches[1].keys), (caches[0].values, caches[1].values)):
            assert torch.allclose(mine, theirs, atol=10 * limit)


@pytest.mark.parametrize("sampling", [None, Sampling(), Sampling(predictor_top_k=20, predictor_top_p=0.7)])
@pytest.mark.parametrize("geometry", ["a", "b"])
def test_a_frame_in_one_call_draws_what_the_passes_draw(
    geometry: str, sampling: Sampling | None, checkpoint: WriteCheckpoint
) -> None:
    talker = QwenModel.load(checkpoint("custom_voice", geometry), device="cpu", precision="int8").talker
    predictor, config, rows = talker.code_predictor, talker.config, 3
    torch.manual_seed(0)
    hidden, first = torch.randn(2, rows, 1, config.transformer.hidden_size)
    draws = [Draws(sampling or Sampling(), seed, greedy=sampling is None) for seed in range(rows)]
    settings = DrawState.allocate(rows, config.vocab_size, hidden.device)
    for row, each in enumerate(draws):
        settings.part(row, 1).fill(each)
    frames = torch.full((rows, 1), 7)
    drawer = Drawer(config, hidden.device).residual(settings, frames, Reach.of(draws[0]))
    found = []
    for fused in (predictor.fused, None):
        predictor.fused = fused
        state = predictor.build_state(rows, hidden.device, hidden.dtype)
        with torch.inference_mode():
            found.append(predictor.predict(hidden, first, state, drawer))
    assert torch.equal(found[0][0], found[1][0])
    assert torch.allclose(found[0][1], found[1][1], atol=1e-5)


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
    assert exact.memory_bytes - small.memory_bytes >= saved  # more where the processor computes the codec in bfloat16


@pytest.mark.parametrize("rows", [1, 2, 3, 11])
@pytest.mark.parametrize("outputs", [64, 72])
def test_int4_products_equal_those_of_their_levels(outputs: int, rows: int) -> None:
    """The slow twin takes the packed weights apart and multiplies in float64; only inputs are rounded on the way."""
    torch.manual_seed(0)
    with torch.device("meta"):
        floats = torch.nn.ModuleList([Part(96, outputs)])
    workers = Workers(2)
    expect_int8(floats, workers, Int4Product)
    part: Part = floats[0]  # type: ignore[assignment]
    weight = torch.randn(outputs, 96) * torch.logspace(-2, 2, outputs)[:, None]
    weight[5] = 0.0
    part.take(part.room(torch.float32, CPU_FLOAT32.device).copy_(weight))
    product: Int4Product = part.whole  # type: ignore[assignment]
    kept = unpacked(product.matrix, outputs)
    assert (kept - weight.double()).norm(dim=1).div(weight.norm(dim=1).clamp(min=1e-9)).max() < 0.085
    assert torch.equal(kept[5], torch.zeros(96, dtype=torch.float64))
    x = torch.randn(rows, 96) * torch.logspace(-3, 3, rows)[:, None]
    sixteen = x.view(rows, -1, 16)
    most = sixteen.abs().amax(-1, keepdim=True)
    rounded = ((sixteen * (127 / most)).round() * (most / 127)).view(rows, -1)
    assert ((rounded - x).norm(dim=1) / x.norm(dim=1)).max() < 0.006
    expected = rounded.double() @ kept.T
    found = product(x)
    assert ((found - expected).norm(dim=0) <= 1e-3 * expected.norm(dim=0)).all()
    assert torch.equal(found, torch.cat([product(row[None]) for row in x]))
    blocks = -(-outputs // LANES)
    assert product.own_bytes == blocks * LANES * (96 // 16 * 9 + 4)


def unpacked(matrix: Matrix, outputs: int) -> torch.Tensor:
    """The weights that a 4-bit matrix stands for, (outputs, inputs) float64."""
    blocks, groups, _ = matrix.weights.shape
    factors, halves = np.split(matrix.weights, [LANES], axis=2)
    bytes_ = halves.view(np.uint8).reshape(blocks, groups, 2, LANES, 4)
    codes = np.stack((bytes_ & 15, bytes_ >> 4), axis=3)  # [block, group, step, low and high, sound_queue, 4]
    levels = LEVELS[codes.transpose(0, 4, 1, 2, 3, 5)].reshape(blocks, LANES, groups, 16)
    weights = levels * factors.transpose(0, 2, 1)[..., None].astype(np.float64)
    return torch.from_numpy(weights.reshape(blocks * LANES, -1) * matrix.scales[:, None])[:outputs]


@pytest.fixture(scope="module")
def published_size(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of the 0.6B geometry."""
    folder = tmp_path_factory.mktemp("published") / "0.6b"
    write_random_checkpoint(folder, "0.6b", "custom_voice")
    return folder


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize(
    ("precision", "least_agreement", "most_divergence"), [("int4", 0.45, 1e-1), ("int8", 0.8, 4e-3)]
)
def test_the_published_geometry_stays_close_to_float32(
    precision: str, least_agreement: float, most_divergence: float, published_size: Path
) -> None:
    exact, other = (QwenModel.load(published_size, device="cpu", precision=name) for name in ("float32", precision))
    found = compare(exact, other, REQUEST, 24)
    assert np.mean(found.agreement) >= least_agreement
    assert max(found.divergence) <= most_divergence


def test_whole_numbers_are_refused_where_they_are_not_computed() -> None:
    for device, precision in (("cuda:0", "int4"), ("mps", "int8")):
        with pytest.raises(PrecisionNotSupported, match="bfloat16"):
            check_whole_numbers(torch.device(device), precision)
    for device in ("cpu", "cuda:0"):
        check_whole_numbers(torch.device(device), "int8")


@pytest.mark.parametrize(
    ("dtype", "least_agreement", "most_divergence"), [(torch.float32, 0.93, 5e-4), (torch.bfloat16, 0.93, 5e-4)]
)
def test_int8_as_graphics_cards_compute_it_stays_close_to_float32(
    dtype: torch.dtype, least_agreement: float, most_divergence: float, checkpoint: WriteCheckpoint
) -> None:
    folder = checkpoint("custom_voice", "a")
    exact = QwenModel.load(folder, device="cpu", precision="float32")
    config = read_model_config(folder)
    talker = build_on_meta(lambda: Talker(config.talker))
    expect_rounded(talker)
    placement = Placement(CPU_FLOAT32.device, dtype)
    load_weights(torch.nn.ModuleDict({"talker": talker}), folder / WEIGHTS_FILE, placement)
    loaded = TalkerModel(config, read_generation_config(folder), TextTokenizer(folder), talker)
    other = QwenModel(folder, Choice(placement, ()), loaded, exact.codec, None)
    found = compare(exact, other, REQUEST, FRAMES)
    assert np.mean(found.agreement) >= least_agreement
    assert max(found.divergence) <= most_divergence
    assert weight_bytes(talker.code_predictor) < 0.75 * weight_bytes(exact.talker.code_predictor)
    events = other.stream(SpeechRequest(REQUEST, max_frames=4))
    assert sum(len(event.samples) for event in events if isinstance(event, AudioChunk)) == 3 * 1920


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


def test_the_codec_is_bfloat16_beside_whole_numbers_where_the_processor_multiplies_it(
    checkpoint: WriteCheckpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here it is only slow. The gate: a signal 12 dB above its noise, since the formula amplifies any rounding."""
    folder = checkpoint("custom_voice", "a")
    plain = QwenModel.load(folder, device="cpu", precision="int8")
    monkeypatch.setattr(placing, "has_fast_bfloat16", lambda: True)
    short = QwenModel.load(folder, device="cpu", precision="int8")
    kinds = [next(model.codec.decoder.parameters()).dtype for model in (plain, short)]
    assert kinds[1] == torch.bfloat16
    codes = np.random.default_rng(0).integers(0, short.codec.config.decoder.codebook_size, (20, 16))
    wanted, found = plain.codec.decode(codes), short.codec.decode(codes)
    if kinds[0] == torch.float32:
        assert np.linalg.norm(found - wanted) < 0.25 * np.linalg.norm(wanted)
    assert placing.codec_dtype(CPU_FLOAT32) == torch.float32
