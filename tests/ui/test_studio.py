"""The Studio tab in real Chromium: a text becomes a project, is made, mended, and joined into a file."""

from __future__ import annotations

import io
import re

import soundfile
from playwright.sync_api import Page, expect

from tests.ui.conftest import Visitor

BOOK = """Chapter 1. The Road

It was a cold day. Nobody walked down the road.

He stopped at the corner and looked back at the house.

Chapter 2. The House

The door was green, and the windows were small."""
LONG = "\n\n".join(f"Line number {number} of a long text that has many of them." for number in range(400))


def new_project(page: Page, text: str) -> None:
    page.click(".project-bar .studio-primary")
    page.fill(".project-new textarea", text)
    page.click(".project-new footer button")
    page.wait_for_selector(".project-chapter-preview li")
    page.click(".project-new footer button")
    page.wait_for_selector(".project-row")


def states(page: Page) -> list[str]:
    return [re.sub(r"\W+", "", text) for text in page.locator(".project-state").all_inner_texts()]


def test_a_text_becomes_a_project_is_made_mended_and_joined(visitor: Visitor) -> None:
    page = visitor.page
    page.goto(f"{visitor.app.url}?tab=studio")
    page.wait_for_selector(".project-empty")
    new_project(page, BOOK)
    assert page.locator(".project-chapter").count() == 3  # two, and all of them
    page.click(".project-split-button > :first-child")
    expect(page.locator(".project-run")).to_have_text(re.compile("^3 of 3 ready"))
    row = page.locator(".project-row").nth(1)
    row.click()
    page.keyboard.press("r")
    expect(page.locator(".project-take")).to_have_count(2)
    expect(page.locator(".project-run")).to_have_text(re.compile("^3 of 3 ready"))
    page.keyboard.press("1")
    expect(page.locator(".project-take input").first).to_be_checked()
    page.keyboard.press("Enter")
    page.fill(".project-edit textarea", "He stopped at the old corner.")
    page.keyboard.press("Control+Enter")
    expect(row.locator(".project-state")).to_contain_text("Changed")
    row.focus()
    page.keyboard.press("Control+z")
    expect(row.locator(".project-state")).to_contain_text("Ready")
    page.click(".project-head .project-bar:last-of-type button:text-is('Export')")
    page.select_option(".project-dialog select", "wav")
    page.click(".project-dialog footer button")
    link = page.locator(".project-exports a").first
    with visitor.app.program() as program:
        sound, rate = soundfile.read(io.BytesIO(program.get(link.get_attribute("href") or "").content))
    assert 6 < len(sound) / rate < 30
    page.keyboard.press("Escape")
    title = page.inner_text(".project-head h2")
    page.reload()  # the project that was open is open again
    expect(page.locator(".project-head h2")).to_have_text(title)
    assert states(page) == ["Ready", "Ready"]
    assert visitor.errors == []


def test_only_a_page_of_a_long_text_is_in_the_document(chinese_visitor: Visitor) -> None:
    page = chinese_visitor.page
    page.goto(f"{chinese_visitor.app.url}zh/?tab=studio")
    page.wait_for_selector(".project-bar .studio-primary")
    new_project(page, LONG)
    assert page.locator(".project-row").count() == 50
    first = page.locator(".project-row").first
    expect(first).to_contain_text("Line number 0")
    page.click("[aria-label='下一页']")
    expect(first).to_contain_text("Line number 50")
    page.fill(".project-filters input", "number 399")
    expect(page.locator(".project-row")).to_have_count(1)
    page.click(".project-row")
    expect(page.locator(".project-inspector h3")).to_have_text("第 400 段")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert chinese_visitor.errors == []
