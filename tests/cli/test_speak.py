"""`speak` writes the file that was asked for, whole, and never over something that exists."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import soundfile

from tests.cli.conftest import Run
from tests.conftest import SOON_S
from tts_core.audio.files import FORMATS
from tts_core.platform.paths import ROOT_DIR

LONG = "This is one more sentence that takes a while to say. " * 300


def test_a_text_becomes_a_file(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "hello.wav"
    answer = run("speak", "Hello from my own machine.", "--out", out)
    assert (answer.status, answer.err) == (0, "")
    assert soundfile.info(out).duration > 1
    assert all(fact in answer.out for fact in (str(out), "builtin/", "first audio after", "times real time"))


def test_nothing_else_is_left_behind(run: Run, tmp_path: Path, data_dir: Path) -> None:
    run("speak", "Hello.", "--out", tmp_path / "hello.wav")
    assert {path.name for path in tmp_path.iterdir()} == {"hello.wav", data_dir.name}
    assert [path for path in (data_dir / "cache" / "outputs").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_the_files_name_chooses_the_format(run: Run, tmp_path: Path, name: str) -> None:
    out = tmp_path / f"hello{FORMATS[name].extension.upper()}"
    answer = run("speak", "Hello.", "--out", out, "--json")
    facts = json.loads(answer.out)
    assert facts["format"] == name
    assert soundfile.info(out).duration == pytest.approx(facts["duration_s"], abs=0.1)


def test_options_reach_the_voice(run: Run, tmp_path: Path) -> None:
    takes = {}
    for speed in ("0.5", "2"):
        out = tmp_path / f"{speed}.wav"
        arguments = ("--voice", "builtin/ben", "--language", "German", "--speed", speed, "--format", "flac", "--json")
        takes[speed] = json.loads(run("speak", "Guten Morgen, wie geht es Ihnen?", "--out", out, *arguments).out)
        assert soundfile.info(out).format == "FLAC"
    assert takes["0.5"]["voice"] == "builtin/ben"
    assert takes["0.5"]["language"] == "de"
    assert takes["0.5"]["duration_s"] > 2 * takes["2"]["duration_s"]


def test_the_longest_length_is_kept(run: Run, tmp_path: Path) -> None:
    facts = json.loads(run("speak", LONG, "--out", tmp_path / "a.wav", "--max-seconds", "3", "--json").out)
    assert facts["stop_reason"] == "max_length"
    assert facts["duration_s"] <= 3.01


def test_a_take_that_was_cut_is_told(run: Run, tmp_path: Path) -> None:
    answer = run("speak", LONG, "--out", tmp_path / "a.wav", "--max-seconds", "0.5")
    assert (answer.status, "Cut at the maximum length" in answer.err) == (0, True)


def test_a_text_is_read_as_asked_and_a_seed_of_minus_one_is_a_new_one(run: Run, tmp_path: Path) -> None:
    lengths = []
    for way in ("markdown", "plain"):
        arguments = (
            "--out",
            tmp_path / f"{way}.wav",
            "--read-as",
            way,
            "--seed",
            "-1",
            "--json",
            "--voice",
            "builtin/aria",
        )
        lengths.append(json.loads(run("speak", "**a** `b`", *arguments).out)["duration_s"])
    assert lengths[0] < 0.8 * lengths[1]


def test_a_dash_reads_standard_input(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("你好，世界。".encode())))
    assert run("speak", "-", "--out", tmp_path / "a.wav").status == 0
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xff\xfe\x00")))
    answer = run("speak", "-", "--out", tmp_path / "b.wav")
    assert (answer.status, "[invalid_request]" in answer.err) == (2, True)


def test_an_existing_file_is_only_replaced_by_force(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "mine.wav"
    out.write_bytes(b"precious")
    answer = run("speak", "Hello.", "--out", out)
    assert (answer.status, "[out_exists]" in answer.err, out.read_bytes()) == (2, True, b"precious")
    assert run("speak", "Hello.", "--out", out, "--force").status == 0
    assert soundfile.info(out).duration > 0.2


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("Hello.", "--out", "{tmp}/none/a.wav"), "out_unwritable"),
        (("Hello.", "--out", "{tmp}"), "out_unwritable"),
        (("Hello.", "--out", "{tmp}/a.xyz"), "unsupported_format"),
        (("Hello.", "--out", "{tmp}/a"), "unsupported_format"),
        (("Hello.", "--out", "{tmp}/a.wav", "--format", "aac"), "unsupported_format"),
        (("Hello.", "--out", "{tmp}/a.wav", "--voice", "nobody"), "voice_not_found"),
        (("Hello.", "--out", "{tmp}/a.wav", "--language", "Klingonese"), "unknown_language"),
        (("Hello.", "--out", "{tmp}/a.wav", "--speed", "9"), "invalid_value"),
        (("Hello.", "--out", "{tmp}/a.wav", "--instruct", "gladly"), "instruct_not_supported"),
        (("...", "--out", "{tmp}/a.wav"), "empty_text"),
        (("x" * 20_001, "--out", "{tmp}/a.wav"), "text_too_long"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], code: str
) -> None:
    answer = run("speak", *(argument.replace("{tmp}", str(tmp_path)) for argument in arguments))
    assert (answer.status, answer.out) == (2, "")
    assert answer.err.endswith(f"[{code}]\n")
    assert answer.err.count("\n") == 1
    assert not (tmp_path / "a.wav").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for another process")
def test_ctrl_c_keeps_what_was_made(tmp_path: Path, data_dir: Path) -> None:
    out, outputs = tmp_path / "long.wav", data_dir / "cache" / "outputs"
    command = [sys.executable, "-m", "tts_core", "--data-dir", str(data_dir), "speak", "-", "--out", str(out), "--json"]
    text = LONG + "\n" + LONG[:4000]
    with subprocess.Popen(
        command, cwd=ROOT_DIR, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdin is not None
        child.stdin.write(text.encode())
        child.stdin.close()
        child.stdin = None  # communicate would flush it
        deadline = time.monotonic() + SOON_S
        while not any(file.stat().st_size > 200_000 for file in outputs.glob("*.part")) and child.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.002)
        child.send_signal(signal.SIGINT)
        told, complaint = child.communicate(timeout=SOON_S)
    facts = json.loads(told)
    assert (child.returncode, facts["stop_reason"]) == (130, "cancelled")
    assert b"are kept" in complaint
    assert soundfile.info(out).duration == pytest.approx(facts["duration_s"], abs=0.01)


def test_a_text_is_never_logged(run: Run, tmp_path: Path, data_dir: Path) -> None:
    run("speak", "Zanzibar whispers quietly.", "--out", tmp_path / "a.wav")
    run("speak", "Zanzibar whispers quietly.", "--out", tmp_path / "b.wav", "--voice", "nobody")
    assert "Zanzibar" not in (data_dir / "logs" / "tts_studio.log").read_text(encoding="utf-8")


def test_the_longest_name_is_written(run: Run, tmp_path: Path) -> None:
    """A temporary name that was longer than the file's own lost the finished take."""
    for length in (216, 251):
        out = tmp_path / f"{'n' * length}.wav"
        assert run("speak", "Hello.", "--out", out).status == 0
        assert soundfile.info(out).duration > 0.2
    refused = run("speak", "Hello.", "--out", tmp_path / f"{'n' * 252}.wav")
    assert (refused.status, "[out_unwritable]" in refused.err) == (2, True)


def test_a_pipe_or_a_device_takes_the_sound_and_stays(run: Run, tmp_path: Path) -> None:
    link = tmp_path / "null.wav"
    link.symlink_to("/dev/null")
    assert run("speak", "Hello.", "--out", link).status == 0
    assert link.is_symlink()
    assert Path("/dev/null").is_char_device()
    command = (sys.executable, "-m", "tts_core", "speak", "Hello.", "--out", "/dev/stdout", "--format", "flac")
    done = subprocess.run(command, cwd=ROOT_DIR, capture_output=True, check=True)
    samples, rate = soundfile.read(io.BytesIO(done.stdout))
    assert len(samples) / rate > 0.2
    assert b"times real time" in done.stderr


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="only Linux has a device that is always full")
def test_a_take_that_cannot_go_where_it_should_is_kept(run: Run) -> None:
    refused = run("speak", "Hello.", "--out", "/dev/full", "--format", "wav")
    assert (refused.status, "[out_unwritable]" in refused.err) == (2, True)
    kept = Path(refused.err.partition("is kept: ")[2].partition("\n")[0])
    assert soundfile.info(kept).duration > 0.2
