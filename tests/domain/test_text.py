"""Cleaning, sentence splitting and language detection."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, strategies as st

from tts_core.domain.text import clean, detect_language, paragraphs, part_long_words, speakable

any_text = st.text(max_size=400)


@given(any_text)
def test_clean_text_has_no_control_or_invisible_characters_and_cleaning_again_changes_nothing(text: str) -> None:
    cleaned = clean(text)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u200b\u202e\ufeff\r]", cleaned)
    assert "  " not in cleaned
    assert clean(cleaned) == cleaned


def test_clean_composes_letters_and_keeps_every_kind_of_line_end_as_a_newline() -> None:
    assert clean("cafe\u0301\r\nzwei\u2028drei\x07vier") == "café\nzwei\ndrei vier"


def test_clean_keeps_the_joiners_that_persian_and_indic_spelling_needs() -> None:
    assert clean("می\u200cخواهم") == "می\u200cخواهم"


@pytest.mark.parametrize("text", ["a", "7", "你", "!?x", "٣"])
def test_a_letter_or_a_digit_can_be_spoken(text: str) -> None:
    assert speakable(text)


@pytest.mark.parametrize("text", ["", " \n", "…!?—", "😀", "***"])
def test_text_without_letters_or_digits_cannot_be_spoken(text: str) -> None:
    assert not speakable(text)


def test_paragraphs_are_the_lines_that_have_something_to_say() -> None:
    assert paragraphs("One.\n\n---\nTwo.") == ["One.", "Two."]


def test_only_what_is_longer_than_any_word_is_parted() -> None:
    assert part_long_words("a" * 80) == "a" * 80
    assert part_long_words("b " + "a" * 170) == f"b {'a' * 80} {'a' * 80} {'a' * 10}"
    assert part_long_words("今天天气很好，我们去公园。" * 20) == "今天天气很好，我们去公园。" * 20


@pytest.mark.parametrize(
    ("sentence", "language"),
    [
        ("Hello there.", "en"),
        ("São Paulo is a big city.", "en"),
        ("42", "en"),
        ("今天天气很好。", "cmn"),
        ("我用 Python 写了 hello world。", "cmn"),
        ("これはペンです。", "ja"),
        ("東京へ行きます。", "ja"),
        ("안녕하세요 world", "ko"),
        ("Привет, мир", "ru"),
        ("Привіт, як справи?", "uk"),
        ("مرحبا بالعالم", "ar"),
        ("سلام، چطوری؟", "fa"),
        ("नमस्ते दुनिया", "hi"),
        ("สวัสดี", "th"),
        ("Γειά σου Κόσμε", "el"),
        ("Xin chào, bạn khỏe không?", "vi"),
        ("Das ist ein Test und nicht mehr.", "de"),
        ("Je suis dans la maison avec vous.", "fr"),
        ("La casa es una maravilla.", "es"),
        ("Isto não é um problema para você.", "pt"),
        ("Questo è un gatto che dorme.", "it"),
        ("The letter π is Greek.", "en"),
    ],
)
def test_the_letters_tell_the_language(sentence: str, language: str) -> None:
    assert detect_language(sentence) == language
