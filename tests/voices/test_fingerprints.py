"""A voice's fingerprint follows from what it sounds like, not from where its files lie or what it is called."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import soundfile

from tests.engines.qwen.formula_checkpoint import reference_audio
from tts_core.platform.settings.studio import Settings
from tts_core.services import Services, build_services
from tts_core.voices.fingerprints import VoiceFingerprints
from tts_core.voices.folders import VoiceFolders
from tts_core.voices.library import Consent, NewVoice
from tts_core.voices.store import VoiceStore


def fingerprints(services: Services) -> VoiceFingerprints:
    paths = services.settings.paths
    folders = VoiceFolders(paths.voices_dir, paths.data_dir)
    return VoiceFingerprints(VoiceStore(paths.voices_file), folders, services.voice_models, services.synthesis)


@pytest.fixture
def voice(services: Services, tmp_path: Path) -> str:
    soundfile.write(tmp_path / "me.wav", reference_audio(), 24_000)
    new = NewVoice("Anna", "base_0_6b", language="english", ref_text="hello world")
    return services.voices.add_clone(tmp_path / "me.wav", new, Consent(own_voice=True)).id


def test_moving_renaming_and_starring_change_nothing(services: Services, voice: str, tmp_path: Path) -> None:
    before = fingerprints(services).fingerprint(f"library/{voice}")
    assert before
    services.voices.change(voice, {"name": "Berta", "favourite": True})
    assert fingerprints(services).fingerprint(f"library/{voice}") == before
    services.close()
    data = services.settings.paths.data_dir
    shutil.copytree(data, tmp_path / "elsewhere")
    shutil.rmtree(data)
    moved = build_services(Settings.from_env({"TTS_STUDIO_DATA_DIR": str(tmp_path / "elsewhere")}))
    assert fingerprints(moved).fingerprint(f"library/{voice}") == before
    moved.close()


def test_another_recording_transcript_or_model_is_another_voice(services: Services, voice: str, tmp_path: Path) -> None:
    known = fingerprints(services)
    seen = {known.fingerprint(f"library/{voice}")}
    services.voices.change(voice, {"ref_text": "hello there"})
    seen.add(known.fingerprint(f"library/{voice}"))
    services.voices.change(voice, {"model_key": "base_1_7b"})
    seen.add(known.fingerprint(f"library/{voice}"))
    soundfile.write(tmp_path / "other.wav", 0.9 * reference_audio(), 24_000)
    services.voices.replace_recording(voice, tmp_path / "other.wav")
    seen.add(known.fingerprint(f"library/{voice}"))
    assert len(seen) == 4
    services.voices.delete(voice)
    assert known.fingerprint(f"library/{voice}") in seen  # it can be brought back
    services.voices.remove(voice, files=True)
    assert known.fingerprint(f"library/{voice}") not in seen


def test_a_recording_is_read_again_only_when_it_changed(services: Services, voice: str) -> None:
    known = fingerprints(services)
    before = known.fingerprint(f"library/{voice}")
    recording = services.settings.paths.voices_dir / voice / "reference.wav"
    seen = recording.stat()
    recording.write_bytes(bytes(seen.st_size))
    os.utime(recording, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert known.fingerprint(f"library/{voice}") == before
    os.utime(recording, ns=(seen.st_atime_ns, seen.st_mtime_ns + 1))
    assert known.fingerprint(f"library/{voice}") != before


def test_preset_voices_are_known_by_their_ids_and_engines_by_what_they_can(services: Services, voice: str) -> None:
    known = fingerprints(services)
    assert known.fingerprint("builtin/aria") == ""
    assert known.speaks_at_speeds(services.synthesis.voices()[0].id)
    assert not known.speaks_at_speeds(f"library/{voice}")  # its model's speech is stretched when takes are joined
    assert not known.speaks_at_speeds("nobody/there")
