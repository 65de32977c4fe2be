from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from tests.engines.qwen.formula_checkpoint import DATA
from tts_core.engines.faults import ModelConfigInvalid, ModelFileMissing
from tts_core.engines.qwen.talker.text_tokenizer import LARGE_VOCABULARY, TextTokenizer

FILES = ("vocab.json", "merges.txt", "tokenizer_config.json")
SPLITS: dict[str, dict[str, list[str]]] = json.loads((DATA / "pretokens.json").read_text(encoding="utf-8"))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name in FILES:
        shutil.copyfile(DATA / "tokenizer" / name, tmp_path / name)
    return tmp_path


def with_entries(folder: Path, count: int) -> Path:
    """Fill the vocabulary up with entries that no text becomes."""
    vocabulary = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    vocabulary |= {f"<filler {number}>": number for number in range(len(vocabulary), count)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    return folder


@pytest.mark.parametrize(("entries", "split"), [(LARGE_VOCABULARY, "qwen2"), (LARGE_VOCABULARY + 1, "published")])
def test_the_size_of_the_vocabulary_decides_how_text_is_split(files: Path, entries: int, split: str) -> None:
    tokenizer = TextTokenizer(with_entries(files, entries))
    assert {text: tokenizer.split(text) for text in SPLITS} == {text: words[split] for text, words in SPLITS.items()}


@cache
def both() -> tuple[Any, TextTokenizer]:
    from transformers import AutoTokenizer  # noqa: PLC0415  takes seconds

    return AutoTokenizer.from_pretrained(DATA / "tokenizer"), TextTokenizer(DATA / "tokenizer")


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(["<|im_end|>", "hello", " world", "e\u0301", "你好", "\r\n", "  ", "🙂", "'LL", "Ab1-"])
        | st.text()
    )
)
def test_ids_equal_those_of_transformers(parts: list[str]) -> None:
    text = "".join(parts)
    theirs, ours = both()
    assert ours.encode(text) == theirs(text)["input_ids"]


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(files: Path, name: str) -> None:
    (files / name).unlink()
    with pytest.raises(ModelFileMissing, match=name):
        TextTokenizer(files)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("vocab.json", '{"a": "b"}'),
        ("vocab.json", '{"a": 1'),
        ("merges.txt", "a b c\n"),
        ("merges.txt", "neither known\n"),
        ("tokenizer_config.json", "{}"),
        ("tokenizer_config.json", '{"added_tokens_decoder": {"x": {}}}'),
    ],
)
def test_a_damaged_file_is_named(files: Path, name: str, content: str) -> None:
    (files / name).write_text(content, encoding="utf-8")
    with pytest.raises(ModelConfigInvalid, match=name):
        TextTokenizer(files)
