"""What a person does while something is being spoken, in real Chromium; the voice goes on until it is stopped."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser

from tests.fakes import EndlessEngine, FakeEngine
from tests.serving import serving
from tests.ui.conftest import RunningApp, Visitor, finished_file, live
from tts_core.cli.serve.studio import build_app
from tts_core.platform.settings.studio import Settings
from tts_core.services import build_services
from tts_core.speech.queue import SpeechQueue
from tts_core.speech.synthesis import Synthesis

PLAYER_ELSEWHERE = """() => {
    window.elsewhere = new Audio(); // not in the document, as Gradio's are
    elsewhere.srcObject = new AudioContext().createMediaStreamDestination().stream;
    elsewhere.play();
}"""


@dataclass(frozen=True)
class Studio:
    app: RunningApp
    engine: FakeEngine


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    data_dir, engine = tmp_path_factory.mktemp("speaking"), EndlessEngine()
    services = build_services(Settings.from_env({"TTS_STUDIO_DATA_DIR": str(data_dir)}))
    limits = services.settings.limits
    synthesis = Synthesis([engine], SpeechQueue(limits.max_waiting), services.outputs, limits)
    with serving(build_app(dataclasses.replace(services, synthesis=synthesis))) as url:
        yield Studio(RunningApp(f"{url}/", data_dir), engine)
    services.close()


@pytest.fixture
def visitor(browser: Browser, studio: Studio) -> Iterator[Visitor]:
    context = browser.new_context(locale="en-US", viewport={"width": 1280, "height": 900})
    visitor = Visitor(context, studio.app)
    visitor.open()
    visitor.page.fill("#speak-text textarea", "On and on.")
    yield visitor
    context.close()


def test_sound_starts_while_the_rest_is_still_being_made(visitor: Visitor) -> None:
    visitor.page.click("#speak-run")
    visitor.page.wait_for_selector("#speak-player tts-player[data-state=playing]")
    assert live(visitor, "started-while-making") == "true"


def test_escape_stops_every_sound_from_wherever_the_focus_is(visitor: Visitor) -> None:
    visitor.page.click("#speak-run")
    visitor.page.wait_for_selector("#speak-player tts-player[data-state=playing]")
    visitor.page.evaluate(PLAYER_ELSEWHERE)
    visitor.page.click("#speak-language input")
    visitor.page.wait_for_selector("[role=listbox]")
    visitor.page.keyboard.press("Escape")
    visitor.page.wait_for_selector("#speak-player tts-player[data-state=stopped]")
    assert visitor.page.evaluate("elsewhere.paused")


def test_stop_keeps_what_was_made_and_says_so(visitor: Visitor) -> None:
    page = visitor.page
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#speak-player tts-player[data-state=playing]")
    page.click("#speak-stop:not([disabled])")
    page.wait_for_selector("#speak-player tts-player[data-take]")
    assert "Stopped" in page.inner_text("#speak-status")
    assert finished_file(visitor)[:4] == b"RIFF"
    page.wait_for_selector("#speak-run:not([disabled])")


def test_a_page_that_is_closed_while_speaking_does_not_hold_the_engine(
    visitor: Visitor, browser: Browser, studio: Studio
) -> None:
    leaving = Visitor(browser.new_context(), studio.app)
    leaving.open().fill("#speak-text textarea", "Not this.")
    leaving.page.click("#speak-run")
    leaving.page.wait_for_selector("#speak-player tts-player[data-state=playing]")
    leaving.context.close()
    visitor.page.click("#speak-run")
    visitor.page.wait_for_selector("#speak-player tts-player[data-state=playing]")
    assert [request.text for request in studio.engine.seen][-2:] == ["Not this.", "On and on."]
    visitor.page.keyboard.press("Escape")
    visitor.page.wait_for_selector("#speak-player tts-player[data-take]")
