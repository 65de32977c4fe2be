"""The page with models on the disk: tiny ones whose weights follow from a formula."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Browser, Page

from tests.engines.qwen.formula_checkpoint import write_checkpoint
from tests.ui.conftest import CHOSEN_VOICE, SPEAK_PLAYER, RunningApp, Visitor, call, running_app

CUSTOM, DESIGN = "Qwen3-TTS-12Hz-0.6B-CustomVoice", "Qwen3-TTS-12Hz-1.7B-VoiceDesign"
SEED_THAT_SPEAKS = 3
"""With it neither tiny model ends at once."""


@pytest.fixture(scope="module")
def app_with_models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    data_dir = tmp_path_factory.mktemp("with_models")
    models_dir = data_dir / "models" / "Qwen"
    write_checkpoint(models_dir / CUSTOM, kind="custom_voice", geometry="a")
    write_checkpoint(models_dir / DESIGN, kind="voice_design", geometry="b")
    with running_app(data_dir, {"TTS_STUDIO_KEEP_ALIVE": "59s"}) as app:
        yield app


@pytest.fixture(scope="module")
def visitor(browser: Browser, app_with_models: RunningApp) -> Iterator[Visitor]:
    context = browser.new_context(locale="en-US", viewport={"width": 1280, "height": 900})
    yield Visitor(context, app_with_models)
    context.close()


def system_tab(visitor: Visitor) -> Page:
    page = visitor.page if visitor.page.url.startswith(visitor.app.url) else visitor.open()
    page.click("#tab-system-button")
    return page


def test_a_ready_models_voice_is_the_first_choice_and_speaks(visitor: Visitor) -> None:
    page = visitor.open()
    page.wait_for_selector("#speak-voice .studio-voice-line:has-text('CustomVoice')")
    page.click("#speak-advanced button")
    page.fill("label:has-text('Maximum length') input", "1")
    page.fill("#tab-speak label:has-text('Seed') input", str(SEED_THAT_SPEAKS))
    page.fill("#speak-text textarea", "hello world")
    page.click("#speak-run")
    page.wait_for_selector(f"{SPEAK_PLAYER}[data-take]")
    assert "Cut at the maximum length" in page.inner_text("#speak-status")
    page.click("#speak-player .player-info")
    facts = page.inner_text("#speak-player .player-facts")
    assert "0.6B CustomVoice" in facts
    assert "not used" not in facts
    page.wait_for_selector(f"{SPEAK_PLAYER}[data-state=ended] canvas")


def test_a_model_that_came_meanwhile_speaks_when_the_tab_opens_again(visitor: Visitor) -> None:
    folder = visitor.app.models_dir / CUSTOM
    away = folder.rename(folder.with_name("away"))
    page = visitor.open()
    page.wait_for_selector(f"{CHOSEN_VOICE}:has-text('Built-in')")
    page.click("#tab-models-button")
    away.rename(folder)
    page.click("#tab-speak-button")
    page.wait_for_selector("#speak-voice .studio-voice-line:has-text('CustomVoice')")


def test_a_model_is_loaded_and_unloaded_by_hand(visitor: Visitor) -> None:
    page = system_tab(visitor)
    page.wait_for_selector("#system-load:not([disabled])")
    page.click("#system-load")
    page.wait_for_selector("#system-loaded dd:has-text('unloads in')")
    before = page.inner_text("#system-loaded dd")
    page.focus("#system-loaded [data-action=unload][aria-label*=CustomVoice]")
    page.wait_for_function("before => document.querySelector('#system-loaded dd').innerText !== before", arg=before)
    page.press("#system-loaded [data-action=unload][aria-label*=CustomVoice]", "Enter")
    page.wait_for_selector("#system-loaded:not(:has(dt:has-text('CustomVoice')))")


@pytest.mark.thorough
def test_a_recording_goes_through_the_codec_and_back(visitor: Visitor, tmp_path: Path) -> None:
    tone = 0.3 * np.sin(2 * np.pi * 220 * np.arange(24_000) / 24_000)
    soundfile.write(tmp_path / "tone.wav", tone, 24_000)
    page = system_tab(visitor)
    page.click("#system-codec button")
    page.set_input_files("#codec-recording input[type=file]", str(tmp_path / "tone.wav"))
    page.wait_for_selector("#codec-recording [data-testid^=waveform]")
    page.click("#codec-run")
    page.wait_for_selector("#codec-message :text('13 frames of 16 codes, 1.04 s')")
    link = page.locator("#codec-codes a").first.get_attribute("href")
    assert link is not None
    with visitor.app.program() as program:
        assert program.get(link).content[:6] == b"\x93NUMPY"


def test_no_address_is_fetched_for_a_caller(app_with_models: RunningApp) -> None:
    recording = {"path": "http://example.com/a.wav", "meta": {"_type": "gradio.FileData"}}
    assert "was not uploaded by you" in call(app_with_models, "convert", [recording, "custom_0_6b"])


def test_a_precision_is_chosen_by_one_click_and_counts_for_the_next_take(visitor: Visitor) -> None:
    page = system_tab(visitor)
    page.wait_for_selector("#system-device dl")
    if "CPU" not in page.inner_text("#system-device strong"):
        pytest.skip("this machine's models run on a graphics processor")
    page.wait_for_selector("#system-load:not([disabled])")
    page.click("#system-load")
    page.wait_for_selector("#system-loaded dd:has-text('unloads in')")
    assert "float32" in page.inner_text("#system-precision-advice")
    page.click("#system-precision-fast")
    page.wait_for_selector("#system-precision-message [role=status]")
    page.wait_for_selector("#system-loaded:not(:has(dt:has-text('CustomVoice')))")
    assert page.is_checked("#system-precision input[value=int8]")
    assert "int8" in (visitor.app.data_dir / "preferences.json").read_text(encoding="utf-8")
    if page.locator("#system-precision input[value=int4]").count():
        page.check("#system-precision input[value=int4]")
        page.wait_for_selector("#system-precision-advice [role=alert]")
    page.check("#system-precision input[value=auto]")
    page.wait_for_selector("#system-precision-fast:visible")
    assert "precision" not in (visitor.app.data_dir / "preferences.json").read_text(encoding="utf-8")
