"""The best ready model writes down recordings, checks takes, works as a job, shares the memory of all models."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engines.qwen.formula_checkpoint import write_checkpoint
from tests.engines.whisper.scripted_whisper import write_whisper
from tests.engines.whisper.speech import RATE, speech, write_speech
from tts_core.audio import reading
from tts_core.audio.faults import AudioUnreadable, RecordingTooLong
from tts_core.audio.reading import Clip
from tts_core.domain.engine import never
from tts_core.domain.errors import Cancelled, ModelNotReady, UnknownModelKey
from tts_core.domain.values import SynthesisRequest
from tts_core.engines.faults import TranscriberMissing, UnknownSpokenLanguage
from tts_core.engines.whisper.listening import TakeTranscriber
from tts_core.engines.whisper.transcriber import LOADING, READING, TRANSCRIBING
from tts_core.platform.job import Job, JobKind, JobState
from tts_core.platform.jobs import Jobs
from tts_core.platform.settings.studio import Settings
from tts_core.services import Services, build_services
from tts_core.speech.synthesis import collect

SMALLER, BETTER, SPEAKER = "whisper_tiny", "whisper_base", "custom_0_6b"
SOON_S = 120.0


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Two Whisper models, the larger of which says more, and one that speaks."""
    root = tmp_path_factory.mktemp("studio")
    models = root / "models"
    write_whisper(models / SMALLER, ("<|en|>", "<|0.00|>", " no", "<|1.00|>", "<|endoftext|>"))
    write_whisper(models / BETTER, ("<|zh|>", "<|0.00|>", " hi there", "<|1.00|>", "<|endoftext|>"), layers=2)
    write_checkpoint(models / SPEAKER, kind="custom_voice", geometry="a")
    kinds = {SMALLER: "whisper", BETTER: "whisper", SPEAKER: "custom_voice"}
    entries = {
        key: {
            "kind": kind,
            "local": key,
            "files": {
                path.relative_to(models / key).as_posix(): {"size": path.stat().st_size}
                for path in (models / key).rglob("*")
                if path.is_file()
            },
        }
        for key, kind in kinds.items()
    }
    (root / "catalogue.json").write_text(json.dumps(entries))
    return Settings.from_env(
        {
            "TTS_STUDIO_DATA_DIR": str(root / "data"),
            "QWEN_TTS_MODELS_DIR": str(models),
            "TTS_STUDIO_CATALOG": str(root / "catalogue.json"),
            "TTS_STUDIO_DEVICE": "cpu",
        }
    )


@pytest.fixture
def services(settings: Settings, tmp_path: Path) -> Iterator[Services]:
    built = build_services(replace(settings, paths=replace(settings.paths, data_dir=tmp_path / "data")))
    yield built
    built.close()


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "me.flac"
    return write_speech(path, 1)


def ended(jobs: Jobs, job: Job) -> Job:
    deadline = time.monotonic() + SOON_S
    while not (now := jobs.job(job.key)).state.is_over:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return now


def test_takes_are_transcribed_in_languages_that_whisper_does_not_know_too(services: Services, recording: Path) -> None:
    listener = TakeTranscriber(services.transcriber)
    assert listener.is_ready()
    assert [listener.transcript(recording, language, never).strip() for language in ("zh", "tlh")] == ["hi there"] * 2


def test_the_largest_ready_model_is_chosen_or_the_named_one(services: Services, recording: Path) -> None:
    transcriber = services.transcriber
    assert [status.key for status in transcriber.ready()] == [BETTER, SMALLER]
    assert services.memory.statuses() == ()  # looking loads nothing
    best = transcriber.transcribe(recording)
    assert (best.text, best.language) == ("hi there", "zh")
    assert transcriber.transcribe(recording, model_key=SMALLER, language="German").language == "de"
    assert {model.key for model in services.memory.statuses()} == {SMALLER, BETTER}


def test_a_clip_in_memory_needs_no_file(services: Services) -> None:
    clip = Clip(speech(1), RATE)
    assert services.transcriber.transcribe(clip, model_key=SMALLER).text == "no"


def test_progress_rises_through_all_phases(services: Services, recording: Path) -> None:
    told: list[tuple[str, float]] = []
    services.transcriber.transcribe(recording, say=lambda phase, percent: told.append((phase, percent)))
    assert list(dict.fromkeys(phase for phase, _ in told)) == [READING, LOADING, TRANSCRIBING]
    percents = [percent for _, percent in told]
    assert percents == sorted(percents)
    assert (percents[0], percents[-1]) == (0.0, 100.0)


def test_who_has_no_model_is_told_which_to_get(tmp_path: Path, recording: Path) -> None:
    services = build_services(Settings.from_env({"TTS_STUDIO_DATA_DIR": str(tmp_path / "empty")}))
    with pytest.raises(TranscriberMissing, match=r"Download Whisper small \(486 MB\)") as caught:
        services.transcriber.transcribe(recording)
    assert caught.value.params["key"] == services.transcriber.suggestion().key == "whisper_small"
    with pytest.raises(ModelNotReady, match="Whisper tiny"):
        services.transcriber.transcribe(recording, model_key=SMALLER)
    services.close()


