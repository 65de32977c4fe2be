"""Browsers' clients at origins of their own: extensions, Obsidian, pages of Open WebUI, the video editor. Each request
is the one that a browser sends for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from fastapi import FastAPI
from gradio_client import Client
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from tests.api.conftest import API
from tests.serving import serving
from tts_core.access.accounts import AccountsFile
from tts_core.access.visitor import Role
from tts_core.api.server import create_api
from tts_core.cli.serve import embedding, yourtts
from tts_core.platform.faults import InvalidSetting
from tts_core.platform.settings.server import allowed_origins
from tts_core.platform.settings.studio import Settings
from tts_core.services import Services, build_services

EDITOR, OBSIDIAN, EXTENSION = (
    "http://localhost:1420",
    "app://obsidian.md",
    "chrome-extension://kfjgajacjkgpclilpgmcdipfp",
)
NAMED = (EDITOR, OBSIDIAN, EXTENSION)
SOCKET = "ws://127.0.0.1:7860/ws"
STRANGER = "https://elsewhere.example"
CROSS = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
PROGRAMS = [("GET", f"{API}/models"), ("POST", f"{API}/synthesize"), ("DELETE", f"{API}/voices/x"), ("PATCH", "/v1/x")]
Build = Callable[[Services], FastAPI]


@pytest.fixture(scope="module")
def studio_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., TestClient]]:
    """Makes studios, or services alone, from their variables; a client at this machine asks them in process."""
    with ExitStack() as ended:

        def build(build: Build = create_api, **variables: str) -> TestClient:
            data_dir = tmp_path_factory.mktemp("studio")
            services = build_services(Settings.from_env({"TTS_STUDIO_DATA_DIR": str(data_dir), **variables}))
            ended.callback(services.close)
            return TestClient(build(services), base_url="http://127.0.0.1:7860", client=("127.0.0.1", 40000))

        yield build


@pytest.fixture(scope="module")
def studio(studio_of: Callable[..., TestClient]) -> TestClient:
    """One that lets the named origins in."""
    return studio_of(TTS_STUDIO_ALLOWED_ORIGINS=",".join(NAMED))


def asks(client: TestClient, origin: str, method: str, path: str, headers: str = "content-type") -> dict[str, str]:
    """The head of the answer to a browser's question, with its status."""
    sent = {"Origin": origin, **CROSS, "Access-Control-Request-Method": method}
    answer = client.options(path, headers={**sent, "Access-Control-Request-Headers": headers})
    return {"status": str(answer.status_code), **answer.headers}


@pytest.mark.parametrize("origin", NAMED)
@pytest.mark.parametrize(("method", "path"), PROGRAMS)
def test_a_named_page_may_ask_for_anything_that_programs_may(
    studio: TestClient, origin: str, method: str, path: str
) -> None:
    allowed = asks(studio, origin, method, path, "authorization,content-type,x-stainless-os")
    assert (allowed["status"], allowed["access-control-allow-origin"]) == ("204", origin)
    assert method in allowed["access-control-allow-methods"].split(", ")
    assert allowed["access-control-allow-headers"] == "authorization,content-type,x-stainless-os"
    assert "Origin" in allowed["vary"]


def test_it_reads_answers_and_refusals(studio: TestClient) -> None:
    for method, path, status in (
        ("GET", f"{API}/models", 200),
        ("POST", f"{API}/synthesize", 422),
        ("POST", "/v1/x", 404),
    ):
        answer = studio.request(method, path, headers={"Origin": EDITOR, **CROSS})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (status, EDITOR)
        assert "X-Seed" in answer.headers["access-control-expose-headers"]
    too_large = studio.post(f"{API}/synthesize", content=b" " * 1_000_001, headers={"Origin": EDITOR, **CROSS})
    assert (too_large.status_code, too_large.headers["access-control-allow-origin"]) == (413, EDITOR)


def test_it_connects_to_the_socket(studio: TestClient) -> None:
    with studio.websocket_connect(SOCKET, headers={"Origin": EDITOR, **CROSS}) as socket:
        socket.send_json({"type": "ping", "timestamp": "2026-03-04T05:06:07.890Z"})
        assert socket.receive_json()["type"] == "pong"
    with pytest.raises(WebSocketDisconnect), studio.websocket_connect(SOCKET, headers={"Origin": STRANGER, **CROSS}):
        pass


def test_pages_that_nobody_named_stay_out(studio: TestClient) -> None:
    for origin in (STRANGER, "null", f"{EDITOR}0", EDITOR.replace("http:", "https:")):
        assert "access-control-allow-origin" not in asks(studio, origin, "POST", f"{API}/synthesize")
        answer = studio.post(f"{API}/synthesize", headers={"Origin": origin, **CROSS})
        assert (answer.status_code, answer.json()["detail"]) == (403, "origin_not_allowed")
        assert "access-control-allow-origin" not in answer.headers


