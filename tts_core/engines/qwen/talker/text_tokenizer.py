"""Text to ids: the byte-level BPE of Qwen2, split into words as the published package splits them.

Built from the checkpoint's files with `tokenizers`, the library inside transformers' fast tokenizers: it loads in
milliseconds, and how it splits does not change between releases of transformers.
"""

from __future__ import annotations

from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers.models import BPE

from tts_core.engines.faults import ModelConfigInvalid, ModelFileMissing
from tts_core.engines.qwen.talker.checkpoint_json import Section, read_json

LARGE_VOCABULARY = 100_000
"""The number of entries above which the published package replaces Qwen2's word pattern."""

_QWEN2_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_PUBLISHED_WORDS = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


class TextTokenizer:
    def __init__(self, folder: Path) -> None:
        """Read vocab.json, merges.txt and tokenizer_config.json. Raises ModelFileMissing or ModelConfigInvalid."""
        vocabulary = read_json(folder / "vocab.json").as_integer_table()
        added = read_json(folder / "tokenizer_config.json").section("added_tokens_decoder")
        merges = _read_merges(folder / "merges.txt")
        try:
            self._tokenizer = Tokenizer(BPE(vocab=vocabulary, merges=merges))
        except Exception as error:  # the library raises nothing more special for merges that the vocabulary lacks
            raise ModelConfigInvalid(file=str(folder / "merges.txt"), reason=str(error)) from error
        words = _PUBLISHED_WORDS if len(vocabulary) > LARGE_VOCABULARY else _QWEN2_WORDS
        self._tokenizer.normalizer = normalizers.NFC()
        self._tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(words), behavior="isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        self._tokenizer.decoder = decoders.ByteLevel()
        self._tokenizer.add_tokens(_added_tokens(added))

    def encode(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def split(self, text: str) -> list[str]:
        """The words that BPE is applied to, in its byte alphabet ("Ġ" is a space)."""
        normalized = self._tokenizer.normalizer.normalize_str(text)
        return [word for word, _ in self._tokenizer.pre_tokenizer.pre_tokenize_str(normalized)]


def _read_merges(file: Path) -> list[tuple[str, str]]:
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError as error:
        raise ModelFileMissing(file=str(file)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ModelConfigInvalid(file=str(file), reason=str(error)) from error
    pairs = [tuple(line.split(" ")) for line in lines if line and not line.startswith("#version")]
    if any(len(pair) != 2 for pair in pairs):
        raise ModelConfigInvalid(file=str(file), reason="a line does not hold two parts")
    return [(left, right) for left, right in pairs]


def _added_tokens(section: Section) -> list[AddedToken]:
    """The added tokens in the order of their ids, which is how the tokenizer numbers them."""
    for number in section.data:
        if not number.isdecimal():
            raise section.invalid(number, "is no id")
    return [_added_token(section.section(number)) for number in sorted(section.data, key=int)]


def _added_token(entry: Section) -> AddedToken:
    return AddedToken(
        entry.text("content"),
        special=entry.flag("special"),
        lstrip=entry.flag("lstrip"),
        rstrip=entry.flag("rstrip"),
        normalized=entry.flag("normalized"),
        single_word=entry.flag("single_word"),
    )
