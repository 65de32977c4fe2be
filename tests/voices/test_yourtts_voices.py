"""Saved voices that YourTTS speaks, at every door: what holds for a Base model's voices holds for them, too."""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fastapi.testclient import TestClient

from tests.conftest import SOON_S
from tests.engines.yourtts import stand_in
from tts_core.api.server import create_api
from tts_core.cli.main import main
from tts_core.domain.engine import CloningEngine, never
from tts_core.domain.errors import CloneNotSupported, UnknownLanguage, VoicePromptInvalid
from tts_core.domain.events import Loading
from tts_core.domain.values import PreparedVoice, Recording, SynthesisRequest, Take
from tts_core.engines.yourtts.engine import CLONE_VOICE, CLONER
from tts_core.engines.yourtts.faults import YourTtsMissing
from tts_core.platform.job import Job, JobState
from tts_core.platform.settings.studio import Settings
from tts_core.services import Services, build_services
from tts_core.speech.synthesis import collect
from tts_core.ui.clone.handler import CloneHandler, Desk
from tts_core.ui.library.handler import LibraryActions
from tts_core.ui.widgets.forms import OWN_VOICE, SaveForm
from tts_core.ui.words import load_words
from tts_core.voices.library import Consent, NewVoice
from tts_core.voices.prompt_files import load_prompt, save_prompt
from tts_core.voices.record import SavedVoice, VoiceStatus

MINE = Consent(own_voice=True)
VOICES = "/api/tts/qwen3/voices"


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    return tone(tmp_path / "me.wav", 300)


@pytest.fixture
def installed(settings: Settings, services: Services) -> Services:
    stand_in.install(settings)
    return services


def tone(path: Path, pitch: float) -> Path:
    at = np.arange(2 * 24_000) / 24_000
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * pitch * at), 24_000)
    return path


def ended(services: Services, job: Job) -> Job:
    deadline = time.monotonic() + SOON_S
    while not (now := services.jobs.job(job.key)).state.is_over:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return now


def ready(services: Services, recording: Path, name: str = "Anna") -> SavedVoice:
    voice = services.voices.add_clone(recording, NewVoice(name, CLONER, language="en"), MINE)
    job = ended(services, services.voices.prepare(voice.id))
    assert (job.state, job.message) == (JobState.DONE, "")
    return services.voices.voice(voice.id)


def spoken(services: Services, name: str, language: str = "auto") -> Take:
    voice = services.finder.find(name=name)
    return collect(services.synthesis.speak(SynthesisRequest("Hello there.", voice=voice, seed=1, language=language)))


def prompts_of(services: Services, voice: SavedVoice) -> list[Path]:
    return sorted((services.settings.paths.voices_dir / voice.id / "prompts").glob("*.safetensors"))


def test_its_vector_is_kept_and_spoken_with_at_its_own_rate(installed: Services, recording: Path) -> None:
    """No transcript is needed, and the kept vector, not the recording, is what speaks."""
    voice = ready(installed, recording)
    (prompt,) = prompts_of(installed, voice)
    prepared = load_prompt(prompt)
    assert (prepared.vector.shape, prepared.codes) == ((stand_in.VECTOR_SIZE,), None)
    take = spoken(installed, "anna")
    assert (take.sample_rate, take.voice.id, take.language) == (stand_in.RATE, f"library/{voice.id}", "auto")
    assert soundfile.info(take.path).samplerate == stand_in.RATE
    plain = SynthesisRequest("Hello there.", voice=CLONE_VOICE, language="en", seed=1, source=Recording(recording))
    assert take.path.read_bytes() == collect(installed.synthesis.speak(plain)).path.read_bytes()
    moved = np.zeros(stand_in.VECTOR_SIZE, np.float32)
    moved[60] = 1
    save_prompt(PreparedVoice(moved), prompt)
    assert spoken(installed, "anna").path.read_bytes() != take.path.read_bytes()
    assert spoken(installed, "anna", language="fr-fr").language == "fr-fr"


def test_it_survives_a_restart_and_is_prepared_anew_for_another_model(
    installed: Services, settings: Settings, recording: Path
) -> None:
    voice = ready(installed, recording)
    before, kept = spoken(installed, "anna").path.read_bytes(), prompts_of(installed, voice)
    again = build_services(settings)
    assert [found.id for found in again.synthesis.voices() if found.engine == "library"] == [f"library/{voice.id}"]
    assert spoken(again, "anna").path.read_bytes() == before
    assert prompts_of(again, voice) == kept
    again.voices.change(voice.id, {"ref_text": "words that it does not need"})
    spoken(again, "anna")
    assert prompts_of(again, voice) == kept
    (settings.paths.models_dir / "YourTTS" / "model_se.pth").write_bytes(b"another encoder")
    spoken(again, "anna")
    assert len(prompts_of(again, voice)) == 2
    again.close()


def test_saving_on_the_clone_tab_makes_a_voice_of_the_library(installed: Services, recording: Path) -> None:
    handler, words = CloneHandler(installed), load_words("en")
    assert handler.models() == [("YourTTS", CLONER)]
    desk = handler.take_in(Desk(), recording)
    voice = handler.save(SaveForm("Anna", str(desk.working), model=CLONER, consent=OWN_VOICE), desk)
    *_, job = handler.prepared(voice.id)
    assert job.state is JobState.DONE
    assert handler.compared(str(recording), CLONER) is None
    view = LibraryActions(installed, words).view(voice.id)
    assert (view.model, view.has_model, view.voice.status) == ("YourTTS", True, VoiceStatus.READY)
    assert installed.speaker_service.registered() == 0


