"""What people copy to deploy the studio: each file is understood by the program that reads it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.conftest import SOON_S
from tests.test_requirements import RUNTIME
from tts_core.cli.serve.all import KNOWN
from tts_core.platform.paths import ROOT_DIR

DEPLOY = ROOT_DIR / "deploy"


def front_matter(file: Path) -> dict[str, str]:
    """The plain `name: value` lines at the top."""
    head = re.match(r"---\n(.*?)\n---\n", file.read_text("utf-8"), re.DOTALL)
    assert head is not None, file
    return dict(line.strip().split(": ", 1) for line in head[1].splitlines() if ": " in line)


def gradio() -> Requirement:
    return next(requirement for requirement in RUNTIME if requirement.name == "gradio")


def test_a_space_starts_what_is_there_with_a_gradio_that_is_tested() -> None:
    told = front_matter(DEPLOY / "huggingface" / "README.md")
    assert told["sdk"] == "gradio"
    assert gradio().specifier.contains(told["sdk_version"])
    assert (ROOT_DIR / told["app_file"]).is_file()
    assert told["license"] == "apache-2.0"


def test_a_modelscope_studio_does_so_too() -> None:
    assert (ROOT_DIR / front_matter(DEPLOY / "modelscope" / "README.md")["entry_file"]).is_file()
    told = json.loads((DEPLOY / "modelscope" / "ms_deploy.json").read_text("utf-8"))
    assert (told["sdk_type"], told["port"]) == ("gradio", 7860)
    assert gradio().specifier.contains(told["sdk_version"])


def test_a_hosted_app_does_not_start_where_nobody_can_log_in(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TTS_STUDIO_")}
    ended = subprocess.run(
        [sys.executable, str(DEPLOY / "hosted.py")],
        cwd=tmp_path,
        env={**kept, "TTS_STUDIO_DATA_DIR": str(tmp_path), "SPACE_HOST": "owner-space.hf.space"},
        capture_output=True,
        text=True,
        timeout=SOON_S,
        check=False,
    )
    assert (ended.returncode, "[accounts_missing]" in ended.stderr) == (2, True), ended.stderr


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    text = (DEPLOY / "tts-studio.service").read_text("utf-8")
    unit = tmp_path / "tts-studio.service"
    unit.write_text(text.replace("/opt/tts-studio/.venv/bin/python", sys.executable), "utf-8")
    verified = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=SOON_S, check=False
    )
    assert [line for line in verified.stderr.splitlines() if "tts-studio" in line] == []


@pytest.mark.skipif(os.name == "nt", reason="a script for bash")
def test_the_start_script_makes_its_environment_once_and_starts_everything(tmp_path: Path) -> None:
    """With a python in the environment's place that only writes down what it is asked."""
    venv, note = tmp_path / "venv", tmp_path / "asked"
    (venv / "bin").mkdir(parents=True)
    python = venv / "bin" / "python"
    python.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> "{note}"\n', encoding="utf-8")
    python.chmod(0o755)
    for _ in range(2):
        subprocess.run(
            ["bash", str(DEPLOY / "start.sh"), "studio", "--gpu"],
            env={**os.environ, "TTS_STUDIO_VENV": str(venv)},
            timeout=SOON_S,
            check=True,
        )
    installed, *started = note.read_text("utf-8").splitlines()
    assert installed.endswith("-r requirements.txt")
    assert started == ["-m tts_core serve-all studio --gpu"] * 2


def test_the_scripts_start_the_same_ports_that_they_tell_of() -> None:
    for script in ("start.sh", "start.ps1"):
        text = (DEPLOY / script).read_text("utf-8")
        assert "tts_core serve-all" in text
        assert all(str(known.port) in text for known in KNOWN), script


def test_the_image_has_what_the_app_needs() -> None:
    copied = re.findall(r"^COPY (.+) \S+$", (ROOT_DIR / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    sent = {line[1:] for line in (ROOT_DIR / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}
    assert {name.removeprefix("./") for line in copied for name in line.split()} == sent
    assert all((ROOT_DIR / name).exists() for name in sent)
