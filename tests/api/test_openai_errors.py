"""Failures below /v1: OpenAI's error object whoever refuses, what the client makes of it, and nothing elsewhere."""

from __future__ import annotations

import dataclasses
from typing import Any

import httpx
import openai
import pytest

from tests.api.conftest import RunningApi, client_of
from tests.api.openai_stage import openai_client, with_engines
from tests.api.raw_http import RawServer
from tests.conftest import wait_until
from tests.fakes import FakeEngine
from tests.serving import Serve
from tts_core.access.accounts import AccountsFile
from tts_core.access.login import LoginRule, LoginService
from tts_core.access.visitor import Role
from tts_core.api.server import create_api
from tts_core.platform.settings.studio import Limits
from tts_core.services import Services
from tts_core.speech.queue import SpeechQueue
from tts_core.speech.synthesis import Synthesis

FIELDS = {"message", "type", "param", "code"}


def error_of(answer: httpx.Response) -> dict[str, Any]:
    body = answer.json()
    assert body.keys() == {"error"}
    assert body["error"].keys() == FIELDS
    assert body["error"]["message"]
    error: dict[str, Any] = body["error"]
    return error


@pytest.mark.parametrize(
    ("body", "status", "param", "code"),
    [
        ({"input": ""}, 400, "input", "empty_text"),
        ({"input": "a" * 20_001}, 400, "input", "text_too_long"),
        ({}, 400, "input", "invalid_request"),
        ({"input": 5}, 400, "input", "invalid_request"),
        ({"input": "a", "voice": "nobody"}, 404, "voice", "voice_not_found"),
        ({"input": "a", "voice": 5}, 400, "voice", "invalid_request"),
        ({"input": "a", "voice": {"id": "nobody"}}, 404, "voice", "voice_not_found"),
        ({"input": "a", "model": "gpt-9"}, 404, "model", "unknown_model_key"),
        ({"input": "a", "model": "custom_0_6b"}, 409, "model", "model_not_ready"),
        ({"input": "a", "model": "whisper_tiny"}, 400, "model", "invalid_request"),
        ({"input": "a", "response_format": "midi"}, 400, "response_format", "unsupported_format"),
        ({"input": "a", "speed": 4.1}, 400, "speed", "invalid_value"),
        ({"input": "a", "speed": "fast"}, 400, "speed", "invalid_request"),
        ({"input": "a", "stream_format": "morse"}, 400, "stream_format", "invalid_request"),
        ({"input": "a", "language": "Klingonese"}, 400, "language", "unknown_language"),
        ({"input": "a", "seed": -2}, 400, "seed", "invalid_value"),
        ("no object", 400, None, "invalid_request"),
    ],
)
def test_what_is_asked_wrongly_is_named(client: httpx.Client, body: Any, status: int, param: str, code: str) -> None:
    answer = client.post("/v1/audio/speech", json=body)
    error = error_of(answer)
    assert (answer.status_code, error["param"], error["code"]) == (status, param, code)
    assert error["type"] == "invalid_request_error"
    assert answer.headers["x-should-retry"] == "false"


def test_not_a_number_is_no_speed(client: httpx.Client) -> None:
    answer = client.post(
        "/v1/audio/speech", content='{"input": "a", "speed": NaN}', headers={"Content-Type": "application/json"}
    )
    assert (answer.status_code, error_of(answer)["param"]) == (400, "speed")


def test_the_client_makes_its_own_exceptions_of_them(api: RunningApi) -> None:
    client = openai_client(api.url)
    with pytest.raises(openai.BadRequestError, match="There is no text to speak") as empty:
        client.audio.speech.create(model="tts-1", voice="alloy", input=" ")
    assert (empty.value.code, empty.value.param, empty.value.type) == ("empty_text", "input", "invalid_request_error")
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-9")
    with pytest.raises(openai.NotFoundError, match="nothing at this address"):
        client.chat.completions.create(model="tts-1", messages=[])
    with pytest.raises(openai.ConflictError, match="Download Whisper"):
        client.audio.transcriptions.create(model="whisper-1", file=("a.wav", b"RIFF"))


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1", 404, "not_found"),
        ("GET", "/v1/", 404, "not_found"),
        ("POST", "/v1/chat/completions", 404, "not_found"),
        ("GET", "/v1/audio/speech", 405, "method_not_allowed"),
        ("DELETE", "/v1/models", 405, "method_not_allowed"),
    ],
)
def test_an_unknown_address_is_answered_in_the_same_words(
    client: httpx.Client, method: str, path: str, status: int, code: str
) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, error_of(answer)["code"]) == (status, code)


