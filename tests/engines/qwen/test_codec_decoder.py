"""Codes become the recorded sound, however they are split, and a stream carries no more after hours than at once."""

from __future__ import annotations

import sys
from itertools import cycle, pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings, strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.engines.qwen.conftest import CPU_FLOAT32, WriteCheckpoint
from tests.engines.qwen.golden import golden
from tests.engines.qwen.plain_codec import PlainDecoder
from tts_core.engines.faults import ModelConfigInvalid, WeightsMismatch
from tts_core.engines.qwen.codec.decoder import MAX_FRAMES, CodecDecoder
from tts_core.engines.qwen.talker.config import SPEECH_TOKENIZER_FOLDER, WEIGHTS_FILE, read_speech_tokenizer_config
from tts_core.engines.qwen.talker.weights import Placement

FRAME = 1920
EQUAL = 1e-4
RECORDED = 1e-3


@pytest.fixture(scope="module")
def folder(checkpoint: WriteCheckpoint) -> Path:
    return checkpoint("base", "a") / SPEECH_TOKENIZER_FOLDER


@pytest.fixture(scope="module", params=["compiled", "torch"])
def decoder(request: pytest.FixtureRequest, folder: Path) -> CodecDecoder:
    return fused(folder) if request.param == "compiled" else load(folder / WEIGHTS_FILE)


@pytest.fixture(scope="module")
def plain(folder: Path) -> PlainDecoder:
    return PlainDecoder(folder / WEIGHTS_FILE, read_speech_tokenizer_config(folder).decoder)


@pytest.fixture(scope="module")
def hundred(plain: PlainDecoder) -> tuple[Tensor, Tensor]:
    """100 random frames [16, 100] and their sound."""
    codes = random_codes(100)
    return codes, plain.decode(codes)


@pytest.mark.parametrize("geometry", ["a", "b"])
def test_random_frames_sound_as_recorded(decoder: CodecDecoder, geometry: str) -> None:
    recorded = golden(geometry)
    sound = decoder.decode(row_of(recorded["codec/codes"]), decoder.init_state(1))[0]
    for first, last in ((0, 40), (290, 330)):
        assert_recorded(sound[first * FRAME : last * FRAME], recorded[f"codec/wav_frames_{first}_{last}"])


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_give_what_one_gives(folder: Path, threads: int) -> None:
    codes, one = random_codes(9)[None], load(folder / WEIGHTS_FILE)
    expected = one.decode(codes, one.init_state(1))
    torch.set_num_threads(threads)
    try:
        several = fused(folder)
        state = several.init_state(1)
        found = [several.decode(piece, state) for piece in torch.split(codes, [1, 3, 5], dim=-1)]
    finally:
        torch.set_num_threads(1)
    assert (torch.cat(found, dim=-1) - expected).abs().max() < EQUAL


def test_without_numba_torch_computes(folder: Path) -> None:
    decoder = load(folder / WEIGHTS_FILE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "tts_core.engines.qwen.codec.fused_sound", None)
        decoder.fuse()
    assert decoder.fused is None


@pytest.mark.parametrize("geometry", ["a", "b"])
@pytest.mark.parametrize(
    ("case", "row"),
    [("custom_english/full", 0), ("custom_batch/full", 0), ("custom_batch/full", 1), ("clone_xvector/stream", 0)],
)
def test_generated_frames_sound_as_recorded(decoder: CodecDecoder, geometry: str, case: str, row: int) -> None:
    recorded = golden(geometry)
    sound = decoder.decode(row_of(recorded[f"{case}/codes"][row]), decoder.init_state(1))[0]
    assert_recorded(sound, recorded[f"{case}/wav{row}"])


@pytest.mark.parametrize("geometry", ["a", "b"])
def test_an_in_context_clone_goes_on_where_the_reference_ended(decoder: CodecDecoder, geometry: str) -> None:
    recorded = golden(geometry)
    new = recorded["clone_icl/full/codes"][0]
    state = decoder.init_state(1)
    decoder.prime(row_of(recorded["clone/ref_codes"]), state)
    sound = decoder.decode(row_of(new), state)[0]
    assert len(sound) == len(new) * FRAME
    assert_recorded(sound, recorded["clone_icl/full/wav0"])


@settings(max_examples=10)
@given(chunks=st.lists(st.sampled_from((0, 1, 1, 2, 3, 5, 8, 13, MAX_FRAMES, MAX_FRAMES + 1)), max_size=30))
def test_any_schedule_equals_one_pass(decoder: CodecDecoder, hundred: tuple[Tensor, Tensor], chunks: list[int]) -> None:
    codes, whole = hundred
    torch.testing.assert_close(in_chunks(decoder, codes, chunks), whole, rtol=0, atol=EQUAL)


