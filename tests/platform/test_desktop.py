"""Who may have a folder opened on this machine, and what is run for it."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conftest import first_line
from tts_core.platform.desktop import asked_from_this_machine, can_open_folders, open_folder
from tts_core.platform.settings.studio import Settings

HERE = {"host": "127.0.0.1:7860"}


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("host", ["127.0.0.1:7860", "localhost", "LOCALHOST:80", "[::1]:7860"])
@pytest.mark.parametrize("site", [{}, {"sec-fetch-site": "same-origin"}, {"sec-fetch-site": "none"}])
def test_a_page_or_program_on_this_machine_asks_from_here(peer: str, host: str, site: Mapping[str, str]) -> None:
    assert asked_from_this_machine(peer, {"host": host, **site})


@pytest.mark.parametrize("peer", [None, "", "unix", "192.168.1.7", "::ffff:192.168.1.7", "fe80::1", "128.0.0.1"])
def test_another_machine_does_not(peer: str | None) -> None:
    assert not asked_from_this_machine(peer, HERE)


@pytest.mark.parametrize(
    "name",
    [
        *("x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "forwarded", "via"),
        *("cf-connecting-ip", "fly-client-ip", "x-envoy-external-address"),
    ],
)
def test_nor_does_anybody_behind_a_proxy(name: str) -> None:
    assert not asked_from_this_machine("127.0.0.1", {**HERE, name: "127.0.0.1"})


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"host": "studio.example"},
        {"host": "127.0.0.1.evil.example"},
        {"host": "localhost.evil.example:7860"},
        {**HERE, "sec-fetch-site": "cross-site"},
        {**HERE, "sec-fetch-site": "same-site"},
    ],
)
def test_nor_does_another_sites_page(headers: Mapping[str, str]) -> None:
    assert not asked_from_this_machine("127.0.0.1", headers)


linux_only = pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="stands in for xdg-open")


@linux_only
def test_the_folder_reaches_the_file_manager_as_one_argument(
    tmp_path: Path, shown_folders: Path, settings: Settings
) -> None:
    folder = tmp_path / "a folder; $(touch here) 模型"
    folder.mkdir()
    assert open_folder(dataclasses.replace(settings, has_desktop=True), folder)
    assert first_line(shown_folders) == str(folder)


@linux_only
def test_without_a_desktop_nothing_is_run(tmp_path: Path, shown_folders: Path, settings: Settings) -> None:
    assert not can_open_folders(dataclasses.replace(settings, has_desktop=False))
    assert not open_folder(dataclasses.replace(settings, has_desktop=False), tmp_path)
    assert not shown_folders.exists()


@linux_only
def test_without_a_file_manager_nothing_is_run(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not open_folder(dataclasses.replace(settings, has_desktop=True), tmp_path)


@linux_only
def test_what_is_no_folder_is_not_opened(tmp_path: Path, shown_folders: Path, settings: Settings) -> None:
    desktop = dataclasses.replace(settings, has_desktop=True)
    (tmp_path / "file").touch()
    assert not open_folder(desktop, tmp_path / "missing")
    assert not open_folder(desktop, tmp_path / "file")
    assert not shown_folders.exists()


@linux_only
@pytest.mark.parametrize(
    ("environ", "expected"), [({}, False), ({"DISPLAY": ":0"}, True), ({"WAYLAND_DISPLAY": "wayland-0"}, True)]
)
def test_a_display_means_a_desktop(environ: Mapping[str, str], expected: bool) -> None:
    assert Settings.from_env(environ).has_desktop is expected
