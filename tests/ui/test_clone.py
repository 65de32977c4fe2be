"""Cloning a voice and keeping it, in real Chromium with a microphone that hears a voice, on a tiny Base model."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import av
import httpx
import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from playwright.sync_api import Browser, Page, expect

from tests.engine.formula_checkpoint import reference_audio, write_checkpoint
from tests.ui.conftest import NAMED_HOST, RunningApp, Visitor, running_app

BASE, CUSTOM = "Qwen3-TTS-12Hz-0.6B-Base", "Qwen3-TTS-12Hz-0.6B-CustomVoice"
DESIGN = "Qwen3-TTS-12Hz-1.7B-VoiceDesign"
SEED_THAT_ENDS = 3
"""With it the tiny VoiceDesign model comes to the end of "hello world" in a moment."""
SOON = 60_000
RATE = 24_000


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    data_dir = tmp_path_factory.mktemp("cloning")
    write_checkpoint(data_dir / "models" / "Qwen" / BASE, kind="base", geometry="a")
    write_checkpoint(data_dir / "models" / "Qwen" / CUSTOM, kind="custom_voice", geometry="a")
    write_checkpoint(data_dir / "models" / "Qwen" / DESIGN, kind="voice_design", geometry="b")
    with running_app(data_dir, {"TTS_STUDIO_ALLOWED_HOSTS": NAMED_HOST}) as app:
        yield app


@pytest.fixture(scope="module")
def client(studio: RunningApp, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    client = Client(studio.url, download_files=str(tmp_path_factory.mktemp("downloads")), verbose=False)
    yield client
    client.close()


@pytest.fixture
def visitor(talking_browser: Browser, studio: RunningApp) -> Iterator[Visitor]:
    context = talking_browser.new_context(locale="en-US", viewport={"width": 1280, "height": 900})
    visitor = Visitor(context, studio)
    visitor.page.set_default_timeout(SOON)
    yield visitor
    context.close()
    assert visitor.errors == []


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "me.wav", reference_audio(), RATE)
    return tmp_path / "me.wav"


def opened(visitor: Visitor, tab: str) -> Page:
    page = visitor.open()
    page.click(f"#tab-{tab}-button")
    page.wait_for_selector("#clone-run:not([disabled])" if tab == "clone" else f"#{tab}-list :is(ul, .studio-empty)")
    return page


def box(page: Page, name: str, text: str) -> None:
    page.fill(f"#{name} :is(input, textarea)", text)


def upload(page: Page, path: Path) -> None:
    page.set_input_files("#clone-file input[type=file]", str(path))
    page.wait_for_selector(".studio-coach")


def card(name: str) -> str:
    return f"#library-list li:has(h3:text-is('{name}'))"


def kept(client: Client, recording: Path, name: str) -> str:
    """Save a voice as programs do; its id."""
    saved, *_ = client.predict(
        name=name,
        file=handle_file(str(recording)),
        transcript="hello world",
        consent="own_voice",
        api_name="/save_voice",
    )
    assert saved["status"] == "ready"
    return str(saved["id"])


def write_m4a(path: Path, samples: npt.NDArray[np.float32], rate: int) -> Path:
    with av.open(str(path), "w", format="ipod") as out:
        stream = out.add_stream("aac", rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate = rate
        for piece in av.AudioResampler(format=stream.format.name, layout="mono", rate=rate).resample(frame):
            out.mux(stream.encode(piece))
        out.mux(stream.encode(None))
    return path


def test_a_voice_is_recorded_cloned_and_kept(visitor: Visitor) -> None:
    page = opened(visitor, "clone")
    page.click("#clone-file .source-selection button >> nth=1")
    page.click("#clone-file button.record-button")
    page.wait_for_timeout(3500)
    page.click("#clone-file button.stop-button")
    page.wait_for_selector(".studio-coach")
    assert float(re.findall(r"Speech\s+✓ ([\d.]+) s", page.inner_text(".studio-coach"))[0]) > 1.5
    box(page, "clone-transcript", "hello world")
    box(page, "clone-text", "hello world")
    page.click("#clone-advanced button")
    page.fill("label:has-text('Maximum length') input:visible", "1")
    page.click("#clone-run")
    page.wait_for_selector("#clone-live tts-live")
    page.wait_for_selector("#clone-status .studio-facts")
    assert "0.6B Base" in page.inner_text("#clone-status")
    page.wait_for_selector(".studio-likeness")
    assert re.search(r"Likeness\s+-?[01]\.\d\d", page.inner_text(".studio-likeness"))
    box(page, "clone-name", "Recorded")
    page.click("#clone-save")
    page.wait_for_selector("#clone-saved [role=alert]:has-text('Confirm first')")
    page.click("#clone-consent label >> nth=0")
    page.click("#clone-save")
    page.wait_for_selector("#clone-saved .studio-saved:has-text('Recorded')")
    page.click("#clone-saved [data-action=use]")
    page.wait_for_function("document.querySelector('#speak-voice input').value.startsWith('Recorded')")
    page.reload()
    page.click("#tab-library-button")
    expect(page.locator(card("Recorded"))).to_have_attribute("data-look", "ready")
    page.click("#tab-speak-button")
    page.click("#speak-voice input")
    offered = page.inner_text("[role=listbox]")
    assert "Recorded · saved voice" in offered
    assert "Clone" not in offered


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
    expect(page.locator("#clone-coach")).to_contain_text("1 recording is kept")
    upload(page, write_m4a(tmp_path / "more.m4a", reference_audio(2.0, RATE), RATE))
    expect(coach).to_contain_text(re.compile(r"Length✓ 1[45]\.\d s"))


def test_what_is_missing_or_wrong_is_said(visitor: Visitor, recording: Path, tmp_path: Path) -> None:
    page = opened(visitor, "clone")
    (tmp_path / "page.wav").write_text("<html>" * 100, encoding="utf-8")
    page.set_input_files("#clone-file input[type=file]", str(tmp_path / "page.wav"))
    page.wait_for_selector("#clone-coach [role=alert]:has-text('no sound file')")
    upload(page, recording)
    page.click("#clone-run")
    page.wait_for_selector("#clone-status [role=alert]:has-text('timbre only')")
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
    expect(note).to_contain_text("ssh -L", timeout=SOON)
    expect(note).to_be_visible(timeout=SOON)
    expect(page.locator("#clone-file .source-selection button:visible")).to_have_count(1)


def test_a_voice_is_found_changed_deleted_and_brought_back(
    visitor: Visitor, client: Client, recording: Path, tmp_path: Path
) -> None:
    kept(client, recording, "Anna")
    page = opened(visitor, "library")
    page.click(f"{card('Anna')} [data-action=favourite]")
    page.wait_for_selector(f"{card('Anna')} [aria-pressed=true]")
    page.click(f"{card('Anna')} [data-action=listen]")
    page.wait_for_selector("#library-sound [data-testid^=waveform]")
    page.click(f"{card('Anna')} [data-action=edit]")
    page.wait_for_function("document.querySelector('#library-name :is(input, textarea)')?.value == 'Anna'")
    box(page, "library-name", "Anna <b>two</b>")
    box(page, "library-tags", "family, calm")
    box(page, "library-transcript", "another text")
    page.click("#library-save")
    changed = "#library-list li:has(.studio-tag:text-is('calm'))"
    expect(page.locator(changed)).to_have_attribute("data-look", "ready")
    assert page.inner_text(f"{changed} h3") == "Anna <b>two</b>"
    with page.expect_download() as download:
        page.click("#library-export")
    download.value.save_as(tmp_path / "anna.zip")
    box(page, "library-search", "calm fam")
    page.wait_for_function("document.querySelectorAll('#library-list li').length == 1")
    page.click(f"{changed} [data-action=delete]")
    page.wait_for_selector("#library-list .studio-empty")
    page.click("#library-notice [data-action=restore]")
    page.wait_for_selector(changed)
    page.click(f"{changed} [data-action=delete]")
    page.wait_for_selector("#library-list .studio-empty")
    page.click("#library-show label >> nth=2")
    page.click(f"{changed} [data-action=ask_remove]")
    page.click("dialog[open] button[value=yes]")
    page.wait_for_selector("#library-list .studio-empty")
    page.click("#library-show label >> nth=0")
    page.click("#library-import button")
    page.set_input_files("#library-import-file input[type=file]", str(tmp_path / "anna.zip"))
    page.wait_for_selector(changed)


def test_a_role_is_added_and_spoken_with(visitor: Visitor) -> None:
    page = opened(visitor, "library")
    page.click("#library-role button")
    box(page, "library-role-name", "Storyteller")
    page.click("#library-role-add")
    page.click(f"{card('Storyteller')} [data-action=use]")
    page.wait_for_function("document.querySelector('#speak-voice input').value.startsWith('Storyteller')")


def test_a_designed_voice_is_kept(visitor: Visitor) -> None:
    page = visitor.open()
    page.click("#tab-design-button")
    page.wait_for_selector("#design-run:not([disabled])")
    box(page, "design-description", "A calm voice.")
    box(page, "design-text", "hello world")
    page.fill("#tab-design label:has-text('Seed') input", str(SEED_THAT_ENDS))
    assert page.is_hidden("#design-keep")
    page.click("#design-run")
    page.wait_for_selector("#design-status .studio-facts", timeout=2 * SOON)
    assert "Done" in page.inner_text("#design-status")
    box(page, "design-name", "Calm")
    page.click("#design-keep-run")
    page.wait_for_selector("#design-kept .studio-saved:has-text('Calm')")
    page.click("#design-kept [data-tab=tab-library]")
    expect(page.locator(card("Calm"))).to_contain_text("Designed")


def test_a_voice_that_failed_says_why_and_is_prepared_again(
    visitor: Visitor, client: Client, studio: RunningApp, recording: Path
) -> None:
    voice = kept(client, recording, "Patient")
    file = studio.data_dir / "qwen3_tts_voices.json"
    data = json.loads(file.read_text(encoding="utf-8"))
    data[voice] |= {"status": "failed", "last_error": "It was told to fail."}
    file.write_text(json.dumps(data), encoding="utf-8")
    page = opened(visitor, "library")
    expect(page.locator(card("Patient"))).to_contain_text("It was told to fail.")
    page.click(f"{card('Patient')} [data-action=prepare]")
    expect(page.locator(card("Patient"))).to_have_attribute("data-look", "ready")


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
