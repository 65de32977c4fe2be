"""The browser that the page's tests drive: the system's chromium or chrome."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

COMMANDS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PLACES = (
    Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
    Path("/Applications/Chromium.app/Contents/MacOS/Chromium"),
    Path("C:/Program Files/Google/Chrome/Application/chrome.exe"),
)


def find_browser() -> str | None:
    """Path of a chromium or chrome on this machine."""
    found = next(filter(None, map(shutil.which, COMMANDS)), None)
    return found or next((str(place) for place in PLACES if place.exists()), None)


def in_ci() -> bool:
    return os.environ.get("CI", "").lower() in ("1", "true")


def browser_or_skip() -> str:
    """For a fixture: without a browser a developer's run skips, continuous integration fails."""
    browser = find_browser()
    if browser is None:
        (pytest.fail if in_ci() else pytest.skip)("no chromium or chrome found; python -m tests installs it on Debian")
    return browser
