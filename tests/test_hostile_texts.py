"""Whatever meets a text from outside takes time in proportion to its length, whichever characters are repeated in it.

Time is the thread's own, so that a busy machine changes nothing; what grows with the square of the length takes
minutes where these take a fraction of a second.
"""

from __future__ import annotations

import gc
import importlib
import pkgutil
import re
import time
import unicodedata
from collections.abc import Callable, Iterator

import pytest

import tts_core
from tts_core.domain.languages import find_language
from tts_core.domain.letters import spoken_forms
from tts_core.domain.sentences import split_sentences, without_inner_stops
from tts_core.domain.text import (
    NormalForm,
    clean,
    detect_language,
    normalized,
    paragraphs,
    part_long_words,
    speakable,
)
from tts_core.engines.espeak.engine import MAX_SENTENCE_CHARS
from tts_core.engines.whisper.error_rate import compare

LENGTH = 200_000
"""Ten times what may be spoken at once."""
MOST_CHARS = 20_000
ALLOWED_S = 2.0
SENTENCE_MARKS = ".!?。！？；…｡।॥؟۔։"
CLAUSE_MARKS = ",，、;:：—–،"
CLOSING_MARKS = "\"'”’»)\\]）】」』》"
KINDS = (
    *("a", "Z", "7", "中", "あ", "ی", "क्या", "ﷺ", "½", "😀", "\u0301", "\u0301\u0323", "\u0f73", "\u0301\uff9e"),
    *(
        " ",
        "\t",
        "\n",
        "\r",
        "\u3000",
        "\u200b",
        "\u200c",
        "\ud800",
        "(",
        "[",
        "<",
        "{",
        "“",
        "-",
        "_",
        "%",
        "\\",
        "0,",
    ),
    *(
        "a ",
        "a.",
        "\t \n",
        "a. ",
        "A. ",
        "Mr. ",
        "e.g. ",
        "I. ",
        "No. 5 ",
        "１，",
        "①",
        "a,",
        "1,",
        "1. ",
        "!\"'",
        "?।",
        "… ",
        ". . ",
        ") ",
        "s'",
        "亿",
        "百分之",
        "点",
        "零",
    ),
)
Work = Callable[[str], object]


def split(text: str) -> list[str]:
    return split_sentences(text, max_chars=MAX_SENTENCE_CHARS)


def seconds_of(work: Work, text: str) -> float:
    gc.disable()  # to go through all that other tests left in memory takes a second
    try:
        started = time.thread_time()
        work(text)
        return time.thread_time() - started
    finally:
        gc.enable()


