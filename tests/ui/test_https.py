"""The whole page over https, under a name that is not this machine's: the microphone works there, and all else, too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser

from tests.certificates import write_certificate
from tests.ui.conftest import NAMED_HOST, SPEAK_PLAYER, RunningApp, Visitor, live, running_app
from tests.ui.voices.steps import record

PING = """() => new Promise((answered, failed) => {
    const socket = new WebSocket(`wss://${location.host}/ws`);
    socket.onopen = () => socket.send('{"type": "ping"}');
    socket.onmessage = (message) => answered(JSON.parse(message.data));
    socket.onerror = () => failed(new Error("no socket"));
})"""


@pytest.fixture(scope="module")
def secure_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    folder: Path = tmp_path_factory.mktemp("secure")
    cert, key = write_certificate(folder / "certificate", NAMED_HOST, "secret")
    variables = {
        "TTS_STUDIO_SSL_CERTFILE": str(cert),
        "TTS_STUDIO_SSL_KEYFILE": str(key),
        "TTS_STUDIO_SSL_KEYFILE_PASSWORD": "secret",
        "TTS_STUDIO_ALLOWED_HOSTS": NAMED_HOST,
    }
    with running_app(folder, variables) as app:
        yield RunningApp(f"https://{NAMED_HOST}:{urlsplit(app.url).port}/", app.data_dir)


@pytest.fixture
def visitor(talking_browser: Browser, secure_app: RunningApp) -> Iterator[Visitor]:
    context = talking_browser.new_context(
        locale="en-US", viewport={"width": 1280, "height": 900}, ignore_https_errors=True
    )
    visitor = Visitor(context, secure_app)
    yield visitor
    context.close()
    assert visitor.errors == []
    assert {url.partition(":")[0] for url in visitor.requested} <= {"https", "data", "blob"}


def test_the_microphone_records_where_the_page_is_https(visitor: Visitor) -> None:
    page = visitor.open()
    assert page.evaluate("[location.hostname, isSecureContext]") == [NAMED_HOST, True]
    page.click("#tab-clone-button")
    record(page, seconds=3)
    assert page.is_hidden(".studio-no-microphone")


def test_speech_is_heard_while_it_is_made_and_the_socket_answers(visitor: Visitor) -> None:
    page = visitor.open()
    visitor.speak("Heard over https.")
    page.wait_for_selector(f"{SPEAK_PLAYER}[data-state=ended]")
    assert live(visitor, "first-audio-ms") is not None
    assert page.evaluate(PING) == {"type": "pong"}
