"""The folds of the Models tab in real Chromium: sources against hubs on loopback, updates and folder on real files."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.hubs.faults import Fault
from tests.hubs.hubs import Hubs
from tests.hubs.models import MAIN_FILE, PublishedModel, make_model
from tests.models.model_folders import CUSTOM_KEY
from tests.ui.conftest import RunningApp, Visitor, call, running_app
from tts_core.models.catalogue import load_catalogue
from tts_core.platform.settings.studio import Settings
from tts_core.services import build_services
from tts_core.ui.models.source_choices import SourceChoices
from tts_core.ui.models.source_list import source_list
from tts_core.ui.words import load_words

MAIN_BYTES = 20_000_000
SLOW = 150_000.0
"""Bytes per second: what is to be seen stays until it has been seen, and then the hubs are fast."""


@pytest.fixture(scope="module")
def hubs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hubs]:
    folder = tmp_path_factory.mktemp("hubs")
    with Hubs(folder) as started:
        started.publish(make_model(folder / "models", main_bytes=MAIN_BYTES))
        yield started


@pytest.fixture(scope="module")
def studio(hubs: Hubs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    """The mirror's address is a choice of the user's, no variable's. Nobody logs in, so that others come in, too."""
    variables = hubs.environ() | {"TTS_STUDIO_AUTH": "off"}
    del variables["HF_MIRROR_ENDPOINT"]
    data_dir = tmp_path_factory.mktemp("folds")
    choose(data_dir, mirror_endpoint=hubs.mirror.endpoint)
    with running_app(data_dir, variables) as app:
        yield app


@pytest.fixture(autouse=True)
def fresh(hubs: Hubs, studio: RunningApp) -> Iterator[None]:
    yield
    for hub in hubs.all:
        hub.faults.clear()
        hub.link.bytes_per_s = 0.0
    choose(studio.data_dir, mirror_endpoint=hubs.mirror.endpoint)
    shutil.rmtree(studio.models_dir, ignore_errors=True)


@pytest.fixture(scope="module")
def visitor(browser: Browser, studio: RunningApp) -> Iterator[Visitor]:
    context = browser.new_context(locale="en-US", viewport={"width": 1280, "height": 900})
    visitor = Visitor(context, studio)
    yield visitor
    assert visitor.errors == []
    context.close()


@pytest.fixture
def model(hubs: Hubs) -> PublishedModel:
    return hubs.models[CUSTOM_KEY]


def choose(data_dir: Path, **choices: object) -> None:
    (data_dir / "preferences.json").write_text(json.dumps(choices), encoding="utf-8")


def chosen(visitor: Visitor) -> dict[str, object]:
    found = json.loads((visitor.app.data_dir / "preferences.json").read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def install(model: PublishedModel, folder: Path) -> Path:
    """The whole model, as after a download; returns its folder."""
    for path, file in model.files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file.source, folder / path)
    return folder


def fold(visitor: Visitor, name: str, *, is_fresh: bool = True) -> Page:
    """The page with that fold open; the page as it was left will do where `is_fresh` is false."""
    page = visitor.page
    if is_fresh or not page.url.startswith(visitor.app.url):
        visitor.open()
    page.click("#tab-models-button")
    page.wait_for_selector("#models-list li")
    if not page.is_visible({"sources": "#sources-test", "store": "#store-check"}[name]):
        page.click(f"#models-{name} > button")
    return page


def asked(hubs: Hubs) -> dict[str, int]:
    """Requests that each hub has had."""
    return {hub.id: len(hub.log.requests()) for hub in hubs.all}


def source_row(page: Page, place: int) -> Locator:
    return page.locator("#sources-list li").nth(place)


def sources(page: Page) -> list[str]:
    return [row.get_attribute("data-source") or "" for row in page.locator("#sources-list li").all()]


def type_into(page: Page, box: str, text: str) -> None:
    page.locator(f"{box} :is(input, textarea)").fill(text)


