"""The library file loses nothing: not to a crash, not to another writer, not to a file that is broken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests import ROOT
from tts_core.domain.errors import UnknownVoice
from tts_core.voices.faults import LibraryDamaged, LibraryUnwritable
from tts_core.voices.record import SavedVoice, VoiceKind, VoiceStatus, seconds_of
from tts_core.voices.store import VoiceStore


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "qwen3_tts_voices.json"


def contents(file: Path) -> dict[str, dict[str, object]]:
    data: dict[str, dict[str, object]] = json.loads(file.read_text(encoding="utf-8"))
    return data


def test_an_empty_library_is_no_file(file: Path) -> None:
    store = VoiceStore(file)
    assert store.voices() == ()
    assert not file.exists()
    with pytest.raises(UnknownVoice):
        store.voice("a")


def test_what_is_put_is_in_the_file_with_the_fields_of_the_contract(file: Path) -> None:
    VoiceStore(file).put(SavedVoice("a", "小明", language="Chinese", ref_text="你好", meta={"tags": ["friend"]}))
    written = contents(file)["a"]
    assert set(written) == {
        *("id", "name", "kind", "model_key", "language", "speaker", "ref_audio_path", "ref_audio_url", "ref_text"),
        *("instruct", "x_vector_only_mode", "status", "progress", "last_error", "meta", "created_at", "updated_at"),
    }
    assert (written["kind"], written["status"], written["name"]) == ("clone", "uploaded", "小明")
    again = VoiceStore(file).voice("a")
    assert (again.name, again.tags, again.kind) == ("小明", ("friend",), VoiceKind.CLONE)


def test_older_files_and_foreign_fields_live_on(file: Path) -> None:
    file.parent.mkdir()
    old = {"a": {"id": "a", "name": "old", "status": "ready", "colour": "blue"}, "b": {"name": 7}, "c": "what"}
    file.write_text(json.dumps(old), encoding="utf-8")
    store = VoiceStore(file)
    assert [(voice.id, voice.kind, voice.status) for voice in store.voices()] == [
        ("a", VoiceKind.CLONE, VoiceStatus.READY)
    ]
    store.update("a", lambda voice: replace(voice, name="new"))
    assert contents(file)["a"]["colour"] == "blue"
    assert {key: contents(file)[key] for key in ("b", "c")} == {"b": {"name": 7}, "c": "what"}


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("2026-01-02T03:04:05Z", 1767323045), ("2026-01-02T03:04:05.500+00:00", 1767323045.5), ("yesterday", 0), ("", 0)],
)
def test_times_of_other_programs_are_understood_or_none(written: str, seconds: float) -> None:
    assert seconds_of(written) == seconds


def test_what_another_program_writes_is_seen_and_kept(file: Path) -> None:
    ours, theirs = VoiceStore(file), VoiceStore(file)
    ours.put(SavedVoice("a", "A"))
    theirs.put(SavedVoice("b", "B"))
    ours.update("a", lambda voice: replace(voice, name="AA"))
    theirs.remove("b")
    assert [voice.name for voice in ours.voices()] == ["AA"]
    assert list(contents(file)) == ["a"]


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"\x00" * 100, b'"text"'])
def test_a_broken_file_is_kept_aside_and_the_state_before_comes_back(file: Path, damage: bytes) -> None:
    VoiceStore(file).put(SavedVoice("a", "A"))
    VoiceStore(file).put(SavedVoice("b", "B"))
    file.write_bytes(damage)
    store = VoiceStore(file)
    assert [voice.id for voice in store.voices()] == ["a"]
    assert file.read_bytes() == damage  # looking changes nothing
    store.put(SavedVoice("c", "C"))
    assert set(contents(file)) == {"a", "c"}
    assert isinstance(store.fault, LibraryDamaged)
    assert (file.parent / str(store.fault.params["file"])).read_bytes() == damage


def test_a_change_that_fails_leaves_the_file(file: Path) -> None:
    store = VoiceStore(file)
    store.put(SavedVoice("a", "A"))
    before = file.read_bytes()

    def fail(_voice: SavedVoice) -> SavedVoice:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        store.update("a", fail)
    with pytest.raises(UnknownVoice):
        store.remove("nobody")
    assert file.read_bytes() == before
    assert store.put(SavedVoice("b", "B")).id == "b"


def test_a_folder_in_the_way_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("no folder")
    with pytest.raises(LibraryUnwritable):
        VoiceStore(tmp_path / "data" / "voices.json").put(SavedVoice("a", "A"))


WRITER = """
import sys
from pathlib import Path
from tts_core.voices.record import SavedVoice
from tts_core.voices.store import VoiceStore
store = VoiceStore(Path(sys.argv[1]))
for number in range(int(sys.argv[3])):
    store.put(SavedVoice(f"{sys.argv[2]}{number}", "V", ref_text="x" * 2000))
    print(number, flush=True)
"""


def writer(file: Path, name: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(file), name, str(count)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_two_processes_write_and_no_voice_is_lost(file: Path) -> None:
    writers = [writer(file, name, 40) for name in ("a", "b", "c")]
    assert [process.wait(120) for process in writers] == [0, 0, 0]
    assert set(contents(file)) == {f"{name}{number}" for name in "abc" for number in range(40)}


def test_killed_in_the_middle_of_writing_the_file_is_whole(file: Path) -> None:
    for round_number in range(3):
        process = writer(file, f"r{round_number}-", 5000)
        assert process.stdout
        for _ in range(5 + 7 * round_number):
            process.stdout.readline()
        process.kill()
        process.wait(60)
        acknowledged = {f"r{round_number}-{number}" for number in range(5 + 7 * round_number)}
        assert acknowledged <= set(contents(file))
        assert VoiceStore(file).put(SavedVoice(f"after{round_number}", "V")).id in contents(file)


def test_ten_thousand_voices_list_quickly(file: Path) -> None:
    file.parent.mkdir()
    voices = {f"{n:05d}": {"name": f"Voice {n}", "created_at": f"2026-01-01T00:00:{n:05d}"} for n in range(10_000)}
    file.write_text(json.dumps(voices), encoding="utf-8")
    store = VoiceStore(file)
    assert len(store.voices()) == 10_000
    started = time.process_time()
    assert store.voices()[0].name == "Voice 9999"
    assert time.process_time() - started < 0.1
    os.utime(file, ns=(1, 1))
    assert len(store.voices()) == 10_000
