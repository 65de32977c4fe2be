"""The whole studio below a path of a real nginx: pages, queue, live sound, files, sockets, events and docs."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from gradio_client import Client
from playwright.sync_api import Browser
from websockets.sync.client import connect

from tests.api.conftest import API
from tests.nginx import nginx_before, nginx_or_skip
from tests.ui.conftest import NAMED_HOST, SPEAK_PLAYER, RunningApp, Visitor, live, running_app
from tts_core.ui.language import COOKIE

pytestmark = pytest.mark.thorough

HOST = "127.0.0.1"
PING = """() => new Promise((answered, failed) => {
    const socket = new WebSocket(new URL("../ws", location.href).href.replace("https", "wss"));
    socket.onopen = () => socket.send('{"type": "ping"}');
    socket.onmessage = (message) => answered(JSON.parse(message.data));
    socket.onerror = () => failed(new Error("no socket"));
})"""

FIRST_FOUR = "async (link) => (await (await fetch(link)).text()).slice(0, 4)"


@pytest.fixture(scope="module")
def inner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    nginx_or_skip()
    folder = tmp_path_factory.mktemp("behind")
    # Nobody behind a proxy is the owner; here all may come, so that what passes through is seen without a log-in.
    with running_app(folder, {"TTS_STUDIO_ALLOWED_HOSTS": NAMED_HOST, "TTS_STUDIO_AUTH": "off"}) as app:
        yield app


@pytest.fixture(scope="module")
def outer(inner: RunningApp, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address that people use."""
    port = urlsplit(inner.url).port
    assert port is not None
    with nginx_before(port, tmp_path_factory.mktemp("nginx"), HOST) as url:
        yield url


@pytest.fixture
def client(outer: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=outer, timeout=120, trust_env=False, verify=False) as client:
        yield client


@pytest.fixture
def visitor(talking_browser: Browser, inner: RunningApp, outer: str) -> Iterator[Visitor]:
    named = outer.replace(HOST, NAMED_HOST)
    context = talking_browser.new_context(ignore_https_errors=True, viewport={"width": 1280, "height": 900})
    visitor = Visitor(context, RunningApp(f"{named}/", inner.data_dir))
    yield visitor
    context.close()
    assert visitor.errors == []
    allowed = (named, "data:", f"blob:https://{NAMED_HOST}")
    assert {url for url in visitor.requested if not url.startswith(allowed)} == set()


@pytest.mark.parametrize(("language", "path", "title"), [("en", "", "en"), ("zh", "zh/", "zh-CN")])
def test_both_pages_speak_live_and_give_the_file(visitor: Visitor, language: str, path: str, title: str) -> None:
    page = visitor.open(f"?lang={language}")
    assert (page.url.startswith(visitor.app.url + path), page.get_attribute("html", "lang")) == (True, title)
    visitor.speak("Heard through nginx.")
    page.wait_for_selector(f"{SPEAK_PLAYER}[data-state=ended]")
    assert live(visitor, "first-audio-ms") is not None
    link = page.locator("#speak-player .player-save a[href$='format=wav']").evaluate("link => link.href")
    assert link.startswith(visitor.app.url)
    assert page.evaluate(FIRST_FOUR, link) == "RIFF"
    cookies = {cookie["name"]: cookie["path"] for cookie in visitor.context.cookies()}
    assert cookies[COOKIE] == "/tts/", "other sites of that host have cookies of their own"


def test_the_page_has_its_socket_and_the_way_to_the_docs(visitor: Visitor) -> None:
    page = visitor.open("zh/")
    assert page.evaluate(PING) == {"type": "pong"}
    page.click(".studio-footer a[href$=docs]")
    page.wait_for_selector(".opblock-summary-path")
    assert page.url == visitor.app.url + "docs"


def test_the_path_without_its_slash_leads_to_the_page(client: httpx.Client, outer: str) -> None:
    answer = client.get(outer, headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers["location"]) == (301, f"{outer}/")


def test_rest_speaks_and_its_addresses_hold(client: httpx.Client) -> None:
    answer = client.post(f"{API}/synthesize", json={"text": "Hello", "language": "English"})
    assert answer.status_code == 200, answer.text
    url = answer.json()["data"]["url"]
    assert url.startswith(f"/tts{API}/audio/")
    assert client.get(url.removeprefix("/tts")).content[:4] == b"RIFF"
    described = client.get("/openapi.json").json()
    assert described["servers"] == [{"url": "/tts"}]


def test_events_come_at_once(client: httpx.Client) -> None:
    with client.stream("GET", "/api/models/events") as stream:
        assert next(stream.iter_lines()) == "event: initial_state"


def test_sockets_pass(outer: str) -> None:
    unchecked = ssl.create_default_context()
    unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
    address = outer.replace("https", "wss") + "/ws"
    with connect(address, ssl=unchecked, proxy=None, open_timeout=120) as socket:
        socket.send('{"type": "ping"}')
        assert json.loads(socket.recv(timeout=120)) == {"type": "pong"}


def test_gradio_client_works_below_the_path(outer: str) -> None:
    client = Client(f"{outer}/", ssl_verify=False, verbose=False, httpx_kwargs={"trust_env": False, "timeout": 120})
    file, details, *_ = client.predict(text="Hello", language="en-us", api_name="/synthesize")
    assert Path(file).read_bytes()[:4] == b"RIFF"
    assert details["duration_seconds"] > 0


def test_what_a_client_says_of_its_address_does_not_pass(client: httpx.Client, inner: RunningApp) -> None:
    said = {"X-Forwarded-For": "203.0.113.9"}
    assert client.post("/login", data={"username": "x", "password": "y"}, headers=said).status_code == 401
    assert "A log-in failed" in inner.log()
    assert "203.0.113.9" not in inner.log()


def test_another_site_is_refused_and_too_much_is_told_by_the_studio(client: httpx.Client) -> None:
    foreign = client.post(f"{API}/synthesize", json={"text": "x"}, headers={"Origin": "https://evil.example"})
    assert (foreign.status_code, foreign.json()["detail"]) == (403, "origin_not_allowed")
    unknown = client.get(f"{API}/models", headers={"Host": "evil.example"})
    assert (unknown.status_code, unknown.json()["detail"]) == (400, "host_not_allowed")
    large = client.post(f"{API}/synthesize", content=b" " * 2_000_000, headers={"Content-Type": "application/json"})
    assert (large.status_code, large.json()["detail"]) == (413, "body_too_large")
