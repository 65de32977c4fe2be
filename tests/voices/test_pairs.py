"""Recordings with texts beside them, as every system names and encodes them."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from tts_core.voices.exchange.pairs import MAX_TRANSCRIPT_BYTES, decoded, find_pairs, read_transcript
from tts_core.voices.faults import TranscriptUnreadable

CHINESE = "你好，世界！今天天气很好。"


def test_pairs_of_recording_and_text_are_found(tmp_path: Path) -> None:
    apart = unicodedata.normalize("NFD", "café")
    names = ("anna.wav", "anna.txt", "bert.mp3", "bert.txt", "UPPER.WAV", "UPPER.TXT", f"{apart}.m4a", "café.txt")
    others = ("Mixed.FLAC", "mixed.txt", "alone.wav", "text.txt", "notes.pdf", ".hidden.txt", "memo.caf", "memo.txt")
    for name in (*names, *others):
        (tmp_path / name).write_bytes("\ufeffHallo\n".encode())
    found = find_pairs(tmp_path)
    assert {pair.name: (pair.recording.name, read_transcript(pair.text)) for pair in found.pairs} == {
        "anna": ("anna.wav", "Hallo"),
        "bert": ("bert.mp3", "Hallo"),
        "UPPER": ("UPPER.WAV", "Hallo"),
        "café": (f"{apart}.m4a", "Hallo"),
        "mixed": ("Mixed.FLAC", "Hallo"),
        "memo": ("memo.caf", "Hallo"),
    }
    assert found.alone == ("alone.wav", "text.txt")


def test_the_commonest_of_several_recordings_is_taken_and_case_decides(tmp_path: Path) -> None:
    for name in ("a.mp3", "a.wav", "a.txt", "B.wav", "b.wav", "b.txt", "B.txt"):
        (tmp_path / name).write_bytes(b"x")
    found = find_pairs(tmp_path)
    assert sorted((pair.text.name, pair.recording.name) for pair in found.pairs) == [
        ("B.txt", "B.wav"),
        ("a.txt", "a.wav"),
        ("b.txt", "b.wav"),
    ]
    assert found.alone == ()


@pytest.mark.parametrize("text", [CHINESE, "Hello there.", "Grüße, garçon: «ça va»?", "こんにちは", "a"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_unicode_in_any_form(text: str, encoding: str) -> None:
    if encoding in ("utf-16-le", "utf-16-be") and text.isascii() is False:
        text = f"{text} ok\n"  # without a mark, only plain letters show what it is
    assert decoded(text.encode(encoding)) == text


@pytest.mark.parametrize("encoding", ["gbk", "gb18030"])
def test_chinese_as_windows_writes_it(encoding: str) -> None:
    for text in (CHINESE, "TTS 测试 2024，第一句。", "我"):
        assert decoded(text.encode(encoding)) == text


@pytest.mark.parametrize("data", ["déjà vu".encode("latin-1"), "Grüße".encode("cp1252"), b"\xff\xfe\x00", b"\x80\xff"])
def test_what_is_not_sure_is_refused_and_never_garbage(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(data)
    with pytest.raises(TranscriptUnreadable, match=r"a\.txt"):
        read_transcript(tmp_path / "a.txt")


def test_a_text_that_is_too_long_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"a" * (MAX_TRANSCRIPT_BYTES + 1))
    with pytest.raises(TranscriptUnreadable):
        read_transcript(tmp_path / "a.txt")
