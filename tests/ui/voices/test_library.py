"""The library of voices as people use it, in real Chromium; what needs none is in test_library_handlers.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile
import torch
from gradio_client import Client
from playwright.sync_api import expect

from tests.engines.qwen.formula_checkpoint import reference_audio
from tests.ui.conftest import CHOSEN_VOICE, RunningApp, Visitor
from tests.ui.voices.steps import RATE, act, box, card, edit, kept, opened

TALLEST_PX = 64
"""The most pixels that the row of a voice at rest may be high."""


def test_a_voice_is_edited_in_its_row_while_others_come(visitor: Visitor, client: Client, recording: Path) -> None:
    kept(client, recording, "Anna")
    page = opened(visitor, "library")
    anna = page.locator(card("Anna"))
    assert anna.bounding_box()["height"] <= TALLEST_PX  # type: ignore[index]
    anna.locator("[data-menu]").focus()
    page.keyboard.press("Enter")
    for key, focused in (
        ("ArrowDown", "listen"),
        ("ArrowDown", "edit"),
        ("ArrowDown", "settings"),
        ("ArrowUp", "edit"),
    ):
        page.keyboard.press(key)
        assert page.evaluate("Object.assign({}, document.activeElement.dataset).action ?? 'listen'") == focused
    page.keyboard.press("Enter")
    notes = anna.locator("textarea")
    notes.fill("From the radio")
    kept(client, recording, "Another")
    expect(page.locator("#library-list li").first).to_contain_text("Another")
    expect(notes).to_have_value("From the radio")
    anna.locator("select").select_option("german")
    anna.locator("input[name=name]").fill("Anna <b>two</b>")
    page.keyboard.press("Enter")
    expect(page.locator("#library-notice")).to_contain_text("Anna <b>two</b>")
    two = page.locator(card("Anna <b>two</b>"))
    expect(two).to_contain_text("German")
    expect(page.locator("#library-list form")).to_have_count(0)
    page.wait_for_function("document.activeElement.matches('[data-menu]')")
    two.locator("[data-menu]").click()
    two.locator("[data-sound=listen]").click()
    expect(two).to_have_attribute("data-sound", "playing")
    page.keyboard.press("Escape")
    expect(two).to_have_attribute("data-sound", "")
    two.locator("[data-action=favourite]").click()
    expect(page.locator("#library-list li").first).to_contain_text("Anna <b>two</b>")


def test_a_voice_is_changed_replaced_exported_and_imported(
    visitor: Visitor, client: Client, recording: Path, tmp_path: Path
) -> None:
    kept(client, recording, "Dora")
    page = opened(visitor, "library")
    edit(page, "Dora")
    page.wait_for_function("document.activeElement.matches('#library-editor h2')")
    box(page, "library-tags", "family, calm")
    page.click("#library-save")
    changed = page.locator("#library-list li:has(.studio-tag:text-is('calm'))")
    expect(changed).to_have_attribute("data-look", "ready")
    soundfile.write(tmp_path / "other.wav", reference_audio(5.0, RATE), RATE)
    page.click("#library-replacing button")
    page.set_input_files("#library-file input[type=file]", str(tmp_path / "other.wav"))
    page.wait_for_function("document.querySelector('#library-file #duration')?.innerText == '0:05'")
    page.click("#library-replace")
    expect(changed).to_contain_text("5.0 s")
    expect(changed).to_have_attribute("data-look", "ready")
    with page.expect_download() as download:
        page.click("#library-export")
    assert download.value.suggested_filename == "Dora.voice.zip"
    download.value.save_as(tmp_path / "dora.zip")
    page.focus("#library-close")
    page.keyboard.press("Enter")
    page.wait_for_function("document.activeElement.matches('[data-menu]')")
    page.click("#library-import button")
    page.set_input_files("#library-import-file input[type=file]", str(tmp_path / "dora.zip"))
    expect(page.locator(card("Dora"))).to_have_count(2)
    (tmp_path / "broken.zip").write_bytes(b"PK no zip")
    page.set_input_files("#library-import-file input[type=file]", str(tmp_path / "broken.zip"))
    expect(page.locator("[data-testid=toast-body]")).to_contain_text("broken.zip")


@pytest.mark.thorough
def test_a_voice_is_deleted_brought_back_and_deleted_for_good(
    visitor: Visitor, client: Client, recording: Path
) -> None:
    kept(client, recording, "Cora")
    page = opened(visitor, "library")
    cora = page.locator(card("Cora"))
    edit(page, "Cora")
    act(page, "Cora", "delete")
    expect(cora).to_have_count(0)
    expect(page.locator("#library-editor")).to_be_hidden()
    page.wait_for_function("document.activeElement.dataset.action == 'restore'")
    page.keyboard.press("Enter")
    expect(cora).to_be_visible()
    act(page, "Cora", "delete")
    expect(cora).to_have_count(0)
    page.click("#library-show label:has-text('Deleted')")
    act(page, "Cora", "ask_remove")
    page.click("dialog[open] button[value=no]")
    act(page, "Cora", "ask_remove")
    page.click("dialog[open] button[value=yes]")
    expect(cora).to_have_count(0)
    expect(page.locator("#library-notice")).to_contain_text("permanently deleted")


@pytest.mark.thorough
def test_recordings_come_with_their_texts(visitor: Visitor, recording: Path, tmp_path: Path) -> None:
    files = {"Hana.wav": recording.read_bytes(), "Hana.txt": b"hello world", "Iris.MP3": b"no sound", "Iris.txt": b"hi"}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "voice.zip").write_bytes(b"no zip")
    page = opened(visitor, "library")
    page.click("#library-import button")

    def choose_files(*names: str) -> None:
        page.set_input_files("#library-import-file input[type=file]", [str(tmp_path / name) for name in names])

    said = page.locator("[data-testid=toast-body]")
    choose_files("Hana.wav", "voice.zip")
    expect(said).to_contain_text("can't be imported together")
    expect(page.locator("#library-import-file")).not_to_contain_text("Hana")
    choose_files("Hana.wav", "Iris.txt", "Iris.MP3")
    expect(said.filter(has_text="These recordings have no text: Hana.wav.")).to_be_visible()
    choose_files("Hana.txt")  # comes to the others
    expect(page.locator("#library-import-info")).to_contain_text("named after its files")
    expect(page.locator("#library-import-name")).to_be_hidden()
    page.click("#library-import-run")
    expect(said.filter(has_text="may use this voice")).to_be_visible()
    page.click("#library-import-consent label >> nth=0")
    page.click("#library-import-run")
    told = page.locator("#library-notice")
    expect(told).to_contain_text("Voices added to the library: 1.")
    expect(told.locator("li")).to_have_count(1)
    expect(told.locator("li")).to_contain_text("Iris: ")
    expect(page.locator(card("Hana"))).to_be_visible()
    expect(page.locator(card("Iris"))).to_have_count(0)
    expect(page.locator("#library-import-run")).to_be_hidden()
    edit(page, "Hana")
    expect(page.locator("#library-transcript textarea")).to_have_value("hello world")
    expect(page.locator("#library-facts")).to_contain_text("It is my own voice")


@pytest.mark.thorough
def test_an_official_prompt_is_asked_whose_voice_it_is(visitor: Visitor, studio: RunningApp, tmp_path: Path) -> None:
    config = json.loads((studio.models_dir / "Qwen3-TTS-12Hz-0.6B-Base" / "config.json").read_text(encoding="utf-8"))
    size = config["speaker_encoder_config"]["enc_dim"]
    prompt = {"ref_code": None, "ref_spk_embedding": torch.linspace(-1, 1, size), "x_vector_only_mode": True}
    torch.save({"items": [{**prompt, "icl_mode": False, "ref_text": None}]}, tmp_path / "voice.pt")
    page = opened(visitor, "library")
    page.click("#library-import button")
    page.set_input_files("#library-import-file input[type=file]", str(tmp_path / "voice.pt"))
    page.click("#library-import-run")
    expect(page.locator("[data-testid=toast-body]")).to_contain_text("name first")
    box(page, "library-import-name", "From the demo")
    page.click("#library-import-consent label >> nth=1")
    box(page, "library-import-consent-note", "Emil, on paper")
    page.click("#library-import-run")
    expect(page.locator(card("From the demo"))).to_have_attribute("data-look", "ready")
    edit(page, "From the demo")
    expect(page.locator("#library-facts")).to_contain_text("Emil, on paper")


def test_a_role_is_added_changed_and_spoken_with(visitor: Visitor) -> None:
    page = opened(visitor, "library")
    page.click("#library-role button")
    page.click("#library-role-add")
    expect(page.locator("[data-testid=toast-body]")).to_contain_text("name first")
    box(page, "library-role-name", "Storyteller")
    page.click("#library-role-add")
    edit(page, "Storyteller")
    expect(page.locator("#library-transcript")).to_be_hidden()
    box(page, "library-instruct", "slowly")
    page.click("#library-save")
    page.wait_for_selector("#library-message .studio-notice")
    page.click(f"{card('Storyteller')} .studio-voice-row > [data-action=use]")
    page.wait_for_selector(f"{CHOSEN_VOICE}:text-is('Storyteller')")
