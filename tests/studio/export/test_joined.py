"""Takes are joined into a file: lengths, pauses, levels, tempo, and what has no take."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.studio.stage import NamedVoices, book, projects_in
from tts_core.audio.files import AudioWriter
from tts_core.audio.reading import read_recording
from tts_core.domain.errors import Cancelled
from tts_core.domain.events import Samples
from tts_core.speech.plan.join import trimmed
from tts_core.studio.edits import segments as editing
from tts_core.studio.export.assembly import JoinChoices, Missing, assembled
from tts_core.studio.export.exporter import safe_title
from tts_core.studio.export.joined import JOIN_FORMATS, write_joined
from tts_core.studio.faults import NothingToExport, SegmentsMissing
from tts_core.studio.model import CastMember, Project, SegmentTake, TakeCheck
from tts_core.studio.store import OpenProject

RATE = 24_000
VOICES = NamedVoices(fast=frozenset())


def speech(seconds: float, level: float = 0.3, rate: int = RATE) -> Samples:
    """A tone that swells and fades between two silences."""
    at = np.arange(round(seconds * rate)) / rate
    sound = level * np.sin(2 * np.pi * 180 * at) * np.clip(20 * np.minimum(at, seconds - at), 0, 1)
    return np.concatenate([np.zeros(rate // 4), sound, np.zeros(rate // 3)]).astype(np.float32)


def add(project: OpenProject, segment_id: str, sound: Samples, rate: int = RATE) -> None:
    row = project.row(segment_id)
    file = project.folder.root.parent / f"{segment_id}.flac"
    with AudioWriter(file, "flac", rate) as writer:
        writer.write(sound)
    level = 20 * np.log10(float(np.sqrt(np.mean(sound**2))))
    facts = SegmentTake("", "", row.segment.next_number, row.keys.made, len(sound) / rate, rate, voice="a/b")
    project.add_take(segment_id, file, replace(facts, check=TakeCheck(level_db=level)))


@pytest.fixture
def project(tmp_path: Path) -> Iterator[OpenProject]:
    texts: Sequence[str] = ["One is said here.", "Two is said here.", "Three is said here."]
    projects = projects_in(tmp_path, voices=VOICES)
    yield projects.create(book(texts, ["Four is said here."]))
    projects.close()


def joined(project: OpenProject, path: Path, format: str = "wav", **choices: object) -> Samples:  # noqa: A002
    write_joined(assembled(project, JoinChoices(format, **choices), VOICES), path, format)  # type: ignore[arg-type]
    samples, rate = soundfile.read(path, dtype="float32")
    assert rate == RATE
    return np.asarray(samples)


def test_the_length_is_that_of_the_takes_and_the_pauses(project: OpenProject, tmp_path: Path) -> None:
    sounds = [speech(1.0), speech(2.0), speech(1.5), speech(1.2)]
    for number, sound in enumerate(sounds, start=1):
        add(project, f"s{number}", sound)
    samples = joined(project, tmp_path / "a.wav")
    pauses = [0.5, 0.5, 2.5]  # sentences, then a chapter
    inner = sum(len(trimmed(sound, RATE)) for sound in sounds)
    edges = RATE // 4 + RATE // 3 - round(0.09 * RATE)  # the file begins and ends as its takes do
    assert len(samples) == pytest.approx(inner + edges + sum(pauses) * RATE, abs=0.01 * RATE)
    silent = np.abs(samples) == 0
    assert _longest_run(silent[RATE:-RATE]) == pytest.approx(2.5 * RATE + 0.09 * RATE, abs=0.02 * RATE)
    steps = np.abs(np.diff(samples))
    assert steps.max() < np.abs(np.diff(sounds[0])).max() * 1.05  # no click where takes meet


def test_what_is_much_too_loud_or_quiet_comes_nearer_and_the_rest_stays(project: OpenProject, tmp_path: Path) -> None:
    for number, level in enumerate((0.2, 0.21, 0.1, 0.19), start=1):
        add(project, f"s{number}", speech(1.0, level))
    pieces = assembled(project, JoinChoices(), VOICES).pieces
    assert [round(piece.gain_db, 1) for piece in pieces] == [0.0, 0.0, 3.0, 0.0]
    samples = joined(project, tmp_path / "a.wav")
    assert np.abs(samples).max() == pytest.approx(0.21, abs=0.01)


def test_speed_pauses_and_gain_are_applied_to_the_takes_as_they_are(project: OpenProject, tmp_path: Path) -> None:
    for number in range(1, 5):
        add(project, f"s{number}", speech(2.0))
    before = joined(project, tmp_path / "a.wav")
    everything = [segment.id for segment in project.project.segments]
    changes = editing.SegmentChanges(pause_s=0.0, delivery={"speed": 1.25}, speaker="Ann")
    project.edit("pace", lambda now: editing.with_changes(now, everything, changes))
    project.edit("cast", _with_ann)
    assert {row.state.value for row in project.rows()} == {"ready"}
    after = joined(project, tmp_path / "b.wav")
    spoken = len(before) - round(3.5 * RATE)
    assert len(after) == pytest.approx(spoken / 1.25, rel=0.02)
    assert np.abs(after).max() == pytest.approx(0.3 * 10 ** (-6 / 20), rel=0.05)


def _with_ann(project: Project) -> Project:
    return replace(project, cast=(CastMember("Ann", gain_db=-6.0),))


def test_takes_of_several_rates_become_one_file(project: OpenProject, tmp_path: Path) -> None:
    for number, rate in enumerate((24_000, 16_000, 22_050, 24_000), start=1):
        add(project, f"s{number}", speech(1.0, rate=rate), rate)
    samples = joined(project, tmp_path / "a.wav")
    assert len(samples) / RATE == pytest.approx(4 * 1.0 + 3.5 + 0.55 + 6 * 0.05, abs=0.2)


@pytest.mark.parametrize("name", JOIN_FORMATS)
def test_every_format_is_whole_and_as_long(project: OpenProject, tmp_path: Path, name: str) -> None:
    for number in range(1, 5):
        add(project, f"s{number}", speech(1.0))
    path = tmp_path / f"book.{name}"
    made = write_joined(assembled(project, JoinChoices(name), VOICES), path, name)
    clip = read_recording(path, max_seconds=60)
    assert len(clip.samples) / clip.sample_rate == pytest.approx(made.duration_s, abs=0.12)
    assert sorted(file.name for file in tmp_path.iterdir() if file.is_file()) == [path.name]


def test_what_has_no_take_stops_is_left_out_or_is_silence(project: OpenProject, tmp_path: Path) -> None:
    with pytest.raises(NothingToExport):
        assembled(project, JoinChoices(missing=Missing.SKIP), VOICES)
    for number in (1, 2, 4):
        add(project, f"s{number}", speech(1.0))
    with pytest.raises(SegmentsMissing, match="1 segments"):
        assembled(project, JoinChoices(), VOICES)
    skipped = joined(project, tmp_path / "a.wav", missing=Missing.SKIP)
    silent = joined(project, tmp_path / "b.wav", missing=Missing.SILENCE)
    expected_s = 4 / 2.6  # its four words
    assert (len(silent) - len(skipped)) / RATE == pytest.approx(expected_s + 0.5, abs=0.02)
    project.edit("skip", lambda now: editing.with_changes(now, ["s3"], editing.SegmentChanges(is_skipped=True)))
    assert len(joined(project, tmp_path / "c.wav")) == len(skipped)
    assert len(joined(project, tmp_path / "d.wav", chapters=("c2",))) == len(speech(1.0))


def test_a_stopped_export_leaves_no_file(project: OpenProject, tmp_path: Path) -> None:
    for number in range(1, 5):
        add(project, f"s{number}", speech(1.0))
    done: list[float] = []
    for name in ("wav", "m4a"):
        assembly = assembled(project, JoinChoices(name), VOICES)
        with pytest.raises(Cancelled):
            write_joined(
                assembly,
                tmp_path / "a",
                name,
                cancelled=lambda: len(done) > 2,
                progress=done.append,
            )
    assert [file for file in tmp_path.iterdir() if file.is_file()] == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows measures memory in another way")
def test_a_long_file_takes_no_more_memory_than_a_short_one(project: OpenProject, tmp_path: Path) -> None:
    for number in range(1, 5):
        add(project, f"s{number}", speech(3.0))
    assembly = assembled(project, JoinChoices(), VOICES)
    write_joined(assembly, tmp_path / "short.wav", "wav")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    hour = replace(assembly, pieces=assembly.pieces * 100)
    made = write_joined(hour, tmp_path / "long.wav", "wav")
    assert made.duration_s > 1200
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16_000  # kilobytes; the file has 60 000


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("A: tale?", "A tale"),
        ("../../etc/passwd", "etc passwd"),
        ("CON", "_CON"),
        ("长篇 1", "长篇 1"),
        (" . ", "export"),
    ],
)
def test_names_of_files_suit_every_system(title: str, name: str) -> None:
    assert safe_title(title) == name


def _longest_run(flags: np.ndarray) -> int:  # type: ignore[type-arg]
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return int((edges[1::2] - edges[::2]).max())
