"""Transcripts as data and subtitles; names of languages."""

from __future__ import annotations

import json

import pytest

from tts_core.engines.faults import UnknownSpokenLanguage
from tts_core.engines.whisper.languages import LANGUAGES, spoken_language
from tts_core.engines.whisper.transcript import Segment, Transcript, as_srt, as_vtt

FOUND = Transcript("Hello. 你好。", "en", (Segment(0.0, 1.25, "Hello."), Segment(3599.999, 3661.5, "你好。")))


def test_a_transcript_comes_back_from_json() -> None:
    assert Transcript.from_json(json.loads(json.dumps(FOUND.as_json()))) == FOUND


def test_subtitles_have_numbers_and_clocks() -> None:
    assert as_srt(FOUND) == ("1\n00:00:00,000 --> 00:00:01,250\nHello.\n\n2\n00:59:59,999 --> 01:01:01,500\n你好。\n")
    assert as_srt(Transcript("", "en", ())) == ""
    assert as_vtt(FOUND) == "WEBVTT\n\n00:00:00.000 --> 00:00:01.250\nHello.\n\n00:59:59.999 --> 01:01:01.500\n你好。\n"
    assert as_vtt(Transcript("", "en", ())) == "WEBVTT\n"


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ("auto", None),
        ("", None),
        ("Chinese", "zh"),
        ("cmn", "zh"),
        ("zh-CN", "zh"),
        ("en-us", "en"),
        ("English", "en"),
        ("pt-br", "pt"),
        ("nb", "no"),
        ("jv", "jw"),
        ("yue", "yue"),
        ("Haitian Creole", "ht"),
    ],
)
def test_people_s_names_and_voices_codes_are_understood(wanted: str, code: str | None) -> None:
    assert spoken_language(wanted) == code


def test_whisper_knows_a_hundred_languages_and_no_klingon() -> None:
    assert len(LANGUAGES) == 100
    assert all(spoken_language(name) == code == spoken_language(code) for code, name in LANGUAGES.items())
    with pytest.raises(UnknownSpokenLanguage, match="Klingon"):
        spoken_language("Klingon")


@pytest.mark.parametrize("texts", [("hello", "world"), ("a a", "a"), ("你好。", "世界"), ()])
@pytest.mark.parametrize("between", [" ", ""])
def test_the_pieces_of_a_transcript_are_its_text(texts: tuple[str, ...], between: str) -> None:
    transcript = Transcript(between.join(texts), "en", tuple(Segment(0, 1, text) for text in texts))
    assert "".join(transcript.pieces()) == transcript.text
    assert tuple(piece.strip() for piece in transcript.pieces()) == texts
