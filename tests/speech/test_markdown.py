"""Markdown and HTML are read as their words; prose stays as it is."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from tests.test_hostile_texts import (
    ALLOWED_S,
    CLAUSE_MARKS,
    CLOSING_MARKS,
    KINDS,
    MOST_CHARS,
    SENTENCE_MARKS,
    repeated,
    seconds_of,
)
from tts_core.domain.values import ReadAs
from tts_core.speech.markdown import read_markdown
from tts_core.speech.reading import text_to_say


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("# Tea\n\nIt is **very** _good_, ~~no~~ yes.", "Tea\n\nIt is very good, no yes."),
        ("See [here](https://example.org), <https://a.b> and ![a cat](cat.png).", "See here, https://a.b and a cat."),
        ("1. One\n2. Two\n   - three\n   - [x] four\n\nEnd.", "1. One\n2. Two\nthree\nfour\n\nEnd."),
        ("| A | B |\n|---|---|\n| 1 | 2 |", "A, B\n1, 2"),
        ("```py\nx = 2*3\n```\nand `a*b`", "x = 2*3\n\nand a*b"),
        ("> quoted\n> words\n\n---\n", "quoted\nwords"),
        ("这是**“重点”**内容，**字**。", "这是“重点”内容，字。"),
        ("<p>Hi<br>you &amp; <b>me</b></p><!-- no --><script>x()</script>", "Hi\nyou & me"),
        ("<div>\n**bold** in it\n</div>", "bold in it"),
        (r"\*not bold\*", "*not bold*"),
    ],
)
def test_the_signs_that_set_words_are_not_said(written: str, said: str) -> None:
    assert read_markdown(written) == said


@pytest.mark.parametrize(
    "text",
    [
        "Plain prose.\nA second line.\n\nA second paragraph.",
        "a < b & c > d, AT&T is #1.",
        "2*3*4, 5*3 and 2*4, 2**3",
        "Press <enter> for List<int> in snake_case.",
        "It costs ~5 * 6 [1].",
    ],
)
def test_prose_with_signs_of_its_own_stays(text: str) -> None:
    assert read_markdown(text) == text


def test_as_plain_text_every_sign_is_kept_and_letters_are_plain_both_ways() -> None:
    assert text_to_say("**共１２页** &amp;", ReadAs.PLAIN) == "**共12页** &amp;"
    assert text_to_say("**共１２页** &amp;", ReadAs.MARKDOWN) == "共12页 &"


@given(st.text(alphabet="abc .\n*_`<>[]()|-#1", max_size=80))
def test_no_letter_of_a_text_is_lost_but_in_addresses_and_tags(text: str) -> None:
    read = text_to_say(text, ReadAs.MARKDOWN)
    if not set("<[`") & set(text):
        assert [char for char in read if char.isalpha()] == [char for char in text if char.isalpha()]


def test_every_kind_of_text_takes_time_in_proportion() -> None:
    markup = ("![", "[a](", "*a ", "<!--", "<script>", "- [ ] ", "|a|b|\n|-|-|\n", "&amp;", "> ", "~~", "a*", "`a")

    def read(text: str) -> object:
        return text_to_say(text, ReadAs.MARKDOWN)

    units = (*SENTENCE_MARKS, *CLAUSE_MARKS, *CLOSING_MARKS, *KINDS, *markup)
    assert [unit for unit in units if seconds_of(read, repeated(unit, MOST_CHARS // 4)) > ALLOWED_S / 4] == []
