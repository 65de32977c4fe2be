"""Whisper on the page, in real Chromium: transcripts of recordings, checks of takes, a model with one click."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from playwright.sync_api import Browser, BrowserContext, Page, TimeoutError as Late, expect

from tests.engines.qwen.formula_checkpoint import write_checkpoint
from tests.engines.whisper.scripted_whisper import write_whisper
from tests.engines.whisper.speech import write_speech
from tests.engines.whisper.whisper_studio import whisper_studio
from tests.hubs.content import write_bytes
from tests.hubs.hubs import Hubs
from tests.hubs.models import PublishedModel
from tests.ui.conftest import CHOSEN_VOICE, RunningApp, Visitor, choose_voice, running_app
from tests.ui.voices.steps import edit
from tts_core.models.catalogue import ModelKind

BASE, SMALL = "Qwen3-TTS-12Hz-0.6B-Base", "whisper_small"
SOON = 120_000
RATE = 24_000
SLOW = 12_000.0
"""Bytes per second: two minutes for the model, so that what is to be seen stays until it was seen."""
GERMAN_HELLO = ("<|de|>", "<|0.00|>", " hello", "<|2.00|>", "<|2.00|>", " world", "<|4.00|>", "<|endoftext|>")


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    """Its Whisper hears "hello world", in German, in everything."""
    root = tmp_path_factory.mktemp("listening")
    variables = whisper_studio(root, GERMAN_HELLO)
    write_checkpoint(root / "models" / BASE, kind="base", geometry="a")
    (root / "data").mkdir()
    with running_app(root / "data", variables) as app:
        yield app


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(locale="en-US", viewport={"width": 1280, "height": 900})
    context.set_default_timeout(SOON)
    yield context
    context.close()


@pytest.fixture
def visitor(context: BrowserContext, studio: RunningApp) -> Iterator[Visitor]:
    visitor = Visitor(context, studio)
    yield visitor
    assert visitor.errors == []


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    return write_speech(tmp_path / "me.wav", 5)


def clone_tab(visitor: Visitor, recording: Path) -> Page:
    page = visitor.open()
    page.click("#tab-clone-button")
    page.set_input_files("#clone-file input[type=file]", str(recording))
    page.wait_for_selector(".studio-coach")
    return page


def transcribe(page: Page, tab: str = "clone") -> None:
    page.click(f"#{tab}-transcribe:not([disabled])")


def test_a_recording_is_transcribed_the_coach_learns_its_language_and_typed_text_is_kept(
    visitor: Visitor, recording: Path
) -> None:
    page = visitor.open()
    page.click("#tab-clone-button")
    box, told = page.locator("#clone-transcript textarea"), page.locator("#clone-transcribed")
    transcribe(page)
    expect(told).to_contain_text("Record something or choose a file first")
    page.set_input_files("#clone-file input[type=file]", str(recording))
    coach = page.locator(".studio-coach")
    expect(coach).to_be_visible()
    expect(told).to_be_empty()
    transcribe(page)
    expect(box).to_have_value("hello world")
    expect(told).to_contain_text("Detected language: German")
    expect(coach).to_contain_text("The recording is in German, the text in English")
    page.fill("#clone-text textarea", "Das ist die Stimme, und sie ist gut.")
    page.locator("#clone-text textarea").blur()
    expect(coach).not_to_contain_text("The recording is in German")
    expect(coach).to_contain_text("German")
    page.click("#clone-language input")
    page.click("[role=option]:has-text('English')")
    expect(coach).to_contain_text("The recording is in German, the text in English")
    box.fill("my own words")
    transcribe(page)
    expect(told).to_contain_text("Your text is unchanged")
    expect(told.locator(".studio-transcript")).to_have_text("hello world")
    expect(box).to_have_value("my own words")
    told.locator("[data-action=use]").click()
    expect(box).to_have_value("hello world")
    told.locator("[data-action=undo]").click()
    expect(box).to_have_value("my own words")
    expect(told).to_contain_text("Your text is restored")
    page.click("#clone-mode label >> nth=1")
    expect(page.locator("#clone-transcribe")).to_be_hidden()


@pytest.mark.thorough
def test_a_saved_voices_recording_is_transcribed(
    visitor: Visitor, studio: RunningApp, recording: Path, tmp_path: Path
) -> None:
    client = Client(studio.url, download_files=str(tmp_path), verbose=False)
    client.predict(
        name="Anna",
        file=handle_file(str(recording)),
        mode="timbre_only",
        consent="own_voice",
        api_name="/save_voice",
    )
    client.close()
    page = visitor.open()
    page.click("#tab-library-button")
    edit(page, "Anna")
    choose(page, "#library-language", "English")
    transcribe(page, "library")
    expect(page.locator("#library-transcript textarea")).to_have_value("hello world")
    expect(page.locator("#library-transcribed")).to_contain_text("The recording is in German, the text in English")
    page.click("#library-save")
    expect(page.locator("#library-message")).to_contain_text("Saved")
    expect(page.locator("#library-transcript textarea")).to_have_value("hello world")
    expect(page.locator("#library-transcribed .studio-done")).to_have_count(0)


def choose(page: Page, dropdown: str, option: str) -> None:
    """The editor is filled in several steps, and a list that is open meanwhile is closed by the next one."""
    for patience_ms in (2000, 5000, 10_000, 30_000):
        page.click(f"{dropdown} input")
        with suppress(Late):
            page.click(f"[role=option]:has-text('{option}')", timeout=patience_ms)
            return
    raise AssertionError(f"{option} can't be chosen in {dropdown}")


def builtin_voice(visitor: Visitor) -> Page:
    """It takes a moment, where tiny models may go on for minutes."""
    page = visitor.open()
    choose_voice(page, "Aria")
    expect(page.locator(CHOSEN_VOICE)).to_have_text("Aria")
    return page


def test_a_take_is_checked_against_its_text(visitor: Visitor) -> None:
    page = builtin_voice(visitor)
    expect(page.locator("#speak-words")).to_be_hidden()
    visitor.speak("Hello big world")
    page.fill("#speak-text textarea", "something else that was typed since")
    page.click("#speak-words")
    check = page.locator("#speak-words-heard")
    expect(check).to_contain_text("Word error rate 33.3 %")
    expect(check.locator("del")).to_have_text("big")
    expect(check.locator(".studio-transcript").first).to_have_text("hello world")
    builtin_voice(visitor)
    visitor.speak("Hello world!")
    page.click("#speak-words")
    expect(check).to_contain_text("Word error rate 0.0 %")
    expect(check.locator("del")).to_have_count(0)


@pytest.fixture
def hubs(tmp_path: Path) -> Iterator[Hubs]:
    """They have Whisper small, as small as a test needs it."""
    source = write_whisper(tmp_path / "written")
    files = {path.name: write_bytes(tmp_path / "stored" / path.name, path.read_bytes()) for path in source.iterdir()}
    revision = hashlib.sha1("".join(file.sha256 for file in files.values()).encode()).hexdigest()
    with Hubs(tmp_path / "hubs") as started:
        started.publish(PublishedModel(SMALL, ModelKind.WHISPER, "faster-whisper-small", files, revision))
        yield started


@pytest.mark.thorough
def test_who_has_no_model_gets_one_with_a_click(
    context: BrowserContext, hubs: Hubs, recording: Path, tmp_path: Path
) -> None:
    for hub in hubs.all:
        hub.link.bytes_per_s = SLOW
    data_dir = tmp_path / "data"
    write_checkpoint(data_dir / "models" / "Qwen" / BASE, kind="base", geometry="a")
    with running_app(data_dir, {**hubs.environ(), "TTS_STUDIO_DEVICE": "cpu", "OMP_NUM_THREADS": "1"}) as app:
        visitor = Visitor(context, app)
        page = clone_tab(visitor, recording)
        offer = page.locator("#clone-whisper")
        expect(offer).to_contain_text("not downloaded yet")
        expect(page.locator("#clone-transcribe")).to_be_hidden()
        offer.locator("[data-action=download]").click()
        expect(offer.get_by_role("progressbar")).to_be_visible()
        expect(offer).to_contain_text("faster-whisper-small is being downloaded")
        page.reload()
        page.click("#tab-clone-button")
        expect(offer.get_by_role("progressbar")).to_be_visible()
        for hub in hubs.all:
            hub.link.bytes_per_s = 0.0
        expect(page.locator("#clone-transcribe")).to_be_visible()
        page.set_input_files("#clone-file input[type=file]", str(recording))
        page.wait_for_selector(".studio-coach")
        transcribe(page)
        expect(page.locator("#clone-transcript textarea")).to_have_value("hello world")
        assert visitor.errors == []


def test_a_check_without_a_model_offers_one(app: RunningApp, context: BrowserContext) -> None:
    without = Visitor(context, app)
    without.open()
    page = without.speak("Hello world")
    page.click("#speak-words")
    offer = page.locator("#speak-words-whisper")
    expect(offer).to_contain_text("Download Whisper small (486 MB)")
    offer.locator("[data-tab=tab-models]").click()
    expect(page.locator("#models-list")).to_be_visible()
    assert without.errors == []
