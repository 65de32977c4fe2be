"""Too little memory is a failure with a code of its own on every surface, and the studio works on after it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import numpy as np
import pytest
import torch

from tests.api.conftest import API, client_of
from tests.api.test_mcp import call, refusal
from tests.api.test_speech import with_engine
from tests.fakes import FakeEngine, tone
from tests.serving import serving
from tts_core.api.server import create_api
from tts_core.audio import reading
from tts_core.domain.engine import CancelCheck
from tts_core.domain.events import AudioChunk, EngineEvent, Finished
from tts_core.domain.values import StopReason, SynthesisRequest
from tts_core.platform.settings.studio import Settings
from tts_core.services import Services, build_services


@dataclass
class PoorEngine(FakeEngine):
    """Runs out of memory as often as there are `kinds`, after some chunks; then it speaks."""

    kinds: list[str] = field(default_factory=list)
    chunks_before: int = 0

    def _speak(self, request: SynthesisRequest, cancelled: CancelCheck) -> Iterator[EngineEvent]:
        if self.kinds:
            for chunk in range(self.chunks_before):
                yield AudioChunk(tone(chunk))
            run_out(self.kinds.pop(0))
        yield AudioChunk(tone())
        yield Finished(StopReason.COMPLETE, request.seed)


def run_out(kind: str) -> None:
    if kind == "numpy":
        np.empty(2**59)
    raise torch.OutOfMemoryError("CUDA out of memory") if kind == "card" else MemoryError


@dataclass(frozen=True)
class Poor:
    url: str
    services: Services
    engine: PoorEngine

    @property
    def client(self) -> httpx.Client:
        return client_of(self.url)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Poor]:
    services = build_services(
        Settings.from_env({"TTS_STUDIO_DATA_DIR": str(tmp_path_factory.mktemp("poor")), "TTS_STUDIO_AUTH": "off"})
    )
    engine = PoorEngine()
    poor = with_engine(services, engine)
    with serving(create_api(poor)) as url:
        yield Poor(url, poor, engine)
    services.close()


@pytest.fixture
def poor(served: Poor) -> Poor:
    served.engine.kinds, served.engine.chunks_before = [], 0
    return served


@pytest.mark.parametrize("kind", ["python", "numpy", "card"])
def test_rest_says_what_to_do_and_speaks_again(poor: Poor, kind: str) -> None:
    poor.engine.kinds = [kind]
    with poor.client as client:
        answer = client.post(f"{API}/synthesize", json={"text": "Hello."})
        assert (answer.status_code, answer.json()["detail"]) == (503, "out_of_memory")
        assert int(answer.headers["retry-after"]) > 0
        assert "smaller model" in answer.json()["message"]
        assert poor.services.jobs.jobs()[0].code == "out_of_memory"
        assert client.post(f"{API}/synthesize", json={"text": "Hello."}).status_code == 200


def test_openais_clients_get_it_as_they_know_failures(poor: Poor) -> None:
    poor.engine.kinds = ["numpy"]
    with poor.client as client:
        answer = client.post("/v1/audio/speech", json={"input": "Hello."})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    assert (answer.json()["error"]["code"], answer.json()["error"]["type"]) == ("out_of_memory", "server_error")


def test_speech_that_has_begun_ends_with_it(poor: Poor) -> None:
    poor.engine.kinds, poor.engine.chunks_before = ["python"], 20
    with poor.client as client:
        answer = client.post("/v1/audio/speech", json={"input": "Hello.", "stream_format": "sse"})
    assert answer.status_code == 200
    events = [json.loads(line.removeprefix("data: ")) for line in answer.text.split("\n\n") if line]
    assert events[0]["type"] == "speech.audio.delta"
    assert events[-1]["error"]["code"] == "out_of_memory"


def test_assistants_are_told(poor: Poor) -> None:
    poor.engine.kinds = ["python"]
    assert refusal(call(poor.url, "speak", text="Hello.")).endswith("[out_of_memory]")


def test_a_recording_that_does_not_fit_is_refused(poor: Poor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_read_plain", lambda *_: run_out("numpy"))
    with poor.client as client:
        answer = client.post(f"{API}/voices/check", files={"file": ("a.wav", b"RIFF\0\0\0\0WAVEfmt ")})
        assert (answer.status_code, answer.json()["detail"]) == (503, "out_of_memory")


def test_a_route_that_nothing_else_guards_is_answered(poor: Poor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(poor.services.outputs), "find", lambda *_: run_out("python"))
    with poor.client as client:
        answer = client.get(f"{API}/audio/{'0' * 32}")
        assert (answer.status_code, answer.json()["detail"]) == (503, "out_of_memory")
        assert client.get("/health").status_code == 200
