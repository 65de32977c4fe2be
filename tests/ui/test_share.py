"""`python app.py --share` with a stand-in for the helper: what comes by the link, the banner, and the end of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Playwright, expect

from tests import ROOT
from tests.access.fake_helper import HOST
from tests.browser import browser_or_skip
from tests.conftest import SOON_S
from tests.ui.conftest import QUIET, SPEAK_PLAYER, RunningApp, running_app
from tts_core.ui.faults import UnknownFile
from tts_core.ui.words import load_words

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for the helper is a script"),
]


FETCH = """async (url) => {
    const answer = await fetch(url);
    const start = (await answer.arrayBuffer()).slice(0, 4);
    return [answer.status, String.fromCharCode(...new Uint8Array(start))];
}"""

CLONE = """async (path) => {
    const functions = (await (await fetch("config")).json()).dependencies;
    const clone = functions.find((one) => one.api_name === "clone");
    const recording = {path, meta: {_type: "gradio.FileData"}};
    const asked = {fn_index: clone.id, data: [recording, "x", ...clone.inputs.slice(2).map(() => null)]};
    const headers = {"Content-Type": "application/json"};
    const answer = await fetch("gradio_api/run/clone", {method: "POST", headers, body: JSON.stringify(asked)});
    return (await answer.json()).error;
}"""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    folder = tmp_path_factory.mktemp("shared")
    helper = folder / "helper"
    start = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from tests.access.fake_helper import main"
    helper.write_text(f"#!{sys.executable}\n{start}; main('works')\n", encoding="utf-8")
    helper.chmod(0o755)
    arguments = ["--share", "--share-server", "127.0.0.1:7000", "--share-helper", str(helper)]
    with running_app(folder, arguments=arguments) as running:
        yield running


@pytest.fixture(scope="module")
def internet(playwright: Playwright) -> Iterator[Browser]:
    """It finds the public name, as anywhere in the world."""
    rules = f"--host-resolver-rules=MAP {HOST} 127.0.0.1"
    chromium = playwright.chromium.launch(executable_path=browser_or_skip(), args=[*QUIET, rules])
    yield chromium
    chromium.close()


def test_from_the_banner_to_a_guests_take_and_the_end(app: RunningApp, internet: Browser) -> None:
    """One story, for starting the studio and two browsers' pages takes long."""
    owner, visitor = (internet.new_page(locale=language) for language in ("en-US", "zh-CN"))
    for page in (owner, visitor):
        page.set_default_timeout(1000 * SOON_S)
    owner.goto(app.url)
    link = owner.locator("#share-banner a")
    expect(link).to_contain_text(HOST)
    expect(owner.locator("#tab-models-button")).to_be_visible()  # who sits here does not log in
    address = str(link.get_attribute("href"))
    name, password = owner.locator("#share-banner code").all_inner_texts()

    visitor.goto(address)
    expect(visitor.locator("html")).to_have_attribute("lang", "zh-CN")
    visitor.fill("[name=username]", name)
    visitor.fill("[name=password]", password)
    visitor.click("main button")
    visitor.wait_for_selector("#speak-run")
    assert urlsplit(visitor.url).hostname == HOST
    expect(visitor.locator("#tab-library-button")).to_be_visible()
    assert visitor.locator("#tab-models-button, #tab-system-button, #share-banner").count() == 0
    assert str(app.data_dir) not in visitor.content()
    visitor.fill("#speak-text textarea", "你好。")
    visitor.click("#speak-run")
    visitor.wait_for_selector(f"{SPEAK_PLAYER}[data-take]")
    sound = visitor.locator("#speak-player .player-save a[href$='format=wav']").get_attribute("href")
    assert str(app.data_dir) not in str(sound)
    assert visitor.evaluate(FETCH, sound) == [200, "RIFF"]
    assert visitor.evaluate(FETCH, f"{address}api/tts/qwen3/models")[0] == 200
    assert visitor.evaluate(FETCH, f"{address}api/jobs")[0] == 403
    for path in ("/etc/passwd", str(app.data_dir / "logs" / "tts_studio.log"), "/dev/zero"):
        assert visitor.evaluate(CLONE, path) == load_words("zh").error(UnknownFile())

    owner.click("#share-stop")
    expect(owner.locator("#share-banner")).to_contain_text("has ended")
    with app.program() as program:
        assert program.get("health", headers={"Host": HOST}).status_code == 400
