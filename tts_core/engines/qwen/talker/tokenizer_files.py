"""The files of the text tokenizer: vocab.json, merges.txt and tokenizer_config.json as published, or tokenizer.json, in
which trainers on transformers 5 save the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tts_core.engines.faults import ModelConfigInvalid, ModelFileMissing
from tts_core.engines.qwen.talker.checkpoint_json import MAX_VOCABULARY_BYTES, Section, read_json

VOCABULARY, MERGES, SETTINGS, WHOLE = "vocab.json", "merges.txt", "tokenizer_config.json", "tokenizer.json"
_FLAGS = ("special", "lstrip", "rstrip", "normalized", "single_word")


@dataclass(frozen=True, slots=True)
class SpecialToken:
    number: int
    text: str
    flags: dict[str, bool]
    """How it is found in a text: special, lstrip, rstrip, normalized, single_word."""


@dataclass(frozen=True, slots=True)
class TokenizerFiles:
    """A byte-level BPE."""

    file: Path
    """The file that a complaint names."""
    vocabulary: dict[str, int]
    merges: list[tuple[str, str]]
    added: tuple[SpecialToken, ...]
    """The added tokens in the order of their ids, which is how the tokenizer numbers them."""

    @property
    def largest_id(self) -> int:
        return max([*self.vocabulary.values(), *(token.number for token in self.added)], default=0)


def read_tokenizer(folder: Path) -> TokenizerFiles:
    """Read a model's tokenizer. Raises ModelFileMissing or ModelConfigInvalid."""
    whole = folder / WHOLE
    if not ((folder / VOCABULARY).exists() and (folder / MERGES).exists()) and whole.exists():
        return _of_one_file(read_json(whole, most_bytes=MAX_VOCABULARY_BYTES))
    vocabulary = read_json(folder / VOCABULARY, most_bytes=MAX_VOCABULARY_BYTES).as_integer_table()
    merges = _read_merges(folder / MERGES)
    settings = folder / SETTINGS
    section = read_json(settings) if settings.exists() or not whole.exists() else Section({}, settings)
    if "added_tokens_decoder" not in section.data and whole.exists():  # transformers 5 keeps them there alone
        added = _of_list(read_json(whole, most_bytes=MAX_VOCABULARY_BYTES))
    else:
        added = _of_decoder(section.section("added_tokens_decoder"))
    return TokenizerFiles(folder / MERGES, vocabulary, merges, added)


def _of_one_file(section: Section) -> TokenizerFiles:
    model = section.section("model")
    model.require("type", "BPE")
    rows = model.data.get("merges")
    if not isinstance(rows, list):
        raise model.invalid("merges", "is missing")
    pairs = [_pair(row.split(" ") if isinstance(row, str) else row, section.file) for row in rows]
    vocabulary = model.section("vocab").as_integer_table()
    return TokenizerFiles(section.file, vocabulary, pairs, _of_list(section))


def _read_merges(file: Path) -> list[tuple[str, str]]:
    try:
        with file.open(encoding="utf-8", newline="\n") as stream:
            lines = stream.read(MAX_VOCABULARY_BYTES).split("\n")
    except FileNotFoundError as error:
        raise ModelFileMissing(file=str(file)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ModelConfigInvalid(file=str(file), reason=str(error)) from error
    rows = (line.removesuffix("\r") for line in lines)
    return [_pair(row.split(" "), file) for row in rows if row and not row.startswith("#version")]


def _pair(parts: object, file: Path) -> tuple[str, str]:
    if not isinstance(parts, list) or len(parts) != 2 or not all(isinstance(part, str) for part in parts):
        raise ModelConfigInvalid(file=str(file), reason="a line does not hold two parts")
    return parts[0], parts[1]


def _of_decoder(section: Section) -> tuple[SpecialToken, ...]:
    for number in section.data:
        if not (number.isascii() and number.isdigit()) or len(number) > 9:
            raise section.invalid(number[:20], "is no id")
    return tuple(_token(int(number), section.section(number)) for number in sorted(section.data, key=int))


def _of_list(section: Section) -> tuple[SpecialToken, ...]:
    """The added tokens as tokenizer.json lists them."""
    rows = section.data.get("added_tokens")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise section.invalid("added_tokens", "must be a list of tokens")
    entries = [Section(row, section.file, "added_tokens.") for row in rows]
    return tuple(sorted((_token(entry.integer("id"), entry) for entry in entries), key=lambda token: token.number))


def _token(number: int, entry: Section) -> SpecialToken:
    return SpecialToken(number, entry.text("content"), {flag: entry.flag(flag) for flag in _FLAGS})
