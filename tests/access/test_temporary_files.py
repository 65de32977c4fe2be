"""Temporary files go by age, wherever they came from; nothing else does."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from tts_core.access.kept_bytes import KEPT_S
from tts_core.access.temporary_files import TemporaryFiles, places_of
from tts_core.platform.job import JobKind, JobRun
from tts_core.platform.jobs import Jobs
from tts_core.platform.paths import Paths

UPLOAD, OURS = "ab" * 32, "cd" * 16
TEMPORARY = (
    *(f"cache/page/{UPLOAD}/me.wav", f"cache/page/{OURS}/clip-1.wav", "cache/page/pairs-abcd_123/one.txt"),
    *("cache/page/tmpabcd1234", "cache/heard/heard-0123456789abcdef", f"cache/heard/{OURS}.wav.part"),
    *("shared/tts-studio-abcd1234/upload", "shared/tts-studio-abcd1234/voice.zip"),
)
OTHERS = (
    *("cache/page/vibe_edit_history/kept", "cache/page/notes.txt", "cache/heard/somebodys.txt"),
    *(f"cache/page/{UPLOAD}/deeper/kept.wav", "shared/tmpabcd1234", "shared/tts-studio-bench-abcd1234/kept"),
    *("shared/another/upload", "cache/outputs/take.wav", "accounts.json"),
)


def pruning(root: Path, age_s: float, in_use: Iterable[Path] = ()) -> tuple[TemporaryFiles, list[int]]:
    """As if what lies there were that old; what is left is noted."""
    left: list[int] = []
    places = places_of(Paths(root, root), root / "shared")
    return TemporaryFiles(places, lambda: set(in_use), left.append, lambda: time.time() + age_s), left


def written(root: Path, names: Iterable[str]) -> list[Path]:
    files = [root / name for name in names]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"sound")
    return files


def test_what_is_a_day_old_goes_with_its_folder_and_nothing_else(tmp_path: Path) -> None:
    temporary, others = written(tmp_path, TEMPORARY), written(tmp_path, OTHERS)
    old, left = pruning(tmp_path, KEPT_S + 60)
    assert old.prune() == len(temporary)
    assert [file for file in temporary if file.exists()] == []
    assert [file for file in others if not file.exists()] == []
    assert not (tmp_path / f"cache/page/{OURS}").exists()
    assert not (tmp_path / "shared/tts-studio-abcd1234").exists()
    assert left == [0]


def test_younger_ones_stay_and_their_bytes_are_told(tmp_path: Path) -> None:
    temporary = written(tmp_path, TEMPORARY)
    young, left = pruning(tmp_path, KEPT_S - 60)
    assert young.prune() == 0
    assert all(file.exists() for file in temporary)
    assert left == [len(temporary) * len(b"sound")]


def test_links_are_neither_followed_nor_removed(tmp_path: Path) -> None:
    (secret,) = written(tmp_path, ["elsewhere/private.wav"])
    page = tmp_path / "cache/page"
    page.mkdir(parents=True)
    links = [page / UPLOAD, page / "tmpabcd1234", page / OURS / "me.wav"]
    links[2].parent.mkdir()
    for link, target in zip(links, (secret.parent, secret, secret), strict=True):
        link.symlink_to(target)
    old, _ = pruning(tmp_path, 2 * KEPT_S)
    assert old.prune() == 0
    assert secret.exists()
    assert all(link.is_symlink() for link in links)


def test_what_a_job_has_still_to_read_stays(tmp_path: Path) -> None:
    files = written(tmp_path, ["cache/heard/heard-waiting", "cache/heard/heard-forgotten"])
    jobs = Jobs(tmp_path / "jobs.json")
    jobs.add_work(JobKind.TRANSCRIPTION, _until_stopped)
    job = jobs.submit(JobKind.TRANSCRIPTION, "x", {"path": str(files[0])})
    old, _ = pruning(tmp_path, 2 * KEPT_S, jobs.files_in_use())
    assert old.prune() == 1
    assert [file.exists() for file in files] == [True, False]
    jobs.cancel(job.key)
    jobs.close()
    assert jobs.files_in_use() == set()


def _until_stopped(run: JobRun) -> dict[str, str]:
    while True:
        run.check()
        time.sleep(0.01)


def test_where_there_is_nothing_nothing_happens(tmp_path: Path) -> None:
    none, left = pruning(tmp_path / "none", 0.0)
    assert (none.prune(), left) == (0, [0])


def test_it_prunes_at_the_start_and_again_after_it_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pruned: list[int] = []
    monkeypatch.setattr("tts_core.access.temporary_files.PRUNED_EVERY_S", 0.01)

    def fails_once(left: int) -> None:
        pruned.append(left)
        if len(pruned) == 1:
            raise OSError("no disk")

    files = TemporaryFiles(places_of(Paths(tmp_path, tmp_path), tmp_path), set, fails_once)
    files.start()
    deadline = time.monotonic() + 60
    while len(pruned) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    files.close()
