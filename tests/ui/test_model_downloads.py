"""The Models tab against hubs on loopback, in real Chromium: what people see and do while models come."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from playwright.sync_api import Browser, Locator, Page, expect

from tests.conftest import SOON_S
from tests.hubs.faults import Fault
from tests.hubs.hubs import Hubs
from tests.hubs.models import MAIN_FILE, make_model
from tests.models.model_folders import BASE_KEY, CUSTOM_KEY, TOKENIZER_KEY
from tests.ui.conftest import RunningApp, Visitor, running_app

MAIN_BYTES = 20_000_000
SLOW = 150_000.0
"""Bytes per second: what is to be seen stays until it has been seen, and then the hubs are fast."""
KEYS = (CUSTOM_KEY, BASE_KEY, TOKENIZER_KEY)

COLLECT = """row => {
  window.looks = []; window.percents = [];
  new MutationObserver(() => {
    const now = document.getElementById(row.id), bar = now?.querySelector("[role=progressbar]");
    if (!now) return;
    window.looks.push(now.dataset.look);
    if (bar) window.percents.push(Number(bar.getAttribute("aria-valuenow")));
  }).observe(document.getElementById("models-list"),
    { subtree: true, childList: true, attributes: true, characterData: true });
}"""
"""Keeps every look of a model's row, and every progress that it shows."""


@pytest.fixture(scope="module")
def hubs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hubs]:
    folder = tmp_path_factory.mktemp("hubs")
    with Hubs(folder) as started:
        started.publish(make_model(folder / "models", CUSTOM_KEY, main_bytes=MAIN_BYTES))
        started.publish(*(make_model(folder / "models", key) for key in (BASE_KEY, TOKENIZER_KEY)))
        yield started


