"""The page's own request to speak, as it is served: messages with the sound while it is made, stops, limits."""

from __future__ import annotations

import base64
import dataclasses
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.api.conftest import client_of
from tests.conftest import wait_until
from tests.fakes import SAMPLE_RATE, EndlessEngine, FakeEngine
from tests.serving import Serve
from tts_core.access.quotas import Quota, Quotas
from tts_core.access.visitor import IN_STATE, Role, Visitor
from tts_core.domain.events import Loading
from tts_core.domain.values import Capabilities
from tts_core.platform.settings.studio import Settings
from tts_core.services import Services, build_services
from tts_core.speech.queue import SpeechQueue
from tts_core.speech.synthesis import Synthesis
from tts_core.ui.page_files import PageFiles
from tts_core.ui.speak.handler import SpeakEndpoint, SpeakHandler
from tts_core.ui.speak.stream import routes_of
from tts_core.ui.widgets.forms import CloneForm, SpeakForm
from tts_core.ui.words import load_words
from tts_core.voices.finder import VoiceFinder

ME, OTHER = "a" * 32, "b" * 32
GUEST = Visitor("gast", Role.GUEST, "gast", "log-in")


@dataclasses.dataclass
class Stage:
    services: Services
    engine: FakeEngine
    files: PageFiles
    client: httpx.Client

    def messages(self, text: str, name: str = "synthesize", session: str = ME, **fields: Any) -> Iterator[Any]:
        body = {"session": session, "form": {"text": text, **fields}}
        with self.client.stream("POST", f"/speak/{name}", json=body) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            for line in answer.iter_lines():
                if line:
                    yield json.loads(line.removeprefix("data: "))

    def stop(self, session: str = ME) -> bool:
        return bool(self.client.post("/speak/stop", json={"session": session}).json()["stopped"])

    def takes(self) -> list[Path]:
        folder = self.services.settings.paths.outputs_dir
        return sorted(folder.iterdir()) if folder.is_dir() else []


class Everybody:
    """Stands where authentication does: each request comes from one visitor."""

    def __init__(self, app: ASGIApp, visitor: Visitor) -> None:
        self._app = app
        self._visitor = visitor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})[IN_STATE] = self._visitor
        await self._app(scope, receive, send)


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def stage(engine: FakeEngine, tmp_path: Path, serve: Serve) -> Iterator[Stage]:
    services = build_services(Settings.from_env({"TTS_STUDIO_DATA_DIR": str(tmp_path)}))
    limits = services.settings.limits
    synthesis = Synthesis([engine], SpeechQueue(limits.max_waiting), services.outputs, limits)
    services = dataclasses.replace(services, synthesis=synthesis)
    finder = VoiceFinder(synthesis, services.voices, services.voice_models)
    handler = SpeakHandler(synthesis, finder, services.jobs, services.live, load_words("zh"))
    handler.endpoints["synthesize"] = SpeakEndpoint("synthesize", SpeakForm, lambda form: form)
    handler.endpoints["clone"] = SpeakEndpoint("clone", CloneForm, lambda form: SpeakForm(Path(form.file).name))
    files = PageFiles(tmp_path)
    app = Starlette(routes=routes_of(services, handler, files))
    with client_of(serve(Everybody(app, GUEST))) as client:
        yield Stage(services, engine, files, client)
    services.close()


def sound_of(messages: list[Any]) -> np.ndarray[Any, Any]:
    """The samples of the last attempt."""
    begins = [place for place, message in enumerate(messages) if "rate" in message]
    data = b"".join(base64.b64decode(message["sound"]) for message in messages[begins[-1] :] if "sound" in message)
    return np.frombuffer(data, "<i2")


def test_one_answer_holds_the_sound_sample_by_sample_and_the_take(stage: Stage) -> None:
    stage.engine.loading = (Loading("Big Model", 0, 0), Loading("Big Model", 50, 200))
    messages = list(stage.messages("hello", voice="fake/tone", seed=7, max_seconds=0))
    assert messages[0] == {"rate": SAMPLE_RATE}
    loads = [message for message in messages if "Big Model" in str(message.get("status"))]
    assert [message["percent"] for message in loads] == [None, 25]
    take = messages[-1]["take"]
    (path,) = stage.takes()
    samples, rate = soundfile.read(path, dtype="int16")
    assert (path, rate) == (stage.services.outputs.find(take["id"]), SAMPLE_RATE)
    assert np.array_equal(sound_of(messages), samples)
    assert (take["outcome"], take["is_whole"], take["details"]["seed"]) == ("完成", True, 7)
    assert take["seconds"] == pytest.approx(0.5)


def test_the_sound_comes_while_the_rest_is_made_and_stop_keeps_it(stage: Stage) -> None:
    stage.engine.go.clear()
    messages = stage.messages("a long text")
    assert next(messages) == {"rate": SAMPLE_RATE}
    assert not stage.stop(OTHER)
    assert stage.stop()
    stage.engine.go.set()
    *_, last = messages
    assert set(last) <= {"stopped", "take"}
    assert not stage.stop()


@pytest.mark.parametrize("engine", [EndlessEngine()])
def test_a_second_take_of_the_page_ends_the_first_and_keeps_it(stage: Stage) -> None:
    first, second = stage.messages("one"), stage.messages("two")
    next(message for message in first if "sound" in message)
    next(second)
    *_, last = first
    assert last["take"]["details"]["stop_reason"] == "cancelled"
    assert stage.stop()
    *_, last = second
    assert "take" in last or "stopped" in last


