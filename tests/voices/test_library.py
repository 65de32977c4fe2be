"""A voice is kept, prepared, changed, spoken with and deleted, on a tiny Base model; nothing that fails loses it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.engines.qwen.formula_checkpoint import reference_audio, write_checkpoint
from tts_core.audio.faults import AudioUnreadable
from tts_core.domain.engine import CancelCheck
from tts_core.domain.errors import (
    CloneNotSupported,
    EngineFailed,
    InvalidRequest,
    InvalidValue,
    ModelNotReady,
    UnknownModelKey,
    UnknownVoice,
)
from tts_core.domain.events import Loading
from tts_core.domain.values import Decoding, SynthesisRequest, Take
from tts_core.platform.job import Job, JobKind, JobState
from tts_core.platform.settings.studio import Settings
from tts_core.services import Services, build_services
from tts_core.speech.faults import InstructNotSupported
from tts_core.speech.synthesis import collect
from tts_core.voices import library as voices
from tts_core.voices.faults import AmbiguousVoice, ConsentMissing, LibraryDamaged, TranscriptMissing
from tts_core.voices.library import Consent, NewVoice
from tts_core.voices.record import SavedVoice, VoiceKind, VoiceStatus

pytestmark = pytest.mark.usefixtures("one_thread")
MINE = Consent(own_voice=True)
BASE, DESIGN = "base_0_6b", "voice_design_1_7b"
SOON_S = 120.0


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_checkpoint(folder / "Qwen3-TTS-12Hz-0.6B-Base", kind="base", geometry="a")
    write_checkpoint(folder / "Qwen3-TTS-12Hz-1.7B-CustomVoice", kind="custom_voice", geometry="b")
    write_checkpoint(folder / "Qwen3-TTS-12Hz-1.7B-VoiceDesign", kind="voice_design", geometry="b")
    return folder


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random weights find no end: what they say is cut soon."""
    monkeypatch.setattr(voices, "DESIGN_MAX_S", 0.4)
    monkeypatch.setattr(voices, "PREVIEW_MAX_S", 0.4)


@pytest.fixture
def services(models_dir: Path, tmp_path: Path) -> Iterator[Services]:
    settings = Settings.from_env({"TTS_STUDIO_DATA_DIR": str(tmp_path), "QWEN_TTS_MODELS_DIR": str(models_dir)})
    services = build_services(settings)
    yield services
    services.close()


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "me.flac"
    soundfile.write(path, reference_audio(), 24_000)
    return path


def new(name: str = "Anna", **changes: Any) -> NewVoice:
    return replace(NewVoice(name, BASE, language="english", ref_text="hello world"), **changes)


def ended(services: Services, job: Job) -> Job:
    deadline = time.monotonic() + SOON_S
    while not (now := services.jobs.job(job.key)).state.is_over:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return now


def ready(services: Services, recording: Path, **changes: Any) -> SavedVoice:
    voice = services.voices.add_clone(recording, new(**changes), MINE)
    job = ended(services, services.voices.prepare(voice.id))
    assert (job.state, job.message) == (JobState.DONE, "")
    return services.voices.voice(voice.id)


def speak(services: Services, voice: str) -> bytes:
    voice_id = services.finder.find(name=voice)
    request = SynthesisRequest("hello world", voice=voice_id, seed=1, decoding=Decoding(greedy=True, max_frames=5))
    return collect(services.synthesis.speak(request)).path.read_bytes()


@pytest.mark.parametrize("x_vector_only", [False, True])
def test_a_kept_voice_speaks_by_id_and_by_name(services: Services, recording: Path, x_vector_only: bool) -> None:
    voice = ready(services, recording, x_vector_only=x_vector_only)
    assert (voice.status, voice.progress, voice.kind) == (VoiceStatus.READY, 100, VoiceKind.CLONE)
    listed = next(known for known in services.synthesis.voices() if known.engine == "library")
    assert (listed.id, listed.name) == (f"library/{voice.id}", "Anna")
    assert speak(services, listed.id) == speak(services, "anna")
    folder = services.settings.paths.voices_dir / voice.id
    assert (folder / "original.flac").read_bytes() == recording.read_bytes()
    assert len(list((folder / "prompts").glob("*.safetensors"))) == 1
    consent = services.voices.voice(voice.id).meta["consent"]
    assert consent["own_voice"] is True
    assert consent["when"]