def test_what_cannot_be_transcribed_is_refused(
    services: Services, recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transcribe = services.transcriber.transcribe
    for key in (SPEAKER, "nope"):
        with pytest.raises(UnknownModelKey, match=SMALLER):
            transcribe(recording, model_key=key)
    with pytest.raises(UnknownSpokenLanguage, match="Klingon"):
        transcribe(recording, language="Klingon")
    with pytest.raises(UnknownSpokenLanguage, match="'fr'"):
        transcribe(recording, language="French")
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(AudioUnreadable):
        transcribe(tmp_path / "text.wav")
    with pytest.raises(Cancelled):
        transcribe(recording, cancelled=lambda: True)
    monkeypatch.setattr("tts_core.engines.whisper.transcriber.MAX_RECORDING_S", 0.5)
    with pytest.raises(RecordingTooLong):
        transcribe(recording)
    assert reading.MAX_RECORDING_S == 1800


def test_a_take_is_compared_with_its_text(services: Services, recording: Path) -> None:
    found = services.transcriber.check(recording, "Hi, there!", language="english")
    assert (found.error_rate.rate, found.error_rate.unit, found.transcript.language) == (0.0, "word", "en")
    found = services.transcriber.check(recording, "Hi everybody over there", language="en-us")
    assert (found.error_rate.errors, found.error_rate.length) == (2, 4)
    # Aragonese, which the built-in voice speaks and Whisper does not know.
    assert services.transcriber.check(recording, "hi there", language="an").transcript.language == "zh"


def test_a_job_transcribes_and_keeps_the_result(services: Services, recording: Path) -> None:
    jobs = services.jobs
    job = services.transcriber.start(jobs, recording, subject="voice-1", language="en")
    assert (job.kind, job.subject) == (JobKind.TRANSCRIPTION, "voice-1")
    done = ended(jobs, job)
    assert (done.state, done.progress, done.phase) == (JobState.DONE, 100.0, TRANSCRIBING)
    assert (done.result["text"], done.result["language"], done.result["model_key"]) == ("hi there", "en", BETTER)
    assert done.result["segments"] == [{"start_s": 0.0, "end_s": 1.0, "text": "hi there"}]


def test_a_job_that_fails_says_why_and_can_be_tried_again(services: Services, recording: Path, tmp_path: Path) -> None:
    jobs, path = services.jobs, tmp_path / "later.flac"
    job = ended(jobs, services.transcriber.start(jobs, path))
    assert (job.state, job.code, job.subject) == (JobState.ERROR, "audio_unreadable", "later.flac")
    path.write_bytes(recording.read_bytes())
    assert ended(jobs, jobs.retry(job.key)).result["text"] == "hi there"


def test_a_job_survives_a_restart_as_interrupted(settings: Settings, recording: Path, tmp_path: Path) -> None:
    own = replace(settings, paths=replace(settings.paths, data_dir=tmp_path / "data"))
    first = build_services(own)
    first.jobs.restore()
    done = ended(first.jobs, first.transcriber.start(first.jobs, recording, language="en"))
    first.close()
    second = build_services(own)
    second.jobs.restore()
    kept = second.jobs.job(done.key)
    assert (kept.state, kept.result["text"], kept.inputs["path"]) == (JobState.DONE, "hi there", str(recording))
    second.close()


def test_recordings_of_one_subject_are_two_jobs(services: Services, recording: Path, tmp_path: Path) -> None:
    jobs, other = services.jobs, tmp_path / "other.flac"
    other.write_bytes(recording.read_bytes())
    started = [services.transcriber.start(jobs, path, subject="one") for path in (recording, other, other)]
    assert len({job.key for job in started}) == 2
    assert all(ended(jobs, job).state is JobState.DONE for job in started)


def test_a_job_for_nothing_is_not_queued(services: Services, recording: Path) -> None:
    jobs = services.jobs
    with pytest.raises(UnknownSpokenLanguage):
        services.transcriber.start(jobs, recording, language="Klingon")
    with pytest.raises(UnknownModelKey):
        services.transcriber.start(jobs, recording, model_key="nope")
    assert jobs.jobs() == ()


def test_speaking_and_listening_models_share_one_budget(settings: Settings, recording: Path, tmp_path: Path) -> None:
    own = replace(settings, paths=replace(settings.paths, data_dir=tmp_path / "data"), model_memory_bytes=1)
    services = build_services(own)
    services.transcriber.transcribe(recording)
    collect(services.synthesis.speak(SynthesisRequest("hello", voice=f"{SPEAKER}/ryan", seed=1, max_seconds=0.4)))
    assert [model.key for model in services.memory.statuses()] == [SPEAKER]
    services.transcriber.transcribe(recording)
    assert [model.key for model in services.memory.statuses()] == [BETTER]
    services.close()


def test_takes_of_models_in_one_studio_are_heard(services: Services) -> None:
    take = collect(services.synthesis.speak(SynthesisRequest("你好", voice="builtin/aria")))
    found = services.transcriber.check(take.path, "你好", language=take.language)
    assert (found.error_rate.unit, found.error_rate.length) == ("character", 2)