@pytest.mark.parametrize("engine", [EndlessEngine()])
def test_a_page_that_leaves_ends_the_take_and_nothing_of_it_stays(stage: Stage) -> None:
    messages = stage.messages("on and on")
    next(message for message in messages if "sound" in message)
    messages.close()  # type: ignore[attr-defined]
    wait_until(lambda: not any(thread.name == "speak-to-page" for thread in threading.enumerate()))
    assert stage.takes() == []
    assert not stage.stop()


@pytest.mark.parametrize(
    ("name", "fields", "said"),
    [
        ("synthesize", {"text": " … "}, "至少"),
        ("synthesize", {"text": 5}, "text"),
        ("synthesize", {"text": "a", "speed": "fast"}, "speed"),
        ("synthesize", {"text": "a", "speed": True}, "speed"),
        ("synthesize", {"text": "a", "max_seconds": -1}, "0"),
        ("synthesize", {"text": "a", "voice": "fake/nobody"}, "fake/nobody"),
        ("synthesize", {"text": "a", "what": 1}, ""),
        ("nothing", {"text": "a"}, ""),
        ("clone", {"text": "a", "file": "/etc/passwd"}, "上传"),
        ("clone", {"text": "a", "file": {"path": "/etc/passwd"}}, "上传"),
    ],
)
def test_what_cannot_be_spoken_is_told_in_the_pages_language(
    stage: Stage, name: str, fields: dict[str, Any], said: str
) -> None:
    (message,) = stage.messages(**{"text": "", **fields}, name=name)
    assert said in message["failure"]["text"]
    assert message["failure"]["title"]
    assert stage.engine.seen == []


def test_a_form_may_name_a_file_that_its_visitor_uploaded(stage: Stage, tmp_path: Path) -> None:
    mine = tmp_path / "me.wav"
    mine.write_bytes(b"RIFF")
    stage.files.give("log-in", [str(mine)])
    *_, last = stage.messages("hello", name="clone", file={"path": str(mine), "url": "x"})
    assert "take" in last
    assert stage.engine.seen[0].text == "me.wav"
    stage.files.give("somebody else", [str(tmp_path / "theirs.wav")])
    (message,) = stage.messages("hello", name="clone", file={"path": str(tmp_path / "theirs.wav")})
    assert "failure" in message


@pytest.mark.parametrize("body", [b"no JSON", b"[]", b'{"session": "x", "form": {"text": "a"}}', b'{"form": {}}'])
def test_a_body_of_another_shape_is_refused(stage: Stage, body: bytes) -> None:
    answer = stage.client.post("/speak/synthesize", content=body)
    assert "failure" in json.loads(answer.text.removeprefix("data: "))
    assert stage.client.post("/speak/stop", content=body).status_code == 422
    assert stage.engine.seen == []


def test_each_take_holds_a_place_and_its_bytes_are_counted(stage: Stage) -> None:
    limits = {role: Quota(10**6, works=2, at_once=1, kept_bytes=10**6) for role in Role}
    quotas = stage.services.login.quotas = Quotas(limits)
    stage.engine.go.clear()
    first = stage.messages("one")
    next(first)
    (message,) = stage.messages("two", session=OTHER)
    assert "1" in message["failure"]["text"]
    stage.engine.go.set()
    assert "take" in list(first)[-1]
    assert quotas._kept.of(GUEST) == stage.takes()[0].stat().st_size
    assert "take" in list(stage.messages("three"))[-1]
    (message,) = stage.messages("four")
    assert "failure" in message


class SpeedlessEngine(FakeEngine):
    """Knows no speeds, as the models do."""

    def capabilities(self, voice: str | None = None) -> Capabilities:
        return dataclasses.replace(super().capabilities(voice), supports_speed=False)


@pytest.mark.parametrize("engine", [SpeedlessEngine()])
def test_a_voice_without_speeds_is_stretched_at_its_pitch(stage: Stage) -> None:
    messages = list(stage.messages("ten letters", speed=2, max_seconds=0.4))
    assert stage.engine.seen[0].speed == 1.0
    assert stage.engine.seen[0].max_seconds == 0.8
    samples = sound_of(messages).astype(float)
    assert len(samples) / SAMPLE_RATE == pytest.approx(1.1 / 2, abs=0.05)
    middle = samples[len(samples) // 4 : -len(samples) // 4]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert np.argmax(spectrum) * SAMPLE_RATE / len(middle) == pytest.approx(200, abs=10)
    (path,) = stage.takes()
    assert np.array_equal(soundfile.read(path, dtype="int16")[0], samples)


def test_the_built_in_voice_is_ready_before_it_is_asked_for(tmp_path: Path, serve: Serve) -> None:
    services = build_services(Settings.from_env({"TTS_STUDIO_DATA_DIR": str(tmp_path)}))
    handler = SpeakHandler(services.synthesis, services.finder, services.jobs, services.live, load_words("en"))
    with client_of(serve(Starlette(routes=routes_of(services, handler, PageFiles(tmp_path))))) as client:
        assert client.post("/speak/prepare").status_code == 204
        wait_until(lambda: any(model.is_loaded for model in services.memory.statuses("hibari")))
    assert services.jobs.jobs() == ()
    services.close()
