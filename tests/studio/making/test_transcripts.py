"""What of a transcript is wrong, in four languages, and what only looks so."""

from __future__ import annotations

import pytest

from tts_core.engines.espeak.library import LIBRARY
from tts_core.engines.whisper.error_rate import compare
from tts_core.studio.making.transcripts import Expected, Findings, compared
from tts_core.studio.model import Difference, TakeFlag

TEXTS = {
    "en": "The lighthouse keeper climbed the narrow stairs every evening, and he lit the lamp before sunset fell.",
    "zh": "每天傍晚，看守灯塔的老人都会沿着狭窄的楼梯慢慢爬上去，在太阳落山之前把灯点亮。",
    "ja": "灯台守は毎日夕方になると狭い階段をゆっくり登り、太陽が沈む前に明かりをともしました。",
    "ko": "등대지기는 매일 저녁 좁은 계단을 천천히 올라가서 해가 지기 전에 등불을 밝혔습니다.",
}
VOICES = {"en": "gmw/en-US", "de": "gmw/de", "ko": "ko"}


def pronounce(words: str, language: str) -> str:
    return LIBRARY.phonemes(words, voice=VOICES[language]) if language in VOICES else ""


def found(
    text: str,
    transcript: str,
    language: str = "en",
    *,
    readings: tuple[tuple[str, str], ...] = (),
    names: tuple[str, ...] = (),
    tolerated: tuple[Difference, ...] = (),
) -> Findings:
    return compared(Expected(text, language, readings, names, tolerated), transcript, compare, pronounce)


@pytest.mark.parametrize("language", TEXTS)
def test_the_text_itself_is_right(language: str) -> None:
    findings = found(TEXTS[language], TEXTS[language], language)
    assert (findings.flags, findings.errors, findings.differences) == ((), 0, ())
    assert findings.units > 15


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "The lighthouse keeper climbed the narrow stairs every evening, and he lit the lamp"),
        ("zh", "每天傍晚，看守灯塔的老人都会沿着狭窄的楼梯慢慢爬上去，在太阳落山之前把"),
        ("ja", "灯台守は毎日夕方になると狭い階段をゆっくり登り、太陽が沈む前に明かりをともし"),
        ("ko", "등대지기는 매일 저녁 좁은 계단을 천천히 올라가서 해가 지기"),
    ],
)
def test_a_lost_end_is_found(language: str, said: str) -> None:
    assert TakeFlag.END_MISSING in found(TEXTS[language], said, language).flags


@pytest.mark.parametrize(
    ("language", "once", "again"),
    [
        ("en", "the lamp", "the lamp the lamp"),
        ("en", "he lit the lamp", "he lit he lit he lit the lamp"),
        ("zh", "沿着狭窄的楼", "沿着狭窄的楼沿着狭窄的楼"),
        ("ja", "太陽が沈む前", "太陽が沈む前太陽が沈む前"),
        ("ko", "좁은 계단을", "좁은 계단을 좁은 계단을"),
    ],
)
def test_what_is_said_twice_is_found(language: str, once: str, again: str) -> None:
    said = TEXTS[language].replace(once, again)
    assert said != TEXTS[language]
    assert TakeFlag.WRONG_RUN in found(TEXTS[language], said, language).flags


@pytest.mark.parametrize(
    ("language", "more"),
    [
        ("en", " And then it was all over."),
        ("zh", "谢谢大家观看"),
        ("ja", "ご視聴ありがとう"),
        ("ko", " 시청해 주셔서 감사합니다"),
    ],
)
def test_words_after_the_end_are_found(language: str, more: str) -> None:
    assert TakeFlag.END_ADDED in found(TEXTS[language], TEXTS[language] + more, language).flags


@pytest.mark.parametrize(
    ("text", "transcript", "language"),
    [
        ("他说她的书还在那里。", "她說他的書還在哪裡", "zh"),
        ("银行行长得到了三百二十元。", "银行航掌的到了320元", "zh"),
        ("Their flour is grey, and anyone can see it.", "There flower is gray and any one can see it", "en"),
        ("It was twenty-one miles to St. Paul.", "It was 21 miles to Saint Paul.", "en"),
        ("Das war neunzehnhundert kalt, sagte er.", "Das war 1900 kalt sagte er", "de"),
        ("Er hat einundzwanzig Bücher.", "Er hat 21 Bücher.", "de"),
        ("子どもたちはトマトを三つ食べた。", "こどもたちはとまとを3つ食べた", "ja"),
        ("한번 더 세 시에 만나요.", "한 번 더 3시에 만나요", "ko"),
    ],
)
def test_what_sounds_the_same_is_no_mistake(text: str, transcript: str, language: str) -> None:
    findings = found(text, transcript, language)
    assert (findings.errors, findings.flags, findings.differences) == (0, (), ())


