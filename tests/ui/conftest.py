"""The real app as its own process, and real Chromium in front of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import soundfile
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, Playwright, expect, sync_playwright

from tests import ROOT
from tests.browser import browser_or_skip
from tests.conftest import SOON_S
from tests.engines.qwen.formula_checkpoint import reference_audio

NAMED_HOST = "studio.test"
"""A name that no browser takes for this machine."""
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")


@dataclass(frozen=True)
class RunningApp:
    url: str
    data_dir: Path

    def program(self) -> httpx.Client:
        """Another client of it than a browser; use it with `with`."""
        return httpx.Client(base_url=self.url, timeout=SOON_S, trust_env=False)

    @property
    def models_dir(self) -> Path:
        return self.data_dir / "models" / "Qwen"

    def printed(self) -> str:
        """What went to the app's stderr."""
        return (self.data_dir / "stderr").read_text(encoding="utf-8")

    def log(self) -> str:
        return (self.data_dir / "logs" / "tts_studio.log").read_text(encoding="utf-8")


@contextmanager
def running_app(
    data_dir: Path, variables: Mapping[str, str] | None = None, arguments: Sequence[str] = (), root: Path = ROOT
) -> Iterator[RunningApp]:
    """`python app.py` on that data folder, from the tree at `root`; `variables` are added to its environment."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("TTS_STUDIO_", "QWEN_"))}
    environ |= variables or {}
    command = [sys.executable, "app.py", "--data-dir", str(data_dir), *arguments]
    with (data_dir / "stderr").open("w") as errors:
        process = subprocess.Popen(command, cwd=root, env=environ, stdout=subprocess.PIPE, stderr=errors, text=True)
    assert process.stdout is not None
    try:
        found = re.search(r"https?://\S+", process.stdout.readline())
        assert found is not None, (data_dir / "stderr").read_text(encoding="utf-8")
        yield RunningApp(found.group(), data_dir)
    finally:
        process.terminate()
        try:
            process.wait(SOON_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def call(app: RunningApp, name: str, inputs: Sequence[object], headers: Mapping[str, str] | None = None) -> str:
    """Everything that an event of the page answers to a program; `name` is how its name begins."""
    with app.program() as program:
        events = program.get("config").json()["dependencies"]
        index = max(number for number, event in enumerate(events) if str(event["api_name"]).startswith(name))
        asked = {"data": inputs, "fn_index": index, "session_hash": "x"}
        program.post("gradio_api/queue/join", json=asked, headers=headers).raise_for_status()
        with program.stream("GET", "gradio_api/queue/data?session_hash=x", headers=headers) as stream:
            return "".join(line for line in stream.iter_lines())


CHOSEN_VOICE = "#speak-voice .studio-voice-name"
"""The name of the voice that the Speak tab speaks with."""


def choose_voice(page: Page, name: str) -> None:
    """Choose that voice on the Speak tab."""
    page.click("#speak-voice .studio-voice-chip")
    page.click(f".studio-voices-list li:has(strong:text-is('{name}')) .studio-voices-choose")


SPEAK_PLAYER = "#speak-player tts-player"


def live(visitor: Visitor, name: str) -> str | None:
    """A fact that the player of the Speak tab shows of itself."""
    return visitor.page.locator(SPEAK_PLAYER).get_attribute(f"data-{name}")


def finished_file(visitor: Visitor) -> bytes:
    return finished_in(visitor, "wav")


def finished_in(visitor: Visitor, format: str) -> bytes:  # noqa: A002 - the requests' word
    """The take as the player offers it for download in that format."""
    link = visitor.page.locator(f"#speak-player .player-save a[href$='format={format}']")
    answer = visitor.context.request.get(str(link.evaluate("link => link.href")))
    assert answer.ok
    return answer.body()


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    """With an empty data folder, as on a fresh machine."""
    with running_app(tmp_path_factory.mktemp("studio")) as running:
        yield running


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    browser_or_skip()
    expect.set_options(timeout=1000 * SOON_S)
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    chromium = playwright.chromium.launch(executable_path=browser_or_skip(), args=list(QUIET))
    yield chromium
    chromium.close()


@pytest.fixture(scope="session")
def talking_browser(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Its microphone hears a voice, and it reaches this machine as NAMED_HOST, too."""
    voice = tmp_path_factory.mktemp("microphone") / "voice.wav"
    soundfile.write(voice, reference_audio(6.0, rate=48_000), 48_000, subtype="PCM_16")
    microphone = (
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={voice}",
        f"--host-resolver-rules=MAP {NAMED_HOST} 127.0.0.1",
    )
    chromium = playwright.chromium.launch(executable_path=browser_or_skip(), args=[*QUIET, *microphone])
    yield chromium
    chromium.close()


class Visitor:
    """One browser profile that looks at the app. Collects what a person would not see: outside requests, errors."""

    def __init__(self, context: BrowserContext, app: RunningApp) -> None:
        self.app = app
        self.context = context
        self.page: Page = context.new_page()
        self.requested: set[str] = set()
        self.errors: list[str] = []
        self.asked: list[str] = []
        """The kinds of the browser's own dialogs, each answered with yes."""
        self.page.set_default_timeout(1000 * SOON_S)
        self.page.on("request", lambda request: self.requested.add(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("dialog", self._agree)

    def _agree(self, dialog: Dialog) -> None:
        self.asked.append(dialog.type)
        dialog.accept()

    def open(self, path: str = "") -> Page:
        self.page.goto(self.app.url + path)
        self.page.wait_for_selector("#speak-run")
        return self.page

    def speak(self, text: str) -> Page:
        """Type and generate; returns when the finished take is shown."""
        self.page.fill("#speak-text textarea", text)
        self.page.click("#speak-run")
        self.page.wait_for_selector(f"{SPEAK_PLAYER}[data-take]")
        return self.page


@pytest.fixture
def visitor(browser: Browser, app: RunningApp) -> Iterator[Visitor]:
    context = browser.new_context(locale="en-US", viewport={"width": 1280, "height": 900})
    yield Visitor(context, app)
    context.close()


@pytest.fixture
def chinese_visitor(browser: Browser, app: RunningApp) -> Iterator[Visitor]:
    context = browser.new_context(locale="zh-CN", viewport={"width": 390, "height": 844}, color_scheme="dark")
    yield Visitor(context, app)
    context.close()