def test_the_page_and_its_log_in_stay_closed(studio: TestClient) -> None:
    for path in ("/gradio_api/queue/join", "/login", "/", "/docs", "/mcp"):
        assert "access-control-allow-origin" not in asks(studio, EDITOR, "POST", path)
        assert studio.post(path, headers={"Origin": EDITOR, **CROSS}).status_code == 403


def test_nobody_is_let_in_by_default(studio_of: Callable[..., TestClient]) -> None:
    studio = studio_of()
    assert "access-control-allow-origin" not in asks(studio, EDITOR, "GET", f"{API}/models")
    assert "vary" not in studio.get("/health", headers={"Origin": EDITOR}).headers


@pytest.mark.parametrize("build", [yourtts.build, embedding.build])
def test_services_alone_let_them_in_too(studio_of: Callable[..., TestClient], build: Build) -> None:
    service = studio_of(build, TTS_STUDIO_ALLOWED_ORIGINS=EDITOR, TTS_STUDIO_HOST="0.0.0.0")
    assert asks(service, EDITOR, "POST", "/synthesize")["status"] == "204"
    assert service.get("/health", headers={"Origin": EDITOR, **CROSS}).headers["access-control-allow-origin"] == EDITOR


def test_chrome_asks_for_this_machine(studio: TestClient) -> None:
    question = {
        "Origin": EDITOR,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Private-Network": "true",
    }
    answer = studio.options("/api/hello", headers=question)
    assert answer.headers["access-control-allow-private-network"] == "true"


def test_the_question_needs_no_key(studio_of: Callable[..., TestClient]) -> None:
    studio = studio_of(TTS_STUDIO_ALLOWED_ORIGINS=EDITOR, TTS_STUDIO_AUTH="on")
    assert asks(studio, EDITOR, "POST", "/v1/audio/speech", "authorization")["status"] == "204"
    refusal = studio.post("/v1/audio/speech", headers={"Origin": EDITOR, **CROSS})
    assert (refusal.status_code, refusal.headers["access-control-allow-origin"]) == (401, EDITOR)


def test_origins_are_written_as_browsers_write_them() -> None:
    given = [
        "HTTP://LocalHost:3000/",
        "http://chat.example:80",
        "http://localhost:3000",
        "tauri://localhost",
        "http://[::1]:3",
    ]
    assert allowed_origins(given) == (
        *("http://localhost:3000", "http://chat.example"),
        *("tauri://localhost", "http://[::1]:3"),
    )


@pytest.mark.parametrize(
    "wrong", ["*", "null", "localhost:3000", "http://*.example", "http://a.example/page", "http://a b"]
)
def test_an_origin_is_named(wrong: str) -> None:
    with pytest.raises(InvalidSetting, match="TTS_STUDIO_ALLOWED_ORIGINS"):
        allowed_origins([wrong])


def test_a_key_comes_in_the_header_that_a_program_knows(studio_of: Callable[..., TestClient], tmp_path: Path) -> None:
    variables = {"TTS_STUDIO_AUTH": "on", "TTS_STUDIO_DATA_DIR": str(tmp_path)}
    studio, paths = studio_of(**variables), Settings.from_env(variables).paths
    key = AccountsFile(paths.accounts_file).add_key("a program", Role.ADMIN)[1]
    for headers in (
        {"Authorization": f"Bearer {key}"},
        {"api-key": key},  # clients for Azure
        {"X-API-Key": key},
        gradio_headers(key),
        {"Authorization": "Basic cHJveHk6cHJveHk=", "X-API-Key": key},  # the former is for a proxy
    ):
        assert studio.get(f"{API}/models", headers=headers).status_code == 200, headers
    for headers in ({"X-API-Key": "tts-wrong"}, {"api-key": "tts-wrong"}, {"x-hf-authorization": "Bearer tts-wrong"}):
        assert studio.get(f"{API}/models", headers=headers).json()["detail"] == "wrong_key", headers
    hub = studio.get(f"{API}/models", headers=gradio_headers("hf_saved_for_the_hub"))
    assert hub.json()["detail"] == "login_required", "a token for the hub is not a failed attempt here"


def gradio_headers(token: str) -> dict[str, str]:
    """What gradio_client sends for `token=`, caught by a server that knows nothing."""
    caught: dict[str, str] = {}

    async def catch(request: Request) -> Response:
        caught.update(request.headers)
        return Response(status_code=404)

    with serving(Starlette(routes=[Route("/{path:path}", catch)])) as url, suppress(Exception):
        Client(url, token=token, verbose=False, analytics_enabled=False)
    assert caught
    return {name: value for name, value in caught.items() if "authorization" in name}
