"""One process at a time transfers into a models folder, and the others can read how far it is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tts_core.models.download_faults import DiskFault
from tts_core.models.download_task import DownloadTask, Note, Phase
from tts_core.models.downloads.folder_lock import FolderLock
from tts_core.platform.job import JobState
from tts_core.platform.paths import ROOT_DIR

HOLD = """
import sys, time
from pathlib import Path
from tts_core.models.downloads.folder_lock import FolderLock
from tts_core.models.download_task import DownloadTask, Note, Phase
from tts_core.platform.job import JobState
lock = FolderLock(Path(sys.argv[1]))
assert lock.take()
notes = (Note("NET_DNS", {"source": "huggingface.co", "odd": Path("/x")}, "hf", "mirror"),)
state, phase = JobState.RUNNING, Phase.TRANSFERRING
lock.report(DownloadTask(subject="base", state=state, phase=phase, seq=7, bytes_done=10, notes=notes))
print("held", flush=True)
time.sleep(600)
"""


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    ours = FolderLock(tmp_path / "parts")
    command = [sys.executable, "-c", HOLD, str(tmp_path / "parts")]
    with subprocess.Popen(command, cwd=ROOT_DIR, stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline().strip() == b"held"
            assert not ours.take()
            owner = ours.owner()
            assert owner is not None
            assert owner.pid == holder.pid
            note = Note("NET_DNS", {"source": "huggingface.co", "odd": "/x"}, "hf", "mirror")
            state, phase = JobState.RUNNING, Phase.TRANSFERRING
            assert owner.task == DownloadTask(
                subject="base", state=state, phase=phase, seq=7, bytes_done=10, notes=(note,)
            )
        finally:
            holder.kill()
    assert ours.take()
    ours.release()
    assert ours.owner() is None
    ours.release()
    assert ours.take()
    ours.release()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"pid": 1, "host": "a", "task": {"key": 1}}', "[" * 100_000])
def test_a_broken_note_is_no_note(tmp_path: Path, content: str) -> None:
    (tmp_path / "owner.json").write_text(content, encoding="utf-8")
    assert FolderLock(tmp_path).owner() is None


def test_only_the_holder_tells(tmp_path: Path) -> None:
    FolderLock(tmp_path).report(DownloadTask(subject="base", state=JobState.RUNNING, phase=Phase.TRANSFERRING, seq=7))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_can_not_be_made(tmp_path: Path) -> None:
    (tmp_path / "parts").write_text("in the way", encoding="utf-8")
    with pytest.raises(DiskFault):
        FolderLock(tmp_path / "parts").take()
