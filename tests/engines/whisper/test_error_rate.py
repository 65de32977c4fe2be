"""Error rates on examples, and what does not count as a difference."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from tts_core.engines.whisper.error_rate import compare


@pytest.mark.parametrize(
    ("wanted", "transcribed", "language", "unit", "errors", "length"),
    [
        ("The cat sat on the mat.", "the cat sat on a mat", "en", "word", 1, 6),
        ("The cat sat.", "the cat", "en", "word", 1, 3),
        ("The cat", "the big fat cat sat", "en", "word", 3, 2),
        ("Der Hund bellt.", "der Hund bellt", "de", "word", 0, 3),
        ("Übung macht den Meister", "Ubung macht den Meister", "de", "word", 1, 4),
        ("今天天气很好。", "今天天器很好", "zh", "character", 1, 6),
        ("おはようございます", "おはよう ございます。", "ja", "character", 0, 9),
        ("สวัสดี", "สวัสดิ", "th", "character", 1, 6),
        ("안녕하세요 여러분", "안녕하세요 여러분!", "ko", "word", 0, 2),
        ("我喜欢 Python。", "我喜欢python", "zh", "character", 0, 9),
        ("", "", "", "word", 0, 0),
        ("hello", "", "en", "word", 1, 1),
        ("", "你好", "", "character", 2, 0),
    ],
)
def test_words_or_characters_are_counted(
    wanted: str, transcribed: str, language: str, unit: str, errors: int, length: int
) -> None:
    found = compare(wanted, transcribed, language)
    assert (found.unit, found.errors, found.length) == (unit, errors, length)
    assert found.rate == pytest.approx(errors / max(1, length))


@pytest.mark.parametrize(
    ("wanted", "transcribed", "language"),
    [
        ("HELLO, World — “really”?", "hello world really", "en"),
        ("It's twenty-one percent (really).", "it is 21%, really", "en"),
        ("Don’t", "don't", "en"),
        ("Dr. Smith paid $100", "doctor smith paid one hundred dollars", "en"),
        ("l’été", "l'e\u0301te\u0301", "fr"),
        ("1,234,567 Einwohner", "1234567 Einwohner", "de"),
        ("ＡＢＣ", "abc", "de"),
        ("2024年有21个苹果", "二零二四年有二十一個蘋果", "zh"),
        ("这是语音识别，后来的头发", "這是語音識別後來的頭髮", "zh"),
        ("一万二千三百零五", "12305", "zh"),
        ("两亿", "200000000", "zh"),
        ("百分之五十", "50%", "zh"),
        ("圆周率三点一四", "圆周率3.14", "zh"),
        ("十个", "10个", "zh"),
        ("我有21個蘋果", "我有二十一个苹果", ""),
    ],
)
def test_spelling_alone_is_no_error(wanted: str, transcribed: str, language: str) -> None:
    found = compare(wanted, transcribed, language)
    assert (found.wanted, found.errors) == (found.transcribed, 0)


def naive(one: str, other: str) -> int:
    row = list(range(len(other) + 1))
    for number, unit in enumerate(one, start=1):
        before, row = row, [number]
        for place, transcribed in enumerate(other, start=1):
            row.append(min(before[place] + 1, row[-1] + 1, before[place - 1] + (unit != transcribed)))
    return row[-1]


@given(st.text("abc", max_size=12), st.text("abcd", max_size=12))
@settings(deadline=None)
def test_the_fewest_differences_are_counted(one: str, other: str) -> None:
    found = compare(" ".join(one), " ".join(other), "de")
    assert found.errors == naive(one, other)
    for side, whole in (("wanted", found.wanted), ("transcribed", found.transcribed)):
        assert " ".join(filter(None, (getattr(piece, side) for piece in found.stretches))) == whole


def test_what_differs_stands_side_by_side() -> None:
    found = compare("The cat sat on the mat.", "the big cat sit on mat", "en")
    assert [(piece.wanted, piece.transcribed) for piece in found.stretches] == [
        ("the", "the"),
        ("", "big"),
        ("cat", "cat"),
        ("sat", "sit"),
        ("on", "on"),
        ("the", ""),
        ("mat", "mat"),
    ]
    assert [piece.is_same for piece in found.stretches] == [True, False, True, False, True, False, True]
    assert [(piece.wanted, piece.transcribed) for piece in compare("今天天气", "今天天器", "zh").stretches] == [
        ("今天天", "今天天"),
        ("气", "器"),
    ]


def test_a_long_text_is_compared_in_a_moment() -> None:
    """As long as a text may be, every third character different: little memory, no minutes."""
    wanted = "甲乙丙丁戊己庚辛" * 2500
    transcribed = "".join("子" if place % 3 == 0 else char for place, char in enumerate(wanted))
    assert compare(wanted, transcribed, "zh").errors == len(range(0, len(wanted), 3))


@given(st.text(max_size=30), st.text(max_size=30), st.sampled_from(["", "en", "zh", "fr"]))
@settings(deadline=None)
def test_no_text_is_too_strange(wanted: str, transcribed: str, language: str) -> None:
    found = compare(wanted, transcribed, language)
    assert 0 <= found.errors <= max(found.length, len(found.transcribed))
    assert compare(wanted, wanted, language).errors == 0
