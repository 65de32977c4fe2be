"""A recording gives the recorded codes and speaker embedding, at 24 kHz and from other rates; bad ones are refused."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import librosa
import numpy as np
import numpy.typing as npt
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.engines.qwen.conftest import WriteCheckpoint
from tests.engines.qwen.formula_checkpoint import reference_audio
from tests.engines.qwen.golden import golden
from tts_core.audio.files import resample
from tts_core.domain.errors import InvalidRequest, InvalidValue
from tts_core.engines.faults import ModelConfigInvalid, WeightsMismatch
from tts_core.engines.qwen.cloning.reference import analyse
from tts_core.engines.qwen.cloning.speaker import SpeakerEncoder
from tts_core.engines.qwen.codec.encoder import CodecEncoder
from tts_core.engines.qwen.talker.config import (
    SPEECH_TOKENIZER_FOLDER,
    WEIGHTS_FILE,
    read_model_config,
    read_speech_tokenizer_config,
)

CPU = torch.device("cpu")
Encoders = tuple[SpeakerEncoder, CodecEncoder]
LoadEncoders = Callable[[str], Encoders]


@pytest.fixture(scope="module")
def encoders(checkpoint: WriteCheckpoint) -> LoadEncoders:
    """Both encoders of the Base model of a geometry, loaded once."""

    @cache
    def load(geometry: str) -> Encoders:
        folder = checkpoint("base", geometry)
        return load_speaker(folder), load_codec(folder / SPEECH_TOKENIZER_FOLDER)

    return load


@pytest.mark.parametrize("geometry", ["a", "b"])
@pytest.mark.parametrize(
    ("rate", "f0", "codes", "embedding"),
    [
        (24_000, 140.0, "clone/ref_codes", "clone/speaker_embedding"),
        (16_000, 210.0, "clone16/codes", "clone16/speaker_embedding"),
    ],
)
def test_a_recording_gives_what_was_recorded(
    encoders: LoadEncoders, geometry: str, rate: int, f0: float, codes: str, embedding: str
) -> None:
    speaker, codec = encoders(geometry)
    reference = analyse(reference_audio(rate=rate, f0=f0), rate, speaker=speaker, codec=codec)
    assert reference.codes is not None
    np.testing.assert_array_equal(reference.codes, golden(geometry)[codes])
    np.testing.assert_allclose(reference.speaker_embedding, golden(geometry)[embedding], rtol=0, atol=1e-5)


@pytest.mark.parametrize("samples", [2400, 1920 * 3, 1920 * 3 + 1, 1920 * 4 - 1])
def test_every_begun_frame_has_codes(encoders: LoadEncoders, samples: int) -> None:
    codes = encoders("a")[1].encode(torch.from_numpy(reference_audio()[:samples]))
    assert codes.shape == (-(-samples // 1920), 16)


def test_stereo_is_heard_as_the_mean_of_its_channels(encoders: LoadEncoders) -> None:
    speaker, codec = encoders("a")
    sound = reference_audio(0.5)
    both = analyse(np.stack((sound, sound), axis=-1).astype(np.float64), 24_000, speaker=speaker, codec=codec)
    one = analyse(sound, 24_000, speaker=speaker, codec=codec)
    torch.testing.assert_close((both.speaker_embedding, both.codes), (one.speaker_embedding, one.codes))


def test_without_the_codec_only_the_voice_is_taken(encoders: LoadEncoders) -> None:
    assert analyse(reference_audio(0.5), 24_000, speaker=encoders("a")[0], codec=None).codes is None


@pytest.mark.parametrize(
    ("audio", "rate", "error"),
    [
        (np.zeros(0), 24_000, InvalidValue),
        (np.zeros(2399), 24_000, InvalidValue),
        (np.zeros(4_000 * 301), 4_000, InvalidValue),
        (np.zeros(24_000), 0, InvalidValue),
        (np.full(24_000, np.nan), 24_000, InvalidRequest),
    ],
)
def test_a_recording_that_cannot_be_used_is_refused(
    encoders: LoadEncoders, audio: npt.NDArray[np.float64], rate: int, error: type[Exception]
) -> None:
    with pytest.raises(error):
        analyse(audio, rate, speaker=encoders("a")[0], codec=None)


def test_the_shortest_recording_is_enough(encoders: LoadEncoders) -> None:
    speaker, codec = encoders("a")
    reference = analyse(reference_audio(0.1), 24_000, speaker=speaker, codec=codec)
    assert reference.speaker_embedding.isfinite().all()


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000])
def test_resampling_is_librosas(rate: int) -> None:
    sound = np.random.default_rng(0).standard_normal(rate // 3 + 1).astype(np.float32)
    np.testing.assert_array_equal(
        resample(sound, rate, 24_000), librosa.resample(sound, orig_sr=rate, target_sr=24_000)
    )


@pytest.mark.parametrize(
    "name", ["encoder.downsample.conv.weight", "encoder.quantizer.semantic_residual_vector_quantizer.input_proj.weight"]
)
def test_a_missing_weight_of_the_codec_encoder_is_named(checkpoint: WriteCheckpoint, tmp_path: Path, name: str) -> None:
    folder = checkpoint("base", "a") / SPEECH_TOKENIZER_FOLDER
    weights = load_file(folder / WEIGHTS_FILE)
    del weights[name]
    save_file(weights, tmp_path / WEIGHTS_FILE)
    with pytest.raises(WeightsMismatch, match=f"missing: (encoder.)?{name.removeprefix('encoder.')}"):
        CodecEncoder.load(tmp_path / WEIGHTS_FILE, read_speech_tokenizer_config(folder), CPU)


@pytest.mark.parametrize("name", ["encoder.upsample.conv.weight", "encoder.decoder.layers.0.conv.bias", "surplus"])
def test_a_weight_left_over_for_the_codec_encoder_is_named(
    checkpoint: WriteCheckpoint, tmp_path: Path, name: str
) -> None:
    folder = checkpoint("base", "a") / SPEECH_TOKENIZER_FOLDER
    save_file({**load_file(folder / WEIGHTS_FILE), name: torch.zeros(1)}, tmp_path / WEIGHTS_FILE)
    with pytest.raises(WeightsMismatch, match=f"left over: {name}"):
        CodecEncoder.load(tmp_path / WEIGHTS_FILE, read_speech_tokenizer_config(folder), CPU)


def test_a_model_without_speaker_encoder_is_told_apart(checkpoint: WriteCheckpoint) -> None:
    config = read_model_config(checkpoint("base", "a")).speaker_encoder
    assert config is not None
    with pytest.raises(WeightsMismatch, match=r"missing: asp\.conv\.bias"):
        SpeakerEncoder.load(checkpoint("custom_voice", "a") / WEIGHTS_FILE, config, CPU)


@pytest.mark.parametrize(
    ("key", "value"), [("hidden_size", None), ("head_dim", "16"), ("num_attention_heads", 7), ("codebook_size", 2047)]
)
def test_settings_that_make_no_encoder_are_refused(
    checkpoint: WriteCheckpoint, tmp_path: Path, key: str, value: object
) -> None:
    folder = checkpoint("base", "a") / SPEECH_TOKENIZER_FOLDER
    config = json.loads((folder / "config.json").read_text())
    config["encoder_config"][key] = value
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelConfigInvalid, match=r"encoder_config\."):
        CodecEncoder.load(folder / WEIGHTS_FILE, read_speech_tokenizer_config(tmp_path), CPU)


def test_transformers_is_loaded_only_to_encode() -> None:
    check = "import sys, tts_core.engines.qwen.cloning.reference; print('transformers' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"


def load_speaker(folder: Path) -> SpeakerEncoder:
    config = read_model_config(folder).speaker_encoder
    assert config is not None
    return SpeakerEncoder.load(folder / WEIGHTS_FILE, config, CPU)


def load_codec(folder: Path) -> CodecEncoder:
    return CodecEncoder.load(folder / WEIGHTS_FILE, read_speech_tokenizer_config(folder), CPU)
