"""The parts put together, with real engines and a real folder."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import numpy as np
import pytest
import soundfile

from tests.api.conftest import API, client_of
from tests.conftest import wait_until
from tests.engines.piper.tiny_voice import write_voice
from tests.hubs.content import write_bytes
from tests.serving import serving
from tts_core.api.server import create_api
from tts_core.audio.reading import Clip
from tts_core.domain.engine import pool_of
from tts_core.domain.events import Samples
from tts_core.domain.values import SynthesisRequest
from tts_core.engines.piper.engine import PiperEngine
from tts_core.engines.qwen.speaker_embedding import ENCODER_BYTES
from tts_core.models.faults import ModelInMemory
from tts_core.platform.settings.studio import Settings
from tts_core.services import Services, build_services
from tts_core.speech.synthesis import collect
from tts_core.ui.widgets.fragments import loaded_models
from tts_core.ui.words import LANGUAGES, load_words
from tts_core.voices.engine import LibraryEngine
from tts_core.voices.folders import VoiceFolders
from tts_core.voices.prompts import VoicePrompts
from tts_core.voices.record import SavedVoice
from tts_core.voices.recordings import VoiceRecordings
from tts_core.voices.store import VoiceStore

SILENCE = Clip(np.zeros(16_000, np.float32), 16_000)


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    built = build_services(Settings.from_env({"TTS_STUDIO_DATA_DIR": str(tmp_path / "data")}))
    yield built
    built.close()


def test_building_the_services_writes_nothing(services: Services) -> None:
    assert services.synthesis.voices()
    assert not services.settings.paths.data_dir.exists()


def test_the_built_in_voice_speaks_when_no_model_is_there(services: Services) -> None:
    take = collect(services.synthesis.speak(SynthesisRequest("Hello. 你好。")))
    assert take.voice.engine == "builtin"
    assert take.path.parent == services.settings.paths.outputs_dir
    assert soundfile.info(take.path).duration == pytest.approx(take.duration_s)
    assert services.outputs.find(take.id) == take.path


def test_saved_voices_wait_in_the_queue_of_their_model_and_no_kind_of_engine_in_that_of_another(
    services: Services,
) -> None:
    paths, models = services.settings.paths, services.voice_models
    store, folders = VoiceStore(paths.voices_file), VoiceFolders(paths.voices_dir, paths.data_dir)
    library = LibraryEngine(store, VoicePrompts(folders, VoiceRecordings(folders), models), models)
    for key in ("base_0_6b", "base_1_7b"):
        store.put(SavedVoice(key, key, model_key=key))
    waiting_in = [pool_of(library, f"library/{key}") for key in ("base_0_6b", "base_1_7b", "gone")]
    assert waiting_in == ["qwen", "qwen", "library"]
    piper = PiperEngine(lambda: (), services.memory)
    assert (pool_of(piper, "piper/a"), pool_of(services.builtin, "builtin/aria")) == ("piper", "builtin")


def test_starting_clears_out_old_takes(services: Services) -> None:
    take = collect(services.synthesis.speak(SynthesisRequest("Hello.")))
    long_ago = time.time() - 365 * 86_400
    os.utime(take.path, (long_ago, long_ago))
    services.start()
    wait_until(lambda: not take.path.exists())


class Model:
    """Stands for a loaded model of any kind."""

    memory_bytes = 1_000
    device = "cpu"

    def __init__(self, *_files: object, **_options: object) -> None:
        pass

    def load(self) -> None:
        """There is nothing to load."""

    def speak(self, *_request: object) -> Iterator[Samples]:
        return iter(())

    def embed(self, _samples: Samples, _rate: int) -> Samples:
        return np.ones(4, np.float32)

    def close(self) -> None:
        """There is nothing to free."""


KEYS = {
    "qwen": "custom_0_6b",
    "whisper": "whisper_small",
    "speaker_encoder": "base_0_6b",
    "piper": "en_US-tiny-medium",
    "yourtts": "yourtts",
}


@pytest.fixture
def five_kinds(services: Services, monkeypatch: pytest.MonkeyPatch) -> Services:
    """A model of each kind has been used, in the order of KEYS; Piper's is a real one."""
    for loader in ("load_model", "load_transcriber", "load_speaker"):
        monkeypatch.setattr(f"tts_core.services.{loader}", Model)
    monkeypatch.setattr("tts_core.engines.yourtts.engine.YourTtsProcess", Model)
    write_voice(services.settings.paths.default_piper_dir)
    for name in ("config.json", "model.pth", "speakers.json", "language_ids.json", "model_se.pth", "config_se.json"):
        write_bytes(services.settings.paths.models_dir / "YourTTS" / name, b"{}")
    services.qwen_models.load(KEYS["qwen"])
    services.whisper_models.load(KEYS["whisper"])
    services.embedder.cosine(SILENCE, SILENCE, KEYS["speaker_encoder"])
    collect(services.synthesis.speak(SynthesisRequest("Hello.", voice="piper/en_us-tiny-medium")))
    is_over = Event()
    is_over.set()
    services.yourtts.warm_up(is_over)
    return services


def test_five_kinds_of_models_are_in_one_memory_and_shown_and_unloaded_there(five_kinds: Services) -> None:
    memory = five_kinds.memory
    assert [(model.kind, model.key) for model in memory.statuses()] == list(reversed(KEYS.items()))
    english, chinese = (loaded_models(load_words(language), memory.statuses()) for language in LANGUAGES)
    for kind, key in KEYS.items():
        assert f'data-action="unload" data-key="{kind}/{key}"' in english
    for name in ("CustomVoice", "Whisper", "Base: speaker encoder only", "Piper voice en_US-tiny-medium", "YourTTS"):
        assert name in english
    assert "Base：仅说话人编码器" in chinese
    assert {model.key for model in memory.statuses("qwen", "whisper")} == {KEYS["qwen"], KEYS["whisper"]}
    for kind, key in KEYS.items():
        memory.unload(kind, key)
    assert memory.statuses() == ()


def test_a_model_makes_room_for_one_of_another_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {"TTS_STUDIO_DATA_DIR": str(tmp_path / "data"), "TTS_STUDIO_MODEL_MEMORY": str(ENCODER_BYTES + 999)}
    services = build_services(Settings.from_env(variables))
    monkeypatch.setattr("tts_core.services.load_model", Model)
    monkeypatch.setattr("tts_core.services.load_speaker", Model)
    services.qwen_models.load("custom_0_6b")
    services.embedder.cosine(SILENCE, SILENCE, "base_0_6b")
    assert [model.kind for model in services.memory.statuses()] == ["speaker_encoder"]
    services.close()


def test_deleting_and_unloading_a_model_mind_its_speaker_encoder(five_kinds: Services) -> None:
    write_bytes(five_kinds.models.folder("base_0_6b") / "config.json", b"{}")
    with pytest.raises(ModelInMemory):
        five_kinds.store.delete("base_0_6b")
    with serving(create_api(five_kinds)) as url, client_of(url) as client:
        state = client.get(f"{API}/acceleration-status").json()["data"]
        assert [model["key"] for model in state["models"]] == [KEYS["whisper"], KEYS["qwen"]]
        assert state["runtime"]["model_key"] == KEYS["whisper"]
        assert client.post(f"{API}/models/base_0_6b/unload").status_code == 200
    five_kinds.store.delete("base_0_6b")