def test_sources_are_asked_only_on_a_click_and_say_why_they_stand_there(visitor: Visitor, hubs: Hubs) -> None:
    hubs.hf.faults.add(Fault(status=503))
    page = fold(visitor, "sources")
    before, sent = asked(hubs), hubs.sent()
    expect(source_row(page, 2)).to_contain_text("Not tested yet")
    for hub in hubs.all:
        expect(page.locator("#sources-list")).to_contain_text(hub.endpoint)
    assert asked(hubs) == before
    message = page.locator("#sources-message")
    page.click("#sources-test")
    expect(message).to_contain_text("sources answered")
    if "2 of 3" not in message.inner_text():  # somebody has taken three seconds of this machine: once more
        before = asked(hubs)
        page.click("#sources-test")
    expect(message).to_contain_text("2 of 3 sources answered")
    expect(source_row(page, 0)).to_contain_text(re.compile(r"(Fastest|Nearest to you) · answered after \d+ ms"))
    expect(source_row(page, 1)).to_contain_text(re.compile(r"Next if .* · answered after \d+ ms"))
    expect(source_row(page, 2)).to_contain_text("Did not answer the test")
    assert sources(page)[2] == "hf"
    assert hubs.sent() == sent
    assert asked(hubs) == {name: requests + 1 for name, requests in before.items()}


@pytest.mark.thorough
def test_an_own_order_is_kept_counts_and_can_be_forgotten(visitor: Visitor, hubs: Hubs) -> None:
    page = fold(visitor, "sources")
    expect(source_row(page, 2)).to_be_visible()
    last = sources(page)[2]
    assert not page.is_visible("#sources-automatic")
    page.locator(f"#sources-list [data-key={last}][data-action=up]").focus()
    page.keyboard.press("Enter")
    expect(source_row(page, 1)).to_have_attribute("data-source", last)
    assert page.evaluate("document.activeElement.dataset.key") == last  # focus goes along
    page.keyboard.press("Enter")
    expect(source_row(page, 0)).to_have_attribute("data-source", last)
    expect(page.locator("#sources-order")).to_contain_text("Your own order")
    expect(page.locator("#sources-message")).to_contain_text("Saved")
    order = sources(page)
    assert chosen(visitor)["source_order"] == order
    page = fold(visitor, "sources")
    expect(source_row(page, 0)).to_have_attribute("data-source", last)
    for hub in hubs.all:
        hub.link.bytes_per_s = SLOW
    before = asked(hubs)
    page.locator(f"#model-{CUSTOM_KEY}").get_by_role("button", name="Download").click()
    doing = page.locator(f"#model-{CUSTOM_KEY} .studio-model-doing")
    expect(doing).to_have_text(re.compile("^From .*: your own order$"))
    for hub in hubs.all:
        hub.link.bytes_per_s = 0.0
    expect(page.locator(f"#model-{CUSTOM_KEY}")).to_have_attribute("data-look", "ready")
    assert [name for name, requests in asked(hubs).items() if requests > before[name]] == [last]
    page.click("#sources-automatic")
    expect(page.locator("#sources-order")).to_contain_text("Automatic order")
    assert "source_order" not in chosen(visitor)
    expect(page.locator("#sources-automatic")).to_be_hidden()