def repeated(unit: str, length: int = LENGTH) -> str:
    """That many characters, then one that is no mark."""
    return unit * (length // len(unit)) + "x"


@pytest.mark.parametrize("mark", SENTENCE_MARKS + CLAUSE_MARKS + CLOSING_MARKS)
def test_a_run_of_marks_is_split_in_no_time(mark: str) -> None:
    assert seconds_of(split, repeated(mark)) < ALLOWED_S


@pytest.mark.parametrize(
    "work", [split, without_inner_stops, clean, spoken_forms, detect_language, speakable, paragraphs, part_long_words]
)
def test_every_kind_of_text_takes_time_in_proportion(work: Work) -> None:
    slow = [unit for unit in KINDS if seconds_of(work, repeated(unit, MOST_CHARS)) > ALLOWED_S]
    assert slow == []


def test_a_letter_with_many_marks_is_cleaned_in_no_time() -> None:
    assert seconds_of(clean, repeated("\u0301\u0323")) < ALLOWED_S


@pytest.mark.parametrize("language", ["en", "zh", "de"])
def test_every_kind_of_text_can_be_compared(language: str) -> None:
    for unit in KINDS:
        compare(repeated(unit, 500), "x", language)


@pytest.mark.parametrize("unit", [" ", "(", "\n", "\u0301\u0323"])
def test_blanks_and_marks_are_compared_in_no_time(unit: str) -> None:
    compare("one", "two", "en")  # loads what it needs
    assert seconds_of(lambda text: compare(text, "x", "en"), repeated(unit, LENGTH // 2)) < ALLOWED_S


@pytest.mark.parametrize(("text", "language"), [("1" * 6_000, "en"), ("12," * 2_000, "en"), ("亿" * 2_000, "zh")])
def test_a_number_that_nobody_can_write_out_is_compared_as_it_stands(text: str, language: str) -> None:
    assert compare(text, text, language).rate == 0


@pytest.mark.parametrize("name", ["a-" * LENGTH, "-" * LENGTH, "_" * LENGTH, "en-" * 5_000])
def test_a_long_name_is_no_language(name: str) -> None:
    assert seconds_of(lambda text: find_language(text, ()), name) < ALLOWED_S
    assert find_language(name, ()) is None


@pytest.mark.parametrize("form", ["NFC", "NFKC"])
def test_everything_that_is_sorted_as_a_mark_is_counted_as_one(form: NormalForm) -> None:
    """Else a run of it, between others, would be sorted in quadratic time."""
    marks = [
        char
        for char in map(chr, range(0x110000))
        if unicodedata.combining(unicodedata.normalize("NFKD" if form == "NFKC" else "NFD", char)[0])
    ]
    assert [f"{ord(char):04x}" for char in marks if len(normalized(f"a{char * 200}", form)) > 140] == []


def test_text_as_people_write_it_keeps_its_marks() -> None:
    for text in ("Z̷̧̛̳̀a̸l̵g̶o̴ wrote", "פָּ֥רֶץ", "กี่น้ำ", "བོད་སྐད", "ｶﾞｷﾞ"):
        assert normalized(text, "NFC") == unicodedata.normalize("NFC", text)
        assert normalized(text, "NFKC") == unicodedata.normalize("NFKC", text)


def patterns() -> Iterator[tuple[str, re.Pattern[str] | re.Pattern[bytes]]]:
    for module in pkgutil.walk_packages(tts_core.__path__, "tts_core."):
        if (
            not module.name.startswith(("tts_core.engines.yourtts.service", "tts_core.cli.bench.peer_runner"))
            and "__main__" not in module.name
        ):
            for name, value in vars(importlib.import_module(module.name)).items():
                if isinstance(value, re.Pattern):
                    yield f"{module.name}.{name}", value


SEARCHED = {
    *(
        "tts_core.domain.text._LINE_END",
        "tts_core.domain.sentences._SENTENCE_END",
        "tts_core.domain.sentences._CLAUSE_END",
        "tts_core.domain.text._LONG_WORD",
        "tts_core.domain.sentences._STOP_INSIDE",
        "tts_core.domain.letters._NOT_ASCII",
        "tts_core.domain.letters._INSIDE_NUMBERS",
    ),
    *(f"tts_core.engines.whisper.error_rate.{name}" for name in ("_APOSTROPHES", "_BRACKETS", "_IN_NUMBERS")),
    *(f"tts_core.engines.whisper.error_rate.{name}" for name in ("_LONG_NUMBER", "_CHINESE_NUMBER", "_PERCENT")),
}
"""Patterns that are looked for all over a text; the others are held against the whole of it, or its start."""


def test_no_pattern_of_ours_takes_quadratic_time() -> None:
    """Held against a whole text of any one kind; those in SEARCHED also looked for all over it."""
    slow = []
    found = dict(patterns())
    assert found.keys() >= SEARCHED
    for name, pattern in found.items():
        for unit in (*SENTENCE_MARKS, *CLAUSE_MARKS, *CLOSING_MARKS, *KINDS):
            text = repeated(unit, 10_000)
            subject = text.encode(errors="replace") if isinstance(pattern.pattern, bytes) else text
            started = time.thread_time()
            pattern.fullmatch(subject)  # type: ignore[arg-type]
            pattern.match(subject)  # type: ignore[arg-type]
            if name in SEARCHED:
                pattern.sub("", subject)  # type: ignore[arg-type,call-overload]
            if time.thread_time() - started > 0.2:
                slow.append((name, unit))
    assert slow == []
