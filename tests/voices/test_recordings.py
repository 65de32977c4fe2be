"""Voices of other programs speak, whatever their recordings are called; what can't be kept leaves nothing behind."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import soundfile

from tests.voices.test_library import BASE, MINE, ended, models_dir, new, ready, recording, services, speak
from tts_core.audio.faults import AudioUnreadable, OutputFailed
from tts_core.platform.job import JobState
from tts_core.services import Services
from tts_core.voices.faults import LibraryUnwritable
from tts_core.voices.prompt_files import load_prompt
from tts_core.voices.record import VoiceStatus
from tts_core.voices.recordings import audio_url

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

__all__ = ["models_dir", "recording", "services"]

pytestmark = pytest.mark.usefixtures("one_thread")


def foreign(services: Services, voice_id: str, source: Path, name: str, **fields: Any) -> Path:
    """A voice as another program keeps it: some fields, its own name for the recording."""
    paths = services.settings.paths
    path = paths.voices_dir / voice_id / name
    path.parent.mkdir(parents=True, exist_ok=True)
    samples, rate = soundfile.read(source)
    soundfile.write(path, samples, rate)
    file = paths.voices_file
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    record = {"id": voice_id, "name": voice_id, "model_key": BASE, "ref_text": "hello world", "status": "ready"}
    file.write_text(json.dumps({**known, voice_id: {**record, **fields}}), encoding="utf-8")
    return path


UPLOADS = "uploads/audios/qwen3_tts_voices"
WINDOWS = "C:\\Users\\me\\AppData\\Roaming\\SuperAutoCutVideo\\uploads\\audios\\qwen3_tts_voices"


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("ref_123.mp3", {"ref_audio_path": f"{UPLOADS}/theirs/ref_123.mp3"}),
        ("ref.flac", {"ref_audio_path": f"/{UPLOADS}/theirs/ref.flac", "language": "Chinese", "meta": None}),
        ("a.ogg", {"ref_audio_path": None, "ref_audio_url": f"/{UPLOADS}/theirs/a.ogg", "created_at": 1_700_000_000}),
        ("my voice.wav", {"ref_audio_path": f"{WINDOWS}\\theirs\\my voice.wav"}),
        ("only.wav", {"status": "whatever", "progress": 12.5}),
    ],
)
def test_a_voice_of_another_program_is_prepared_and_speaks(
    services: Services, recording: Path, name: str, fields: dict[str, Any]
) -> None:
    original = foreign(services, "theirs", recording, name, **fields)
    before = original.read_bytes()
    (voice,) = services.voices.voices()
    assert services.voices.has_recording(voice)
    job = ended(services, services.voices.prepare(voice.id))
    assert (job.state, job.message) == (JobState.DONE, "")
    assert len(speak(services, "theirs")) > 44
    assert original.read_bytes() == before
    reference = services.voices.reference(voice.id)
    assert reference is not None
    assert soundfile.info(reference).duration == pytest.approx(3.0, abs=0.1)
    assert services.voices.original(voice.id) == original
    prompts = list((original.parent / "prompts").glob("*.safetensors"))
    speak(services, "theirs")
    assert list((original.parent / "prompts").glob("*.safetensors")) == prompts, "it was prepared once"


def test_an_absolute_path_elsewhere_is_read_there_and_copies_travel(
    services: Services, recording: Path, tmp_path: Path
) -> None:
    theirs = tmp_path / "elsewhere" / "x.flac"
    theirs.parent.mkdir()
    shutil.copy(recording, theirs)
    shutil.rmtree(foreign(services, "theirs", recording, "x.wav", ref_audio_path=str(theirs)).parent)
    assert len(speak(services, "theirs")) > 44
    assert list(theirs.parent.iterdir()) == [theirs]
    assert services.voices.original("theirs") is None, "only what lies with the voice is handed out as it is"
    copy = services.voices.duplicate("theirs", "copy")
    assert copy.ref_audio_url == audio_url(copy.id)
    target = services.voice_transfer.export("theirs", tmp_path / "out.zip")
    there = services.voice_transfer.import_archive(target)
    theirs.unlink()
    for voice in (copy, there):
        assert services.voices.reference(voice.id) is not None


def test_a_new_recording_of_the_other_program_is_heard(services: Services, recording: Path) -> None:
    path = foreign(services, "theirs", recording, "x.wav", ref_audio_path=f"{UPLOADS}/theirs/x.wav")
    first = services.voices.reference("theirs")
    samples, rate = soundfile.read(recording)
    soundfile.write(path, samples[: len(samples) // 2], rate)
    second = services.voices.reference("theirs")
    assert first is not None
    assert second is not None
    assert soundfile.info(second).duration == pytest.approx(soundfile.info(first).duration / 2, abs=0.1)


@pytest.mark.parametrize(
    "path", ["../../../../etc/passwd", "/etc/passwd", "\\\\host\\share\\x.wav", "x\0.wav", ".", "a/../..", "~/x.wav"]
)
def test_a_path_that_leads_astray_is_no_recording(services: Services, recording: Path, path: str) -> None:
    shutil.rmtree(foreign(services, "theirs", recording, "x.wav", ref_audio_path=path).parent)
    assert services.voices.original("theirs") is None
    with suppress(AudioUnreadable):  # a file, but no sound
        assert services.voices.reference("theirs") is None
    assert ended(services, services.voices.prepare("theirs")).code == "audio_unreadable"
    assert services.voices.voice("theirs").status is VoiceStatus.FAILED


def test_changing_one_voice_leaves_the_records_of_others_as_they_were(services: Services, recording: Path) -> None:
    foreign(services, "theirs", recording, "x.wav", created_at=1_700_000_000, colour="half \ud83d")
    foreign(services, "odd", recording, "x.wav", kind="hologram")
    file = services.settings.paths.voices_file
    before = json.loads(file.read_text(encoding="utf-8"))
    services.voices.add_clone(recording, new(), MINE)
    after = json.loads(file.read_text(encoding="utf-8"))
    assert after["odd"] == before["odd"]
    assert after["theirs"] == {**before["theirs"], "colour": "half \ufffd"}


@contextmanager
def small_disk(most_bytes: int) -> Iterator[None]:
    """No file of this process can grow beyond that: what a full disk does, at a known place."""
    assert resource is not None
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def files_of(services: Services) -> dict[Path, bytes]:
    folder = services.settings.paths.data_dir
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"}


def filled(services: Services, megabytes: float) -> None:
    """The library file is larger than any recording here."""
    file = services.settings.paths.voices_file
    known = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**known, "big": {"name": "Big", "notes": "x" * round(megabytes * 1e6)}}))


limits_files = pytest.mark.skipif(resource is None, reason="Windows has no limit on the size of a file")
Act = Callable[[Services, str, Path], object]
ACTS: dict[str, Act] = {
    "add": lambda services, _, file: services.voices.add_clone(file, new("New"), MINE),
    "replace": lambda services, voice_id, file: services.voices.replace_recording(voice_id, file),
    "duplicate": lambda services, voice_id, _: services.voices.duplicate(voice_id, "New"),
    "import": lambda services, _, file: services.voice_transfer.import_archive(file.with_name("voice.zip")),
    "change": lambda services, voice_id, _: services.voices.change(voice_id, {"name": "New"}),
}


@limits_files
@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("full_at", ["the recording", "the record"])
def test_on_a_full_disk_nothing_is_left_and_nothing_is_lost(
    services: Services, recording: Path, act: str, full_at: str
) -> None:
    if (act, full_at) == ("change", "the recording"):
        pytest.skip("a change writes no recording")
    voice = services.voices.add_clone(recording, new(), MINE)
    services.voice_transfer.export(voice.id, recording.with_name("voice.zip"))
    if full_at == "the record":
        filled(services, 2)
    before = files_of(services)
    with (
        small_disk(1_000_000 if full_at == "the record" else 20_000),
        pytest.raises((LibraryUnwritable, OutputFailed)),
    ):
        ACTS[act](services, voice.id, recording)
    assert files_of(services) == before
    assert not [path for path in services.settings.paths.voices_dir.iterdir() if path.name != voice.id]
    ACTS[act](services, voice.id, recording)


@limits_files
def test_a_prompt_that_can_not_be_kept_fails_the_job_and_not_the_voice(services: Services, recording: Path) -> None:
    voice = services.voices.add_clone(recording, new(), MINE)
    folder = services.settings.paths.voices_dir / voice.id
    ready(services, recording, name="Other")  # the model is in memory: nothing else is written
    with small_disk(4000):  # enough for the library
        job = ended(services, services.voices.prepare(voice.id))
    assert (job.state, job.code) == (JobState.ERROR, "library_unwritable")
    assert services.voices.voice(voice.id).last_error == job.message
    assert (folder / "original.flac").read_bytes() == recording.read_bytes()
    assert {path.name for path in folder.rglob("*") if path.is_file()} == {"original.flac", "reference.wav"}
    assert ended(services, services.jobs.retry(job.key)).state is JobState.DONE
    (prompt,) = (folder / "prompts").glob("*.safetensors")
    load_prompt(prompt)