def test_frame_by_frame_equals_one_pass(decoder: CodecDecoder, hundred: tuple[Tensor, Tensor]) -> None:
    codes, whole = hundred
    torch.testing.assert_close(in_chunks(decoder, codes, [1] * 100), whole, rtol=0, atol=EQUAL)


@pytest.mark.thorough
@pytest.mark.slow
def test_two_thousand_frames_equal_one_pass_in_constant_memory(decoder: CodecDecoder, plain: PlainDecoder) -> None:
    """The pass begins 300 frames before the end: two layers see 142 back, the convolutions 13."""
    codes = random_codes(2000)
    state = decoder.init_state(1)
    size, addresses = state.size_bytes, [tensor.data_ptr() for tensor in state.tensors]
    sizes = cycle((1, 4, 8, 25, 32))
    ends = [0]
    while ends[-1] < codes.shape[1]:
        ends.append(min(ends[-1] + next(sizes), codes.shape[1]))
    sound = torch.cat([decoder.decode(codes[None, :, start:end], state)[0] for start, end in pairwise(ends)])
    whole = plain.decode(codes[:, -300:])
    torch.testing.assert_close(sound[-140 * FRAME :], whole[-140 * FRAME :], rtol=0, atol=EQUAL)
    assert len(sound) == 2000 * FRAME
    assert state.size_bytes == size
    assert [tensor.data_ptr() for tensor in state.tensors] == addresses


@pytest.mark.parametrize("frames", [1, 5, 11, 12, 70, 100])
def test_priming_equals_decoding_and_dropping(
    decoder: CodecDecoder, hundred: tuple[Tensor, Tensor], frames: int
) -> None:
    codes, _ = hundred
    following = random_codes(90, seed=1)
    primed, decoded = decoder.init_state(1), decoder.init_state(1)
    decoder.prime(codes[None, :, :frames], primed)
    decoder.decode(codes[None, :, :frames], decoded)
    for fast, slow in zip(primed.tensors, decoded.tensors, strict=True):
        largest = float(slow.abs().max()) if slow.numel() else 0.0
        torch.testing.assert_close(fast, slow, rtol=0, atol=EQUAL * (1 + largest))
    sounds = [decoder.decode(following[None], state) for state in (primed, decoded)]
    torch.testing.assert_close(*sounds, rtol=0, atol=EQUAL)


def test_priming_in_pieces_equals_priming_at_once(decoder: CodecDecoder, hundred: tuple[Tensor, Tensor]) -> None:
    codes, whole = hundred
    state = decoder.init_state(1)
    for start, end in ((0, 30), (30, 33), (33, 33), (33, 80)):
        decoder.prime(codes[None, :, start:end], state)
    torch.testing.assert_close(decoder.decode(codes[None, :, 80:], state)[0], whole[80 * FRAME :], rtol=0, atol=EQUAL)


def test_rows_of_a_batch_equal_single_streams(decoder: CodecDecoder) -> None:
    codes = torch.stack([random_codes(90, seed=seed) for seed in range(3)])
    state = decoder.init_state(3)
    sounds = torch.cat([decoder.decode(piece, state) for piece in torch.split(codes, [1, 40, 49], dim=2)], dim=1)
    for row in range(3):
        single = decoder.decode(codes[row : row + 1], decoder.init_state(1))
        torch.testing.assert_close(sounds[row], single[0], rtol=0, atol=EQUAL)


def test_a_row_may_begin_while_others_go_on(decoder: CodecDecoder, hundred: tuple[Tensor, Tensor]) -> None:
    codes, whole = hundred
    state, primed = decoder.init_state(2), decoder.init_state(1)
    decoder.decode(codes[:, :50].expand(2, -1, -1), state)
    decoder.prime(codes[None, :, :20], primed)
    state.set_row(1, primed)
    sounds = decoder.decode(torch.stack((codes[:, 50:], codes[:, 20:70])), state)
    torch.testing.assert_close(sounds[0], whole[50 * FRAME :], rtol=0, atol=EQUAL)
    torch.testing.assert_close(sounds[1], whole[20 * FRAME : 70 * FRAME], rtol=0, atol=EQUAL)


