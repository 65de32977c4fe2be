"""YourTTS as the app has it: found in Coqui's cache, behind its clients' surface, among the voices."""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
import soundfile

from tests.api.conftest import client_of
from tests.api.test_yourtts import refused, somebody, spoken
from tests.conftest import wait_until
from tests.serving import serving
from tts_core.api.server import create_api
from tts_core.domain.errors import UnknownLanguage
from tts_core.domain.values import Recording, SynthesisRequest
from tts_core.engines.yourtts.engine import CLONER
from tts_core.engines.yourtts.environment import Environment
from tts_core.engines.yourtts.finder import PUBLISHED_NAME
from tts_core.platform.settings.studio import Settings
from tts_core.services import Services, build_services
from tts_core.speech.synthesis import collect
from tts_core.voices.library import Consent, NewVoice
from tts_core.voices.prompt_files import load_prompt

pytestmark = [pytest.mark.yourtts, pytest.mark.slow]


@dataclass(frozen=True)
class App:
    services: Services
    variables: dict[str, str]
    model: Path


@pytest.fixture(scope="module")
def app(installed: Environment, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The model lies where another environment's Coqui TTS put it."""
    root = tmp_path_factory.mktemp("app")
    cached = Path(shutil.copytree(model, root / "home" / "tts" / PUBLISHED_NAME))
    (root / "data" / "yourtts").mkdir(parents=True)
    (root / "data" / "yourtts" / "environment").symlink_to(installed.folder.absolute(), target_is_directory=True)
    variables = {
        "TTS_STUDIO_DATA_DIR": str(root / "data"),
        "TTS_HOME": str(root / "home"),
        "TTS_STUDIO_DEVICE": "cpu",
    }
    services = build_services(Settings.from_env(variables))
    # Loaded here, where nobody's patience ends.
    collect(services.synthesis.speak(SynthesisRequest("Ready.", voice="yourtts/male-en-2", language="en")))
    yield App(services, variables, cached)
    services.close()


@pytest.fixture(scope="module")
def client(app: App) -> Iterator[httpx.Client]:
    with serving(create_api(app.services)) as url, client_of(url) as client:
        yield client


def test_the_log_says_which_copy_is_used_and_why_no_other(app: App, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    again = build_services(Settings.from_env(app.variables))
    assert again.yourtts.model() is not None
    again.close()
    line = next(record.message for record in caplog.records if "YourTTS's model is" in record.message)
    assert str(app.model) in line
    assert "TTS_HOME" in line
    assert "no such folder" in line


def test_the_surface_is_served_by_yourtts_and_the_cache_stays_as_it_was(app: App, client: httpx.Client) -> None:
    before = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in app.model.iterdir()}
    answer = spoken(client, text="Hello there. This is me.", reference_audio=somebody(), reference_sample_rate=16_000)
    assert (answer["engine"], answer["sample_rate"], answer["used_reference"]) == ("yourtts", 16_000, True)
    health = client.get("/health").json()
    assert (health["engine"], health["model_loaded"], health["device"]) == ("yourtts", True, "cpu")
    assert {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in app.model.iterdir()} == before


def test_registered_speakers_are_voices_and_outlive_a_restart(app: App, client: httpx.Client) -> None:
    body = {"speaker_id": "Caller 7", "reference_audio": somebody(), "reference_sample_rate": 16_000}
    assert client.post("/register_speaker", json=body).status_code == 200
    assert spoken(client, speaker_id="Caller 7")["used_reference"] is True
    again = build_services(Settings.from_env(app.variables))
    voice = again.finder.find(name="Caller 7")
    take = collect(again.synthesis.speak(SynthesisRequest("Hello again.", voice=voice, language="en")))
    assert take.voice.engine == "yourtts"
    assert take.duration_s > 0
    again.close()


def test_speech_rate_and_vectors_reach_the_model(client: httpx.Client) -> None:
    text = "This is a sentence of some length, so that its speed can be told."
    plain, fast = (spoken(client, text=text, speaker="male-en-2", speech_rate=rate) for rate in (1.0, 3.0))
    duration = {id(one): len(one["audio"]) / one["sample_rate"] for one in (plain, fast)}
    assert duration[id(fast)] < 0.6 * duration[id(plain)]
    vector = (np.ones(512) / np.sqrt(512)).tolist()
    assert spoken(client, voice_embedding=vector)["used_reference"] is True
    assert refused(client, "/synthesize", text="Hi.", voice_embedding=[1.0] * 256) == (422, "speaker_vector_misfit")
    assert refused(client, "/synthesize", text="Hola.", language="es") == (400, "language_not_supported")


def test_it_is_an_engine_of_the_studio(app: App, tmp_path: Path) -> None:
    synthesis = app.services.synthesis
    names = {voice.id for voice in synthesis.voices()}
    assert {"yourtts/male-en-2", "yourtts/female-en-5", "yourtts_clone/clone"} <= names
    take = collect(synthesis.speak(SynthesisRequest("Bonjour et merci.", voice="yourtts/male-en-2", language="French")))
    assert (take.language, take.sample_rate) == ("fr-fr", 16_000)
    file = tmp_path / "me.wav"
    soundfile.write(file, np.array(somebody(), np.float32), 16_000)
    wanted = SynthesisRequest("Hello.", voice="yourtts_clone/clone", language="en", source=Recording(file))
    assert collect(synthesis.speak(wanted)).duration_s > 0
    with pytest.raises(UnknownLanguage):
        list(synthesis.speak(SynthesisRequest("你好，很高兴认识你。", voice="yourtts/male-en-2")))


def test_a_saved_voice_is_prepared_by_the_speaker_encoder_and_speaks(app: App, tmp_path: Path) -> None:
    services, file = app.services, tmp_path / "me.wav"
    soundfile.write(file, np.array(somebody(), np.float32), 16_000)
    voice = services.voices.add_clone(file, NewVoice("Saved", CLONER, language="en"), Consent(own_voice=True))
    job = services.voices.prepare(voice.id)
    wait_until(lambda: services.jobs.job(job.key).state.is_over)
    assert services.jobs.job(job.key).message == ""
    (prompt,) = (services.settings.paths.voices_dir / voice.id / "prompts").glob("*.safetensors")
    assert load_prompt(prompt).vector.shape == (512,)
    take = collect(services.synthesis.speak(SynthesisRequest("Hello.", voice=services.finder.find(name="Saved"))))
    assert (take.sample_rate, take.duration_s > 0) == (16_000, True)


def test_an_idle_process_goes(app: App) -> None:
    brief = build_services(Settings.from_env({**app.variables, "TTS_STUDIO_KEEP_ALIVE": "0"}))
    before = {child.pid for child in psutil.Process().children()}
    collect(brief.synthesis.speak(SynthesisRequest("Hello.", voice="yourtts/male-en-2", language="en")))
    wait_until(lambda: not {child.pid for child in psutil.Process().children()} - before)
    assert brief.yourtts.loaded() is None
    brief.close()
