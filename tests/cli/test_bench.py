"""`bench` tells people on stderr and prints one JSON line of numbers that belong together."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

import tts_core
from tests import ROOT
from tests.cli.conftest import Run


def test_speech_is_measured_in_two_languages(run: Run, data_dir: Path) -> None:
    answer = run("bench", "speak", "--voice", "builtin/by-language", "--runs", "2")
    report = json.loads(answer.out)
    assert (answer.status, report["bench"], report["settings"]["runs"]) == (0, "speak", 2)
    for language in ("en", "zh"):
        assert report[language]["duration_s"] > 2
        assert 0 < report[language]["first_audio_s"] < report[language]["duration_s"]
        assert report[language]["rtf"] > 0
    assert [path for path in (data_dir / "cache" / "outputs").rglob("*") if path.is_file()] == []


@pytest.mark.slow
@pytest.mark.thorough
def test_the_built_in_voice_is_measured_beside_its_parts(run: Run) -> None:
    answer = run("bench", "speak", "--runs", "1")
    found = json.loads(answer.out)["beside"]
    assert list(found) == ["by_language", "espeak", "hibari_package"]
    for numbers in found.values():
        assert 0 < numbers["first_audio_s"] < numbers["cold_process_first_audio_s"]
        assert numbers["memory_bytes"] > 20_000_000
    assert found["by_language"]["duration_s"] == pytest.approx(found["hibari_package"]["duration_s"], abs=0.5)
    assert "hibari-tts alone" in answer.err


@pytest.mark.thorough
@pytest.mark.slow
def test_start_up_is_measured_on_the_real_app(run: Run) -> None:
    answer = run("bench", "startup", "--runs", "1")
    report = json.loads(answer.out)
    assert answer.status == 0
    assert report["extra_s"]["median"] == pytest.approx(
        report["page_s"]["median"] - report["import_gradio_s"]["median"], abs=0.01
    )
    assert report["memory_bytes"]["median"] > 50_000_000


def test_downloads_are_measured_beside_the_bare_link(run: Run, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    answer = run("bench", "download", "--size", "3MB", "--limit", "0", "--runs", "1", "--folder", str(disk))
    report = json.loads(answer.out)
    assert (answer.status, report["bench"]) == (0, "download"), answer
    assert report["settings"]["bytes"] == pytest.approx(3_000_000, abs=1000)
    for way in ("link", "ours", "huggingface_hub"):
        assert report[f"{way}_bytes_per_s"]["median"] > 0
    assert report["ours_of_link"] > 0
    assert list(disk.iterdir()) == []


@pytest.mark.thorough
def test_the_gates_of_a_graphics_processor_hold_on_a_cpu(run: Run) -> None:
    answer = run("gpu-check", "--on", "cpu", "--geometry", "tiny", "--frames", "4", "--runs", "1")
    lines = answer.out.splitlines()
    assert (answer.status, [line for line in lines if "FAILED" in line]) == (0, []), answer
    assert len([line for line in lines if line.startswith("tiny: ok: ")]) == 6
    assert json.loads(lines[-1])["settings"]["geometry"] == "tiny"


def test_every_report_says_where_it_comes_from(run: Run) -> None:
    answer = run("bench", "speak", "--voice", "builtin/aria", "--runs", "1")
    report = json.loads(answer.out)
    assert report["machine"]["cpu"]["threads"] >= 1
    assert report["machine"]["memory_bytes"] > 0
    assert {"tts_studio", "python", "torch", "numba", "transformers"} <= report["versions"].keys()
    assert report["commit"] == commit_of_this_tree()
    assert f"{report['en']['duration_s']:.2f} s of speech" in answer.err


def commit_of_this_tree() -> str:
    if not (ROOT / ".git").exists():
        return tts_core.__version__
    asked = ["git", "rev-parse", "--short=12", "HEAD"]
    commit = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    changed = subprocess.run(["git", "diff", "--quiet", "HEAD"], cwd=ROOT, check=False).returncode
    return f"{commit}-dirty" if changed else commit


def test_no_runs_are_refused(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        run("bench", "speak", "--runs", "0")
    assert "at least 1" in capsys.readouterr().err
