"""What a sweep takes away: only what a killed process left of ours, never what may still be somebody's."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tts_core.platform.settings.studio import Settings
from tts_core.services import build_services
from tts_core.voices.faults import LibraryBusy
from tts_core.voices.folders import UNRECORDED, VoiceFolders
from tts_core.voices.record import SavedVoice
from tts_core.voices.store import VoiceStore

DAY_S = 86_400.0


@pytest.fixture
def folders(tmp_path: Path) -> VoiceFolders:
    return VoiceFolders(tmp_path / "voices", tmp_path)


def left(folders: VoiceFolders, voice_id: str, *, marked: bool = True, days: float = 2.0, empty: bool = False) -> Path:
    """A folder without a record, of that age."""
    folders.mark(voice_id)
    folder = folders.folder(voice_id)
    if not marked:
        folders.unmark(voice_id)
    if not empty:
        (folder / "original.wav").write_bytes(b"sound")
    then = time.time() - days * DAY_S
    os.utime(folder, (then, then))
    return folder


def test_what_was_never_recorded_goes_a_day_later(folders: VoiceFolders) -> None:
    old, young = left(folders, "a" * 16), left(folders, "b" * 16, days=0.5)
    empty = left(folders, "c" * 16, marked=False, empty=True)
    folders.sweep(frozenset())
    assert [path.exists() for path in (old, young, empty)] == [False, True, False]


def test_what_may_be_somebodys_stays(folders: VoiceFolders, tmp_path: Path) -> None:
    """Kept on purpose when its voice was removed, of another program, of a voice that is there after all."""
    unmarked, recorded = left(folders, "a" * 16, marked=False), left(folders, "b" * 16)
    others = left(folders, "other-program", marked=False, empty=True)
    outside = left(VoiceFolders(tmp_path / "elsewhere", tmp_path), "d" * 16)
    (tmp_path / "voices" / ("d" * 16)).symlink_to(outside)
    folders.sweep(frozenset({"b" * 16}))
    assert (unmarked / "original.wav").exists()
    assert (recorded / "original.wav").exists()
    assert not (recorded / UNRECORDED).exists()
    assert others.exists()
    assert (outside / "original.wav").exists()


def test_files_that_are_kept_on_purpose_stay(tmp_path: Path) -> None:
    services = build_services(Settings.from_env({"TTS_STUDIO_DATA_DIR": str(tmp_path)}))
    paths = services.settings.paths
    for voice_id in ("a" * 16, "b" * 16):
        VoiceStore(paths.voices_file).put(SavedVoice(voice_id, voice_id))
    folder = left(VoiceFolders(paths.voices_dir, tmp_path), "a" * 16)
    services.voices.remove("a" * 16, files=False)
    os.utime(folder, (0, 0))
    services.voices.settle(services.jobs.restore())
    services.close()
    assert (folder / "original.wav").exists()


def test_nothing_goes_while_the_library_is_not_known_for_sure(folders: VoiceFolders, tmp_path: Path) -> None:
    old = left(folders, "a" * 16)
    store = VoiceStore(tmp_path / "voices.json")
    folders.sweep(store.recorded())
    store.put(SavedVoice("b", "B"))
    store.put(SavedVoice("d", "D"))
    assert store.recorded() == frozenset({"b", "d"})
    (tmp_path / "voices.json").write_bytes(b"{broken")
    folders.sweep(VoiceStore(tmp_path / "voices.json").recorded())
    VoiceStore(tmp_path / "voices.json").put(SavedVoice("c", "C"))  # sets the broken file aside, with what was put last
    again = VoiceStore(tmp_path / "voices.json")
    assert {voice.id for voice in again.voices()} == {"b", "c"}
    folders.sweep(again.recorded())
    assert (old / "original.wav").exists()


def test_a_voice_that_could_not_be_removed_keeps_its_folder(folders: VoiceFolders) -> None:
    folder = left(folders, "a" * 16, marked=False)
    with pytest.raises(LibraryBusy), folders.losing_record("a" * 16):
        raise LibraryBusy
    assert not (folder / UNRECORDED).exists()
    with folders.losing_record("a" * 16):
        assert (folder / UNRECORDED).exists()
    assert folders.remove("a" * 16) == ("original.wav",)
    assert not folder.exists()
