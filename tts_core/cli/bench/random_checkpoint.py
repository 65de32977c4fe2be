"""Writes model folders in the published layout with random weights, for benchmarks and trials. They speak noise.

They are written tensor by tensor, so that memory stays small whatever the size. Names and shapes are those of the
engine's modules.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from torch import nn

from tts_core.engines.qwen.cloning.speaker import PREFIX as SPEAKER_PREFIX, SpeakerEncoder
from tts_core.engines.qwen.codec.decoder import PREFIX, CodecDecoder
from tts_core.engines.qwen.codec.encoder import encoder_names
from tts_core.engines.qwen.talker.config import (
    CONFIG_FILE,
    GENERATION_FILE,
    SPEECH_TOKENIZER_FOLDER,
    WEIGHTS_FILE,
    read_model_config,
    read_speech_tokenizer_config,
)
from tts_core.engines.qwen.talker.talker import Talker
from tts_core.engines.qwen.talker.weights import build_on_meta

Config = Mapping[str, Any]
"""A JSON object of a config file."""
Shapes = dict[str, tuple[int, ...]]
Progress = Callable[[int, int], None]
"""A function called with the bytes written and the bytes to write."""

PREPROCESSOR_FILE = "preprocessor_config.json"
_PREPROCESSORS: Mapping[str, Mapping[str, object]] = {
    "": {"padding_side": "left", "padding_value": 0.0, "processor_class": "Qwen3TTSProcessor"},
    SPEECH_TOKENIZER_FOLDER: {
        "feature_extractor_type": "EncodecFeatureExtractor",
        "feature_size": 1,
        "padding_side": "right",
        "padding_value": 0.0,
        "return_attention_mask": True,
        "sampling_rate": 24_000,
    },
}
"""Settings by folder that the published package reads; this engine does not."""
_DATA = Path(__file__).with_name("checkpoint_geometries.json")
_PIECE = 2**22
"""How many values are drawn at once."""
_SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_DTYPES = {"BF16": 2, "F32": 4}
_Float32 = npt.NDArray[np.float32]


def write_random_checkpoint(
    folder: Path, geometry: str, kind: str, *, seed: int = 0, progress: Progress | None = None
) -> None:
    """Write the folder. `geometry` is one of config.GEOMETRIES, `kind` one of config.KINDS. Raises OSError."""
    data = json.loads(_DATA.read_text(encoding="utf-8"))
    chosen = data["geometries"][geometry]
    tokenizer = chosen["speech_tokenizer"]
    if isinstance(tokenizer, str):
        tokenizer = data["geometries"][tokenizer]["speech_tokenizer"]
    config = _config(chosen, kind)
    (folder / SPEECH_TOKENIZER_FOLDER).mkdir(parents=True, exist_ok=True)
    _write_json(folder / CONFIG_FILE, config)
    _write_json(folder / GENERATION_FILE, data["generation_config"])
    _write_json(folder / SPEECH_TOKENIZER_FOLDER / CONFIG_FILE, tokenizer)
    for part, settings in _PREPROCESSORS.items():
        _write_json(folder / part / PREPROCESSOR_FILE, settings)
    _write_tokenizer(folder, data["merges"], chosen["vocabulary"])
    files = {
        folder / WEIGHTS_FILE: _Weights(_model_shapes(folder), "F32" if geometry == "tiny" else "BF16"),
        folder / SPEECH_TOKENIZER_FOLDER / WEIGHTS_FILE: _Weights(
            _tokenizer_shapes(folder / SPEECH_TOKENIZER_FOLDER), "F32"
        ),
    }
    done, total = 0, sum(weights.size_bytes for weights in files.values())
    random = np.random.Generator(np.random.SFC64(seed))
    for file, weights in files.items():
        with file.open("wb") as stream:
            for count in weights.write(stream, random):
                done += count
                if progress:
                    progress(done, total)


def _model_shapes(folder: Path) -> Shapes:
    config = read_model_config(folder)
    shapes = _shapes_of("talker.", build_on_meta(lambda: Talker(config.talker)))
    encoder = config.speaker_encoder
    return (
        shapes
        if encoder is None
        else shapes | _shapes_of(SPEAKER_PREFIX, build_on_meta(lambda: SpeakerEncoder(encoder)))
    )


def _tokenizer_shapes(folder: Path) -> Shapes:
    config = read_speech_tokenizer_config(folder)
    return _shapes_of(PREFIX, build_on_meta(lambda: CodecDecoder(config.decoder))) | encoder_names(config.encoder)


def _shapes_of(prefix: str, module: nn.Module) -> Shapes:
    return {prefix + name: tuple(weight.shape) for name, weight in module.state_dict().items()}


class _Weights:
    """The random weights of a safetensors file."""

    def __init__(self, shapes: Shapes, dtype: str) -> None:
        self._shapes = shapes
        self._dtype = dtype

    @property
    def size_bytes(self) -> int:
        return sum(math.prod(shape) for shape in self._shapes.values()) * _DTYPES[self._dtype]

    def write(self, stream: BinaryIO, random: np.random.Generator) -> Iterator[int]:
        """Write the file; yields the number of bytes of each piece."""
        header = self._header()
        stream.write(len(header).to_bytes(8, "little"))
        stream.write(header)
        for name, shape in self._shapes.items():
            count = math.prod(shape)
            for start in range(0, count, _PIECE):
                values = _draw(name, shape, min(_PIECE, count - start), random)
                piece = _to_bfloat16(values) if self._dtype == "BF16" else values.tobytes()
                stream.write(piece)
                yield len(piece)

    def _header(self) -> bytes:
        entries: dict[str, object] = {"__metadata__": {"format": "pt"}}
        start = 0
        for name, shape in self._shapes.items():
            end = start + math.prod(shape) * _DTYPES[self._dtype]
            entries[name] = {"dtype": self._dtype, "shape": shape, "data_offsets": [start, end]}
            start = end
        text = json.dumps(entries).encode()
        return text + b" " * (-len(text) % 8)


def _draw(name: str, shape: tuple[int, ...], count: int, random: np.random.Generator) -> _Float32:
    """Draw `count` values of a weight, of a size that keeps what is computed with them in the usual range."""
    leaf = name.rpartition(".")[2]
    if leaf == "initialized":
        return np.ones(count, np.float32)
    if leaf == "cluster_usage":
        uniform: _Float32 = random.random(count, dtype=np.float32) + np.float32(1.0)
        return uniform
    mean, spread = _spread(name, leaf, shape)
    values: _Float32 = random.standard_normal(count, dtype=np.float32) * np.float32(spread) + np.float32(mean)
    return values


def _spread(name: str, leaf: str, shape: tuple[int, ...]) -> tuple[float, float]:
    """The mean and the standard deviation of a weight."""
    known = {
        "embed_sum": (0, 1.5),
        "embedding_sum": (0, 1.5),
        "bias": (0, 0.02),
        "scale": (0.5, 0.1),
        "gamma": (0.5, 0.1),
    }
    known |= {"alpha": (0, 0.1), "beta": (0, 0.1)}  # logarithms
    if leaf in known:
        return known[leaf]
    if len(shape) == 1:  # norms
        return 1.0, 0.1
    if "embedding" in name:
        return 0.0, 0.5
    last = 0.01 if name == "decoder.decoder.6.conv.weight" else 1.0  # keeps samples within [-1, 1]
    return 0.0, last / math.sqrt(math.prod(shape[1:]))


def _to_bfloat16(values: _Float32) -> bytes:
    """The upper halves of the values' bits, rounded to nearest."""
    bits = values.view(np.uint32)
    halves: npt.NDArray[np.uint16] = ((bits + np.uint32(0x8000)) >> np.uint32(16)).astype("<u2")
    return halves.tobytes()


