"""Voices travel: out of one library and into another, and in from other programs."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from tests.engines.qwen.formula_checkpoint import reference_audio
from tests.voices.test_library import MINE, ended, models_dir, new, ready, recording, services, speak
from tts_core.api.studio.voice_schemas import VoiceObject
from tts_core.audio.faults import RecordingSilent
from tts_core.domain.errors import StudioError, VoicePromptInvalid
from tts_core.platform.job import JobState
from tts_core.platform.settings.studio import Settings
from tts_core.services import Services, build_services
from tts_core.voices.exchange.transfer import archive_name
from tts_core.voices.faults import ConsentMissing, VoiceArchiveInvalid

__all__ = ["models_dir", "recording", "services"]

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def elsewhere(models_dir: Path, tmp_path: Path) -> Iterator[Services]:
    data = tmp_path / "elsewhere"
    built = build_services(
        Settings.from_env({"TTS_STUDIO_DATA_DIR": str(data), "QWEN_TTS_MODELS_DIR": str(models_dir)})
    )
    yield built
    built.close()


def test_an_exported_voice_speaks_the_same_elsewhere(
    services: Services, elsewhere: Services, recording: Path, tmp_path: Path
) -> None:
    voice = ready(services, recording)
    target = services.voice_transfer.export(voice.id, tmp_path / archive_name(voice))
    assert target.name == "Anna.voice.zip"
    there = elsewhere.voice_transfer.import_archive(target)
    assert there.id != voice.id
    assert speak(elsewhere, "anna") == speak(services, "anna")
    assert there.meta["consent"] == voice.meta["consent"]
    again = elsewhere.voice_transfer.import_archive(target)
    assert len(elsewhere.voices.voices()) == 2
    assert again.ref_audio_path != there.ref_audio_path


def test_a_silent_voice_is_not_taken_over(
    services: Services, elsewhere: Services, recording: Path, tmp_path: Path
) -> None:
    voice = ready(services, recording)
    nearly = np.random.default_rng(1).normal(0, 1e-4, 48_000)  # zeros would pack better than a voice may
    soundfile.write(voice.ref_audio_path, nearly, 24_000)
    target = services.voice_transfer.export(voice.id, tmp_path / archive_name(voice))
    with pytest.raises(RecordingSilent):
        elsewhere.voice_transfer.import_archive(target)
    assert elsewhere.voices.voices() == ()


def test_a_damaged_archive_changes_nothing(elsewhere: Services, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK nothing")
    with pytest.raises(VoiceArchiveInvalid):
        elsewhere.voice_transfer.import_archive(tmp_path / "a.zip")
    assert elsewhere.voices.voices() == ()


def test_the_official_demos_prompt_speaks_as_the_voice_it_was_made_from(
    services: Services, recording: Path, tmp_path: Path
) -> None:
    voice = ready(services, recording)
    with services.qwen_models.lease(voice.model_key) as model:
        samples, rate = soundfile.read(voice.ref_audio_path, dtype="float32")
        prompt = model.prepare_voice(samples, rate, voice.ref_text)
    item = {
        "ref_code": getattr(prompt, "codes"),  # noqa: B009 - one of two kinds of prompt
        "ref_spk_embedding": prompt.embedding,
        "x_vector_only_mode": False,
        "icl_mode": True,
        "ref_text": voice.ref_text,
    }
    torch.save({"items": [item, {**item, "x_vector_only_mode": True}]}, tmp_path / "voice_clone_prompt.pt")
    with pytest.raises(ConsentMissing):
        services.voice_transfer.import_official(tmp_path / "voice_clone_prompt.pt", new("Official"), None)
    first, second = services.voice_transfer.import_official(tmp_path / "voice_clone_prompt.pt", new("Official"), MINE)
    assert (first.name, second.name, second.x_vector_only_mode) == ("Official", "Official 2", True)
    services.voices.add_clone(recording, new("Plain", append_silence=False), MINE)
    plain = next(saved for saved in services.voices.voices() if saved.name == "Plain")
    assert ended(services, services.voices.prepare(plain.id)).state is JobState.DONE
    assert speak(services, "official") == speak(services, "plain")
    assert speak(services, "official 2") != speak(services, "plain")


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_prompt_is_recognised_by_its_contents(services: Services, tmp_path: Path, is_zip: bool) -> None:
    prompt = {"ref_code": None, "ref_spk_embedding": torch.zeros(8), "x_vector_only_mode": True}
    torch.save(prompt, tmp_path / "mine", _use_new_zipfile_serialization=is_zip)
    (voice,) = services.voice_transfer.import_file(tmp_path / "mine", new("Mine", ref_text=""), MINE)
    assert (voice.name, voice.x_vector_only_mode) == ("Mine", True)


def test_what_is_no_prompt_is_refused(services: Services, tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(b"no")
    with pytest.raises(VoicePromptInvalid):
        services.voice_transfer.import_official(tmp_path / "a.pt", new(), MINE)
    assert services.voices.voices() == ()


def test_folders_of_recordings_with_texts(services: Services, tmp_path: Path) -> None:
    folder = tmp_path / "pairs"
    folder.mkdir()
    for name in ("anna", "bert"):
        soundfile.write(folder / f"{name}.wav", reference_audio(1.0), 24_000)
        (folder / f"{name}.txt").write_text("hello world")
    (folder / "broken.wav").write_bytes(b"no")
    (folder / "broken.txt").write_text("hello")
    soundfile.write(folder / "silent.wav", np.zeros(24_000), 24_000)
    (folder / "silent.txt").write_text("hello")
    soundfile.write(folder / "CHINESE.WAV", reference_audio(1.0), 24_000)
    (folder / "CHINESE.TXT").write_bytes("今天天气很好。".encode("gbk"))
    soundfile.write(folder / "western.wav", reference_audio(1.0), 24_000)
    (folder / "western.txt").write_bytes("déjà vu, garçon".encode("latin-1"))
    (folder / "alone.wav").write_bytes(b"no")
    found = services.voice_transfer.import_pairs(folder, new(""), MINE)
    assert {voice.name: voice.ref_text for voice in found.voices} == {
        "anna": "hello world",
        "bert": "hello world",
        "CHINESE": "今天天气很好。",
    }
    assert {name: error.code for name, error in found.refused} == {
        "broken": "audio_unreadable",
        "silent": "recording_silent",
        "western": "transcript_unreadable",
    }
    assert found.alone == ("alone.wav",)


def test_what_a_stranger_writes_into_an_archive_can_be_shown(services: Services, tmp_path: Path) -> None:
    nest = b"[" * 900 + b"]" * 900
    record = (
        b'{"name": "A", "model_key": "base_0_6b", "ref_audio_path": "/etc/passwd", "status": "ready", "x": %s,' % nest
    )
    record += b'"meta": {"nest": %s, "endless": Infinity, "none": NaN, "tags": ["a", {"b": 1}]}}' % nest
    source = tmp_path / "in.zip"
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr("voice.json", record)
        archive.writestr("checksums.sha256", f"{hashlib.sha256(record).hexdigest()}  voice.json\n")
    with suppress(StudioError):
        voice = services.voice_transfer.import_archive(source)
        assert voice.ref_audio_path == ""
    shown = [VoiceObject.of(voice).model_dump_json() for voice in services.voices.voices()]
    assert all("Infinity" not in text for text in shown)
    assert services.voices.voices(search="a")


@pytest.mark.parametrize("fault", ["another size", "codes that the model does not know"])
def test_a_prompt_that_fits_no_model_of_that_kind_says_so(services: Services, tmp_path: Path, fault: str) -> None:
    size = 64 if fault.startswith("codes") else 7
    codes = torch.full((5, 16), 99_999 if size == 64 else 1)
    item = {"ref_code": codes, "ref_spk_embedding": torch.ones(size), "x_vector_only_mode": False, "ref_text": "hi"}
    torch.save({"items": [item]}, tmp_path / "p.pt")
    (voice,) = services.voice_transfer.import_official(tmp_path / "p.pt", new("Theirs", ref_text=""), MINE)
    with pytest.raises(VoicePromptInvalid, match=fault):
        speak(services, "theirs")
    job = ended(services, services.voices.prepare(voice.id))
    assert (job.state, job.code) == (JobState.ERROR, "voice_prompt_invalid")
