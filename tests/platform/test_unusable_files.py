"""Nothing is written over a file that can't be used, and a full disk keeps nobody from what needs no file."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tts_core.platform.jobs import Jobs
from tts_core.platform.jobs_file import ListFile
from tts_core.platform.paths import ROOT_DIR
from tts_core.platform.whole_files import set_aside


def test_files_set_aside_replace_none_that_were_before(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    for number, content in enumerate(("one", "two", "one"), start=1):
        file.write_text(content, encoding="utf-8")
        assert set_aside(file) == tmp_path / f"a.json.broken-{number}"
    assert [path.read_text(encoding="utf-8") for path in sorted(tmp_path.iterdir())] == ["one", "two", "one"]


def test_jobs_that_can_not_be_read_are_set_aside_and_a_new_list_begins(tmp_path: Path) -> None:
    file = tmp_path / "jobs.json"
    file.mkdir()  # which can't be read by anybody, root included
    (file / "kept").touch()
    jobs = Jobs(file)
    assert jobs.restore() == ()
    jobs.close()
    assert (tmp_path / "jobs.json.broken-1" / "kept").exists()
    assert json.loads(file.read_text(encoding="utf-8"))["jobs"] == []


def test_a_list_that_can_neither_be_used_nor_set_aside_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "jobs.json"
    file.write_text("{", encoding="utf-8")

    def refuse(_self: Path, _target: Path) -> Path:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "rename", refuse)
    listed = ListFile(file, "jobs")
    assert listed.read(dict) == ()
    listed.write([{"key": "a"}])
    listed.remove()
    assert file.read_text(encoding="utf-8") == "{"


ON_A_FULL_DISK = """
import resource, signal, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
from pathlib import Path
from starlette.testclient import TestClient
from tts_core.api.server import create_api
from tts_core.platform.logs import setup_logging
from tts_core.platform.settings.studio import Settings
from tts_core.services import build_services

settings = Settings.from_env({"TTS_STUDIO_DATA_DIR": sys.argv[1]})
setup_logging(settings.paths.log_file)
services = build_services(settings)
services.start()
client = TestClient(create_api(services), base_url="http://127.0.0.1", client=("127.0.0.1", 1))
form = {"file": ("me.wav", bytes(2_000_000))}
print(client.get("/health").status_code, client.get("/api/tts/qwen3/speakers").status_code)
for path in ("synthesize", "voices/check", "transcriptions"):
    sent = {"json": {"text": "Hello."}} if path == "synthesize" else {"files": form}
    answer = client.post(f"/api/tts/qwen3/{path}", **sent)
    print(answer.status_code, answer.json()["detail"])
services.close()
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="limits are POSIX's")
def test_the_studio_starts_on_a_full_disk_says_so_and_serves_what_needs_no_file(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ON_A_FULL_DISK, str(tmp_path)]
    ended = subprocess.run(command, cwd=ROOT_DIR, capture_output=True, text=True, timeout=120, check=False)
    assert ended.stdout.splitlines() == ["200 200", *["507 output_failed"] * 3], ended.stderr
    assert f"Nothing can be written to {tmp_path}" in ended.stderr
    assert "Traceback" not in ended.stderr
