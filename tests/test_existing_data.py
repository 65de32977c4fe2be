"""A data folder of an earlier version: whatever is in it opens, is listed and speaks as before.

`existing_data` was written by the version before downloads became jobs, with the models below: two clones (one of them
deleted), a role and a designed voice with their prepared prompts, jobs, a paused download, an account, a key,
preferences, and a speaker of YourTTS that a program had registered.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile

from tests import ROOT
from tests.conftest import wait_until
from tests.engines.qwen.formula_checkpoint import write_checkpoint
from tests.engines.yourtts import stand_in
from tts_core.access.visitor import Role
from tts_core.domain.values import Decoding, SynthesisRequest
from tts_core.platform.job import JobKind, JobState
from tts_core.platform.settings.studio import Settings
from tts_core.services import Services, build_services
from tts_core.speech.synthesis import collect
from tts_core.voices.record import VoiceKind, VoiceStatus

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

WRITTEN_AT = 1_700_000_000
"""The time of the models' weights when the prompts were prepared; it is part of what prompts are found by."""
CLONE, ROLE, DESIGN, DELETED = "Anna", "Narrator", "Robot", "Gone"
KEY, PASSWORD = "tts-LnfLXdFOvzEtHKfUcYMljNzfR-esKq8lY82oTWhKF4w", "correct horse battery"
SPEAKER = "yourtts/387477739a052f52dbe6b38d"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """The earlier version's folder, with the addresses that it wrote, on this machine."""
    data = Path(shutil.copytree(ROOT / "tests" / "existing_data", tmp_path / "data"))
    library = data / "qwen3_tts_voices.json"
    library.write_text(library.read_text(encoding="utf-8").replace("@DATA@", data.as_posix()), encoding="utf-8")
    models = data / "models"
    write_checkpoint(models / "Qwen3-TTS-12Hz-0.6B-Base", kind="base", geometry="a")
    write_checkpoint(models / "Qwen3-TTS-12Hz-1.7B-CustomVoice", kind="custom_voice", geometry="b")
    for weights in models.rglob("*.safetensors"):
        os.utime(weights, (WRITTEN_AT, WRITTEN_AT))
    return data


@pytest.fixture
def services(data_dir: Path) -> Iterator[Services]:
    variables = {"TTS_STUDIO_DATA_DIR": str(data_dir), "QWEN_TTS_MODELS_DIR": str(data_dir / "models")}
    settings = Settings.from_env({**variables, "HF_HUB_OFFLINE": "1"})
    stand_in.install(settings)
    built = build_services(settings)
    built.start()
    yield built
    built.close()


def test_everything_in_it_opens_is_listed_and_speaks_as_before(services: Services, data_dir: Path) -> None:
    before = contents(data_dir / "uploads")
    check_library(services)
    for name, rate in ((CLONE, 24_000), (ROLE, 24_000), (DESIGN, 24_000), ("Caller 7", stand_in.RATE)):
        voice = services.finder.find(name=name)
        request = SynthesisRequest("hello", voice=voice, language="English", seed=1, decoding=Decoding(max_frames=3))
        take = collect(services.synthesis.speak(request))
        assert soundfile.info(take.path).samplerate == rate, name
    assert contents(data_dir / "uploads") == before, "prompts are used as they were prepared"
    assert services.voices.restore(services.voices.voices(deleted=True)[0].id).name == DELETED
    check_jobs(services, data_dir)
    check_people_and_choices(services)


def check_library(services: Services) -> None:
    voices = {voice.name: voice for voice in services.voices.voices()}
    kinds = {CLONE: VoiceKind.CLONE, ROLE: VoiceKind.CUSTOM_ROLE, DESIGN: VoiceKind.DESIGN_CLONE}
    assert {name: voice.kind for name, voice in voices.items()} == kinds
    assert {voice.status for voice in voices.values()} == {VoiceStatus.READY}
    clone, role, design = (voices[name] for name in (CLONE, ROLE, DESIGN))
    assert (clone.model_key, clone.ref_text, clone.tags, clone.is_favourite) == (
        *("base_0_6b", "hello world", ("family",)),
        True,
    )
    assert clone.meta["consent"]["own_voice"] is True
    assert (role.model_key, role.speaker, role.instruct) == ("custom_1_7b", "serena", "Slowly.")
    assert (design.instruct, design.meta["design_model_key"]) == ("A calm voice.", "voice_design_1_7b")
    assert all(map(services.voices.has_recording, (clone, design)))
    assert [voice.name for voice in services.voices.voices(deleted=True)] == [DELETED]
    listed = {voice.id for voice in services.synthesis.voices()}
    assert {f"library/{voice.id}" for voice in voices.values()} | {SPEAKER, "yourtts/male-en-2"} <= listed
    assert services.speaker_service.registered() == 1


def check_jobs(services: Services, data_dir: Path) -> None:
    kept = {(job.kind, job.state) for job in services.jobs.jobs()}
    assert kept >= {(JobKind.CLONE_PREPARE, JobState.DONE), (JobKind.DESIGN_CLONE, JobState.DONE)}
    (download,) = services.downloads.tasks()
    assert (download.subject, download.state) == ("base_1_7b", JobState.PAUSED)
    wait_until(lambda: not (data_dir / "downloads.json").exists())


def check_people_and_choices(services: Services) -> None:
    user = services.login.by_session(services.login.log_in("anna", PASSWORD, "127.0.0.1"), "127.0.0.1")
    assert user is not None
    assert user.role is Role.ADMIN
    assert services.login.by_key(KEY, "127.0.0.1").role is Role.GUEST
    sources = services.settings.sources_now()
    assert (sources.order[:2], sources.resume_at_start) == (("modelscope", "hf"), False)
    assert services.settings.precision_now() == "float32"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