@pytest.mark.thorough
def test_the_mirrors_address_and_resuming_are_choices_and_nonsense_is_refused(visitor: Visitor, hubs: Hubs) -> None:
    page = fold(visitor, "sources")
    address, message = page.locator("#sources-mirror :is(input, textarea)"), page.locator("#sources-message")
    expect(address).to_have_value(hubs.mirror.endpoint)
    for wrong in ("http://mirror.example", "https://[", "https://me:secret@mirror.example"):
        address.fill(wrong)
        page.click("#sources-save-mirror")
        expect(message.get_by_role("alert")).to_contain_text(f"“{wrong}” can't be used: a source's address begins")
        expect(address).to_have_value(wrong)
    assert chosen(visitor) == {"mirror_endpoint": hubs.mirror.endpoint}
    address.fill("mirror.example/")
    address.press("Enter")
    expect(message).to_contain_text("Saved")
    expect(address).to_have_value("https://mirror.example")
    expect(page.locator("#sources-list")).to_contain_text("https://mirror.example")
    page.click("#models-source input")
    expect(page.get_by_role("option", name="mirror.example")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_label("Continue downloads automatically").check()
    expect(message).to_contain_text("Downloads continue by themselves")
    address.fill("")
    page.click("#sources-save-mirror")
    expect(page.locator("#sources-list")).to_contain_text("https://hf-mirror.com")
    assert chosen(visitor) == {"resume_downloads": True}


def test_variables_that_are_set_decide_and_are_named(tmp_path: Path) -> None:
    choose(tmp_path, source_order=["hf"], mirror_endpoint="https://chosen.example", resume_downloads=True)
    variables = {
        "TTS_STUDIO_DATA_DIR": str(tmp_path),
        "USE_HF_MIRROR": "true",
        "HF_MIRROR_ENDPOINT": "https://named.example",
        "TTS_STUDIO_RESUME_DOWNLOADS": "false",
    }
    services = build_services(Settings.from_env(variables))
    choices = SourceChoices(services)
    assert (choices.order_fixed_by, choices.own_mirror, choices.resumes) == (
        "USE_HF_MIRROR",
        "https://named.example",
        False,
    )
    rows = source_list(load_words("zh"), choices.standing(None), None, can_move=not choices.order_fixed_by)
    assert rows.index("https://named.example") < rows.index("https://huggingface.co")
    assert "设置了 USE_HF_MIRROR" in rows
    assert rows.count("<button") == rows.count(" hidden>")
    services.close()


@pytest.mark.thorough
def test_updates_are_told_source_by_source_and_change_nothing(
    visitor: Visitor, hubs: Hubs, model: PublishedModel
) -> None:
    folder, sent = install(model, visitor.app.models_dir / model.local), hubs.sent()
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    hubs.hf.faults.add(Fault(listed_sha256="f" * 64), on="listing", file=MAIN_FILE)
    hubs.mirror.faults.add(Fault(status=404), on="listing")
    page = fold(visitor, "store")
    page.click("#store-check")
    one = page.locator("#store-updates li", has_text="CustomVoice").filter(has_text="0.6B")
    expect(one).to_contain_text("Update available")
    expect(one).to_contain_text(f"revision {model.revision[:10]} has other files: {MAIN_FILE}")
    expect(one).to_contain_text("has no such model")
    expect(one).to_contain_text("the same files (revision master)")
    expect(page.locator("#store-updates li")).to_have_count(len(load_catalogue().keys()))
    expect(page.locator("#store-updates")).not_to_contain_text("Asking")
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    assert hubs.sent() == sent


@pytest.mark.thorough
def test_leftovers_are_shown_first_and_go_on_demand(visitor: Visitor, model: PublishedModel) -> None:
    page = fold(visitor, "store")
    page.click("#store-look")
    expect(page.locator("#store-leftovers")).to_contain_text("There are no leftovers")
    wrong = install(model, visitor.app.models_dir / model.local) / f"{MAIN_FILE}.wrong-1"
    wrong.write_bytes(bytes(2_000_000))
    page.click("#store-look")
    expect(page.locator("#store-leftovers")).to_contain_text(str(wrong))
    assert wrong.is_file()
    page.get_by_role("button", name="Delete these files: 2 MB").click()
    expect(page.locator("#store-leftovers")).to_contain_text("2 MB freed")
    assert not wrong.exists()
    assert (wrong.parent / MAIN_FILE).is_file()
    expect(page.locator("#store-clean")).to_be_hidden()


def test_a_model_leaves_to_a_folder_and_comes_back(visitor: Visitor, model: PublishedModel, tmp_path: Path) -> None:
    folder = visitor.app.models_dir / model.local
    page = fold(visitor, "store", is_fresh=False)
    page.click("#store-key input")
    page.get_by_role("option", name=re.compile("0.6B.CustomVoice")).click()
    result = page.locator("#store-exchange-result")
    type_into(page, "#store-folder", "somewhere")
    page.click("#store-export")
    expect(result.get_by_role("alert")).to_contain_text("Write the full path")
    type_into(page, "#store-folder", str(tmp_path))
    expect(page.locator("#store-import")).to_be_enabled()
    page.click("#store-import")
    expect(result.get_by_role("alert")).to_contain_text("No file of")
    install(model, folder)
    expect(page.locator("#store-export")).to_be_enabled()
    page.click("#store-export")
    expect(result).to_contain_text(f"written and compared: {tmp_path / model.local}")
    shutil.rmtree(folder)
    expect(page.locator("#store-import")).to_be_enabled()
    page.click("#store-import")
    expect(result).to_contain_text(f"is ready. Files imported: {len(model.files)}")
    assert (folder / MAIN_FILE).read_bytes() == (tmp_path / model.local / MAIN_FILE).read_bytes()


def test_the_models_folder_moves_after_telling_what_that_takes(
    visitor: Visitor, model: PublishedModel, tmp_path: Path
) -> None:
    install(model, visitor.app.models_dir / model.local)
    target = tmp_path / "elsewhere"
    page = fold(visitor, "store", is_fresh=False)
    result, move = page.locator("#store-move-result"), page.locator("#store-move")
    for wrong, why in (
        (visitor.app.models_dir / "in", "inside the present models folder"),
        ("C", "Write the full path"),
    ):
        type_into(page, "#store-target", str(wrong))
        page.click("#store-plan")
        expect(result.get_by_role("alert")).to_contain_text(why)
        expect(move).to_be_hidden()
    type_into(page, "#store-target", str(target))
    page.click("#store-plan")
    expect(result).to_contain_text(re.compile(r"\d MB will be moved to .* same disk\. .* are free there"))
    assert not target.exists()
    move.click()
    expect(result).to_contain_text(f"The models are now in {target}")
    expect(page.locator("#models-moved").get_by_role("alert")).to_contain_text("Restart TTS Studio")
    assert (target / model.local / MAIN_FILE).is_file()
    assert chosen(visitor)["models_dir"] == str(target)


def test_paths_of_this_machine_are_nothing_for_others(browser: Browser, visitor: Visitor) -> None:
    elsewhere = {"Via": "1.1 proxy"}
    other = Visitor(browser.new_context(locale="en-US", extra_http_headers=elsewhere), visitor.app)
    page = fold(other, "sources")
    expect(page.locator("#sources-mirror")).to_contain_text("only on the machine that runs TTS Studio")
    expect(page.locator("#sources-mirror :is(input, textarea)")).to_be_disabled()
    expect(page.locator("#sources-save-mirror")).to_be_hidden()
    expect(page.locator("#models-store")).to_be_hidden()
    other.context.close()
    for name, inputs in {"look": [], "export": [CUSTOM_KEY, "/tmp"], "move": ["/tmp/x"]}.items():
        assert "only on the machine that runs TTS Studio" in call(visitor.app, name, inputs, elsewhere)


@pytest.mark.thorough
def test_both_folds_fit_a_phone_in_chinese(browser: Browser, visitor: Visitor) -> None:
    context = browser.new_context(locale="zh-CN", viewport={"width": 390, "height": 844}, color_scheme="dark")
    page = fold(Visitor(context, visitor.app), "sources")
    page.click("#models-store > button")
    page.click("#sources-test")
    expect(page.locator("#sources-message")).to_contain_text("有响应")
    page.click("#store-check")
    expect(page.locator("#store-updates li")).to_have_count(len(load_catalogue().keys()))
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    text, english, chinese = page.inner_text("#tab-models"), load_words("en").table, load_words("zh").table
    own = {value for key, value in english.items() if len(value) > 6 and value not in chinese.get(key, "")}
    names = " ".join(entry.display_name for entry in load_catalogue().entries())
    assert [value for value in own if value in text and value not in names] == []
    context.close()
