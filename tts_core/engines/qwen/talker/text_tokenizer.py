"""Text to ids: the byte-level BPE of Qwen2, split into words as the published package splits them.

Built from the checkpoint's files with `tokenizers`, the library inside transformers' fast tokenizers: it loads in
milliseconds, and how it splits does not change between releases of transformers.
"""

from __future__ import annotations

from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers.models import BPE

from tts_core.engines.faults import ModelConfigInvalid
from tts_core.engines.qwen.talker.tokenizer_files import read_tokenizer

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
        """Read the files that `tokenizer_files` names. Raises ModelFileMissing or ModelConfigInvalid."""
        files = read_tokenizer(folder)
        try:
            self._tokenizer = Tokenizer(BPE(vocab=files.vocabulary, merges=files.merges))
        except Exception as error:  # the library raises nothing more special for merges that the vocabulary lacks
            raise ModelConfigInvalid(file=str(files.file), reason=str(error)) from error
        self.largest_id = files.largest_id
        """The largest id that a text can have."""
        words = _PUBLISHED_WORDS if len(files.vocabulary) > LARGE_VOCABULARY else _QWEN2_WORDS
        self._tokenizer.normalizer = normalizers.NFC()
        self._tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(words), behavior="isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        self._tokenizer.decoder = decoders.ByteLevel()
        self._tokenizer.add_tokens([AddedToken(token.text, **token.flags) for token in files.added])

    def encode(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def split(self, text: str) -> list[str]:
        """The words that BPE is applied to, in its byte alphabet ("Ġ" is a space)."""
        normalized = self._tokenizer.normalizer.normalize_str(text)
        return [word for word, _ in self._tokenizer.pre_tokenizer.pre_tokenize_str(normalized)]
