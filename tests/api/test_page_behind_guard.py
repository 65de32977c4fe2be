"""The page stands behind the same guard as REST, and Gradio serves no file but what the page made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from tests import ROOT
from tests.api.conftest import API, client_of
from tests.api.raw_http import RawServer
from tests.api.test_guard import chunks, detail
from tests.api.watchers import EVENTS, hear, listening, socket_of
from tests.serving import serving
from tts_core.api.protection.request_guard import SECURITY_HEADERS
from tts_core.cli.serve.studio import build_app
from tts_core.platform.settings.studio import Settings
from tts_core.services import build_services


@dataclass(frozen=True)
class Studio:
    url: str
    settings: Settings


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    data_dir = tmp_path_factory.mktemp("studio")
    settings = Settings.from_env({"TTS_STUDIO_DATA_DIR": str(data_dir)})
    (settings.paths.models_dir / "Own").mkdir(parents=True)
    (settings.paths.models_dir / "Own" / "config.json").write_text("private", encoding="utf-8")
    services = build_services(settings)
    with serving(build_app(services)) as url:
        yield Studio(url, settings)
    services.close()


@pytest.fixture
def visitor(studio: Studio) -> Iterator[httpx.Client]:
    with client_of(studio.url) as client:
        yield client


@pytest.mark.parametrize("path", ["/", "/zh/", "/gradio_api/info", "/docs", f"{API}/models", EVENTS, "/ws", "/nothing"])
def test_a_rebound_name_sees_nothing_at_all(visitor: httpx.Client, path: str) -> None:
    answer = visitor.get(path, headers={"Host": "evil.example"})
    assert (answer.status_code, answer.json()["detail"]) == (400, "host_not_allowed")
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "path", ["/gradio_api/upload", "/gradio_api/queue/join", "/gradio_api/call/synthesize", f"{API}/synthesize"]
)
def test_another_sites_page_can_start_nothing(visitor: httpx.Client, path: str) -> None:
    answer = visitor.post(path, headers={"Origin": "https://evil.example"}, files={"files": b"x"})
    assert (answer.status_code, answer.json()["detail"]) == (403, "origin_not_allowed")


def test_streams_flow_beside_the_page(studio: Studio) -> None:
    with listening(studio.url) as reader, socket_of(studio.url) as socket:
        reader.until("initial_state")
        socket.send('{"type": "ping"}')
        assert hear(socket) == {"type": "pong"}


@pytest.mark.parametrize("path", ["/", "/zh/", "/docs"])
def test_pages_carry_the_security_headers(visitor: httpx.Client, path: str) -> None:
    answer = visitor.get(path)
    assert answer.status_code == 200
    assert {name: answer.headers.get(name) for name in SECURITY_HEADERS} == SECURITY_HEADERS


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/api/nothing", 404), ("PUT", f"{API}/models", 405)])
def test_the_page_does_not_hide_what_rest_does_not_know(
    visitor: httpx.Client, method: str, path: str, status: int
) -> None:
    answer = visitor.request(method, path)
    assert (answer.status_code, answer.json()["success"]) == (status, False)


@pytest.mark.parametrize("prefix", ["", "/zh"])
@pytest.mark.parametrize("route", ["gradio_api/file=", "file=", "gradio_api/file/", "static/", "gradio_api/static/"])
def test_files_of_the_machine_are_not_served(studio: Studio, visitor: httpx.Client, prefix: str, route: str) -> None:
    root = ROOT
    paths = studio.settings.paths
    for target in (
        Path("/etc/passwd"),
        root / "app.py",
        root / "requirements.txt",
        paths.models_dir / "Own" / "config.json",
        paths.outputs_dir / ".." / ".." / "models" / "Qwen" / "Own" / "config.json",
    ):
        for written in (str(target), quote(str(target), safe=""), "../" * 8 + str(target).lstrip("/")):
            answer = visitor.get(f"{prefix}/{route}{written}")
            assert answer.status_code in (403, 404, 405), f"{written}: {answer.status_code}"
    for address in ("http://127.0.0.1/", "https://example.com/", "//example.com/"):
        answer = visitor.get(f"{prefix}/{route}{address}")
        assert answer.status_code in (403, 404), f"{address}: {answer.status_code}"
        assert "location" not in answer.headers


@pytest.mark.parametrize("address", ["http://192.0.2.1/x", "https://example.org/x"])
def test_no_address_is_fetched_for_a_caller(visitor: httpx.Client, address: str) -> None:
    answer = visitor.get(f"/gradio_api/file={address}")
    assert (answer.status_code, "Addresses are not fetched" in answer.text) == (403, True)


def test_uploads_end_at_the_limit(studio: Studio) -> None:
    server = RawServer(studio.url)
    limit_bytes = studio.settings.limits.max_upload_bytes
    part = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.wav"\r\n\r\n'
    headers = [f"Host: {server.host}", "Content-Type: multipart/form-data; boundary=x"]
    announced = server.ask("POST", "/gradio_api/upload", [*headers, f"Content-Length: {limit_bytes + 1}"])
    assert detail(announced) == (413, "body_too_large")
    endless = [f"{len(part):x}\r\n".encode() + part + b"\r\n", *chunks(limit_bytes // 1_000_000 + 1, 1_000_000)]
    answer = server.ask("POST", "/gradio_api/upload", [*headers, "Transfer-Encoding: chunked"], body=endless)
    assert detail(answer) == (413, "body_too_large")


def test_the_page_takes_the_longest_text_that_may_be_spoken(studio: Studio, visitor: httpx.Client) -> None:
    text = "长" * studio.settings.limits.max_text_chars
    answer = visitor.post("/gradio_api/call/list_languages", json={"data": [text]})
    assert answer.status_code == 200, "it fits, escaped as JSON"
    # By socket: whoever is answered before everything is sent may fail to send the rest.
    server = RawServer(studio.url)
    too_long = f"Content-Length: {studio.settings.limits.max_body_bytes + 1}"
    headers = [f"Host: {server.host}", "Content-Type: application/json", too_long]
    assert detail(server.ask("POST", "/gradio_api/call/list_languages", headers)) == (413, "body_too_large")


@pytest.mark.parametrize("path", ["/monitoring", "/gradio_api/monitoring", "/monitoring/summary"])
def test_nobody_reads_what_others_asked(visitor: httpx.Client, path: str) -> None:
    assert visitor.get(path).status_code in (403, 404)