def test_a_prompt_is_made_once_and_again_when_its_inputs_change(services: Services, recording: Path) -> None:
    voice = ready(services, recording)
    prompts = services.settings.paths.voices_dir / voice.id / "prompts"
    (made,) = prompts.glob("*.safetensors")
    before = made.stat().st_mtime_ns
    speak(services, f"library/{voice.id}")
    assert made.stat().st_mtime_ns == before
    first = speak(services, f"library/{voice.id}")
    services.voices.change(voice.id, {"ref_text": "another text", "name": "Berta"})
    second = speak(services, "berta")
    assert len(list(prompts.glob("*.safetensors"))) == 2
    assert first != second
    made.write_bytes(b"broken")
    services.voices.change(voice.id, {"ref_text": "hello world"})
    assert speak(services, "berta") == first


def test_consent_is_asked_for_before_a_clone_is_kept(services: Services, recording: Path) -> None:
    with pytest.raises(ConsentMissing):
        services.voices.add_clone(recording, new(), None)
    assert services.voices.voices() == ()
    assert services.voices.add_clone(recording, new(), None, strict=False).meta.get("consent") is None


def test_what_can_make_no_voice_is_refused_and_leaves_nothing(
    services: Services, recording: Path, tmp_path: Path
) -> None:
    (tmp_path / "page.wav").write_text("<html>")
    cases: list[tuple[type[Exception], Path, NewVoice]] = [
        (AudioUnreadable, tmp_path / "page.wav", new()),
        (InvalidValue, recording, new("")),
        (InvalidValue, recording, new("x" * 101)),
        (InvalidValue, recording, new(ref_text="x" * 3000)),
        (UnknownModelKey, recording, new(model_key="nothing")),
        (CloneNotSupported, recording, new(model_key="custom_1_7b")),
    ]
    for error, upload, voice in cases:
        with pytest.raises(error):
            services.voices.add_clone(upload, voice, MINE)
    assert services.voices.voices() == ()
    assert not services.settings.paths.voices_dir.exists()


def test_a_failed_preparation_keeps_the_voice_and_says_why(services: Services, recording: Path) -> None:
    voice = services.voices.add_clone(recording, new(ref_text=""), MINE)
    job = ended(services, services.voices.prepare(voice.id))
    assert (job.state, job.code) == (JobState.ERROR, "transcript_missing")
    failed = services.voices.voice(voice.id)
    assert failed.status is VoiceStatus.FAILED
    assert "transcri" in failed.last_error
    assert Path(failed.ref_audio_path).is_file()
    services.voices.change(voice.id, {"ref_text": "hello world"})
    assert ended(services, services.jobs.retry(job.key)).state is JobState.DONE
    assert services.voices.voice(voice.id).status is VoiceStatus.READY


def test_a_voice_whose_model_is_missing_says_so(services: Services, recording: Path) -> None:
    voice = services.voices.add_clone(recording, new(model_key="base_1_7b"), MINE)
    assert ended(services, services.voices.prepare(voice.id)).code == "model_not_ready"
    assert services.voices.voice(voice.id).status is VoiceStatus.FAILED


def test_a_role_is_a_preset_speaker_with_a_style(services: Services) -> None:
    speaker = services.models.capabilities("custom_1_7b").speakers[0]
    role = services.voices.add_role(NewVoice("Narrator", "custom_1_7b", speaker=speaker.upper(), instruct="Slowly."))
    assert (role.kind, role.status, role.speaker) == (VoiceKind.CUSTOM_ROLE, VoiceStatus.READY, speaker)
    plain = f"custom_1_7b/{speaker}"
    assert speak(services, "narrator") != speak(services, plain)
    assert services.synthesis.capabilities(f"library/{role.id}").supports_instruct
    with pytest.raises(UnknownVoice):
        services.voices.add_role(NewVoice("X", "custom_1_7b", speaker="nobody"))


