"""A Whisper model of a few kilobytes that transformers writes and reads, and that says what it is told to say.

Its only decoder layer adds nothing, so the hidden state is that of the position, and the token whose embedding points
along a position is what it says there: the same in each window, whatever it hears.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    GenerationConfig,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
)
from transformers.utils import logging as transformers_logging

WIDTH = 64
POSITIONS = 48
LETTERS = sorted(ByteLevel.alphabet())
"""One token per byte; text is spelled out."""
END = len(LETTERS)
MARKS = ["<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|zh|>", "<|de|>", "<|translate|>", "<|transcribe|>"]
MARKS += ["<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]
TIMES = [f"<|{step * 0.02:.2f}|>" for step in range(1501)]
TOKENS = {token: number for number, token in enumerate([*LETTERS, *MARKS, *TIMES])}
HELLO = ("<|zh|>", "<|0.00|>", *" hello", "<|2.00|>", "<|2.00|>", *" world", "<|4.00|>", "<|endoftext|>")
"""The language it finds, then two phrases."""


def write_whisper(
    folder: Path, script: tuple[str, ...] = HELLO, *, multilingual: bool = True, layers: int = 1, seed: int = 0
) -> Path:
    """`script`: the language mark it finds, then what it says; " " may stand for a blank."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    config = WhisperConfig(
        vocab_size=len(TOKENS),
        d_model=WIDTH,
        encoder_layers=1,
        decoder_layers=layers,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=8,
        decoder_ffn_dim=8,
        num_mel_bins=80,
        max_source_positions=1500,
        max_target_positions=POSITIONS,
        pad_token_id=END,
        bos_token_id=END,
        eos_token_id=END,
        decoder_start_token_id=TOKENS["<|startoftranscript|>"],
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )
    model = WhisperForConditionalGeneration(config)
    _teach(model, script, first=2 if multilingual else 0)
    model.generation_config = _generation(multilingual=multilingual)
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    model.save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=80).save_pretrained(folder)  # type: ignore[no-untyped-call]
    _tokenizer().save(str(folder / "tokenizer.json"))
    return folder


def _teach(model: WhisperForConditionalGeneration, script: tuple[str, ...], *, first: int) -> None:
    """`first`: the position whose state tells the first token; at position 0 it is the language."""
    decoder = model.model.decoder
    with torch.no_grad():
        for layer in decoder.layers:
            for part in (layer.self_attn.out_proj, layer.encoder_attn.out_proj, layer.fc2):
                part.weight.zero_()
                part.bias.zero_()
        decoder.embed_tokens.weight.zero_()
        decoder.embed_positions.weight.zero_()
        decoder.embed_positions.weight[:, :POSITIONS] = 20 * torch.eye(POSITIONS)
        decoder.layer_norm.weight.fill_(10.0)
        said = [(0, script[0])] if first else []
        said += [(first + number, token) for number, token in enumerate(script[1:])]
        for position, token in said:
            name = token if token in TOKENS else ByteLevel(add_prefix_space=False).pre_tokenize_str(token)[0][0]
            decoder.embed_tokens.weight[TOKENS[name], position] += 1.0
    model.tie_weights()


def _generation(*, multilingual: bool) -> GenerationConfig:
    languages = {token: TOKENS[token] for token in ("<|en|>", "<|zh|>", "<|de|>")}
    tasks = {"translate": TOKENS["<|translate|>"], "transcribe": TOKENS["<|transcribe|>"]}
    return GenerationConfig(  # type: ignore[no-untyped-call]
        pad_token_id=END,
        bos_token_id=END,
        eos_token_id=END,
        decoder_start_token_id=TOKENS["<|startoftranscript|>"],
        max_length=POSITIONS,
        max_initial_timestamp_index=50,
        no_timestamps_token_id=TOKENS["<|notimestamps|>"],
        is_multilingual=multilingual,
        alignment_heads=[[0, 0], [0, 1]],
        **({"lang_to_id": languages, "task_to_id": tasks} if multilingual else {}),
    )


def _tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(BPE({token: TOKENS[token] for token in LETTERS}, []))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = ByteLevelDecoder()
    tokenizer.add_special_tokens([*MARKS, *TIMES])
    assert tokenizer.token_to_id("<|0.00|>") == TOKENS["<|0.00|>"]
    return tokenizer


def change_json(file: Path, **fields: object) -> None:
    data = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**data, **fields}), encoding="utf-8")
