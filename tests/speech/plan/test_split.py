"""A text in pieces: whole, in order, none too long, none cut where it hurts, and the same for every machine."""

from __future__ import annotations

import re
import time
from itertools import pairwise

import pytest
from hypothesis import given, settings, strategies as st

from tests.speech.plan.sentences import SENTENCES
from tts_core.domain.sentences import sentence_ends
from tts_core.domain.text import clean, speakable
from tts_core.speech.plan.pace import expected_seconds
from tts_core.speech.plan.script import language_of, rejoined_lines
from tts_core.speech.plan.split import HARD_S, PauseReason, SplitPreset, is_too_long, split

URL = "https://example.org/a/very/long/path,with;marks:in/it?and=more&x=1,2"
LONG = {
    "en": "We walked on and on, past the mill, the 1,234,567 stones of the wall, and the river " * 12,
    "zh": "我们一直走，走过了磨坊，走过了一千二百三十四块石头的墙，还有那条很长很长的河" * 9,
    "ja": "わたしたちは、みずうみのほとりを、ずっとずっとあるいていった" * 12,
    "ko": "우리는 방앗간을 지나고 긴 강을 지나서 계속 걸었다 그리고 " * 12,
    "hi": "हम चलते रहे, नदी के पास से, पहाड़ के पास से और गाँव के पास से " * 12,
    "ar": "مشينا ومشينا، قرب النهر، قرب الجبل، وقرب القرية البعيدة " * 12,
    "th": "เราเดินไปเรื่อยๆผ่านแม่น้ำและภูเขา" * 20,
    "emoji": "Look 👩‍👩‍👧‍👦 here 🇩🇪🇫🇷 and 👍🏽 there " * 20,
    "url": f"See {URL} and mail someone.long@mail.example.org for (all of this, and that) " * 8,
    "tags": "Then [[Beijing|bay jing, the city]] came [[A, B; C|a b c]] again " * 12,
    "no blanks": "a" * 3000,
}


@pytest.mark.parametrize(("text", "sentences"), SENTENCES)
def test_sentences_end_where_a_reader_ends_them(text: str, sentences: tuple[str, ...]) -> None:
    ends = [0, *sentence_ends(text)]
    assert tuple(text[start:end].strip() for start, end in pairwise(ends)) == sentences


@pytest.mark.parametrize("text", [*(text for text, _ in SENTENCES), *LONG.values()])
@pytest.mark.parametrize("preset", [SplitPreset.SENTENCES, SplitPreset.BALANCED, SplitPreset.LONG])
def test_the_pieces_are_the_text_and_none_is_too_long(text: str, preset: SplitPreset) -> None:
    pieces = split(text, preset=preset).pieces
    assert _without_blanks("".join(piece.text for piece in pieces)) == _without_blanks(text)
    assert all(text[piece.start : piece.end] == piece.text for piece in pieces)
    assert [piece for piece in pieces if is_too_long(piece.text, piece.expected_s, piece.language)] == []


def test_tags_addresses_numbers_and_joined_signs_stay_whole() -> None:
    pieces = [piece.text for text in LONG.values() for piece in split(text).pieces]
    for whole in (
        URL,
        "someone.long@mail.example.org",
        "1,234,567",
        "(all of this, and that)",
        "👩‍👩‍👧‍👦",
        "🇩🇪🇫🇷",
        "👍🏽",
    ):
        count = sum(text.count(whole) for text in LONG.values())
        assert sum(piece.count(whole) for piece in pieces) == count > 0, whole
    assert sum(piece.count("[[") for piece in pieces) == sum(piece.count("]]") for piece in pieces) == 24
    assert [piece for piece in pieces if piece.count("[[") != piece.count("]]")] == []


def test_pieces_are_as_long_as_a_voice_speaks_well() -> None:
    text = "It rained all day. The road was long and nobody came to the door of the house. " * 30
    lengths = [piece.expected_s for piece in split(text).pieces[:-1]]
    assert all(6.0 <= seconds <= 16.5 for seconds in lengths)
    longer = [piece.expected_s for piece in split(text, preset=SplitPreset.LONG).pieces[:-1]]
    assert all(16.0 <= seconds <= HARD_S for seconds in longer)
    assert len(split(text, preset=SplitPreset.SENTENCES).pieces) == 60
    assert len(split(text.strip(), preset=SplitPreset.PARAGRAPH).pieces) == 1


def test_what_is_added_at_the_end_leaves_the_pieces_before_it() -> None:
    text = "It rained all day. The road was long and nobody came. " * 12
    before, after = split(text).pieces, split(text + "And then it stopped. " * 9).pieces
    assert [piece.text for piece in after[: len(before) - 1]] == [piece.text for piece in before[:-1]]