@pytest.fixture(scope="module")
def studio(hubs: Hubs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    with running_app(tmp_path_factory.mktemp("downloading"), hubs.environ()) as app:
        yield app


@pytest.fixture(scope="module")
def client(studio: RunningApp) -> Iterator[Client]:
    client = Client(studio.url, download_files=False, verbose=False, httpx_kwargs={"timeout": SOON_S})
    yield client
    client.close()


@pytest.fixture(autouse=True)
def fresh(hubs: Hubs, studio: RunningApp, client: Client) -> Iterator[None]:
    """Sound, fast hubs and no model; afterwards nothing is being downloaded and nothing has failed."""
    yield
    for hub in hubs.all:
        hub.faults.clear()
        hub.link.bytes_per_s = 0.0
    for task in client.predict(api_name="/list_downloads"):
        if task["status"] == "error":
            client.predict(task["key"], api_name="/resume_download")
        client.predict(task["key"], api_name="/cancel_download")
    for key in KEYS:
        with suppress(AppError):  # nothing of it is there
            client.predict(key, api_name="/delete_model")


@pytest.fixture(scope="module")
def visitor(browser: Browser, studio: RunningApp) -> Iterator[Visitor]:
    """One page for all: nothing but what a test does changes it."""
    context = browser.new_context(locale="en-US", viewport={"width": 1280, "height": 900})
    visitor = Visitor(context, studio)
    models_tab(visitor)
    yield visitor
    assert visitor.errors == []
    context.close()


@pytest.fixture
def page(visitor: Visitor) -> Page:
    visitor.page.click("#tab-models-button")
    return visitor.page


def models_tab(visitor: Visitor) -> Page:
    page = visitor.open()
    page.click("#tab-models-button")
    page.wait_for_selector("#models-list li")
    return page


def row(page: Page, key: str = CUSTOM_KEY) -> Locator:
    return page.locator(f"#model-{key}")


def press(page: Page, button: str, key: str = CUSTOM_KEY) -> None:
    row(page, key).get_by_role("button", name=button).click()


def expect_look(page: Page, look: str, key: str = CUSTOM_KEY) -> None:
    expect(row(page, key)).to_have_attribute("data-look", look)


def percent(page: Page, key: str = CUSTOM_KEY) -> int:
    return int(row(page, key).get_by_role("progressbar").get_attribute("aria-valuenow") or -1)


def wait_for_bytes(page: Page, key: str = CUSTOM_KEY) -> None:
    expect(row(page, key).locator(".studio-progress")).to_contain_text(re.compile(r"[kM]B/s"))


def wait_for_a_look(page: Page) -> None:
    """The page has asked how things are."""
    page.wait_for_event("response", lambda response: "/predict" in response.url)


def slow_down(hubs: Hubs) -> None:
    for hub in hubs.all:
        hub.link.bytes_per_s = SLOW


def speed_up(hubs: Hubs) -> None:
    for hub in hubs.all:
        hub.link.bytes_per_s = 0.0


def test_a_newcomer_gets_the_first_choice_with_one_click_and_a_double_click_does_no_more(
    page: Page, hubs: Hubs
) -> None:
    slow_down(hubs)
    first = page.locator("#models-list li").first
    expect(first).to_contain_text("Start here")
    expect(first).to_contain_text("smallest model that speaks")
    first.get_by_role("button", name="Download").dblclick()
    expect(first.get_by_role("progressbar")).to_be_visible()
    expect(page.locator("#tab-models-button")).to_have_text(re.compile(r"Models \d+ %"))
    wait_for_bytes(page)
    expect(first.get_by_role("status")).to_contain_text("Downloading")
    begun = percent(page)
    row(page).evaluate(COLLECT)
    speed_up(hubs)
    expect_look(page, "ready")
    looks, percents = page.evaluate("[window.looks, window.percents]")
    assert set(looks) <= {"downloading", "stalled", "ready"}
    assert [begun, *percents] == sorted([begun, *percents])
    expect(row(page).get_by_role("status")).to_contain_text("verified")
    expect(page.locator("#models-summary")).to_contain_text("1 of 12")
    expect(page.locator("#tab-models-button")).to_have_text("Models")
    press(page, "Use in Speak")
    expect(page.locator("#speak-text")).to_be_visible()


def test_a_paused_download_looks_the_same_everywhere_and_goes_on(
    page: Page, visitor: Visitor, browser: Browser, hubs: Hubs
) -> None:
    slow_down(hubs)
    press(page, "Download")
    wait_for_bytes(page)
    other = Visitor(browser.new_context(locale="en-US"), visitor.app)
    there = models_tab(other)
    wait_for_bytes(there)
    row(page).get_by_role("button", name="Pause").focus()
    page.keyboard.press("Enter")
    for seen in (page, there):
        expect_look(seen, "paused")
    assert page.evaluate("document.activeElement.className") == "studio-unfold"  # no other act lies under the key
    facts = row(page).locator(".studio-progress p").inner_text()
    expect(row(there).locator(".studio-progress p")).to_have_text(facts)
    page.reload()
    page.click("#tab-models-button")
    expect(row(page).locator(".studio-progress p")).to_have_text(facts)
    press(page, "Cancel")
    expect(row(page).get_by_role("button", name="Resume")).to_be_visible()
    expect(row(page).get_by_role("status")).to_contain_text("Progress is kept")
    speed_up(hubs)
    press(there, "Resume")
    for seen in (page, there):
        expect_look(seen, "ready")
    other.context.close()


@pytest.mark.thorough
def test_the_queue_can_be_reordered_and_left(page: Page, hubs: Hubs) -> None:
    slow_down(hubs)
    press(page, "Download")
    wait_for_bytes(page)
    press(page, "Download", BASE_KEY)
    press(page, "Download", TOKENIZER_KEY)
    expect(row(page, TOKENIZER_KEY).get_by_role("status")).to_contain_text("Number 2 in line")
    press(page, "Move up", TOKENIZER_KEY)
    expect(row(page, TOKENIZER_KEY).get_by_role("status")).to_contain_text("Next in line")
    expect(row(page, BASE_KEY).get_by_role("status")).to_contain_text("Number 2 in line")
    for key in (BASE_KEY, TOKENIZER_KEY):
        press(page, "Cancel", key)
        expect_look(page, "not_downloaded", key)
    press(page, "Cancel")
    expect(row(page).get_by_role("status")).to_contain_text("Progress is kept")


@pytest.mark.thorough
def test_when_a_source_fails_the_page_says_who_goes_on(page: Page, hubs: Hubs) -> None:
    slow_down(hubs)
    hubs.hf.faults.add(Fault(status=403), on="listing")
    page.click("#models-sources > button")
    page.click("#models-source input")
    page.click("[role=option]:has-text('the original')")
    press(page, "Download")
    note = row(page).locator(".studio-notes")
    expect(note).to_contain_text("refuses this model")
    expect(note).to_contain_text(re.compile("Continuing from (the Hugging Face mirror|ModelScope); progress is kept"))
    speed_up(hubs)
    expect_look(page, "ready")
    page.reload()  # the next one chooses no source


@pytest.mark.thorough
def test_when_all_sources_fail_the_page_says_why_and_shows_the_way_by_hand(
    page: Page, visitor: Visitor, browser: Browser, hubs: Hubs
) -> None:
    for hub in hubs.all:
        hub.faults.add(Fault(status=404), on="listing")
    press(page, "Download")
    expect_look(page, "failed")
    failure = row(page).locator(".studio-failure")
    for source in ("Hugging Face", "Hugging Face mirror", "ModelScope"):
        expect(failure.locator("dt", has_text=re.compile(f"^{source}$"))).to_be_visible()
    row(page).locator(".studio-unfold").click()
    details = page.locator(f"#model-{CUSTOM_KEY}-details")
    expect(details).to_contain_text("hf download Qwen/Qwen3-TTS-12Hz-0.6B-CustomVoice")
    expect(details).to_contain_text(str(visitor.app.models_dir))
    phone = Visitor(browser.new_context(locale="zh-CN", viewport={"width": 320, "height": 700}), visitor.app)
    chinese = models_tab(phone)
    expect(row(chinese)).to_contain_text("所有来源都无法提供这个模型")
    expect(row(chinese)).to_contain_text("没有这个模型或文件")
    row(chinese).locator(".studio-unfold").click()
    expect(row(chinese)).to_contain_text("hf download")
    assert chinese.evaluate("document.documentElement.scrollWidth") <= 320
    phone.context.close()
    for hub in hubs.all:
        hub.faults.clear()
    press(page, "Try again")
    expect_look(page, "ready")
    row(page).locator(".studio-unfold").click()


def test_repair_fetches_only_what_is_missing_and_delete_asks_first(page: Page, visitor: Visitor, hubs: Hubs) -> None:
    press(page, "Download")
    expect_look(page, "ready")
    folder = visitor.app.models_dir / hubs.models[CUSTOM_KEY].local
    (folder / "vocab.json").unlink()
    expect_look(page, "incomplete")
    sent = hubs.sent(MAIN_FILE)
    row(page).get_by_role("button", name="Repair").dblclick()
    expect_look(page, "ready")
    assert (folder / "vocab.json").is_file()
    assert hubs.sent(MAIN_FILE) == sent
    row(page).locator(".studio-unfold").click()
    press(page, "Delete")
    question = page.get_by_role("dialog")
    expect(question).to_contain_text(re.compile(r"This frees \d+ MB"))
    page.keyboard.press("Escape")
    expect(question).to_be_hidden()
    assert (folder / "vocab.json").is_file()
    press(page, "Delete")
    question.get_by_role("button", name="Delete").click()
    expect_look(page, "not_downloaded")
    assert not folder.exists()
    row(page).locator(".studio-unfold").click()


@pytest.mark.thorough
def test_a_quiet_page_is_left_alone(page: Page) -> None:
    """Whatever is selected, focused or being read out stays so: without news nothing that we wrote changes."""
    wait_for_a_look(page)
    page.evaluate(
        """window.changes = []; new MutationObserver((found) => window.changes.push(...found
             .map(({ target }) => target.closest ? target : target.parentElement)
             .filter((target) => target.closest(".prose"))
             .map((target) => target.outerHTML.slice(0, 90))
           )).observe(document.getElementById("tab-models"),
             { subtree: true, childList: true, attributes: true, characterData: true })"""
    )
    for _ in range(20):  # what other tests left may still come to its end
        page.evaluate("window.changes = []")
        wait_for_a_look(page)
        wait_for_a_look(page)
        changes = page.evaluate("window.changes")
        if not changes:
            break
    assert changes == []


def test_programs_download_and_steer_by_name(client: Client, hubs: Hubs) -> None:
    slow_down(hubs)
    task = client.predict(CUSTOM_KEY, api_name="/download_model")
    assert task["status"] in ("waiting", "downloading")
    assert client.predict(BASE_KEY, "modelscope", api_name="/download_model")["provider"] == "modelscope"
    assert [one["key"] for one in client.predict(api_name="/list_downloads")][:2] == [CUSTOM_KEY, BASE_KEY]
    assert client.predict(CUSTOM_KEY, api_name="/pause_download")["status"] == "paused"
    assert client.predict(CUSTOM_KEY, api_name="/resume_download")["status"] in ("waiting", "downloading")
    assert client.predict(BASE_KEY, api_name="/cancel_download")["status"] == "cancelled"
    with pytest.raises(AppError, match="modelscope"):
        client.predict(CUSTOM_KEY, "elsewhere", api_name="/download_model")
    with pytest.raises(AppError, match="Nothing of the model"):
        client.predict(TOKENIZER_KEY, api_name="/delete_model")
