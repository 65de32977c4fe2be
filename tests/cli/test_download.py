"""`download` as people and scripts use it: bar, events, notes, Ctrl-C, and an exit status that tells the truth."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.hubs.faults import Fault
from tests.hubs.fixtures import hubs, small_model
from tests.hubs.hubs import Hubs
from tests.hubs.models import MAIN_FILE
from tests.models.downloads.app_process import DownloadProcess, Home
from tts_core.platform.job import JobState
from tts_core.platform.paths import ROOT_DIR
from tts_core.platform.settings.studio import Settings
from tts_core.services import build_services

__all__ = ["hubs", "small_model"]

KEY = "custom_0_6b"


@pytest.fixture
def online(hubs: Hubs, monkeypatch: pytest.MonkeyPatch) -> Hubs:
    """For commands that run in this process."""
    for name, value in hubs.environ().items():
        monkeypatch.setenv(name, value)
    return hubs


def events(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def test_a_model_is_fetched_and_its_folder_told(run: Run, online: Hubs, data_dir: Path) -> None:
    answer = run("download", KEY, "--source", "modelscope")
    folder = data_dir / "models" / "Qwen" / online.models[KEY].local
    assert (answer.status, answer.err) == (0, ""), "no bar where stderr is no terminal"
    assert answer.out == f"Ready. It came from ModelScope.\n{folder}\n"
    assert run("models", "validate", KEY, "--deep").status == 0


def test_events_are_a_line_each_and_the_last_one_is_the_result(run: Run, online: Hubs) -> None:
    answer = run("download", KEY, "--json", "--source", "hf")
    told = events(answer.out)
    last = told[-1]
    assert (answer.status, last["status"], last["code"], last["source"]) == (0, "ready", "", "hf")
    assert last["downloaded_bytes"] == last["total_bytes"] == online.models[KEY].total_bytes
    assert [event["status"] for event in told].count("ready") == 1
    assert {event["key"] for event in told} == {KEY}
    sent = online.sent()
    again = run("download", KEY, "--json")
    assert (again.status, events(again.out)[-1]["status"]) == (0, "ready")
    assert online.sent() == sent, "what is there is not fetched again"


def test_a_source_that_fails_is_said_on_a_line_of_its_own(run: Run, online: Hubs) -> None:
    online.hf.faults.add(Fault(status=404))
    answer = run("download", KEY, "--source", "hf", "--json")
    last = events(answer.out)[-1]
    assert (answer.status, last["status"]) == (0, "ready")
    assert last["source"] in ("mirror", "modelscope")
    (note,) = last["notes"]
    assert (note["source"], note["next_source"]) == ("hf", last["source"])
    assert answer.err == f"{note['message']}\n"
    assert "takes over; nothing that was fetched is lost." in answer.err


def test_where_nothing_helps_the_status_and_the_code_say_so(run: Run, online: Hubs) -> None:
    for hub, status in zip(online.all, (404, 403, 403), strict=True):
        hub.faults.add(Fault(status=status))
    answer = run("download", KEY, "--json")
    last = events(answer.out)[-1]
    assert (answer.status, last["status"], last["code"]) == (2, "error", "ALL_SOURCES_FAILED")
    assert {note["source"] for note in last["notes"]} == {"hf", "mirror", "modelscope"}
    assert "[ALL_SOURCES_FAILED]" in answer.err
    assert f"models commands {KEY}" in answer.err


def test_a_model_nobody_knows_is_an_error_in_both_forms(run: Run) -> None:
    answer = run("download", "nope", "--json")
    (told,) = events(answer.out)
    assert (answer.status, told["status"], told["code"]) == (2, "error", "unknown_model_key")
    assert "[unknown_model_key]" in answer.err
    assert run("download", "nope").out == ""


def test_settings_that_can_not_be_used_are_told_as_a_result_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://somewhere.example")
    answer = run("download", KEY, "--json")
    *_, told = events(answer.out)
    assert (answer.status, told["status"], told["key"], told["code"]) == (2, "error", KEY, "invalid_endpoint")
    assert "HF_ENDPOINT='http://somewhere.example' can't be used" in answer.err


def test_a_reader_that_goes_away_is_not_told_that_all_is_well(hubs: Hubs, tmp_path: Path) -> None:
    """As in `… | head`."""
    hubs.hf.faults.add(Fault(stall_at=400_000), on="bytes", file=MAIN_FILE)
    command = [
        sys.executable,
        "-m",
        "tts_core",
        "download",
        KEY,
        "--json",
        "--source",
        "hf",
        "--data-dir",
        str(tmp_path),
    ]
    environ = os.environ | hubs.environ()
    with subprocess.Popen(
        command, cwd=ROOT_DIR, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        complaints = process.stderr.read()
    assert (process.returncode, complaints) == (130, b"")


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is no signal there")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_ctrl_c_pauses_and_the_next_time_goes_on(hubs: Hubs, tmp_path: Path, number: signal.Signals) -> None:
    hubs.hf.faults.add(Fault(stall_at=400_000), on="bytes", file=MAIN_FILE)
    home = Home(tmp_path)
    with DownloadProcess(hubs, home, KEY, source="hf") as process:
        process.wait_for(lambda event: event["downloaded_bytes"] > 350_000)
        process.interrupt(number)
        paused = process.end()
        assert (paused["exit"], paused["status"]) == (130, "paused")
        assert f"download {KEY}" in process.stderr, "how to go on"
    hubs.hf.faults.clear()
    with DownloadProcess(hubs, home, KEY, source="hf") as process:
        done = process.end()
    assert (done["exit"], done["status"]) == (0, "ready")
    assert process.events[0]["downloaded_bytes"] > 350_000, "it begins where it was"
    assert home.holds(hubs.models[KEY])
    # Both times together: at most what was on its way when it was stopped came twice.
    assert hubs.sent() < hubs.models[KEY].total_bytes + 300_000


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is no signal there")
def test_a_second_process_joins_and_leaving_it_stops_nothing(hubs: Hubs, tmp_path: Path) -> None:
    hubs.hf.faults.add(Fault(stall_at=400_000), on="bytes", file=MAIN_FILE)
    home = Home(tmp_path)
    folders = {"TTS_STUDIO_DATA_DIR": str(home.paths.data_dir), "QWEN_TTS_MODELS_DIR": str(home.paths.models_dir)}
    services = build_services(Settings.from_env({**hubs.environ(), **folders}))
    try:
        services.downloads.start(KEY, "hf")
        with DownloadProcess(hubs, home, KEY) as visitor, DownloadProcess(hubs, home, KEY) as joiner:
            for process in (visitor, joiner):
                process.wait_for(lambda event: event["foreign"] and event["downloaded_bytes"] > 350_000)
            visitor.interrupt(signal.SIGINT)
            left = visitor.end()
            assert (left["exit"], left["status"]) == (130, "paused")
            hubs.hf.faults.clear()
            done = joiner.end()
        assert (done["exit"], done["status"]) == (0, "ready")
        *_, task = services.downloads.follow(KEY)
        assert (task.state, task.source) == (JobState.DONE, "hf")
    finally:
        services.close()
    assert home.holds(hubs.models[KEY])
    assert hubs.sent() == hubs.models[KEY].total_bytes, "one transfer for all"


def test_a_terminal_shows_a_bar_that_fits(hubs: Hubs, tmp_path: Path) -> None:
    hubs.hf.faults.add(Fault(status=404), on="listing")
    for hub in hubs.all:
        hub.link.bytes_per_s = 100_000
    shown = ""
    for piece in on_a_terminal(hubs, tmp_path, columns=80):
        shown += piece
        if re.search(r"\x1b\[K\[#[^\r\n]* MB/s", shown):  # the rest need not take as long
            for hub in hubs.all:
                hub.link.bytes_per_s = 0.0
    *lines, end = (line.partition("\x1b[K")[2] for line in shown.replace("\n", "\r").split("\r") if "\x1b[K" in line)
    assert end == ""
    bars = [line for line in lines if line.startswith("[")]
    assert all(len(bar) < 80 for bar in bars)
    assert any(bar.startswith("[#") and " MB/s" in bar for bar in bars)
    assert any("ModelScope" in bar or "mirror" in bar for bar in bars), "who took over"
    assert "takes over; nothing that was fetched is lost.\r\n" in shown, "on a line of its own"


def on_a_terminal(hubs: Hubs, folder: Path, columns: int) -> Iterator[str]:
    """What the command writes to stderr, which is a terminal."""
    pty = pytest.importorskip("pty", reason="no pseudo-terminals here")
    terminal, end = pty.openpty()
    command = [sys.executable, "-m", "tts_core", "download", KEY, "--source", "hf", "--data-dir", str(folder / "data")]
    environ = {**os.environ, **hubs.environ(), "COLUMNS": str(columns)}
    with subprocess.Popen(command, cwd=ROOT_DIR, env=environ, stdout=subprocess.DEVNULL, stderr=end) as process:
        os.close(end)
        try:
            while piece := os.read(terminal, 65_536):
                yield piece.decode()
        except OSError:
            pass  # Linux' way to say that the other end is closed
        finally:
            process.kill()
            os.close(terminal)
