"""The surface of YourTTS's clients, in the app and alone, where YourTTS is not installed: Qwen3-TTS serves it.

What YourTTS itself does is tested by tests/engines/yourtts, in its own environment.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile

from tests.api.conftest import client_of
from tests.engines.qwen.formula_checkpoint import write_checkpoint
from tests.fakes import FakeEngine, tone
from tests.serving import serving
from tts_core.api.protection.private_network import is_on_private_network
from tts_core.api.server import create_api
from tts_core.api.services.numbers import Numbers
from tts_core.api.services.sounds import clip_of
from tts_core.audio.reading import Clip, read_recording
from tts_core.cli.serve.yourtts import build
from tts_core.domain.engine import CancelCheck, never
from tts_core.domain.errors import VoicePromptInvalid
from tts_core.domain.events import EngineEvent
from tts_core.domain.values import Capabilities, Language, PreparedVoice, Recording, SynthesisRequest
from tts_core.engines.qwen.talker.config import read_model_config
from tts_core.engines.yourtts.speaker_service import SpeakerRequest, SpeakerService
from tts_core.platform.settings.studio import Settings
from tts_core.services import Services, build_services
from tts_core.speech.queue import SpeechQueue
from tts_core.speech.synthesis import Synthesis, collect

RATE = 16_000
KINDS = {"base_0_6b": "base", "custom": "custom_voice"}


@dataclass
class Model(FakeEngine):
    """Stands for a Qwen3-TTS model: random weights would speak for half a minute."""

    can_clone: bool = False

    def capabilities(self, voice: str | None = None) -> Capabilities:
        spoken = ("auto", "english", "french", "portuguese", "chinese", "japanese")
        languages = tuple(Language(name, name.title()) for name in spoken)
        return Capabilities(languages, speakers=self.speakers, can_clone=self.can_clone)

    def stream(self, request: SynthesisRequest, *, cancelled: CancelCheck) -> Iterator[EngineEvent]:
        self.seen.append(request)
        if isinstance(request.source, Recording):
            self.heard.append(read_recording(request.source.path))
        return self._speak(request, cancelled)

    heard: list[Clip] = field(default_factory=list)
    """Recordings that were to be imitated."""


@dataclass(frozen=True)
class Stage:
    services: Services
    variables: dict[str, str]
    base: Model
    custom: Model


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A Base model and a CustomVoice model that are ready; no YourTTS, wherever the tests run."""
    root = tmp_path_factory.mktemp("yourtts")
    entries: dict[str, Any] = {}
    for key, kind in KINDS.items():
        folder = write_checkpoint(root / "models" / key, kind=kind)
        files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        sizes = {name: {"size": path.stat().st_size} for name, path in files.items()}
        entries[key] = {"kind": kind, "local": key, "files": sizes}
    (root / "catalogue.json").write_text(json.dumps(entries))
    return {
        "TTS_STUDIO_DATA_DIR": str(root / "data"),
        "QWEN_TTS_MODELS_DIR": str(root / "models"),
        "TTS_STUDIO_CATALOG": str(root / "catalogue.json"),
        "TTS_STUDIO_DEVICE": "cpu",
    }


def staged(variables: dict[str, str]) -> Stage:
    built = build_services(Settings.from_env(variables))
    base, custom = Model("base_0_6b", speakers=("Clone",), can_clone=True), Model("custom")
    custom.speakers = built.models.capabilities("custom").speakers
    limits, paths = built.settings.limits, built.settings.paths
    synthesis = Synthesis((custom, base), SpeechQueue(limits.max_waiting), built.outputs, limits)
    service = SpeakerService(built.yourtts, synthesis, built.models, paths.transcription_dir)
    return Stage(replace(built, synthesis=synthesis, speaker_service=service), variables, base, custom)


@pytest.fixture(scope="module")
def stage(variables: dict[str, str]) -> Iterator[Stage]:
    made = staged(variables)
    yield made
    made.services.close()


@pytest.fixture(scope="module", params=["in the app", "alone"])
def client(request: pytest.FixtureRequest, stage: Stage) -> Iterator[httpx.Client]:
    services = stage.services
    app = create_api(services) if request.param == "in the app" else build(services)
    with serving(app) as url, client_of(url) as client:
        yield client