def test_a_copied_state_goes_its_own_way(decoder: CodecDecoder, hundred: tuple[Tensor, Tensor]) -> None:
    codes, whole = hundred
    state = decoder.init_state(1)
    decoder.prime(codes[None, :, :60], state)
    copy = state.clone()
    decoder.decode(random_codes(7)[None], state)
    torch.testing.assert_close(decoder.decode(codes[None, :, 60:], copy)[0], whole[60 * FRAME :], rtol=0, atol=EQUAL)


def test_the_past_beyond_the_reach_does_not_matter_to_the_sound_stack(decoder: CodecDecoder) -> None:
    """Priming relies on it: 9.4 frames at the published kernels and rates, which these are."""
    assert decoder._reach_frames == 11


def test_no_frames_give_no_samples(decoder: CodecDecoder) -> None:
    assert decoder.decode(random_codes(0)[None], decoder.init_state(1)).shape == (1, 0)


def test_bfloat16_comes_close(folder: Path, hundred: tuple[Tensor, Tensor]) -> None:
    codes, whole = hundred
    decoder = load(folder / WEIGHTS_FILE, torch.bfloat16)
    sound = decoder.decode(codes[None, :, :20], decoder.init_state(1))[0]
    assert sound.dtype == torch.float32
    assert (sound - whole[: len(sound)]).norm() < 0.25 * whole[: len(sound)].norm()


def test_a_missing_weight_is_named(folder: Path, tmp_path: Path) -> None:
    name = "decoder.pre_conv.conv.bias"
    file = changed(folder, tmp_path, drop=name)
    with pytest.raises(WeightsMismatch, match=r"missing: pre_conv\.conv\.bias"):
        load(file, config_folder=folder)


@pytest.mark.parametrize("name", ["decoder.decoder.7.conv.bias", "talker.model.norm.weight"])
def test_a_weight_left_over_is_named(folder: Path, tmp_path: Path, name: str) -> None:
    file = changed(folder, tmp_path, add=name)
    with pytest.raises(WeightsMismatch, match=f"left over: {name.removeprefix('decoder.')}"):
        load(file, config_folder=folder)


def test_rates_that_contradict_the_frame_are_refused(folder: Path, tmp_path: Path) -> None:
    text = (folder / "config.json").read_text()
    (tmp_path / "config.json").write_text(text.replace('"decode_upsample_rate": 1920', '"decode_upsample_rate": 960'))
    with pytest.raises(ModelConfigInvalid, match="decode_upsample_rate is 960, the rates make 1920"):
        load(folder / WEIGHTS_FILE, config_folder=tmp_path)


def load(file: Path, dtype: torch.dtype = torch.float32, *, config_folder: Path | None = None) -> CodecDecoder:
    config = read_speech_tokenizer_config(config_folder or file.parent)
    return CodecDecoder.load(file, config, Placement(CPU_FLOAT32.device, dtype))


def fused(folder: Path) -> CodecDecoder:
    """With the compiled loops that models of the published size get by themselves."""
    decoder = load(folder / WEIGHTS_FILE)
    decoder.fuse()
    assert decoder.fused is not None
    return decoder


def changed(folder: Path, tmp_path: Path, *, drop: str | None = None, add: str | None = None) -> Path:
    """A copy of the weights without one of them or with one more."""
    weights = load_file(folder / WEIGHTS_FILE)
    if drop:
        del weights[drop]
    if add:
        weights[add] = torch.zeros(1)
    save_file(weights, tmp_path / WEIGHTS_FILE)
    return tmp_path / WEIGHTS_FILE


def in_chunks(decoder: CodecDecoder, codes: Tensor, chunks: list[int]) -> Tensor:
    """Decode codes [16, T] in these chunks, the rest at once."""
    state, start, sounds = decoder.init_state(1), 0, []
    for size in [*chunks, codes.shape[1]]:
        sounds.append(decoder.decode(codes[None, :, start : start + size], state)[0])
        start = min(start + size, codes.shape[1])
    return torch.cat(sounds)


def random_codes(frames: int, seed: int = 0) -> Tensor:
    """[16, frames]."""
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 2048, (16, frames)))


def row_of(codes: npt.NDArray[np.int16]) -> Tensor:
    """Recorded codes [T, 16] -> a batch of one [1, 16, T]."""
    return torch.from_numpy(codes.astype(np.int64)).T[None]


def assert_recorded(sound: Tensor, recorded: npt.NDArray[np.int16]) -> None:
    samples = np.rint(32767 * sound.numpy()).astype(np.int16)
    np.testing.assert_allclose(samples / 32767, recorded / 32767, rtol=0, atol=RECORDED)