@pytest.mark.parametrize(
    ("text", "transcript", "language", "wrong"),
    [
        ("他说她的书还在那里。", "他说她的笔还在那里", "zh", ("书", "笔")),
        ("The keeper lit the lamp at noon.", "The keeper hid the lamp at noon.", "en", ("lit", "hid")),
        ("We met at five of the clock.", "We met at of the clock.", "en", ("5", "")),
    ],
)
def test_what_sounds_otherwise_is_one(text: str, transcript: str, language: str, wrong: tuple[str, str]) -> None:
    findings = found(text, transcript, language)
    assert findings.differences[0].actual == wrong[1]
    assert findings.errors == 1
    assert findings.flags == ()  # one wrong word in a short text may be Whisper's


def test_one_in_ten_may_be_wrong_but_not_more() -> None:
    words = [f"w{chr(97 + number)}rd" for number in range(20)]
    text = " ".join(words)
    for wrong, flags in ((2, ()), (3, (TakeFlag.WRONG_WORDS,))):
        said = " ".join("xyz" if number % 6 == 1 and number // 6 < wrong else word for number, word in enumerate(words))
        findings = compared(Expected(text, "en"), said, compare)
        assert (findings.errors, findings.flags) == (wrong, flags)


def test_four_wrong_words_in_a_row_are_too_many_in_any_text() -> None:
    text = " ".join([TEXTS["en"]] * 3)
    assert found(text, text.replace("climbed the narrow stairs", "went off for fish", 1)).flags == (TakeFlag.WRONG_RUN,)


def test_a_term_may_be_written_as_a_term_or_as_it_is_read() -> None:
    readings = (("SQL", "sequel"), ("nginx", "engine x"))
    spoken = "Start engine x before the sequel server."
    for transcript in ("Start NGINX before the SQL server.", "Start engine X before the sequel server"):
        assert found(spoken, transcript, readings=readings).errors == 0
    assert found(spoken, "Start ingenix before the sickle server", readings=readings).errors == 0
    assert found(spoken, "Start before the sequel server.", readings=readings).errors > 0


def test_a_reading_is_looked_for_as_a_whole_word() -> None:
    assert found("The art of parting.", "The art of parting.", readings=(("ARTE", "art"),)).errors == 0
    assert found("艺术家", "艺术家", "zh", readings=(("银行", "艺术"),)).errors == 0


def test_names_may_be_spelled_in_any_way() -> None:
    assert found("Then Nguyen spoke to Siobhan.", "Then Winn spoke to Shavon.", names=("Nguyen", "Siobhan")).errors == 0
    assert found("张薇来了。", "章伟来了", "zh", names=("张薇",)).errors == 0


def test_what_a_person_found_right_stays_right() -> None:
    first = found("The keeper hid in the loft.", "The keeper hit in the loft.")
    assert first.errors == 1
    assert found("The keeper hid in the loft.", "The keeper hit in the loft.", tolerated=first.differences).errors == 0
    assert found("The keeper hid in the loft.", "The keeper hit in the tower.", tolerated=first.differences).errors == 1


def test_pages_of_a_lost_model_take_no_time() -> None:
    findings = found("Hello there, my friend.", "ha " * 100_000)
    assert set(findings.flags) >= {TakeFlag.WRONG_WORDS, TakeFlag.WRONG_RUN}


def test_nothing_was_understood() -> None:
    assert found("Hello there.", "").flags == (TakeFlag.WRONG_WORDS, TakeFlag.END_MISSING)
    assert found("Ja.", "", "de").flags == (TakeFlag.WRONG_WORDS, TakeFlag.END_MISSING)
    assert found("Ja.", "Nein.", "de").flags == (TakeFlag.WRONG_WORDS,)