def somebody(seconds: float = 1.5, *, rate: int = RATE, pitch_hz: float = 140.0) -> list[float]:
    """A buzz with the loudness of speech."""
    at = np.arange(round(seconds * rate)) / rate
    sound: list[float] = (0.2 * np.sign(np.sin(2 * np.pi * pitch_hz * at)) * np.sin(2 * np.pi * 3 * at)).tolist()
    return sound


def spoken(client: httpx.Client, **body: Any) -> dict[str, Any]:
    answer = client.post("/synthesize", json={"text": "Hi.", "language": "en", **body})
    assert answer.status_code == 200, answer.text[:500]
    found: dict[str, Any] = answer.json()
    return found


def refused(client: httpx.Client, path: str, **body: Any) -> tuple[int, str]:
    answer = client.post(path, json=body)
    assert answer.json()["success"] is False
    assert answer.json()["error"] == answer.json()["message"], "the field that these clients read"
    return answer.status_code, answer.json()["detail"]


def test_a_voice_that_is_sent_along_is_imitated(client: httpx.Client, stage: Stage) -> None:
    answer = spoken(client, reference_audio=somebody(rate=22_050), reference_sample_rate=22_050)
    assert (answer["used_reference"], answer["speaker_applied"], answer["engine"]) == (True, True, "qwen3")
    assert answer["finish_reason"] == "stop"
    assert (answer["text"], answer["sample_rate"]) == ("Hi.", 24_000)
    assert answer["audio"] == np.concatenate([tone(at) for at in range(3)]).tolist()
    heard = stage.base.heard[-1]
    assert heard.sample_rate == 22_050
    assert np.allclose(heard.samples, somebody(rate=22_050), atol=1e-4)
    assert stage.base.seen[-1].language == "english"


def test_who_serves_is_told(client: httpx.Client) -> None:
    health = client.get("/health").json()
    assert (health["status"], health["engine"], health["device"], health["model_loaded"]) == (
        "ok",
        "qwen3",
        "cpu",
        False,
    )


def test_a_registered_speaker_is_used_and_outlives_the_server(client: httpx.Client, stage: Stage) -> None:
    before = client.get("/health").json()["cached_speakers"]
    name = f"Ana/{client.base_url}"
    body = {"speaker_id": name, "reference_audio": somebody(), "reference_sample_rate": RATE}
    answer = client.post("/register_speaker", json=body)
    assert answer.status_code == 200, answer.text
    facts = answer.json()
    assert (facts["status"], facts["speaker_id"], facts["cache_size"]) == ("ok", name, before + 1)
    assert facts["message"]
    assert client.post("/register_speaker", json=body).json()["cache_size"] == before + 1, (
        "the same id, the same speaker"
    )
    assert spoken(client, speaker_id=name)["used_reference"] is True

    again = staged(stage.variables)
    with serving(create_api(again.services)) as url, client_of(url) as later:
        assert later.get("/health").json()["cached_speakers"] == before + 1
        assert spoken(later, speaker_id=name)["used_reference"] is True
    again.services.close()
    assert np.allclose(again.base.heard[-1].samples, somebody(), atol=1e-3)


def test_a_speaker_nobody_registered_is_passed_over_and_said_so(client: httpx.Client) -> None:
    answer = spoken(client, speaker_id="never registered")
    assert (answer["used_reference"], answer["speaker_applied"]) == (False, False)
    assert spoken(client, speaker_id="never registered", reference_audio=somebody())["speaker_applied"] is True


def test_a_vector_of_the_model_is_a_voice(client: httpx.Client, stage: Stage) -> None:
    size = read_model_config(stage.services.models.folder("base_0_6b")).talker.transformer.hidden_size
    assert spoken(client, voice_embedding=[0.5] * size)["used_reference"] is True
    source = stage.base.seen[-1].source
    assert isinstance(source, PreparedVoice)
    assert source.vector.tolist() == [0.5] * size
    assert refused(client, "/synthesize", text="Hi.", voice_embedding=[0.5] * 7) == (422, "speaker_vector_misfit")


