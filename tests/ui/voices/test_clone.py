"""Cloning a voice and keeping it, in real Chromium with a microphone that hears a voice, on a tiny Base model."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
import numpy as np
import pytest
import soundfile
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from playwright.sync_api import expect

from tests.engines.qwen.formula_checkpoint import reference_audio
from tests.ui.conftest import CHOSEN_VOICE, NAMED_HOST, RunningApp, Visitor
from tests.ui.voices.steps import RATE, box, card, kept, opened, record, upload, write_m4a, write_webm

SEED_THAT_ENDS = 2
"""With it the tiny VoiceDesign model comes to the end of "hello world" in a moment."""


def test_a_voice_is_recorded_cloned_and_kept(visitor: Visitor) -> None:
    page = opened(visitor, "clone")
    page.click("#clone-sentence [data-action=choose]")
    expect(page.locator("#clone-transcript textarea")).to_have_value(re.compile("^The rain had stopped"))
    record(page, seconds=3)
    assert page.is_hidden("studio-recorder")
    heard = re.search(r"Speech\s+\S+ ([\d.]+) s", page.inner_text(".studio-coach"))
    assert heard is not None
    assert float(heard[1]) > 1.0
    box(page, "clone-transcript", "hello world")
    box(page, "clone-text", "hello world")
    page.click("#clone-advanced button")
    page.fill("#clone-advanced label:has-text('Seed') input", "1")
    page.fill("#clone-advanced label:has-text('Maximum length') input", "1")
    page.click("#clone-run")
    expect(page.locator("#clone-player .player-facts")).to_contain_text("0.6B Base")
    expect(page.locator("#clone-player tts-player")).to_have_attribute("data-state", "ended")
    expect(page.locator(".studio-likeness")).to_contain_text(re.compile(r"Similarity\s*-?[01]\.\d\d"))
    box(page, "clone-name", "Recorded")
    page.click("#clone-save")
    page.wait_for_selector("#clone-saved [role=alert]:has-text('Confirm first')")
    page.click("#clone-consent label >> nth=0")
    page.wait_for_selector("#clone-saved [role=alert]", state="detached")
    page.click("#clone-save")
    page.wait_for_selector("#clone-saved .studio-saved:has-text('Recorded')")
    page.click("#clone-saved [data-action=use]")
    page.wait_for_selector(f"{CHOSEN_VOICE}:text-is('Recorded')")
    page.reload()
    assert visitor.asked == [], "the recording is a voice by now"
    page.click("#speak-voice .studio-voice-chip")
    offered = page.locator(".studio-voices-list")
    expect(offered.locator("li:has(strong:text-is('Recorded'))")).to_have_attribute("data-ready", "true")
    expect(offered.locator("li:has(strong:text-is('Clone'))")).to_have_count(0)


def test_a_recording_from_a_phone_is_mended_with_one_click_each(visitor: Visitor, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 2e-4, 4 * RATE).astype(np.float32)
    sound = np.concatenate([noise, 0.02 * reference_audio(4.0, RATE), noise]).astype(np.float32)
    page = opened(visitor, "clone")
    upload(page, write_m4a(tmp_path / "me.m4a", sound, RATE))
    coach = page.locator(".studio-coach")
    expect(coach).to_contain_text("is quiet")
    coach.locator("[data-action=trim]").click()
    expect(coach).not_to_contain_text("is silence")
    coach.locator("[data-action=level]").click()
    expect(coach).not_to_contain_text("is quiet")
    page.wait_for_function("document.querySelector('#clone-file #duration')?.innerText == '0:04'")
    coach.locator("[data-action=revert]").click()
    expect(coach).to_contain_text("is quiet")
    page.click("#clone-another")
    expect(page.locator("#clone-coach")).to_contain_text("Recordings kept: 1")
    expect(page.locator("#clone-coach [data-action=drop]")).to_be_visible()
    upload(page, write_m4a(tmp_path / "more.m4a", reference_audio(2.0, RATE), RATE))
    expect(coach).to_contain_text(re.compile(r"Length✓ 1[45]\.\d s"))
    page.click("#clone-another")
    page.click("#clone-coach [data-action=drop]")
    expect(page.locator("#clone-coach")).not_to_contain_text("Recordings kept")


@pytest.mark.thorough
def test_files_that_browsers_take_for_films_are_heard_too(visitor: Visitor, tmp_path: Path) -> None:
    page = opened(visitor, "clone")
    upload(page, write_webm(tmp_path / "me.webm", reference_audio(4.0, 48_000), 48_000))
    expect(page.locator(".studio-coach")).to_contain_text(re.compile(r"Length\s*✓ [34]\.\d s"))
    page.reload()
    assert visitor.asked == ["beforeunload"], "the recording is nowhere else"
    page.click("#tab-clone-button")
    (tmp_path / "notes.txt").write_text("hello", encoding="utf-8")
    page.set_input_files("#clone-file input[type=file]", str(tmp_path / "notes.txt"))
    page.wait_for_selector("#clone-coach [role=alert]:has-text('no sound file')")


@pytest.mark.thorough
def test_a_long_recording_leaves_a_phones_page_as_wide_as_it_is(visitor: Visitor, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.wav", np.tile(reference_audio(10.0, RATE), 4), RATE)
    visitor.page.set_viewport_size({"width": 390, "height": 844})
    page = opened(visitor, "clone")
    upload(page, tmp_path / "long.wav")
    page.wait_for_function("document.querySelector('#clone-file #duration')?.innerText == '0:40'")
    assert page.evaluate("document.documentElement.scrollWidth") == 390


@pytest.mark.thorough
def test_what_is_missing_or_wrong_is_said(visitor: Visitor, recording: Path, tmp_path: Path) -> None:
    page = opened(visitor, "clone")
    (tmp_path / "page.wav").write_text("<html>" * 100, encoding="utf-8")
    page.set_input_files("#clone-file input[type=file]", str(tmp_path / "page.wav"))
    page.wait_for_selector("#clone-coach [role=alert]:has-text('no sound file')")
    upload(page, recording)
    page.click("#clone-run")
    page.wait_for_selector("#clone-status [role=alert]:has-text('copy only the sound')")
    page.click("#clone-mode label >> nth=1")
    page.wait_for_selector("#clone-transcript", state="hidden")
    page.click("#clone-save")
    page.wait_for_selector("#clone-saved [role=alert]:has-text('name first')")


def test_a_page_that_gets_no_microphone_says_why(visitor: Visitor) -> None:
    page = opened(visitor, "clone")
    note = page.locator(".studio-no-microphone").first
    expect(note).to_be_hidden()
    port = visitor.app.url.rsplit(":", 1)[1]
    page.goto(f"http://{NAMED_HOST}:{port}")
    page.click("#tab-clone-button")
    expect(note).to_be_visible()
    for way in ("http://localhost", "ssh -L", "--ssl-certfile"):
        expect(note).to_contain_text(way)
    expect(page.locator("#clone-file .source-selection button:visible")).to_have_count(1)


def test_a_designed_voice_is_saved_and_locked(visitor: Visitor) -> None:
    page = visitor.open()
    page.click("#tab-design-button")
    page.wait_for_selector("#design-run:not([disabled])")
    box(page, "design-description", "A calm voice.")
    box(page, "design-text", "hello world")
    page.click("#design-advanced button")
    page.fill("#design-advanced label:has-text('Seed') input", str(SEED_THAT_ENDS))
    page.click("#design-run")
    page.wait_for_selector("#design-save-1:visible")
    page.click("#design-stop")
    expect(page.locator("#design-status")).to_contain_text("1 of 3 candidates")
    assert page.is_hidden("#design-save-2")
    page.click("#design-lock-1")
    expect(page.locator("#design-lock")).to_contain_text("spoken by a clone of it")
    expect(page.locator("#design-description textarea")).to_be_disabled()
    page.click("#design-lock [data-action=unlock]")
    expect(page.locator("#design-description textarea")).to_be_enabled()
    page.click("#design-save-1")
    page.wait_for_selector("#design-kept .studio-saved:has-text('A calm voice')")
    page.click("#design-kept [data-tab=tab-library]")
    expect(page.locator(card("A calm voice"))).to_contain_text("Designed")


def test_programs_clone_save_list_and_delete(client: Client, recording: Path) -> None:
    file, details, *_ = client.predict(
        file=handle_file(str(recording)), text="hello world", mode="timbre_only", max_seconds=0.5, api_name="/clone"
    )
    assert details["voice"] == "base_0_6b/clone"
    assert soundfile.info(file).duration == pytest.approx(details["duration_seconds"], abs=0.01)
    with pytest.raises(AppError, match="Confirm first"):
        client.predict(name="X", file=handle_file(str(recording)), transcript="x", api_name="/save_voice")
    voice = kept(client, recording, "By program")
    listed = client.predict("by program", api_name="/list_saved_voices")
    assert [found["id"] for found in listed] == [voice]
    assert str(Path.home()) not in json.dumps(listed)
    assert client.predict("By program", api_name="/delete_voice")["deleted"] is True
    assert client.predict("by program", api_name="/list_saved_voices") == []


def test_the_librarys_folder_is_never_served(studio: RunningApp, client: Client, recording: Path) -> None:
    voice = kept(client, recording, "Private")
    path = studio.data_dir / "uploads" / "audios" / "qwen3_tts_voices" / voice / "reference.wav"
    assert path.is_file()
    assert httpx.get(f"{studio.url}gradio_api/file={path}").status_code in (403, 404)