def _config(chosen: Mapping[str, Any], kind: str) -> Config:
    talker = dict(chosen["talker_config"])
    if kind != "custom_voice":
        talker |= {"spk_id": {}, "spk_is_dialect": {}}
        languages: Mapping[str, int] = talker["codec_language_id"]
        talker["codec_language_id"] = {name: code for name, code in languages.items() if "dialect" not in name}
    encoder = {"speaker_encoder_config": chosen["speaker_encoder_config"]} if kind == "base" else {}
    return {
        "architectures": ["Qwen3TTSForConditionalGeneration"],
        "model_type": "qwen3_tts",
        "tokenizer_type": "qwen3_tts_tokenizer_12hz",
        "tts_model_size": chosen["size"],
        "tts_model_type": kind,
        **chosen["ids"],
        "talker_config": talker,
        **encoder,
    }


def _write_tokenizer(folder: Path, merges: list[str], size: int) -> None:
    """Write a byte-level vocabulary of that size: all bytes, the merges' words, and fillers that no text becomes."""
    words = [*_byte_alphabet(), *(merge.replace(" ", "") for merge in merges)]
    words += [f"<filler {number}>" for number in range(len(words), size)]
    _write_json(folder / "vocab.json", {word: number for number, word in enumerate(words)})
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]), encoding="utf-8")
    flags = dict.fromkeys(("lstrip", "rstrip", "normalized", "single_word"), False)
    special = {
        str(size + place): {"content": token, "special": True, **flags} for place, token in enumerate(_SPECIAL_TOKENS)
    }
    settings = {
        "tokenizer_class": "Qwen2Tokenizer",
        "model_max_length": 131072,
        "pad_token": _SPECIAL_TOKENS[0],
        "unk_token": None,
        "add_prefix_space": False,
        "added_tokens_decoder": special,
    }
    _write_json(folder / "tokenizer_config.json", settings)


def _byte_alphabet() -> list[str]:
    """GPT-2's visible characters for the 256 bytes, printable ones first."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return [chr(byte) for byte in printable] + [chr(0x100 + place) for place in range(256 - len(printable))]


def _write_json(file: Path, data: object) -> None:
    file.write_text(json.dumps(data, ensure_ascii=False, indent=1), encoding="utf-8")