def test_a_preset_speaker_speaks(client: httpx.Client, stage: Stage) -> None:
    preset = spoken(client, speaker="vivian")
    assert (preset["used_reference"], preset["speaker_applied"]) == (False, True)
    assert stage.custom.seen[-1].voice == "custom/vivian"
    for voice in ("zh_CN-huayan-medium", "nobody at all"):  # the former is Piper's, which the Rust client sends
        other = spoken(client, speaker=voice)
        assert (other["used_reference"], other["speaker_applied"]) == (False, False)
        assert stage.custom.seen[-1].voice == f"custom/{stage.custom.speakers[0].lower().replace(' ', '_')}"


def test_speech_rate_works_with_models_that_know_none(client: httpx.Client) -> None:
    text = "A sentence of some length."
    plain, fast, slow = (spoken(client, text=text, speaker="ryan", speech_rate=rate) for rate in (1.0, 2.0, 0.5))
    assert len(fast["audio"]) == pytest.approx(len(plain["audio"]) / 2, rel=0.1)
    assert len(slow["audio"]) == pytest.approx(len(plain["audio"]) * 2, rel=0.1)
    for rate in (0.1, 2000.0):
        assert refused(client, "/synthesize", text="Hi.", speech_rate=rate) == (422, "invalid_value")


@pytest.mark.parametrize(
    ("rate", "language", "tempo"),
    [
        (12.0, "en", 1.0),
        (24.0, "en", 2.0),
        (4.2, "en", 0.4),
        (90.0, "en", 2.5),
        (5.0, "zh", 1.0),
        (7.5, "zh", 1.5),
        (4.0, "zh", 4.0),
    ],
)
def test_a_speech_rate_above_four_is_characters_a_second(
    stage: Stage, rate: float, language: str, tempo: float
) -> None:
    """As the Rust client measures it in what somebody said; in process, since only its arithmetic is new."""
    plain, asked = (
        stage.services.speaker_service.speak(
            SpeakerRequest("A sentence of some length.", speaker="ryan", language=language, speech_rate=given), never
        )
        for given in (1.0, rate)
    )
    assert len(asked.samples) == pytest.approx(len(plain.samples) / tempo, rel=0.1)


@pytest.mark.parametrize(
    ("wanted", "spoken_as"),
    [
        *(("fr-fr", "french"), ("pt-br", "portuguese"), ("en-US", "english")),
        *(("zh", "chinese"), ("zh-CN", "chinese"), ("Japanese", "japanese")),
    ],
)
def test_its_languages_reach_the_model(client: httpx.Client, stage: Stage, wanted: str, spoken_as: str) -> None:
    spoken(client, language=wanted, speaker="ryan")
    assert stage.custom.seen[-1].language == spoken_as


@pytest.mark.parametrize("language", ["xx", "sw"])
def test_another_language_is_refused_with_what_to_use_instead(client: httpx.Client, language: str) -> None:
    answer = client.post("/synthesize", json={"text": "Hi.", "language": language, "reference_audio": somebody()})
    assert answer.status_code == 400
    assert answer.json()["detail"] == "language_not_supported"
    assert "chinese, english" in answer.json()["message"]
    assert "/api/tts/qwen3/synthesize" in answer.json()["message"]


def test_without_a_language_the_text_tells_it(client: httpx.Client, stage: Stage) -> None:
    for text, language in (("你好，很高兴认识你。", "chinese"), ("Hi.", "english")):
        assert client.post("/synthesize", json={"text": text}).status_code == 200
        assert stage.custom.seen[-1].language == language


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/synthesize", {}, 422),
        ("/synthesize", {"text": ""}, 422),
        ("/synthesize", {"text": "Hi.", "reference_audio": [0.1] * 200, "reference_sample_rate": 10}, 422),
        ("/synthesize", {"text": "Hi.", "reference_audio": [900.0] * 200}, 422),
        ("/synthesize", {"text": "Hi.", "reference_audio": "abc"}, 422),
        ("/synthesize", {"text": "Hi.", "reference_audio": [0.0] * (61 * 4000), "reference_sample_rate": 4000}, 422),
        ("/register_speaker", {"speaker_id": "", "reference_audio": [0.1]}, 422),
        ("/register_speaker", {"speaker_id": "a", "reference_audio": []}, 422),
        ("/register_speaker", {"reference_audio": [0.1]}, 422),
        ("/synthesize", {"text": "Hi.", "language": "xx"}, 400),
    ],
)
def test_what_can_not_be_used_is_refused(client: httpx.Client, path: str, body: dict[str, Any], status: int) -> None:
    assert refused(client, path, **body)[0] == status


