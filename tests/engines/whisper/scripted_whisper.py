"""A Whisper model of half a megabyte that CTranslate2 reads, and that says what it is told to say.

Its only decoder layer adds nothing, so the hidden state is that of the position, and the token whose embedding points
along a position is what it says there: the same in each window that has speech in it, whatever is said.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from ctranslate2.specs import WhisperSpec
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel

WIDTH = 64
POSITIONS = 448
LETTERS = sorted(ByteLevel.alphabet())
"""One token per byte."""
MULTILINGUAL = ""
"""A token that Whisper's models for all languages have and the English ones have not; CTranslate2 tells them by it."""
MARKS = ["<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|zh|>", "<|de|>", "<|translate|>", "<|transcribe|>"]
MARKS += ["<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]
TIMES = [f"<|{step * 0.02:.2f}|>" for step in range(1501)]
HELLO = ("<|zh|>", "<|0.00|>", " hello", "<|2.00|>", "<|2.00|>", " world", "<|4.00|>", "<|endoftext|>")
"""The language it finds, then two phrases."""
FILES = ("config.json", "model.bin", "tokenizer.json", "vocabulary.json")


def write_whisper(folder: Path, script: tuple[str, ...] = HELLO, *, multilingual: bool = True, layers: int = 1) -> Path:
    """`script`: the language mark it finds, then its words, each a token with its blank, between times."""
    tokens = _tokens(script, multilingual=multilingual)
    spec = WhisperSpec(1, 2, layers, 2)
    chance = np.random.default_rng(0)
    for name, shape in _shapes(layers, len(tokens)).items():
        _put(spec, name, chance.normal(0, 0.02, shape).astype(np.float32))
    _teach(spec, script, tokens, first=2 if multilingual else 0, layers=layers)
    spec.config.suppress_ids, spec.config.suppress_ids_begin = [], []
    spec.config.alignment_heads = [[0, 0], [0, 1]]
    spec.config.lang_ids = [tokens.index(mark) for mark in ("<|en|>", "<|zh|>", "<|de|>")]
    spec.register_vocabulary(tokens)
    spec.validate()
    spec.optimize()
    folder.mkdir(parents=True, exist_ok=True)
    spec.save(str(folder))
    _tokenizer(tokens).save(str(folder / "tokenizer.json"))
    return folder


def _tokens(script: tuple[str, ...], *, multilingual: bool) -> list[str]:
    words = dict.fromkeys(_spelled(token) for token in script if not token.startswith("<|"))
    own = [*LETTERS, *(word for word in words if word not in LETTERS), *([MULTILINGUAL] if multilingual else [])]
    return [*own, *MARKS, *TIMES]


def _spelled(token: str) -> str:
    return "".join(piece for piece, _ in ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(token))


def _shapes(layers: int, vocabulary: int) -> dict[str, tuple[int, ...]]:
    norm = {"gamma": (WIDTH,), "beta": (WIDTH,)}
    shapes: dict[str, tuple[int, ...]] = {
        "encoder/conv1/weight": (WIDTH, 80, 3),
        "encoder/conv1/bias": (WIDTH,),
        "encoder/conv2/weight": (WIDTH, WIDTH, 3),
        "encoder/conv2/bias": (WIDTH,),
        "encoder/position_encodings/encodings": (1500, WIDTH),
        "decoder/position_encodings/encodings": (POSITIONS, WIDTH),
        "decoder/embeddings/weight": (vocabulary, WIDTH),
        "decoder/projection/weight": (vocabulary, WIDTH),
    }
    for side, count in (("encoder", 1), ("decoder", layers)):
        shapes |= {f"{side}/layer_norm/{name}": shape for name, shape in norm.items()}
        for number in range(count):
            layer = f"{side}/layer_{number}"
            parts = {"self_attention": (3, 1), **({"attention": (1, 2, 1)} if side == "decoder" else {})}
            for part, heights in parts.items():
                shapes |= {f"{layer}/{part}/layer_norm/{name}": shape for name, shape in norm.items()}
                for index, height in enumerate(heights):
                    shapes[f"{layer}/{part}/linear_{index}/weight"] = (height * WIDTH, WIDTH)
                    shapes[f"{layer}/{part}/linear_{index}/bias"] = (height * WIDTH,)
            shapes |= {f"{layer}/ffn/layer_norm/{name}": shape for name, shape in norm.items()}
            for index, (height, width) in enumerate(((8, WIDTH), (WIDTH, 8))):
                shapes[f"{layer}/ffn/linear_{index}/weight"] = (height, width)
                shapes[f"{layer}/ffn/linear_{index}/bias"] = (height,)
    return shapes


def _put(spec: object, name: str, value: np.ndarray) -> None:
    *path, last = name.split("/")
    for step in path:
        stem, _, index = step.rpartition("_")
        spec = getattr(spec, step) if hasattr(spec, step) else getattr(spec, stem)[int(index)]
    setattr(spec, last, value)


def _teach(spec: WhisperSpec, script: tuple[str, ...], tokens: list[str], *, first: int, layers: int) -> None:
    """`first`: the position whose state tells the first token; at position 0 it is the language."""
    for number in range(layers):
        for part in ("self_attention/linear_1", "attention/linear_2", "ffn/linear_1"):
            width = 8 if part.startswith("ffn") else WIDTH
            _put(spec, f"decoder/layer_{number}/{part}/weight", np.zeros((WIDTH, width), np.float32))
            _put(spec, f"decoder/layer_{number}/{part}/bias", np.zeros(WIDTH, np.float32))
    places = np.zeros((POSITIONS, WIDTH), np.float32)
    places[:WIDTH] = 20 * np.eye(WIDTH)
    _put(spec, "decoder/position_encodings/encodings", places)
    _put(spec, "decoder/layer_norm/gamma", np.full(WIDTH, 10, np.float32))
    _put(spec, "decoder/layer_norm/beta", np.zeros(WIDTH, np.float32))
    embeddings = np.zeros((len(tokens), WIDTH), np.float32)
    spoken = [(0, script[0])] if first else []
    spoken += [(first + number, token) for number, token in enumerate(script[1:])]
    for position, token in spoken:
        embeddings[tokens.index(token if token.startswith("<|") else _spelled(token)), position] += 1.0
    _put(spec, "decoder/embeddings/weight", embeddings)
    _put(spec, "decoder/projection/weight", embeddings)


def _tokenizer(tokens: list[str]) -> Tokenizer:
    end = tokens.index(MARKS[0])
    tokenizer = Tokenizer(BPE({token: number for number, token in enumerate(tokens[:end])}, []))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = ByteLevelDecoder()
    tokenizer.add_special_tokens(tokens[end:])
    assert tokenizer.token_to_id(TIMES[0]) == tokens.index(TIMES[0])
    return tokenizer


def change_json(file: Path, **fields: object) -> None:
    data = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**data, **fields}), encoding="utf-8")
