"""Fixtures for every folder of tests: settings with a folder of their own, the real services, real servers."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import hypothesis
import pytest

from tests.serving import Serve, serving
from tts_core.platform.settings.studio import Settings
from tts_core.services import Services, build_services

SOON_S = 120.0
"""What takes a moment on an idle machine; whoever waits longer waits in vain."""

# The same examples each time, and no deadlines: a machine may be busy.
hypothesis.settings.load_profile("ci")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that looks through a browser is slow. Files of such tests come last: Playwright's event loop runs in the
    main thread until the session ends, and no other loop can run beside it there."""
    in_browser = [item for item in items if "playwright" in getattr(item, "fixturenames", ())]
    for item in in_browser:
        item.add_marker(pytest.mark.slow)
    files = {item.path for item in in_browser}
    items.sort(key=lambda item: item.path in files)


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """For tiny models: more threads gain nothing there, and lose much on a busy machine."""
    import torch  # noqa: PLC0415 - seconds, for those that compute only

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """As on a fresh machine."""
    return Settings.from_env({"TTS_STUDIO_DATA_DIR": str(tmp_path / "data")})


@pytest.fixture
def services(settings: Settings) -> Iterator[Services]:
    built = build_services(settings)
    yield built
    built.close()


@pytest.fixture
def serve() -> Iterator[Serve]:
    with ExitStack() as servers:
        yield lambda app: servers.enter_context(serving(app))


@pytest.fixture
def log_handlers_put_back() -> Iterator[None]:
    """For tests that set up logging: the root logger is afterwards as it was."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield
    for handler in [handler for handler in root.handlers if handler not in before]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)


@pytest.fixture
def shown_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands in for Linux' file manager: a file with one line per folder that it was asked to show."""
    note, program = tmp_path / "shown", tmp_path / "bin" / "xdg-open"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> "{note}"\n', encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return note


def first_line(file: Path) -> str:
    """What another process writes there, as soon as it is whole."""
    wait_until(lambda: file.exists() and file.read_text(encoding="utf-8").endswith("\n"))
    return file.read_text(encoding="utf-8").splitlines()[0]


def wait_until(happened: Callable[[], object]) -> None:
    """Raises AssertionError if it does not happen soon."""
    deadline = time.monotonic() + SOON_S
    while not happened():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)