@pytest.mark.parametrize("path", ["/v1x", "/api/v1/models", "/api/tts/qwen3/nothing"])
def test_other_addresses_keep_their_own_envelope(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.json() == {"success": False, "detail": "not_found", "message": "There is nothing at this address."}


def test_what_the_guard_refuses_is_said_in_the_same_words(client: httpx.Client) -> None:
    for headers, status, code, kind in (
        ({"Host": "evil.example"}, 400, "host_not_allowed", "invalid_request_error"),
        ({"Origin": "https://evil.example"}, 403, "origin_not_allowed", "permission_error"),
    ):
        answer = client.post("/v1/audio/speech", json={"input": "a"}, headers=headers)
        assert (answer.status_code, error_of(answer)["code"], error_of(answer)["type"]) == (status, code, kind)
    large = client.post("/v1/audio/transcriptions", json={"input": "a" * 1_100_000})
    assert (large.status_code, error_of(large)["code"]) == (413, "body_too_large")


def test_what_nobody_foresaw_is_a_500_in_the_same_words(services: Services, serve: Serve) -> None:
    broken = dataclasses.replace(services, synthesis=None)  # type: ignore[arg-type]
    with client_of(serve(create_api(broken))) as client:
        answer = client.post("/v1/audio/speech", json={"input": "a"})
    assert (answer.status_code, error_of(answer)["type"]) == (500, "server_error")
    assert error_of(answer)["code"] == "internal_error"


def test_a_full_queue_asks_the_client_to_come_again(services: Services, serve: Serve) -> None:
    engine, queue = FakeEngine(), SpeechQueue(max_waiting=0)
    engine.go.clear()
    synthesis = Synthesis([engine], queue, services.outputs, Limits())
    server = RawServer(serve(create_api(dataclasses.replace(services, synthesis=synthesis))))
    content = b'{"input": "abc"}'
    head = f"POST /v1/audio/speech HTTP/1.1\r\nHost: {server.host}\r\nContent-Type: application/json\r\n"
    try:
        with server.connect() as first, client_of(server.url) as client:
            first.sendall(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
            wait_until(lambda: bool(engine.seen))
            answer = client.post("/v1/audio/speech", json={"input": "abc"})
    finally:
        engine.go.set()
    assert (answer.status_code, error_of(answer)["type"]) == (429, "rate_limit_error")
    assert int(answer.headers["retry-after"]) > 0
    assert "x-should-retry" not in answer.headers


def test_the_clients_key_is_the_one_that_is_asked_for(services: Services, serve: Serve) -> None:
    accounts = AccountsFile(services.settings.paths.accounts_file)
    _, secret = accounts.add_key("chat", Role.GUEST)
    url = serve(create_api(dataclasses.replace(services, login=LoginService(accounts, LoginRule.ALL))))
    with openai_client(url) as client:
        with pytest.raises(openai.AuthenticationError) as refused:
            client.models.list()
        assert refused.value.type == "authentication_error"
        welcome = client.with_options(api_key=secret)
        assert "tts-1" in {model.id for model in welcome.models.list()}
        assert welcome.audio.speech.create(model="tts-1", voice="alloy", input="Hello.").content
        for path in ("/v1/audio/voices", "/v1/audio/models"):
            assert welcome.get(path.removeprefix("/v1"), cast_to=object)


def test_a_voice_that_cannot_be_what_is_asked_says_why(services: Services, serve: Serve) -> None:
    twins = [FakeEngine(name, speakers=("Tone",)) for name in ("one", "other")]
    with client_of(serve(create_api(with_engines(services, *twins)))) as client:
        chosen = client.post("/v1/audio/speech", json={"input": "a", "voice": "tone", "model": "other"})
        best = client.post("/v1/audio/speech", json={"input": "a", "voice": "tone"})
        none = client.post("/v1/audio/speech", json={"input": "a", "voice": "one/tone", "model": "other"})
    assert (chosen.headers["x-voice-id"], best.headers["x-voice-id"]) == ("other/tone", "one/tone")
    assert (none.status_code, error_of(none)["code"]) == (404, "voice_not_found")


def test_the_documentation_describes_them(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    ours = {path: operation for path, item in paths.items() if path.startswith("/v1/") for operation in item.values()}
    assert len(ours) == 9
    for operation in ours.values():
        schema = operation["responses"]["4XX"]["content"]["application/json"]["schema"]
        assert schema == {"$ref": "#/components/schemas/OpenAIError"}
        assert "422" not in operation["responses"]