def test_a_word_alone_joins_its_neighbour_but_never_another_paragraph() -> None:
    assert [one.text for one in split("No. He ran to the sea.", preset=SplitPreset.SENTENCES).pieces] == [
        "No. He ran to the sea."
    ]
    assert [one.text for one in split("好。他跑到海边去了。", preset=SplitPreset.SENTENCES).pieces] == [
        "好。他跑到海边去了。"
    ]
    assert [one.text for one in split("No.\nHe ran to the sea.").pieces] == ["No.", "He ran to the sea."]


def test_pauses_have_their_reasons() -> None:
    text = f"{LONG['en']}.\nNext here.\n\n***\n\nA new scene.[pause 1s][停顿 500毫秒] Then on.\n[pause 2s]"
    pieces = split(text).pieces
    assert {piece.reason for piece in pieces[:-4]} == {PauseReason.CLAUSE}
    assert [piece.reason for piece in pieces[-4:]] == [
        PauseReason.PARAGRAPH,
        PauseReason.SCENE,
        PauseReason.OWN,
        PauseReason.OWN,
    ]
    assert [piece.own_pause_s for piece in pieces[-2:]] == [1.5, 2.0]
    assert split("[pause 3s] Hello there.").lead_s == 3.0
    assert split("Hello there.").pieces[-1].reason is PauseReason.END


@pytest.mark.parametrize(
    ("paragraph", "preferred", "language"),
    [
        ("Hello there", "auto", "en"),
        ("Hello there", "Chinese", "en"),
        ("Hallo zusammen", "German", "de"),
        ("今天很好", "auto", "zh"),
        ("今天很好", "Japanese", "ja"),
        ("東京へ行く", "Chinese", "ja"),
        ("오늘", "en", "ko"),
        ("Привет", "Ukrainian", "ru"),
        ("Привет", "uk", "uk"),
    ],
)
def test_a_paragraph_is_of_the_language_of_its_letters(paragraph: str, preferred: str, language: str) -> None:
    assert language_of(paragraph, preferred) == language


def test_lines_of_a_narrow_page_become_paragraphs_and_other_lines_stay() -> None:
    page = (
        "It is a truth universally acknowledged, that a single man in possession\n"
        "of a good fortune, must be in want of a wife. However little known the\n"
        "feelings or views of such a man may be on his first entering."
    )
    poem = "Shall I compare thee to a summer's day?\nThou art more lovely and more temperate:\nRough winds do shake."
    assert rejoined_lines(f"{page}\n\n{poem}") == f"{page.replace(chr(10), ' ')}\n\n{poem}"
    assert (
        rejoined_lines("第一章很长很长很长很长很长很长的一行\n还有很长很长很长很长很长很长的一行\n完。").count("\n")
        == 0
    )


def test_expected_seconds_are_near_what_people_need() -> None:
    assert expected_seconds("This sentence has exactly eight words in it.", "en") == pytest.approx(8 / 2.6)
    assert expected_seconds("今天天气很好。", "zh") == pytest.approx(6 / 4.5)
    assert expected_seconds("こんにちは", "ja") == pytest.approx(5 / 6.5)
    assert expected_seconds("안녕하세요", "ko") == pytest.approx(5 / 5.5)
    assert 1.5 < expected_seconds("Das ist ein ganz normaler Satz.", "de") < 3.0


def test_a_segment_costs_at_most_two_milliseconds() -> None:
    text = ("The sea was calm, and 3.14 boats of Dr. Smith lay at https://a.b/c. “Go. Now!” she said. " * 220)[:20_000]
    split(text)
    started = time.process_time()
    pieces = split(text).pieces
    assert (time.process_time() - started) / len(pieces) < 0.002


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet=st.sampled_from("ab 。，. ,!?\n「」“”[](|1.5好あ가\u0301\U0001f600\u200d"), max_size=1500))
def test_any_text_is_parted_without_loss(text: str) -> None:
    text = clean(text)
    pieces = split(text).pieces
    assert [_letters(piece.text) for piece in pieces if not speakable(piece.text)] == []
    assert _letters("".join(piece.text for piece in pieces)) == _letters(text)
    assert [piece for piece in pieces if is_too_long(piece.text, piece.expected_s, piece.language)] == []


def _without_blanks(text: str) -> str:
    return re.sub(r"\s+", "", text)


def _letters(text: str) -> str:
    return "".join(char for char in text if char.isalnum())
