"""`doctor` really tries things, and its status tells whether something failed."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tts_core.cli.doctor import CheckResult, Outcome, diagnose
from tts_core.platform.settings.studio import Settings
from tts_core.services import build_services


def finding(check: str, environ: dict[str, str]) -> CheckResult:
    """That check's finding; those after it are not tried."""
    services = build_services(Settings.from_env(environ))
    return next(found for found in diagnose(services) if found.check == check)


def test_a_sound_machine_passes(run: Run, data_dir: Path) -> None:
    answer = run("doctor", "--json")
    found = {finding["check"]: (finding["outcome"], finding["message"]) for finding in json.loads(answer.out)}
    assert answer.status == 0
    for check in ("python", "packages", "built_in_voice", "data_folder"):
        assert found[check][0] == "ok", found[check]
    assert "spoke" in found["built_in_voice"][1]
    assert str(data_dir) in found["data_folder"][1]
    assert found["device"][1]


def test_what_fails_is_said_in_words_and_by_the_status(run: Run, data_dir: Path) -> None:
    data_dir.write_text("a file where the folder should be", encoding="utf-8")
    answer = run("doctor")
    outcomes = {line.split(":")[0].split()[-1]: line.split()[1] for line in answer.out.splitlines()}
    assert (answer.status, outcomes["python"], outcomes["data_folder"]) == (1, "ok", "fail")


def test_a_damaged_accounts_file_is_told(data_dir: Path) -> None:
    environ = {"TTS_STUDIO_DATA_DIR": str(data_dir)}
    assert finding("accounts", environ).outcome is Outcome.OK
    data_dir.mkdir(exist_ok=True)
    (data_dir / "accounts.json").write_text("{", encoding="utf-8")
    found = finding("accounts", environ)
    assert found.outcome is Outcome.FAIL
    assert str(data_dir / "accounts.json") in found.message


def test_network_settings_that_can_not_be_used_are_told(data_dir: Path) -> None:
    environ = {"TTS_STUDIO_DATA_DIR": str(data_dir), "NO_PROXY": "localhost,[::1]"}
    assert finding("network", environ).outcome is Outcome.OK
    found = finding("network", environ | {"ALL_PROXY": "socks4://127.0.0.1:7891", "NO_PROXY": "fe80::/10"})
    assert found.outcome is Outcome.WARN
    assert "socks4://127.0.0.1:7891" in found.message
    assert "fe80::/10" in found.message
    found = finding("network", environ | {"HF_ENDPOINT": "http://192.168.1.5:8090"})
    assert found.outcome is Outcome.WARN
    assert "HF_ENDPOINT" in found.message


def test_a_taken_port_is_told(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        environ = {"TTS_STUDIO_DATA_DIR": str(data_dir), "TTS_STUDIO_PORT": str(taken.getsockname()[1])}
        assert finding("port", environ).outcome is Outcome.WARN
    assert finding("port", environ).outcome is Outcome.OK


@pytest.mark.thorough
def test_precision_and_threads_are_told(data_dir: Path) -> None:
    environ = {"TTS_STUDIO_DATA_DIR": str(data_dir), "TTS_STUDIO_DEVICE": "cpu", "OMP_WAIT_POLICY": "PASSIVE"}
    services = build_services(Settings.from_env(environ))
    found = {finding.check: finding for finding in diagnose(services)}
    best = services.system.acceleration().processor.threads
    assert f"{best} compute" in found["threads"].message
    assert found["threads"].outcome is Outcome.OK
    if not services.system.acceleration().supported:
        assert "int8" in found["precision"].message
    many = {**environ, "TTS_STUDIO_THREADS": str(best + 1), "TTS_STUDIO_PRECISION": "int4", "OMP_WAIT_POLICY": "ACTIVE"}
    assert str(best + 1) in finding("threads", many).message
    assert finding("threads", many).outcome is Outcome.WARN
    assert finding("precision", many).outcome is not Outcome.OK
