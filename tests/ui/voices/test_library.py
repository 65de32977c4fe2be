"""The library of voices as people use it: found, heard, changed, copied, taken along, deleted and brought back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile
import torch
from gradio_client import Client
from playwright.sync_api import Page, expect

from tests.engines.qwen.formula_checkpoint import reference_audio
from tests.ui.conftest import RunningApp, Visitor
from tests.ui.voices.steps import RATE, box, card, edit, kept, opened


def choose(page: Page, name: str, option: str) -> None:
    """In a drop-down list."""
    page.click(f"#{name} input")
    page.click(f"[role=option]:has-text('{option}')")


def show(page: Page, which: str) -> None:
    page.click(f"#library-show label:has-text('{which}')")


def test_a_voice_is_changed_copied_and_found_again(visitor: Visitor, client: Client, recording: Path) -> None:
    kept(client, recording, "Anna")
    page = opened(visitor, "library")
    page.click(f"{card('Anna')} [data-action=favourite]")
    page.wait_for_selector(f"{card('Anna')} [aria-pressed=true]")
    edit(page, "Anna")
    box(page, "library-name", "Anna <b>two</b>")
    box(page, "library-tags", "family, calm")
    box(page, "library-transcript", "another text")
    choose(page, "library-language", "German")
    page.click("#library-save")
    changed = "#library-list li:has(.studio-tag:text-is('calm'))"
    expect(page.locator(changed)).to_have_attribute("data-look", "ready")
    assert page.inner_text(f"{changed} h3") == "Anna <b>two</b>"
    expect(page.locator(changed)).to_contain_text("German")
    page.click("#library-copy")
    copy = card("Anna <b>two</b> (copy)")
    expect(page.locator(copy)).to_have_attribute("data-look", "ready")
    expect(page.locator("#library-facts")).to_contain_text("It is my own voice")
    show(page, "Favourites")
    box(page, "library-search", "calm fam")
    expect(page.locator("#library-list li:has([data-action=favourite][aria-pressed=false])")).to_have_count(0)
    expect(page.locator(card("Anna <b>two</b>"))).to_be_visible()
    box(page, "library-search", "nobody is called so")
    page.wait_for_selector("#library-list .studio-empty")


def test_a_voice_is_heard_and_its_recording_replaced(
    visitor: Visitor, client: Client, recording: Path, tmp_path: Path
) -> None:
    kept(client, recording, "Bert")
    page = opened(visitor, "library")
    page.click(f"{card('Bert')} [data-action=listen]")
    expect(page.locator("#library-sound")).to_contain_text("Bert: recording")
    page.click(f"{card('Bert')} [data-action=sample]")
    expect(page.locator("#library-sound")).to_contain_text("Bert: preview")
    edit(page, "Bert")
    soundfile.write(tmp_path / "other.wav", reference_audio(5.0, RATE), RATE)
    page.click("#library-replacing button")
    page.set_input_files("#library-file input[type=file]", str(tmp_path / "other.wav"))
    page.wait_for_function("document.querySelector('#library-file #duration')?.innerText == '0:05'")
    page.click("#library-replace")
    expect(page.locator(card("Bert"))).to_contain_text("5.0 s")
    expect(page.locator(card("Bert"))).to_have_attribute("data-look", "ready")


def test_a_voice_is_deleted_brought_back_and_deleted_for_good(
    visitor: Visitor, client: Client, recording: Path
) -> None:
    kept(client, recording, "Cora")
    page = opened(visitor, "library")
    edit(page, "Cora")
    page.click(f"{card('Cora')} [data-action=delete]")
    expect(page.locator(card("Cora"))).to_have_count(0)
    expect(page.locator("#library-editor")).to_be_hidden()
    page.click("#library-notice [data-action=restore]")
    page.wait_for_selector(card("Cora"))
    page.click(f"{card('Cora')} [data-action=delete]")
    expect(page.locator(card("Cora"))).to_have_count(0)
    show(page, "Deleted")
    page.click(f"{card('Cora')} [data-action=ask_remove]")
    page.click("dialog[open] button[value=no]")
    page.click(f"{card('Cora')} [data-action=ask_remove]")
    page.click("dialog[open] button[value=yes]")
    expect(page.locator(card("Cora"))).to_have_count(0)
    expect(page.locator("#library-notice")).to_contain_text("permanently deleted")
    show(page, "All")
    page.wait_for_selector("#library-list :is(ul, .studio-welcome)")
    expect(page.locator(card("Cora"))).to_have_count(0)


def test_a_voice_travels_as_a_zip(visitor: Visitor, client: Client, recording: Path, tmp_path: Path) -> None:
    kept(client, recording, "Dora")
    page = opened(visitor, "library")
    edit(page, "Dora")
    with page.expect_download() as download:
        page.click("#library-export")
    assert download.value.suggested_filename == "Dora.voice.zip"
    download.value.save_as(tmp_path / "dora.zip")
    page.click(f"{card('Dora')} [data-action=delete]")
    expect(page.locator(card("Dora"))).to_have_count(0)
    page.click("#library-import button")
    page.set_input_files("#library-import-file input[type=file]", str(tmp_path / "dora.zip"))
    page.wait_for_selector(card("Dora"))
    (tmp_path / "broken.zip").write_bytes(b"PK no zip")
    page.set_input_files("#library-import-file input[type=file]", str(tmp_path / "broken.zip"))
    expect(page.locator("[data-testid=toast-body]")).to_contain_text("broken.zip")


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
    page.click(f"{card('Storyteller')} [data-action=use]")
    page.wait_for_function("document.querySelector('#speak-voice input').value.startsWith('Storyteller')")


def test_the_keyboard_is_never_lost(visitor: Visitor, client: Client, recording: Path) -> None:
    kept(client, recording, "Frida")
    page = opened(visitor, "library")
    page.focus(f"{card('Frida')} [data-action=edit]")
    page.keyboard.press("Enter")
    page.wait_for_function("document.activeElement.matches('#library-editor h2')")
    page.focus("#library-close")
    page.keyboard.press("Enter")
    page.wait_for_function("document.activeElement.dataset.action == 'edit'")
    page.focus(f"{card('Frida')} [data-action=delete]")
    page.keyboard.press("Enter")
    page.wait_for_function("document.activeElement.dataset.action == 'restore'")
    page.keyboard.press("Enter")
    page.wait_for_selector(card("Frida"))


def test_what_happens_elsewhere_is_seen_and_a_failure_is_mended(
    visitor: Visitor, client: Client, studio: RunningApp, recording: Path
) -> None:
    page = opened(visitor, "library")
    voice = kept(client, recording, "Gerda")
    expect(page.locator(card("Gerda"))).to_have_attribute("data-look", "ready")
    file = studio.data_dir / "qwen3_tts_voices.json"
    data = json.loads(file.read_text(encoding="utf-8"))
    data[voice] |= {"status": "failed", "last_error": "It was told to fail."}
    file.write_text(json.dumps(data), encoding="utf-8")
    expect(page.locator(card("Gerda"))).to_contain_text("It was told to fail.")
    page.click(f"{card('Gerda')} [data-action=prepare]")
    expect(page.locator(card("Gerda"))).to_have_attribute("data-look", "ready")
