"""What a person does with the page, in real Chromium against the real app."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
import soundfile
from playwright.sync_api import expect

from tests.ui.conftest import CHOSEN_VOICE, RunningApp, Visitor, finished_file, live
from tts_core.ui.words import load_words

SENTENCE = "The quick brown fox jumps over the lazy dog."


def test_a_person_types_and_hears_their_text_on_a_fresh_machine(visitor: Visitor) -> None:
    visitor.open()
    page = visitor.speak(SENTENCE)
    page.wait_for_selector("tts-live[data-state=playing], tts-live[data-state=ended]")
    page.wait_for_selector("tts-live[data-state=ended]")
    facts = page.inner_text("#speak-status")
    for word in ("Done", "Built-in (by language)", "Heart", "First audio after", "real time", "Seed"):
        assert word in facts
    assert page.is_visible("#speak-audio")
    assert visitor.errors == []


def test_what_is_heard_live_is_the_finished_file_sample_by_sample(visitor: Visitor) -> None:
    visitor.open()
    visitor.speak(SENTENCE)
    samples, rate = soundfile.read(io.BytesIO(finished_file(visitor)), dtype="int16")
    with visitor.app.program() as program:
        heard = program.get(live(visitor, "src") or "").content
    assert rate == int(live(visitor, "rate") or 0)
    assert np.array_equal(np.frombuffer(heard, "<i2"), samples)
    assert 1.5 < len(samples) / rate < 6
    assert 2000 < np.abs(samples).max() < 32767


DECODED = """async name => {
    const headers = {"Content-Type": "application/json", "Accept": "audio/*"};
    const asked = [
        ["/v1/audio/speech", {model: "tts-1", voice: "builtin/ben", input: "Good morning.", response_format: name}],
        ["/api/tts/qwen3/synthesize", {text: "Good morning.", voice_id: "builtin/ben", format: name}],
    ];
    const sounds = asked.map(async ([url, body]) => {
        const answer = await fetch(url, {method: "POST", headers, body: JSON.stringify(body)});
        if (!answer.ok) throw new Error(await answer.text());
        const data = await answer.arrayBuffer();
        return (await new OfflineAudioContext(1, 1, 24000).decodeAudioData(data)).duration;
    });
    return Promise.all(sounds);
}"""


def test_the_browser_opens_every_format(visitor: Visitor) -> None:
    """Streamed and whole, at the same length. AAC needs a licence that this browser has not."""
    page = visitor.open()
    for name in ("mp3", "opus", "flac", "wav"):
        streamed_s, whole_s = page.evaluate(DECODED, name)
        assert streamed_s == pytest.approx(whole_s, abs=0.1), name
        assert 0.5 < whole_s < 3


def test_a_text_without_words_is_refused_with_what_to_do(visitor: Visitor) -> None:
    page = visitor.open()
    page.fill("#speak-text textarea", " … ")
    page.click("#speak-run")
    page.wait_for_selector("#speak-status [role=alert]")
    assert "Type at least one letter" in page.inner_text("#speak-status")
    page.wait_for_selector("#speak-run:not([disabled])")
    assert page.is_disabled("#speak-stop")


def test_controls_that_the_voice_does_not_follow_are_off_and_say_why(visitor: Visitor) -> None:
    page = visitor.open()
    assert page.is_disabled("#speak-instruct textarea")
    assert "does not follow style instructions" in page.inner_text("#tab-speak")
    page.click("#speak-advanced button")
    page.wait_for_selector("#speak-sampling-note")
    assert "no sampling settings" in page.inner_text("#speak-sampling-note")
    assert page.is_enabled("input[aria-label*='Maximum length'], label:has-text('Maximum length') input")


def test_a_sample_text_fills_the_box_and_is_counted(visitor: Visitor) -> None:
    page = visitor.open()
    page.click(".studio-sample >> nth=0")
    page.wait_for_selector(".studio-count b:not(:text-is('0'))")
    assert page.inner_text(".studio-count b") == str(len(page.input_value("#speak-text textarea")))


FOCUSED = "(document.activeElement.closest('[data-id]')?.dataset.id ?? '') + ' ' + document.activeElement.className"


def test_a_voice_is_found_previewed_and_chosen_with_the_keyboard(visitor: Visitor) -> None:
    page = visitor.open()
    page.fill("#speak-text textarea", SENTENCE)
    page.focus("#speak-voice .studio-voice-chip")
    page.keyboard.press("Enter")
    cards = page.locator(".studio-voices-list li")
    expect(cards.first).to_be_visible()
    waiting = page.locator("[data-id='custom_0_6b/vivian']")
    expect(waiting).to_contain_text("not downloaded yet")
    expect(waiting.get_by_role("button", name="Go to Models: Vivian")).to_be_attached()
    for key, focused in (
        ("ArrowDown", "builtin/by-language studio-voices-choose"),
        ("ArrowDown", "builtin/aria studio-voices-choose"),
        ("ArrowRight", "builtin/aria studio-voices-preview"),
    ):
        page.keyboard.press(key)
        assert page.evaluate(FOCUSED) == focused
    with page.expect_response("**/api/tts/qwen3/synthesize") as spoken:
        page.keyboard.press("Enter")
    assert "Hello, this is my voice" in (spoken.value.request.post_data or "")
    expect(cards.nth(1)).to_have_attribute("data-sound", "playing")
    page.keyboard.press("Escape")
    expect(page.locator(".studio-voices-sheet")).to_be_hidden()
    assert page.evaluate("studioSound.isPlaying('voice builtin/aria')") is False
    assert page.evaluate(FOCUSED) == " studio-voice-chip"
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    page.keyboard.type("full")  # a word of his line; the first letter leads to the search
    expect(cards).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.locator(CHOSEN_VOICE)).to_have_text("Henry")
    assert page.evaluate(FOCUSED) == " studio-voice-chip"
    assert page.input_value("#speak-text textarea") == SENTENCE
    visitor.speak("Hello.")
    expect(page.locator("#speak-status")).to_contain_text("Henry")
    assert visitor.errors == []


def test_the_built_in_voice_leads_to_the_models_tab_with_one_click(visitor: Visitor) -> None:
    page = visitor.open()
    page.click("#tab-speak .studio-link")
    page.wait_for_selector("#models-list li")
    assert page.locator("#models-list li").count() == 12
    assert page.inner_text("#models-list").count("Not downloaded") == 12


def test_a_damaged_model_is_explained_in_its_row_and_a_check_of_its_files_ends(visitor: Visitor) -> None:
    folder = visitor.app.models_dir / "Qwen3-TTS-Tokenizer-12Hz"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.safetensors").write_text("<!DOCTYPE html><title>Sign in</title>", encoding="utf-8")
    page = visitor.open()
    page.click("#tab-models-button")
    page.click("#model-tokenizer_12hz .studio-unfold")
    details = page.locator("#model-tokenizer_12hz-details")
    expect(details).to_contain_text("web page")
    details.get_by_role("button", name="Check files").click()
    expect(details.get_by_role("alert")).to_contain_text("not everything is in order")
    expect(details).to_contain_text("config.json")
    expect(details).to_contain_text(f"hf download Qwen/Qwen3-TTS-Tokenizer-12Hz --local-dir {folder}")
    (folder / "model.safetensors").unlink()
    folder.rmdir()


def test_the_system_tab_tells_the_device_and_why_and_no_spoken_text(visitor: Visitor) -> None:
    visitor.open()
    page = visitor.speak("Marzipan is a secret word.")
    page.click("#tab-system-button")
    page.wait_for_selector("#system-device strong")
    assert re.search(r"CPU|graphics", page.inner_text("#system-device"))
    expect(page.locator("#system-log textarea")).to_have_value(re.compile("Started server"))
    assert "arzipan" not in visitor.app.log()


def test_a_chinese_browser_gets_chinese_and_the_switch_is_remembered(chinese_visitor: Visitor) -> None:
    page = chinese_visitor.open()
    assert page.url.endswith("/zh/")
    chinese_visitor.speak("今天天气很好。")
    text = page.inner_text("body")
    english = load_words("en").table
    same_in_both = {key for key, value in load_words("zh").table.items() if value == english.get(key)}
    shown = {key for key, value in english.items() if len(value) > 6 and key not in same_in_both and value in text}
    assert "完成" in text
    assert shown == set()
    page.click(".studio-header a")
    page.wait_for_selector("#speak-run:has-text('Generate')")
    page.wait_for_function("document.querySelector('#speak-text textarea').value == '今天天气很好。'")
    page.click("#speak-run")  # the text that came along is the one that is spoken
    page.wait_for_selector("#speak-status .studio-facts")
    chinese_visitor.open()
    assert page.inner_text("#speak-run") == "Generate"


@pytest.mark.parametrize("tab", ["speak", "models", "system"])
def test_a_phone_needs_no_sideways_scrolling(chinese_visitor: Visitor, tab: str) -> None:
    page = chinese_visitor.open()
    page.click(f"#tab-{tab}-button")
    page.wait_for_selector(f"#tab-{tab} .studio-card >> nth=0")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_chosen_theme_outlives_a_reload(visitor: Visitor) -> None:
    page = visitor.open()
    assert not page.evaluate("document.body.classList.contains('dark')")
    page.click("[data-studio=theme]")
    page.reload()
    page.wait_for_selector("#speak-run")
    assert page.evaluate("document.body.classList.contains('dark')")


def test_every_control_is_reached_by_tab_and_has_a_name(visitor: Visitor) -> None:
    page = visitor.open()
    wanted = {"speak-text", "speak-run", "speak-voice", "speak-language", "speak-speed", "speak-format"}
    reached: set[str] = set()
    page.locator(".studio-header a").focus()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached |= set(
            page.evaluate(
                "(() => { const ids = []; for (let e = document.activeElement; e; e = e.parentElement)"
                " if (e.id) ids.push(e.id); return ids; })()"
            )
        )
    assert wanted <= reached
    nameless = page.evaluate(
        """[...document.querySelectorAll('button, input, textarea, select, a')]
           .filter(e => e.offsetParent && !(e.innerText || '').trim() && !e.ariaLabel && !e.title
                        && !e.labels?.length && !e.closest('label'))
           .map(e => e.outerHTML.slice(0, 160))"""
    )
    assert nameless == []


def test_the_page_asks_nobody_but_its_own_server(visitor: Visitor) -> None:
    visitor.open()
    page = visitor.speak(SENTENCE)
    for tab in ("models", "system"):
        page.click(f"#tab-{tab}-button")
        page.wait_for_timeout(300)
    outside = {url for url in visitor.requested if not url.startswith((visitor.app.url, "data:", "blob:"))}
    assert outside == set()


def test_what_a_program_asked_wrongly_is_not_printed(app: RunningApp) -> None:
    asked = {"data": ["Marzipan is a secret word.", 1]}
    with app.program() as program:
        event = program.post("gradio_api/call/synthesize", json=asked).json()["event_id"]
        program.get(f"gradio_api/call/synthesize/{event}")
    assert "A page event was refused" in app.log()
    assert "arzipan" not in app.log() + app.printed()


def test_the_app_listens_on_loopback_and_refuses_foreign_hosts(app: RunningApp) -> None:
    assert app.url.startswith("http://127.0.0.1:")
    with app.program() as program:
        assert program.get("", headers={"Host": "evil.example"}).status_code == 400
