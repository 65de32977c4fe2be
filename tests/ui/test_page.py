"""What a person does with the page, in real Chromium against the real app."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
import soundfile
from playwright.sync_api import expect

from tests.conftest import wait_until
from tests.ui.conftest import CHOSEN_VOICE, SPEAK_PLAYER, RunningApp, Visitor, finished_file, live
from tts_core.ui.words import load_words

SENTENCE = "The quick brown fox jumps over the lazy dog."


def test_a_person_types_and_hears_their_text_on_a_fresh_machine(visitor: Visitor) -> None:
    visitor.open()
    page = visitor.speak(SENTENCE)
    page.wait_for_selector(f"{SPEAK_PLAYER}[data-state=ended]")
    assert "Done" in page.inner_text("#speak-status")
    page.click("#speak-player .player-info")
    expect(page.locator("#speak-player .player-facts")).to_contain_text(f"{live(visitor, 'first-audio-ms')} ms")
    facts = page.inner_text("#speak-player .player-facts")
    for word in ("Built-in (by language)", "Heart", "First sound after your press", "real time", "Seed"):
        assert word in facts
    assert visitor.errors == []


def test_what_is_heard_live_is_the_finished_file(visitor: Visitor) -> None:
    visitor.open()
    visitor.speak(SENTENCE)
    samples, rate = soundfile.read(io.BytesIO(finished_file(visitor)), dtype="int16")
    played = visitor.page.locator(SPEAK_PLAYER).evaluate(
        "player => [player.receivedS * player.rate, player.rate, Math.max(...player.peaks)]"
    )
    assert played == pytest.approx([len(samples), rate, np.abs(samples.astype(float)).max() / 32768], rel=1e-6)
    assert 1.5 < len(samples) / rate < 6
    assert 2000 < np.abs(samples).max() < 32767


def test_a_take_is_replayed_downloaded_used_again_and_deleted(visitor: Visitor) -> None:
    visitor.page.set_viewport_size({"width": 1280, "height": 800})
    visitor.open()
    page = visitor.speak("The rain had stopped: nobody spoke.")
    player, rows = page.locator(SPEAK_PLAYER), page.locator("#speak-takes li")
    expect(player).to_have_attribute("data-state", "ended")
    box = page.locator("#speak-player").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < 800, "the player is in sight"
    page.click("#speak-player .player-save summary")
    with page.expect_download() as download:
        page.click("#speak-player .player-save a:has-text('MP3')")
    assert download.value.suggested_filename == "Built-in – The rain had stopped.mp3"
    page.select_option("#speak-player .player-speed", "2")
    page.locator("#speak-player .player-seek").press("PageDown")
    expect(player).to_have_attribute("data-state", "paused")
    assert page.locator("#speak-player .player-seek").input_value() not in ("0", "1")
    page.click("#speak-player .player-toggle")
    expect(player).to_have_attribute("data-state", "ended")
    first = live(visitor, "take")
    page.click("#speak-player .player-again")
    expect(rows).to_have_count(2)
    assert live(visitor, "take") != first
    page.keyboard.press("Escape")
    expect(player).to_have_attribute("data-state", "stopped")

    page.fill("#speak-text textarea", "Something else.")
    page.reload()
    expect(rows).to_have_count(2)
    rows.nth(1).locator(".take-star").click()
    expect(rows.nth(1).locator(".take-star")).to_have_attribute("aria-pressed", "true")
    rows.nth(1).locator(".take-use").click()
    expect(page.locator("#speak-text textarea")).to_have_value("The rain had stopped: nobody spoke.")
    rows.nth(1).locator(".take-play").click()
    expect(player).to_have_attribute("data-take", str(first))
    rows.nth(1).locator(".take-remove").click()
    expect(player).to_have_attribute("data-state", "idle")
    page.click("[data-take-do=undo]")
    expect(rows).to_have_count(2)
    rows.nth(1).locator(".take-remove").click()
    page.reload()  # nothing can be undone any more
    expect(rows).to_have_count(1)
    with visitor.app.program() as program:
        wait_until(lambda: program.get(f"api/tts/qwen3/audio/{first}").status_code == 404)
    assert visitor.errors == []


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
    page.fill("#speak-text textarea", "Now there is something.")
    page.wait_for_selector("#speak-status [role=alert]", state="detached")


def test_controls_that_the_voice_does_not_follow_are_off_and_say_why(visitor: Visitor) -> None:
    page = visitor.open()
    assert not page.is_visible("#speak-instruct")
    assert "does not follow style instructions" in page.inner_text("#tab-speak")
    assert page.is_enabled("#speak-speed input[type=number]")
    page.click("#speak-advanced button")
    page.wait_for_selector("#speak-sampling-note")
    assert "no sampling settings" in page.inner_text("#speak-sampling-note")
    assert "Top-p" not in page.inner_text("#tab-speak")
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
    expect(page.locator("#speak-player .player-facts")).to_contain_text("Henry")
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
    of_the_page = set(load_words("zh").table.values())  # some of them are names, one is that of the other language
    english = {key: value for key, value in load_words("en").table.items() if value not in of_the_page}
    shown = {key for key, value in english.items() if len(value) > 6 and value in text}
    assert "完成" in text
    assert shown == set()
    page.click(".studio-header a")
    page.wait_for_selector("#speak-run:has-text('Generate')")
    page.wait_for_function("document.querySelector('#speak-text textarea').value == '今天天气很好。'")
    expect(page.locator(".take-text")).to_have_text("今天天气很好。")  # the takes of this visit came along as well
    page.click("#speak-run")  # the text that came along is the one that is spoken
    page.wait_for_selector(f"{SPEAK_PLAYER}[data-take]")
    expect(page.locator(".take-text")).to_have_count(2)
    chinese_visitor.open()
    assert page.inner_text("#speak-run") == "Generate"


def test_every_tab_is_equally_wide_and_the_narrowest_phone_needs_no_sideways_scrolling(visitor: Visitor) -> None:
    page = visitor.open()
    for width in (1280, 320):
        page.set_viewport_size({"width": width, "height": 640})
        widths = set()
        for tab in ("speak", "clone", "design", "library", "models", "system"):
            page.click(f"#tab-{tab}-button")
            page.wait_for_selector(f"#tab-{tab} .studio-card >> nth=0")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, tab
            widths.add(page.evaluate("document.querySelector('#studio-tabs').getBoundingClientRect().width"))
        assert len(widths) == 1, widths


FORM = """() => [
    ["text textarea", "speed input[type=number]", "format input:checked"].map(
        (part) => document.querySelector(`#speak-${part}`).value),
    document.querySelector(".studio-count b").innerText,
]"""
KEPT_VOICE = "JSON.parse(localStorage['tts-studio-kept'])['speak-voice']"
OF_GUESTS = """() => {
    const component = (type, props) => ({type, props});
    const tabs = {elem_id: "studio-tabs", elem_classes: ["studio-of-guests"]};
    const kept = {"speak-text": "Of this tab.", "speak-speed": 9, "speak-format": "exe"};
    sessionStorage.setItem("tts-studio-kept", JSON.stringify(kept));
    const widgets = [
        component("textbox", {elem_id: "speak-text", value: ""}),
        component("slider", {elem_id: "speak-speed", value: 1, minimum: 0.5, maximum: 2}),
        component("radio", {elem_id: "speak-format", value: "wav", choices: [["wav", "wav"]]}),
    ];
    const tab = component("tabitem", {id: "speak"});
    studioMemory.begin({components: [component("tabs", tabs), tab, ...widgets]});
    studioMemory.keep("speak-text", "More of it.");
    const values = widgets.map(({props}) => props.value);
    return [...values, sessionStorage["tts-studio-kept"], localStorage["tts-studio-kept"]];
}"""


def test_what_was_typed_and_chosen_is_back_until_the_browser_is_told_to_forget_it(visitor: Visitor) -> None:
    page = visitor.open()
    page.fill("#speak-text textarea", "Keep me.")
    page.fill("#speak-speed input[type=number]", "1.5")
    page.click("#speak-advanced button")
    page.click("#speak-format label:has-text('mp3')")
    page.click("[data-studio=theme]")
    page.click("#tab-models-button")
    page.reload()
    page.wait_for_selector("#models-list li")
    assert page.evaluate("document.body.classList.contains('dark')")
    page.goto(f"{visitor.app.url}?lang=zh&voice=Heart")
    page.wait_for_selector("html[lang=zh-CN]", state="attached")
    page.wait_for_selector(".studio-count b:text-is('8')")
    page.click("#speak-advanced button")
    page.wait_for_selector("#speak-format input:checked")
    assert page.evaluate(FORM) == [["Keep me.", "1.5", "mp3"], "8"]
    page.wait_for_function(f"{KEPT_VOICE} == 'hibari/heart'")  # the server has found the name
    page.goto(f"{visitor.app.url}?tab=system&voice=nobody/here&lang=en")
    page.wait_for_selector("#system-memory dl")
    expect(page.locator("[data-testid=toast-body]")).to_contain_text("no longer here")
    page.click("[data-studio=forget]")
    page.wait_for_selector("#speak-text textarea")
    assert visitor.asked == ["confirm"]
    expect(page.locator("#speak-text textarea")).to_have_value("")
    guest = page.evaluate(OF_GUESTS)
    assert guest[:3] == ["Of this tab.", 1, "wav"], "what does not fit is left out"
    assert "More of it." in guest[3]
    assert "More of it." not in (guest[4] or "")
    assert visitor.errors == []


def test_every_control_is_reached_by_tab_and_has_a_name(visitor: Visitor) -> None:
    page = visitor.open()
    wanted = {"speak-text", "speak-run", "speak-voice", "speak-language", "speak-speed", "speak-advanced"}
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
    language = page.locator("#speak-language input")
    language.click()
    page.keyboard.type("germ")
    expect(page.get_by_role("option")).to_have_text([re.compile("German")])
    page.keyboard.press("Enter")
    expect(language).to_have_value("German")
    page.keyboard.press("Tab")
    language.focus()
    expect(page.get_by_role("option", selected=True)).to_be_in_viewport()
    page.keyboard.type("qqq")
    expect(page.locator(".studio-unseen")).to_have_text("Nothing fits")
    page.keyboard.press("Tab")
    expect(page.get_by_role("listbox")).to_have_count(0)
    assert page.evaluate("document.activeElement.closest('.block').id") == "speak-speed"
    assert language.input_value() == "German"
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
