"""Names of takes, finding them, and making room without touching anything else."""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path

import pytest

from tests.fakes import wait_for_pruning
from tts_core.audio.faults import UnsupportedFormat
from tts_core.platform.settings.studio import Limits
from tts_core.speech import takes as outputs_module
from tts_core.speech.faults import UnknownTake
from tts_core.speech.takes import Outputs

DAY_S = 86_400.0


def test_a_take_is_found_by_its_id_in_any_format(tmp_path: Path) -> None:
    outputs = Outputs(tmp_path, Limits())
    for name in ("wav", "mp3", "opus"):
        take_id = secrets.token_hex(16)
        path = outputs.new_take_path(take_id, name)
        path.write_bytes(b"sound")
        assert outputs.find(take_id) == path


@pytest.mark.parametrize("take_id", ["", "../secret", "a" * 31, "A" * 32, "g" * 32, "a" * 32 + "\n", "a" * 32])
def test_an_id_that_is_not_kept_or_could_not_be_one_is_unknown(take_id: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("private")
    with pytest.raises(UnknownTake):
        Outputs(tmp_path / "outputs", Limits()).find(take_id)


def test_a_take_that_is_still_being_written_is_not_found(tmp_path: Path) -> None:
    take_id = secrets.token_hex(16)
    (tmp_path / f"take-{take_id}.wav.part").write_bytes(b"half")
    with pytest.raises(UnknownTake):
        Outputs(tmp_path, Limits()).find(take_id)


def test_a_path_is_only_made_from_a_real_id_and_a_format_that_can_be_written(tmp_path: Path) -> None:
    outputs = Outputs(tmp_path, Limits())
    with pytest.raises(UnknownTake):
        outputs.new_take_path("../../etc/passwd", "wav")
    with pytest.raises(UnsupportedFormat):
        outputs.new_take_path(secrets.token_hex(16), "exe")


def test_pruning_removes_takes_that_are_too_old(tmp_path: Path) -> None:
    old, young = _take(tmp_path, age_days=8), _take(tmp_path, age_days=6)
    assert Outputs(tmp_path, Limits(keep_outputs_days=7)).prune() == 1
    assert not old.exists()
    assert young.exists()


def test_pruning_removes_the_oldest_until_the_rest_fits(tmp_path: Path) -> None:
    takes = [_take(tmp_path, age_days=days / 10, size_bytes=100) for days in range(5)]
    assert Outputs(tmp_path, Limits(max_output_bytes=250)).prune() == 3
    assert [take.exists() for take in takes] == [True, True, False, False, False]


def test_the_newest_take_stays_even_when_it_alone_is_too_large(tmp_path: Path) -> None:
    take = _take(tmp_path, size_bytes=1000)
    assert Outputs(tmp_path, Limits(max_output_bytes=10)).prune() == 0
    assert take.exists()


def test_a_part_file_goes_only_when_nobody_can_still_be_writing_it(tmp_path: Path) -> None:
    fresh = _take(tmp_path, age_days=0.1, suffix=".wav.part")
    abandoned = _take(tmp_path, age_days=1.1, suffix=".wav.part")
    Outputs(tmp_path, Limits(keep_outputs_days=0, max_output_bytes=0)).prune()
    assert fresh.exists()
    assert not abandoned.exists()


def test_pruning_never_touches_what_the_studio_did_not_name(tmp_path: Path) -> None:
    outside = tmp_path / "outside.wav"
    outside.write_bytes(b"x" * 1000)
    folder = tmp_path / "outputs"
    folder.mkdir()
    names = ["holiday.wav", "take-1.wav", f"take-{'a' * 32}", f"my-take-{'a' * 32}.wav", f"take-{'a' * 32}.wav.bak"]
    strangers = [folder / name for name in names]
    for stranger in strangers:
        stranger.write_bytes(b"x" * 1000)
        _set_age(stranger, 100)
    link = folder / f"take-{'b' * 32}.wav"
    link.symlink_to(outside)
    (folder / f"take-{'c' * 32}.wav").mkdir()
    assert Outputs(folder, Limits(keep_outputs_days=0, max_output_bytes=0)).prune() == 0
    assert all(stranger.exists() for stranger in strangers)
    assert link.is_symlink()
    assert outside.exists()


def test_pruning_a_folder_that_is_not_there_yet_does_nothing(tmp_path: Path) -> None:
    assert Outputs(tmp_path / "none", Limits()).prune() == 0
    assert list(tmp_path.iterdir()) == []


def test_a_new_take_does_not_cost_a_look_at_all_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs, looks = Outputs(tmp_path, Limits(max_output_bytes=10_000)), _count_looks(monkeypatch)
    for _ in range(60):
        outputs.added(_take(tmp_path, size_bytes=100))
    assert len(looks) == 1
    assert len(list(tmp_path.iterdir())) == 60


def test_takes_never_grow_far_beyond_their_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs, looks = Outputs(tmp_path, Limits(max_output_bytes=10_000)), _count_looks(monkeypatch)
    for _ in range(1000):
        outputs.added(_take(tmp_path, size_bytes=100))
        wait_for_pruning()
        assert len(list(tmp_path.iterdir())) <= 101
    assert 50 < len(looks) < 250, "a twentieth of the bound is cleared at once"


def test_what_can_not_be_made_smaller_is_not_looked_at_for_every_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"take-{'c' * 32}.wav.part").write_bytes(b"x" * 20_000)
    outputs, looks = Outputs(tmp_path, Limits(max_output_bytes=10_000)), _count_looks(monkeypatch)
    for _ in range(100):
        outputs.added(_take(tmp_path, size_bytes=10))
        wait_for_pruning()
    assert len(looks) < 5


def test_takes_of_other_processes_are_seen_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = Outputs(tmp_path, Limits(max_output_bytes=1000))
    outputs.added(_take(tmp_path, size_bytes=100))
    strangers = [_take(tmp_path, age_days=1, size_bytes=100) for _ in range(20)]
    outputs.added(_take(tmp_path, size_bytes=100))
    wait_for_pruning()
    assert all(stranger.exists() for stranger in strangers)
    monkeypatch.setattr(outputs_module, "_LOOK_AGAIN_S", 0.0)
    outputs.added(_take(tmp_path, size_bytes=100))
    wait_for_pruning()
    assert sum(stranger.exists() for stranger in strangers) == 6, "with the three that are younger, 900 bytes"


def _count_looks(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    looks: list[object] = []
    really = os.scandir

    def look(folder: Path) -> object:
        looks.append(folder)
        return really(folder)

    monkeypatch.setattr("tts_core.speech.takes.os.scandir", look)
    return looks


def _take(folder: Path, *, age_days: float = 0.0, size_bytes: int = 10, suffix: str = ".wav") -> Path:
    path = folder / f"take-{secrets.token_hex(16)}{suffix}"
    path.write_bytes(b"x" * size_bytes)
    _set_age(path, age_days)
    return path


def _set_age(path: Path, age_days: float) -> None:
    then = time.time() - age_days * DAY_S
    os.utime(path, (then, then))
