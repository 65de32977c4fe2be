"""Writes a YourTTS model with random weights in Coqui's layout; run inside YourTTS's own environment.

    python tests/engines/yourtts/make_checkpoint.py FOLDER [--older]

The architecture is YourTTS's (VITS with speaker vectors, a language embedding and an external speaker encoder), only
smaller. The paths in its config are those of another machine, as they are in the published one, and so are the blanks
in its speakers' names. `--older` gives the files the names of earlier releases.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from TTS.config import load_config
from TTS.encoder.utils.generic_utils import setup_encoder_model
from TTS.tts.configs.vits_config import VitsConfig
from TTS.tts.models.vits import Vits

ELSEWHERE = "/root/of/another/machine/your_tts"
LANGUAGES = {"en": 0, "fr-fr": 1, "pt-br": 2}
SPEAKERS = ("female-en-5", "female-en-5\n", "female-pt-4\n", "male-en-2")
VECTOR_SIZE = 512
RATE = 16_000
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyzàáâãçéêíóôõúü"


def main(arguments: list[str]) -> None:
    folder = Path(arguments[0])
    names = ("model_file.pth.tar", "model_se.pth.tar") if "--older" in arguments else ("model_file.pth", "model_se.pth")
    folder.mkdir(parents=True)
    torch.manual_seed(1)
    write_json(folder / "language_ids.json", LANGUAGES)
    write_json(folder / "speakers.json", speakers())
    write_json(folder / "config_se.json", encoder_config())
    encoder = setup_encoder_model(load_config(folder / "config_se.json"))
    torch.save({"model": encoder.state_dict()}, folder / names[1])
    write_json(folder / "config.json", config(here=folder, encoder=names[1]))
    model = Vits(load_vits(folder / "config.json"))
    with torch.no_grad():  # durations of some frames a letter, whatever the draw
        for parameter in model.duration_predictor.parameters():
            parameter.mul_(0.1)
    torch.save({"model": model.state_dict()}, folder / names[0])
    write_json(folder / "config.json", config(here=Path(ELSEWHERE), encoder=names[1]))


def speakers() -> dict[str, Any]:
    return {f"clip-{at}.wav": {"name": name, "embedding": vector(at)} for at, name in enumerate(SPEAKERS)}


def vector(seed: int) -> list[float]:
    draw = torch.randn(VECTOR_SIZE, generator=torch.Generator().manual_seed(seed))
    numbers: list[float] = (draw / draw.norm()).tolist()
    return numbers


def config(*, here: Path, encoder: str) -> dict[str, Any]:
    return {
        "model": "vits",
        "audio": {"sample_rate": RATE, "hop_length": 256, "win_length": 1024, "fft_size": 1024, "num_mels": 80},
        "use_phonemes": False,
        "text_cleaner": "multilingual_cleaners",
        "add_blank": True,
        "characters": {
            "characters_class": "TTS.tts.models.vits.VitsCharacters",
            "pad": "_",
            "eos": None,
            "bos": None,
            "blank": "<BLNK>",
            "characters": LETTERS,
            "punctuations": "!'(),-.:;? ",
            "phonemes": "",
        },
        "use_d_vector_file": True,
        "d_vector_file": [f"{here}/speakers.json"],
        "d_vector_dim": VECTOR_SIZE,
        "use_language_embedding": True,
        "language_ids_file": f"{here}/language_ids.json",
        "model_args": {
            "hidden_channels": 16,
            "hidden_channels_ffn_text_encoder": 32,
            "num_layers_text_encoder": 1,
            "num_layers_posterior_encoder": 1,
            "num_layers_flow": 1,
            "upsample_initial_channel_decoder": 32,
            "resblock_kernel_sizes_decoder": [3],
            "resblock_dilation_sizes_decoder": [[1, 3]],
            "resblock_type_decoder": "2",
            "init_discriminator": False,
            "use_sdp": True,
            "use_d_vector_file": True,
            "d_vector_file": [f"{here}/speakers.json"],
            "d_vector_dim": VECTOR_SIZE,
            "use_language_embedding": True,
            "embedded_language_dim": 4,
            "language_ids_file": f"{here}/language_ids.json",
            "speaker_encoder_model_path": f"{here}/{encoder}",
            "speaker_encoder_config_path": f"{here}/config_se.json",
        },
    }


def encoder_config() -> dict[str, Any]:
    return {
        "model": "speaker_encoder",
        "audio": {
            "sample_rate": RATE,
            "fft_size": 512,
            "win_length": 400,
            "hop_length": 160,
            "num_mels": 64,
            "preemphasis": 0.97,
        },
        "model_params": {
            "model_name": "resnet",
            "input_dim": 64,
            "proj_dim": VECTOR_SIZE,
            "use_torch_spec": True,
            "log_input": True,
        },
    }


def load_vits(file: Path) -> VitsConfig:
    loaded: VitsConfig = load_config(file)
    return loaded


def write_json(file: Path, content: object) -> None:
    file.write_text(json.dumps(content), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