def test_rest_makes_it_speaks_it_and_takes_it_elsewhere(installed: Services, recording: Path) -> None:
    client = TestClient(create_api(installed), base_url="http://127.0.0.1", client=("127.0.0.1", 5000))
    form = {"name": "Anna", "model_key": CLONER, "consent_own_voice": "1"}
    with recording.open("rb") as file:
        voice = client.post(f"{VOICES}/upload", data=form, files={"file": file}).raise_for_status().json()["data"]
    job_id = client.post(f"{VOICES}/{voice['id']}/clone").raise_for_status().json()["data"]["job_id"]
    assert ended(installed, installed.jobs.job(job_id)).state is JobState.DONE
    preview = client.post(f"{VOICES}/{voice['id']}/preview").raise_for_status().json()["data"]
    assert preview["sample_rate"] == stand_in.RATE
    body = {"text": "Hello.", "speaker": "Anna", "model_key": CLONER, "language": "en"}
    take = client.post("/api/tts/qwen3/synthesize", json=body).raise_for_status().json()["data"]
    assert (take["model_key"], take["voice_id"], take["sample_rate"]) == (CLONER, f"library/{voice['id']}", 16_000)
    asked = {"model": CLONER, "voice": "anna", "input": "Hello.", "response_format": "wav"}
    assert len(client.post("/v1/audio/speech", json=asked).raise_for_status().content) > 1000
    archive = client.get(f"{VOICES}/{voice['id']}/export").raise_for_status().content
    files = {"file": ("anna.voice.zip", archive)}
    (copy,) = client.post(f"{VOICES}/import", files=files).raise_for_status().json()["data"]
    assert (copy["model_key"], copy["status"]) == (CLONER, "ready")
    assert prompts_of(installed, installed.voices.voice(copy["id"]))[0].name == (
        prompts_of(installed, installed.voices.voice(voice["id"]))[0].name
    )
    speakers = client.get("/api/tts/qwen3/speakers").json()["data"]
    assert {one["model_key"] for one in speakers if one["voice_id"].startswith("library/")} == {CLONER}


@pytest.mark.usefixtures("log_handlers_put_back")
def test_the_command_line_makes_it_with_the_best_model_that_clones(
    installed: Services, recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = ["--data-dir", str(installed.settings.paths.data_dir)]
    add = [*folder, "voices", "add", str(recording), "--name", "Anna", "--own-voice", "--json"]
    assert main(add) == 0
    voice = json.loads(capsys.readouterr().out)
    assert (voice["model_key"], voice["status"]) == (CLONER, "ready")
    out = tmp_path / "out.wav"
    assert main([*folder, "speak", "Hello.", "--voice", "anna", "--out", str(out)]) == 0
    assert soundfile.info(out).samplerate == stand_in.RATE


def test_without_yourtts_it_is_kept_and_says_what_is_missing(
    services: Services, settings: Settings, recording: Path, tmp_path: Path
) -> None:
    voice = services.voices.add_clone(recording, NewVoice("Anna", CLONER), MINE)
    assert ended(services, services.voices.prepare(voice.id)).code == YourTtsMissing.code
    assert LibraryActions(services, load_words("en")).view(voice.id).has_model is False
    stand_in.install(settings)
    assert ended(services, services.voices.prepare(voice.id)).state is JobState.DONE
    archive = services.voice_transfer.export(voice.id, tmp_path / "anna.voice.zip")
    elsewhere = build_services(Settings.from_env({"TTS_STUDIO_DATA_DIR": str(tmp_path / "elsewhere")}))
    copy = elsewhere.voice_transfer.import_archive(archive)
    assert copy.status is VoiceStatus.READY
    with pytest.raises(YourTtsMissing):
        elsewhere.finder.find(name="Anna")
    elsewhere.close()


def test_what_yourtts_can_not_speak_is_refused_before_it_is_kept(installed: Services, recording: Path) -> None:
    designed = NewVoice("Robot", CLONER, language="chinese", ref_text="你好", instruct="Calm.")
    with pytest.raises(UnknownLanguage):
        installed.voices.keep_design(recording, designed)
    with pytest.raises(UnknownLanguage):
        installed.voices.add_clone(recording, designed, MINE)
    with pytest.raises(CloneNotSupported):
        installed.voice_transfer.import_official(recording, NewVoice("Demo", CLONER), MINE)
    assert installed.voices.voices() == ()
    kept = installed.voices.keep_design(recording, replace(designed, language="English"))
    assert ended(installed, installed.voices.prepare(kept.id)).state is JobState.DONE


def test_a_vector_of_another_model_is_refused_and_its_own_is_taken_as_it_is(installed: Services) -> None:
    engine = installed.voice_models.model(CLONER).engine
    assert isinstance(engine, CloningEngine)
    own = PreparedVoice(np.ones(stand_in.VECTOR_SIZE, np.float32))
    assert outcome(engine.prepare(own, cancelled=never)) is own
    foreign = PreparedVoice(np.ones(8, np.float32), name="Anna")
    in_codes = PreparedVoice(own.vector, np.zeros((3, 16), np.int64), "hello", name="Anna")
    for other in (foreign, in_codes):
        with pytest.raises(VoicePromptInvalid, match="Anna"):
            outcome(engine.prepare(other, cancelled=never))


def outcome(preparing: Generator[Loading, None, PreparedVoice]) -> PreparedVoice:
    while True:
        try:
            next(preparing)
        except StopIteration as end:
            prepared: PreparedVoice = end.value
            return prepared