def test_a_minute_of_sound_fits_and_much_more_does_not(client: httpx.Client) -> None:
    minute = client.post("/register_speaker", json={"speaker_id": "long", "reference_audio": somebody(60.0)})
    assert minute.status_code == 200
    assert client.post("/synthesize", content=b"[" + b"1" * 33_000_000).status_code == 413


def test_no_recording_is_left_on_the_disk(client: httpx.Client, stage: Stage) -> None:
    services = stage.services
    spoken(client, reference_audio=somebody())
    assert list(services.settings.paths.transcription_dir.glob("*.wav*")) == []
    assert list(services.settings.paths.outputs_dir.rglob("*.wav")) == []


def test_without_any_model_it_says_what_to_install(tmp_path: Path) -> None:
    bare = build_services(Settings.from_env({"TTS_STUDIO_DATA_DIR": str(tmp_path)}))
    with serving(build(bare)) as url, client_of(url) as client:
        assert client.get("/health").json()["engine"] is None
        answer = client.post("/synthesize", json={"text": "Hi.", "reference_audio": somebody()})
        assert (answer.status_code, answer.json()["detail"]) == (503, "speaker_service_unavailable")
        assert "install-yourtts" in answer.json()["message"]
    bare.close()


def test_methods_that_are_none_are_told_so(client: httpx.Client) -> None:
    assert client.get("/synthesize").status_code == 405
    assert client.delete("/register_speaker").status_code == 405


def test_beyond_this_machine_it_answers_neighbours_unless_there_are_accounts(tmp_path: Path) -> None:
    variables = {"TTS_STUDIO_DATA_DIR": str(tmp_path), "TTS_STUDIO_HOST": "0.0.0.0"}
    for extra, status in (({}, 200), ({"TTS_STUDIO_ADMIN_PASSWORD": "correct horse battery"}, 401)):
        built = build_services(Settings.from_env({**variables, **extra}))
        with serving(build(built)) as url, client_of(url) as client:
            assert client.get("/health").status_code == 200
            body = {"speaker_id": "a", "reference_audio": somebody()}
            assert client.post("/register_speaker", json=body).status_code == status
            for said in ({"X-Forwarded-For": "192.168.1.9"}, {"Via": "1.1 x", "X-Forwarded-For": "127.0.0.1"}):
                assert client.post("/register_speaker", json=body, headers=said).status_code in (401, 403), said
        built.close()


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("172.28.16.1", True),
        ("192.168.1.9", True),
        ("::ffff:10.0.0.3", True),
        ("fe80::1%eth0", True),
        ("8.8.8.8", False),
        ("::ffff:8.8.8.8", False),
        ("2001:4860:4860::8888", False),
        ("0.0.0.0", False),
        ("", False),
    ],
)
def test_who_is_a_neighbour(address: str, expected: bool) -> None:
    assert is_on_private_network(address) is expected


def test_words_are_never_logged(client: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    word = f"Zebra{time.time_ns()}"
    spoken(client, text=word, speaker="ryan")
    assert word not in caplog.text


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_a_real_model_imitates_by_a_vector_and_by_a_recording(variables: dict[str, str], tmp_path: Path) -> None:
    services = build_services(Settings.from_env(variables))
    clip = clip_of(Numbers.of(somebody(3.0)), RATE)
    vector = services.embedder.extract(clip).embedding
    assert vector is not None
    file = tmp_path / "me.wav"
    soundfile.write(file, clip.samples, RATE, subtype="FLOAT")
    plain = SynthesisRequest("Hi.", voice="base_0_6b/clone", language="english", max_seconds=0.5, seed=1)
    by_vector = collect(services.synthesis.speak(replace(plain, source=PreparedVoice(vector))))
    by_recording = collect(services.synthesis.speak(replace(plain, source=Recording(file))))
    assert by_vector.path.read_bytes() == by_recording.path.read_bytes()
    with pytest.raises(VoicePromptInvalid):
        collect(services.synthesis.speak(replace(plain, source=PreparedVoice(np.ones(2, np.float32)))))
    services.close()
