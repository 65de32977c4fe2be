"""Registered speakers on the disk: kept whole, read again, and never too many."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from tts_core.audio.faults import OutputFailed
from tts_core.engines.yourtts.speakers import Speaker, SpeakerStore, key_of

SOUND = np.linspace(-1, 1, 1600, dtype=np.float32)


def test_what_is_put_is_found_again_by_another_store(tmp_path: Path) -> None:
    vector = np.array([0.25, -2.0], np.float32)
    assert SpeakerStore(tmp_path).put(Speaker("../Ana 你", SOUND, 22_050, vector)) == 1
    later = SpeakerStore(tmp_path)
    found = later.find("../Ana 你")
    assert found is not None
    assert (found.id, found.rate) == ("../Ana 你", 22_050)
    assert np.allclose(found.samples, SOUND, atol=1e-4)
    assert found.vector is not None
    assert np.array_equal(found.vector, vector)
    assert later.names() == {key_of("../Ana 你"): "../Ana 你"}
    assert [file.name for file in tmp_path.iterdir()] == [f"{key_of('../Ana 你')}.npz"]


def test_the_same_id_is_replaced_and_an_unknown_one_is_none(tmp_path: Path) -> None:
    store = SpeakerStore(tmp_path)
    store.put(Speaker("a", SOUND, 16_000))
    assert store.put(Speaker("a", SOUND[:10], 8_000)) == 1
    found = store.find("a")
    assert found is not None
    assert (len(found.samples), found.rate, found.vector) == (10, 8_000, None)
    assert store.find("b") is None
    store.remove("a")
    assert store.count() == 0


def test_who_was_used_longest_ago_makes_room(tmp_path: Path) -> None:
    store = SpeakerStore(tmp_path, limit=2)
    for at, name in enumerate(("old", "used")):
        store.put(Speaker(name, SOUND, 16_000))
        os.utime(tmp_path / f"{key_of(name)}.npz", (at, at))
    os.utime(tmp_path / f"{key_of('old')}.npz", (5, 5))
    assert store.put(Speaker("new", SOUND, 16_000)) == 2
    assert sorted(store.names().values()) == ["new", "old"]


def test_damaged_and_foreign_files_are_passed_over(tmp_path: Path) -> None:
    store = SpeakerStore(tmp_path)
    store.put(Speaker("a", SOUND, 16_000))
    (tmp_path / f"{key_of('b')}.npz").write_bytes(b"PK\x03\x04 half a file")
    (tmp_path / "notes.txt").write_text("mine")
    np.savez(tmp_path / "strange.npz", other=np.zeros(3))
    assert store.find("b") is None
    assert list(store.names().values()) == ["a"]


def test_a_pickle_in_its_place_runs_nothing(tmp_path: Path) -> None:
    np.savez(tmp_path / f"{key_of('a')}.npz", id=np.array([{"a": 1}], dtype=object))
    assert SpeakerStore(tmp_path).find("a") is None


def test_many_writers_lose_nobody(tmp_path: Path) -> None:
    stores = [SpeakerStore(tmp_path) for _ in range(4)]
    writers = [
        Thread(target=lambda store=store, at=at: [store.put(Speaker(f"{at}-{n}", SOUND, 8_000)) for n in range(5)])
        for at, store in enumerate(stores)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert SpeakerStore(tmp_path).count() == 20


def test_a_folder_that_can_not_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputFailed):
        SpeakerStore(tmp_path / "file").put(Speaker("a", SOUND, 16_000))