def test_a_designed_voice_is_locked_into_a_clone(services: Services, brief: None) -> None:
    wanted = NewVoice("Robot", BASE, language="english", ref_text="hello world", instruct="A calm voice.")
    voice, job = services.voices.add_design(wanted, DESIGN)
    job = ended(services, job)
    assert (job.state, job.message) == (JobState.DONE, "")
    made = services.voices.voice(voice.id)
    assert (made.kind, made.status, made.ref_text) == (VoiceKind.DESIGN_CLONE, VoiceStatus.READY, "hello world")
    assert soundfile.info(made.ref_audio_path).duration == pytest.approx(0.4, abs=0.1)
    assert speak(services, "robot") == speak(services, f"library/{voice.id}")
    with pytest.raises(InvalidRequest):
        services.voices.add_design(replace(wanted, instruct=""), DESIGN)


def test_a_deleted_voice_can_be_brought_back_until_it_is_removed(services: Services, recording: Path) -> None:
    voice = ready(services, recording)
    services.voices.delete(voice.id)
    assert services.voices.voices() == ()
    assert [gone.id for gone in services.voices.voices(deleted=True)] == [voice.id]
    with pytest.raises(UnknownVoice):
        speak(services, f"library/{voice.id}")
    services.voices.restore(voice.id)
    assert speak(services, "anna")
    assert "reference.wav" in services.voices.remove(voice.id, files=True)
    assert not (services.settings.paths.voices_dir / voice.id).exists()
    with pytest.raises(UnknownVoice):
        services.voices.voice(voice.id)


def test_what_was_deleted_long_ago_is_purged_and_nothing_else(services: Services, recording: Path) -> None:
    old, young, kept = (services.voices.add_clone(recording, new(name), MINE) for name in ("old", "young", "kept"))
    services.voices.delete(young.id)
    services.voices.delete(old.id)
    file = services.settings.paths.voices_file
    data = json.loads(file.read_text(encoding="utf-8"))
    data[old.id]["meta"]["deleted_at"] = "2020-01-01T00:00:00.000+00:00"
    file.write_text(json.dumps(data), encoding="utf-8")
    assert services.voices.purge() == 1
    assert {voice.id for voice in (*services.voices.voices(), *services.voices.voices(deleted=True))} == {
        young.id,
        kept.id,
    }


def test_a_copy_is_a_voice_of_its_own(services: Services, recording: Path) -> None:
    voice = ready(services, recording)
    copy = services.voices.duplicate(voice.id, "Anna two")
    assert speak(services, "anna two") == speak(services, "anna")
    services.voices.remove(voice.id, files=True)
    assert speak(services, "anna two")
    assert copy.ref_audio_path != voice.ref_audio_path


def test_names_need_not_be_unique_but_then_say_nothing(services: Services, recording: Path) -> None:
    ready(services, recording)
    ready(services, recording)
    with pytest.raises(AmbiguousVoice):
        speak(services, "Anna")


def test_another_recording_replaces_the_first_and_both_uploads_stay(services: Services, recording: Path) -> None:
    voice = ready(services, recording)
    other = recording.with_name("other.wav")
    soundfile.write(other, reference_audio(2.0, f0=220.0), 24_000)
    services.voices.replace_recording(voice.id, other)
    folder = services.settings.paths.voices_dir / voice.id
    assert {path.name for path in folder.glob("original*")} == {"original.flac", "original-2.wav"}
    assert soundfile.info(folder / "reference.wav").duration == pytest.approx(2.0, abs=0.01)


def test_search_favourites_and_tags(services: Services, recording: Path) -> None:
    first, second = (services.voices.add_clone(recording, new(name), MINE) for name in ("Anna", "Berta"))
    services.voices.change(first.id, {"favourite": True, "tags": ["family"]})
    assert [voice.id for voice in services.voices.voices()] == [first.id, second.id]
    assert [voice.id for voice in services.voices.voices(search="FAM anna")] == [first.id]
    assert services.voices.voices(search="nobody") == ()
    with pytest.raises(InvalidRequest):
        services.voices.change(first.id, {"id": "x"})


