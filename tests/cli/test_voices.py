"""`voices` and `speak --voice`: what the page does with voices, on the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from tests.api.voice_stage import voice_models, voice_recording
from tests.cli.conftest import Answer, Run
from tests.engines.qwen.formula_checkpoint import reference_audio
from tts_core.platform.paths import ROOT_DIR
from tts_core.voices import library as voices_module

__all__ = ["voice_models", "voice_recording"]

Voices = Callable[..., Answer]
SAID = ("--text", "hello world", "--language", "english")


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> None:
    """See tests/engines/qwen/conftest.py."""
    torch.set_num_threads(1)


@pytest.fixture
def voices(run: Run, voice_models: Path) -> Voices:
    return lambda *arguments: run("--models-dir", voice_models, "voices", *arguments)


def told(answer: Answer) -> Any:
    assert answer.status == 0, answer.err
    return json.loads(answer.out)


def kept(voices: Voices, recording: Path, name: str = "Anna") -> str:
    answer = voices("add", recording, "--name", name, *SAID, "--own-voice", "--no-prepare", "--json")
    voice_id: str = told(answer)["id"]
    return voice_id


def test_a_voice_is_added_by_one_process_and_speaks_in_another(
    voice_models: Path, voice_recording: Path, data_dir: Path, tmp_path: Path
) -> None:
    def process(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        folders = ("--data-dir", data_dir, "--models-dir", voice_models)
        command = [sys.executable, "-m", "tts_core", *map(str, (*folders, *arguments))]
        environ = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.run(
            command, cwd=ROOT_DIR, env=environ, capture_output=True, encoding="utf-8", timeout=150, check=False
        )

    added = process("voices", "add", voice_recording, "--name", "Anna", *SAID, "--consent", "Anna B./by mail", "--json")
    assert (added.returncode, added.stderr) == (0, "")
    voice = json.loads(added.stdout)
    assert (voice["status"], voice["kind"], voice["progress"]) == ("ready", "clone", 100)
    assert voice["meta"]["consent"].items() >= {"own_voice": False, "who": "Anna B.", "note": "by mail"}.items()
    out = tmp_path / "out.wav"
    spoken = process("speak", "hello", "--voice", "anna", "--out", out, "--max-frames", "5", "--json")
    assert json.loads(spoken.stdout)["voice"] == f"library/{voice['id']}"
    assert soundfile.info(out).duration > 0.1


def test_voices_without_an_action_lists_who_can_speak(voices: Voices) -> None:
    assert {"builtin/aria", "custom_1_7b/ryan"} <= {voice["id"] for voice in told(voices("--json"))}
    assert "builtin/aria" in voices().out
    assert told(voices("list", "--json")) == told(voices("--json", "list")) == []


def test_speak_takes_ids_and_names_and_says_what_is_missing(
    voices: Voices, run: Run, voice_models: Path, voice_recording: Path, tmp_path: Path
) -> None:
    voice_id = kept(voices, voice_recording)
    out = ("--out", tmp_path / "a.wav", "--max-frames", "4", "--json")

    def speak(voice: str) -> Answer:
        return run("--models-dir", voice_models, "speak", "hello", "--voice", voice, *out, "--force")

    assert "[voice_not_ready]" in speak("anna").err
    assert told(voices("prepare", "anna", "--json"))["status"] == "ready"
    for known in ("ANNA", voice_id, f"library/{voice_id}"):
        assert told(speak(known))["voice"] == f"library/{voice_id}"
    voices("edit", "anna", "--model", "base_1_7b")
    assert "[model_not_ready]" in speak("anna").err
    kept(voices, voice_recording)
    assert "[ambiguous_voice]" in voices("show", "anna").err
    assert "[voice_not_found]" in speak("nobody").err


def test_a_voice_is_heard(
    voices: Voices, voice_recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voices_module, "PREVIEW_MAX_S", 0.3)
    voice_id, out = kept(voices, voice_recording), tmp_path / "out.wav"
    assert "[voice_not_ready]" in voices("preview", "anna").err
    assert voices("recording", "anna", "--original", "--out", out).out == f"{out}\n"
    assert out.read_bytes() == voice_recording.read_bytes()
    assert "[out_exists]" in voices("recording", "anna", "--out", out).err
    assert soundfile.info(told(voices("recording", "anna", "--json"))["path"]).duration == pytest.approx(3.0, abs=0.01)
    voices("prepare", "anna")
    answer = told(voices("preview", voice_id, "--text", "hello", "--out", out, "--force", "--json"))
    assert answer == {"id": voice_id, "path": str(out)}
    assert soundfile.info(out).duration == pytest.approx(0.3, abs=0.1)
    voices("role", "--name", "Narrator", "--speaker", "Ryan")
    assert "[reference_required]" in voices("recording", "narrator").err


def test_consent_is_asked_for(voices: Voices, voice_recording: Path) -> None:
    answer = voices("add", voice_recording, "--name", "Anna", *SAID)
    assert (answer.status, answer.out) == (2, "")
    assert "--own-voice" in answer.err
    assert answer.err.endswith("[consent_missing]\n")
    assert told(voices("list", "--json")) == []


def test_a_failed_preparation_keeps_the_voice(voices: Voices, voice_recording: Path) -> None:
    answer = voices("add", voice_recording, "--name", "Anna", "--own-voice", "--json")
    assert (answer.status, answer.err.endswith("[transcript_missing]\n")) == (2, True)
    assert json.loads(answer.out)["status"] == "failed"
    assert told(voices("edit", "anna", "--x-vector-only", "--json"))["x_vector_only_mode"] is True
    assert told(voices("prepare", "anna", "--json"))["status"] == "ready"
    assert told(voices("edit", "anna", "--in-context", "--json"))["x_vector_only_mode"] is False


def test_a_voice_is_renamed_edited_found_copied_and_shown(
    voices: Voices, voice_recording: Path, tmp_path: Path
) -> None:
    voice_id = kept(voices, voice_recording)
    assert told(voices("rename", "anna", "Berta", "--json"))["name"] == "Berta"
    edited = voices("edit", "berta", "--tags", "a, b", "--favourite", "--text", "x", "--own-voice", "--json")
    assert (told(edited)["meta"]["tags"], told(edited)["meta"]["favourite"], told(edited)["ref_text"]) == (
        ["a", "b"],
        True,
        "x",
    )
    assert [voice["id"] for voice in told(voices("list", "--search", "B BERTA", "--json"))] == [voice_id]
    copy = told(voices("duplicate", voice_id, "--json"))
    assert (copy["name"], copy["id"] != voice_id) == ("Berta 2", True)
    other = tmp_path / "other.wav"
    soundfile.write(other, reference_audio(2.0), 24_000)
    replaced = voices("edit", "Berta 2", "--recording", other, "--json")
    assert told(replaced)["status"] == "uploaded"
    assert "voices prepare" in replaced.err
    shown = voices("show", "berta").out
    assert "consent" in shown
    assert voice_recording.suffix not in told(voices("show", "berta", "--json"))["ref_audio_path"]
    for arguments, code in (
        (("edit", "berta"), "invalid_request"),
        (("edit", "berta", "--language", "Klingonese"), "unknown_language"),
        (("rename", "berta", " "), "invalid_value"),
        (("rename", "nobody", "x"), "voice_not_found"),
    ):
        answer = voices(*arguments)
        assert (answer.status, answer.err.endswith(f"[{code}]\n")) == (2, True), answer.err


def test_deleting_can_be_undone_until_it_is_for_good(voices: Voices, voice_recording: Path, data_dir: Path) -> None:
    first, second, third = (kept(voices, voice_recording, name) for name in ("One", "Two", "Three"))
    folders = data_dir / "uploads" / "audios" / "qwen3_tts_voices"
    assert f"voices restore {first}" in voices("delete", "one").out
    assert "[voice_not_found]" in voices("show", "one").err
    assert [voice["id"] for voice in told(voices("list", "--deleted", "--json"))] == [first]
    assert told(voices("restore", "one", "--json"))["id"] == first
    removed = told(voices("delete", "one", "--for-good", "--json"))
    assert "reference.wav" in removed["removed_files"]
    voices("delete", second)
    assert told(voices("purge", "--yes", "--json")) == [], "deleted a moment ago"
    listed = voices("purge", "--all", "--json")
    assert ([voice["id"] for voice in told(listed)], "--yes" in listed.err) == ([second], True)
    assert (folders / second).is_dir()
    voices("purge", "--all", "--yes")
    assert [path.name for path in folders.iterdir()] == [third]


def test_roles_and_designed_voices(voices: Voices, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voices_module, "DESIGN_MAX_S", 0.3)
    role = told(voices("role", "--name", "Narrator", "--speaker", "Ryan", "--instruct", "Slowly.", "--json"))
    assert (role["model_key"], role["speaker"], role["status"]) == ("custom_1_7b", "ryan", "ready")
    made = told(voices("design", "--name", "Captain", "--instruct", "Old.", *SAID, "--json"))
    assert (made["kind"], made["model_key"], made["status"]) == ("design_clone", "base_0_6b", "ready")
    answer = voices("design", "--name", "X", "--instruct", "Old.", *SAID, "--model", "base_1_7b")
    assert (answer.status, "[model_not_ready]" in answer.err) == (2, True)
    assert len(told(voices("list", "--json"))) == 2


def test_recordings_are_judged_mended_and_joined(voices: Voices, voice_recording: Path, tmp_path: Path) -> None:
    report = told(voices("check", voice_recording, "--json"))
    assert (report["container"], report["good"]) == ("flac", True)
    assert "short" in {finding["code"] for finding in report["findings"]}
    silence = tmp_path / "silence.wav"
    soundfile.write(silence, np.zeros(24_000), 24_000)
    judged = voices("check", silence)
    assert (judged.status, "! No speech" in judged.out) == (1, True)
    assert "[recording_silent]" in voices("add", silence, "--name", "S", *SAID, "--own-voice", "--no-prepare").err
    (tmp_path / "page.wav").write_text("<html>")
    assert "[audio_unreadable]" in voices("check", tmp_path / "page.wav").err
    joined = voices(
        *("add", voice_recording, voice_recording, "--name", "Two", *SAID, "--own-voice", "--fix", "level"),
        *("--no-prepare", "--no-silence", "--json"),
    )
    voice = told(joined)
    assert soundfile.info(voice["ref_audio_path"]).duration == pytest.approx(6.3, abs=0.1)
    assert voice["meta"]["append_silence"] is False
    long = tmp_path / "long.flac"
    soundfile.write(long, np.tile(reference_audio(), 21), 24_000)
    refused = voices("add", long, "--name", "Long", *SAID, "--own-voice")
    assert ("[recording_too_long]" in refused.err, "--fix best_part" in refused.err) == (True, True)
    cut = told(voices("add", long, "--name", "L", *SAID, "--own-voice", "--fix", "best_part", "--no-prepare", "--json"))
    assert cut["meta"]["duration_s"] <= 16


def test_voices_leave_and_come_back(voices: Voices, voice_recording: Path, tmp_path: Path) -> None:
    kept(voices, voice_recording)
    exported = voices("export", "anna", tmp_path)
    archive = tmp_path / "Anna.voice.zip"
    assert exported.out == f"{archive}\n"
    assert "[out_exists]" in voices("export", "anna", archive).err
    assert voices("export", "anna", archive, "--force").status == 0
    (copy,) = told(voices("import", archive, "--json"))
    assert copy["name"] == "Anna"
    assert "[voice_archive_invalid]" in voices("import", voice_recording).err
    assert "[voice_archive_invalid]" in voices("import", tmp_path / "nothing.zip").err
    pairs = tmp_path / "pairs"
    pairs.mkdir()
    soundfile.write(pairs / "bert.wav", reference_audio(1.0), 24_000)
    (pairs / "bert.txt").write_text("hello world", encoding="utf-8")
    assert "[consent_missing]" in voices("import", pairs).err
    (bert,) = told(voices("import", pairs, "--own-voice", "--json"))
    assert (bert["name"], bert["ref_text"]) == ("bert", "hello world")
    (pairs / "broken.wav").write_bytes(b"no")
    (pairs / "broken.txt").write_text("hello", encoding="utf-8")
    again = voices("import", pairs, "--own-voice")
    assert (again.status, "broken: " in again.err, "[audio_unreadable]" in again.err) == (1, True, True)


def test_names_and_texts_are_never_logged(voices: Voices, voice_recording: Path, data_dir: Path) -> None:
    voices("add", voice_recording, "--name", "Zanzibar", "--text", "Kilimanjaro", "--own-voice", "--no-prepare")
    voices("add", voice_recording, "--name", "Zanzibar", "--own-voice")
    voices("show", "Zanzibar")
    log = (data_dir / "logs" / "tts_studio.log").read_text(encoding="utf-8")
    assert "Zanzibar" not in log
    assert "Kilimanjaro" not in log