def test_a_clone_obeys_no_instruction_and_a_preview_is_kept(services: Services, recording: Path, brief: None) -> None:
    voice = ready(services, recording)
    with pytest.raises(InstructNotSupported):
        services.synthesis.speak(SynthesisRequest("hello", voice=f"library/{voice.id}", instruct="loud"))
    assert services.voices.preview_file(voice.id) is None
    path = services.voices.preview(voice.id, "hello")
    assert services.voices.preview_file(voice.id) == path
    samples, rate = soundfile.read(path)
    assert rate == 24_000
    assert np.isfinite(samples).all()
    job = services.jobs.jobs()[0]
    assert (job.kind.value, job.subject, job.state) == ("synthesis", f"library/{voice.id}", JobState.DONE)


def test_likeness_is_measured_by_the_speaker_encoder(services: Services, recording: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.wav"
    soundfile.write(other, reference_audio(2.0, f0=260.0), 24_000)
    same = services.voice_check.compare(recording, recording, BASE)
    assert same.similarity == pytest.approx(1.0, abs=1e-3)
    assert services.voice_check.compare(other, recording, BASE).similarity < same.similarity
    with pytest.raises(ModelNotReady):
        services.voice_check.compare(other, recording, "base_1_7b")


def test_a_role_needs_no_preparation_and_a_cancelled_one_leaves_a_ready_voice_ready(
    services: Services, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    role = services.voices.add_role(
        NewVoice("Role", "custom_1_7b", speaker=services.models.capabilities("custom_1_7b").speakers[0])
    )
    assert ended(services, services.voices.prepare(role.id)).state is JobState.DONE
    assert services.voices.voice(role.id).status is VoiceStatus.READY
    voice = ready(services, recording)
    began, go_on = threading.Event(), threading.Event()

    def prepare(_voice: SavedVoice, *, cancelled: CancelCheck) -> Iterator[Loading]:
        began.set()
        assert go_on.wait(SOON_S)
        assert cancelled()
        return iter(())

    monkeypatch.setattr(services.voices._prompts, "prepare", prepare)
    job = services.voices.prepare(voice.id)
    assert began.wait(SOON_S)
    services.jobs.cancel(job.key)
    go_on.set()
    assert ended(services, job).state is JobState.CANCELLED
    assert services.voices.voice(voice.id).status is VoiceStatus.READY


def test_a_designed_voice_that_said_nothing_yet_is_designed_again(
    services: Services, brief: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = NewVoice("Robot", BASE, language="english", ref_text="hello world", instruct="A calm voice.")
    with monkeypatch.context() as broken:
        broken.setattr(voices, "collect", broken_engine)
        voice, job = services.voices.add_design(wanted, DESIGN)
        assert ended(services, job).code == "engine_failed"
    assert services.voices.voice(voice.id).status is VoiceStatus.FAILED
    job = services.voices.prepare(voice.id)
    assert (job.kind, ended(services, job).state) == (JobKind.DESIGN_CLONE, JobState.DONE)


def broken_engine(_events: object) -> Take:
    raise EngineFailed(engine="qwen", reason="it was told to break")


def test_a_library_that_can_not_be_read_costs_no_recording(
    services: Services, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that fails while the file is broken must not take its voice for one that was removed."""
    voice = services.voices.add_clone(recording, new(), MINE)
    file = services.settings.paths.voices_file

    def breaks(_voice: SavedVoice, *, cancelled: CancelCheck) -> None:
        file.write_bytes(b"{")
        file.with_name(f"{file.name}.bak").unlink(missing_ok=True)
        raise EngineFailed(engine="qwen", reason="it was told to break")

    monkeypatch.setattr(services.voices._prompts, "prepare", breaks)
    assert ended(services, services.voices.prepare(voice.id)).code == "engine_failed"
    assert isinstance(services.voices.fault, LibraryDamaged)
    folder = services.settings.paths.voices_dir / voice.id
    assert (folder / "original.flac").read_bytes() == recording.read_bytes()


def test_a_voice_without_its_transcript_does_not_speak_something_else(services: Services, recording: Path) -> None:
    voice = ready(services, recording)
    services.voices.change(voice.id, {"ref_text": " "})
    with pytest.raises(TranscriptMissing):
        speak(services, f"library/{voice.id}")
