"""Projects on the disk: what is shown is what the next process finds, whatever is broken or half written."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests.studio.stage import ChangingLexicon, NamedVoices, add_take, book, projects_in, states, texts
from tts_core.domain.errors import InvalidValue
from tts_core.platform.settings.projects import ProjectLimits
from tts_core.speech.plan.lexicon import LexiconEntry
from tts_core.studio.disk.folder import ProjectFolder, Unreadable
from tts_core.studio.edits import segments as editing, whole
from tts_core.studio.faults import (
    EditConflict,
    NothingToRedo,
    NothingToUndo,
    ProjectBusy,
    ProjectDamaged,
    ProjectInUse,
    ProjectNewer,
    ProjectTooLong,
    ProjectUnwritable,
    TooManyProjects,
    TooManySegments,
    UnknownProject,
)
from tts_core.studio.index import Filters
from tts_core.studio.model import (
    CastMember,
    Delivery,
    Project,
    TakeCheck,
    TakeFailure,
    TakeFlag,
    TakeOrigin,
)
from tts_core.studio.readers.draft import Draft, DraftChapter
from tts_core.studio.store import OpenProject


def made(folder: Path, project: Project | None = None, **fields: object) -> OpenProject:
    project = project or book(["One.", "Two."], ["Three.", "Four."], **fields)
    return projects_in(folder).create(project)


def text(project: OpenProject, segment_id: str, new: str, seen: int | None = None) -> None:
    project.edit("edit_text", lambda before: editing.with_text(before, segment_id, new), seen=seen)


def reopened(folder: Path, project: OpenProject, *, is_closed: bool = True) -> OpenProject:
    """The project as another process finds it."""
    if is_closed:
        project.close()
    return projects_in(folder).open(project.id)


def test_the_next_process_finds_what_was_there(tmp_path: Path) -> None:
    project = made(tmp_path, defaults=Delivery(voice="builtin/aria", speed=1.2), author="Ann")
    text(project, "s2", "Zwei. “二”")
    add_take(project, "s1")
    again = reopened(tmp_path, project)
    assert again.project == project.project
    assert states(again) == ["ready", "waiting", "waiting", "waiting"]
    assert again.notes == ()


def test_exactly_one_segment_is_stale_after_an_edit_and_none_once_it_is_put_back(tmp_path: Path) -> None:
    project = made(tmp_path)
    for segment in project.project.segments:
        add_take(project, segment.id)
    text(project, "s2", "Two!")
    assert states(project) == ["ready", "stale", "ready", "ready"]
    text(project, "s2", "Two.")
    assert states(reopened(tmp_path, project)) == ["ready"] * 4


def test_what_is_applied_at_joining_makes_nothing_stale_and_what_the_engine_does_makes_only_its_rows_so(
    tmp_path: Path,
) -> None:
    voices = NamedVoices({"clone/a": "recording 1"})
    cast = (CastMember("Ann", Delivery(voice="clone/a")), CastMember("Bob", Delivery(voice="espeak/en")))
    project = projects_in(tmp_path, voices=voices).create(book(["One.", "Two.", "Three."], cast=cast))
    for segment_id, speaker in (("s1", "Ann"), ("s2", "Bob"), ("s3", "")):
        change = partial(editing.with_changes, segment_ids=[segment_id], changes=editing.SegmentChanges(speaker))
        project.edit("speaker", change)
        add_take(project, segment_id)
    everything = [segment.id for segment in project.project.segments]
    paced = editing.SegmentChanges(pause_s=2.0, delivery={"speed": 1.3})
    project.edit("pace", lambda before: editing.with_changes(before, everything, paced))
    louder = (replace(cast[0], gain_db=3.0), cast[1])
    project.edit("cast", lambda before: whole.with_cast(before, louder))
    project.edit("pauses", lambda before: whole.with_settings(before, {"pauses": "shorter", "title": "Renamed"}))
    assert states(project) == ["ready", "stale", "ready"]  # espeak speaks faster by itself
    project.undo(), project.undo(), project.undo()
    other = (replace(cast[0], delivery=Delivery(voice="clone/b")), cast[1])
    project.edit("cast", lambda before: whole.with_cast(before, other))
    assert states(project) == ["stale", "ready", "ready"]
    project.undo()
    voices.fingerprints["clone/a"] = "recording 2"
    assert states(project) == ["stale", "ready", "ready"]


def test_moving_the_folder_of_a_project_makes_nothing_stale(tmp_path: Path) -> None:
    project = made(tmp_path)
    add_take(project, "s1")
    project.close()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "projects").rename(tmp_path / "elsewhere" / "projects")
    again = projects_in(tmp_path / "elsewhere").open(project.id)
    assert states(again) == ["ready", "waiting", "waiting", "waiting"]
    assert again.sound_of("s1", again.segment("s1").takes[0].id).is_file()


def test_a_lexicon_changes_the_keys_of_rows_with_the_term_only(tmp_path: Path) -> None:
    everywhere = ChangingLexicon()
    project = projects_in(tmp_path, lexicon=everywhere).create(book(["Read this.", "Not that.", "[[Read|Redd]] it."]))
    for segment in project.project.segments:
        add_take(project, segment.id)
    entries = (LexiconEntry("Read", "Reed"),)
    project.edit("lexicon", lambda before: whole.with_settings(before, {"lexicon": entries}))
    assert states(project) == ["stale", "ready", "ready"]
    assert project.segment("s1").text == "Read this."
    assert [project.spoken(one) for one in project.project.segments] == ["Reed this.", "Not that.", "Redd it."]
    everywhere.entries = (LexiconEntry("Read", "Raid"), LexiconEntry("that", "thet"))
    assert project.spoken(project.segment("s1")) == "Reed this."  # the project's own entry wins
    assert states(project) == ["stale", "stale", "ready"]
    everywhere.entries = ()
    project.undo()
    assert states(project) == ["ready"] * 3


def test_an_entry_for_some_voices_is_read_by_them_beside_a_tag_too(tmp_path: Path) -> None:
    lexicon = ChangingLexicon()
    lexicon.entries = (LexiconEntry("Read", "Reed", voices=("builtin/aria",)),)
    texts = ["Read this.", "Read [[this|that]]."]
    for voice, spoken in (("builtin/aria", "Reed"), ("builtin/ben", "Read")):
        project = projects_in(tmp_path / voice, lexicon=lexicon).create(book(texts, defaults=Delivery(voice=voice)))
        assert [project.spoken(one) for one in project.project.segments] == [f"{spoken} this.", f"{spoken} that."]


def test_a_pause_in_a_text_is_a_part_of_its_key(tmp_path: Path) -> None:
    project = made(tmp_path, book(["One [pause 1s] two."]))
    add_take(project, "s1")
    assert project.spoken(project.segment("s1")) == "One [pause 1s] two."
    text(project, "s1", "One [pause 2s] two.")
    assert states(project) == ["stale"]


@pytest.mark.parametrize("damage", [b"", b'{"format": 1, "chapter": "c1", "rev', b"\x00" * 200, b"[1, 2]"])
def test_a_broken_chapter_is_read_from_its_last_revision_and_the_others_are_untouched(
    tmp_path: Path, damage: bytes
) -> None:
    project = made(tmp_path)
    text(project, "s1", "Uno.")
    text(project, "s3", "Tres.")
    text(project, "s1", "Un.")
    project.close()
    file = project.folder.chapter("c1")
    other = project.folder.chapter("c2")
    before = other.stat()
    file.write_bytes(damage)
    again = reopened(tmp_path, project)
    assert texts(again) == [["Un.", "Two."], ["Tres.", "Four."]]
    assert [note.code for note in again.notes] == ["chapter_restored"]
    assert "Chapter 1" in again.notes[0].message
    assert (other.stat().st_mtime_ns, other.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    assert next(file.parent.glob("c1.json.broken-*")).read_bytes() == damage
    assert reopened(tmp_path, again).notes == ()


def test_a_chapter_that_no_change_remembers_any_more_is_restored_as_well(tmp_path: Path) -> None:
    """The change before the last write of a chapter may be forgotten; the spare copy must then be as new as it."""
    project = projects_in(tmp_path, limits=ProjectLimits(changes=3)).create(book(["One.", "Two."], ["Three."]))
    text(project, "s1", "Uno.")
    for number in range(8):
        text(project, "s3", f"Three {number}.")
    project.close()
    project.folder.chapter("c1").write_bytes(b"")
    assert texts(reopened(tmp_path, project))[0] == ["Uno.", "Two."]


def test_a_chapter_without_any_copy_is_empty_and_its_file_and_takes_stay(tmp_path: Path) -> None:
    project = made(tmp_path)
    add_take(project, "s1")
    project.close()
    for file in (project.folder.chapter("c1"), project.folder.spare(project.folder.chapter("c1"))):
        file.write_bytes(b"{")
    again = reopened(tmp_path, project)
    assert texts(again) == [[], ["Three.", "Four."]]
    assert [note.code for note in again.notes] == ["chapter_lost"]
    again.drop_unchosen()
    assert list((again.folder.takes / "s1").glob("*.wav"))
    assert next(project.folder.root.glob("chapters/c1.json.broken-*")).read_bytes() == b"{"


def test_a_broken_project_file_is_read_from_its_spare_copy(tmp_path: Path) -> None:
    project = made(tmp_path)
    project.edit("title", lambda before: whole.with_settings(before, {"title": "Second"}))
    project.edit("title", lambda before: whole.with_settings(before, {"title": "Third"}))
    project.close()
    project.folder.header.write_bytes(b"")
    again = reopened(tmp_path, project)
    assert again.project.title == "Third"
    assert [note.code for note in again.notes] == ["project_restored"]
    again.close()
    project.folder.header.write_bytes(b"")
    project.folder.spare(project.folder.header).write_bytes(b"")
    with pytest.raises(ProjectDamaged):
        projects_in(tmp_path).open(project.id)
    card = projects_in(tmp_path).cards()[0]
    assert card.problem is not None
    assert project.folder.header.read_bytes() == b""


def test_a_change_that_was_written_down_has_happened(tmp_path: Path) -> None:
    """The process ended after the record and before the files: an edit, a move between chapters, a new chapter."""
    project = made(tmp_path)
    text(project, "s1", "Uno.")
    files = [project.folder.chapter("c1"), project.folder.chapter("c2"), project.folder.header]
    before = {file: file.read_bytes() for file in files}
    project.edit("move", lambda one: editing.moved(one, "s1", "c2", "s4"))
    project.edit("split", lambda one: whole.chapter_split(one, "s4", "Last"))
    wanted = project.project
    project.close()
    for file, content in before.items():
        file.write_bytes(content)
    again = reopened(tmp_path, project)
    assert again.project.chapters == wanted.chapters
    assert again.project.revision == wanted.revision
    assert reopened(tmp_path, again).project.chapters == wanted.chapters


def test_a_part_of_the_files_may_be_written(tmp_path: Path) -> None:
    project = made(tmp_path)
    old = project.folder.chapter("c2").read_bytes()
    project.edit("move", lambda one: editing.moved(one, "s1", "c2", ""))
    project.close()
    project.folder.chapter("c2").write_bytes(old)  # its removal from the first chapter is on the disk, alone
    assert texts(reopened(tmp_path, project)) == [["Two."], ["One.", "Three.", "Four."]]


def test_undo_and_redo_go_back_and_forth_also_in_the_next_process(tmp_path: Path) -> None:
    project = made(tmp_path)
    text(project, "s1", "A.")
    project.edit("merge", lambda before: editing.merged_with_next(before, "s3"))
    project.edit("remove", lambda before: whole.chapter_removed(before, "c1"))
    assert texts(project) == [["Three. Four."]]
    assert project.undoable == "remove"
    project.undo()
    project = reopened(tmp_path, project)
    assert texts(project) == [["A.", "Two."], ["Three. Four."]]
    project.undo(), project.undo()
    assert texts(project) == [["One.", "Two."], ["Three.", "Four."]]
    with pytest.raises(NothingToUndo):
        project.undo()
    project.redo(), project.redo()
    project = reopened(tmp_path, project)
    assert texts(project) == [["A.", "Two."], ["Three. Four."]]
    text(project, "s1", "B.")
    with pytest.raises(NothingToRedo):
        project.redo()


def test_a_segment_that_undo_brings_back_has_its_takes(tmp_path: Path) -> None:
    project = made(tmp_path)
    take = add_take(project, "s2")
    project.edit("merge", lambda before: editing.merged_with_next(before, "s1"))
    project = reopened(tmp_path, project)
    project.undo()
    assert [one.id for one in project.segment("s2").takes] == [take.id]
    assert states(project) == ["waiting", "ready", "waiting", "waiting"]


def test_as_many_changes_as_are_kept_can_be_taken_back(tmp_path: Path) -> None:
    assert ProjectLimits().changes == 50
    project = projects_in(tmp_path, limits=ProjectLimits(changes=5)).create(book(["One."]))
    for number in range(8):
        text(project, "s1", f"Text {number}.")
    project = reopened(tmp_path, project)
    for _ in range(5):
        project.undo()
    assert project.segment("s1").text == "Text 2."
    with pytest.raises(NothingToUndo):
        project.undo()
    assert len(list(project.folder.revisions.glob("0*.json"))) <= 2 * 5


def test_an_edit_of_something_that_changed_since_is_refused_and_one_of_something_else_is_not(tmp_path: Path) -> None:
    project = made(tmp_path)
    seen = project.project.revision
    text(project, "s1", "First page.", seen)
    text(project, "s2", "Second page.", seen)
    with pytest.raises(EditConflict):
        text(project, "s1", "Third page.", seen)
    assert project.segment("s1").text == "First page."
    project.edit("title", lambda before: whole.with_settings(before, {"title": "T"}), seen=seen)
    with pytest.raises(EditConflict):
        project.edit("title", lambda before: whole.with_settings(before, {"title": "U"}), seen=seen)
    text(project, "s1", "Third page.", project.project.revision)


def test_an_edit_that_changes_nothing_is_none(tmp_path: Path) -> None:
    project = made(tmp_path)
    text(project, "s1", "One.")
    assert (project.project.revision, project.undoable) == (0, "")


def test_a_second_process_reads_only_until_the_first_one_ends(tmp_path: Path) -> None:
    project = made(tmp_path)
    others = projects_in(tmp_path)
    second = others.open(project.id)
    with pytest.raises(ProjectInUse):
        text(second, "s1", "No.")
    with pytest.raises(ProjectInUse):
        add_take(second, "s1")
    text(project, "s1", "Yes.")
    assert others.open(project.id).segment("s1").text == "Yes."
    project.close()
    text(others.open(project.id), "s1", "Now.")


def test_a_newer_format_is_read_and_never_written(tmp_path: Path) -> None:
    project = made(tmp_path)
    project.close()
    data = json.loads(project.folder.header.read_text("utf-8"))
    project.folder.header.write_text(json.dumps({**data, "format": 2, "unheard_of": [1]}), encoding="utf-8")
    leftover = project.folder.takes / "s1"
    leftover.mkdir()
    (leftover / "0001-abcdef.flac").write_bytes(b"a newer version may know what this is")
    before = {file: file.read_bytes() for file in project.folder.root.rglob("*.json")}
    newer = projects_in(tmp_path).open(project.id)
    assert texts(newer)[0] == ["One.", "Two."]
    with pytest.raises(ProjectNewer):
        text(newer, "s1", "No.")
    newer.close()
    project.folder.header.write_text(json.dumps({**data, "format": 2, "title": 7}), encoding="utf-8")
    with pytest.raises(ProjectNewer):
        projects_in(tmp_path).open(project.id)
    assert (leftover / "0001-abcdef.flac").exists()
    assert {file: file.read_bytes() for file in before if file != project.folder.header} == {
        file: content for file, content in before.items() if file != project.folder.header
    }


def test_an_older_format_is_brought_up_step_by_step(tmp_path: Path) -> None:
    root = tmp_path / "old"
    root.mkdir()
    (root / "project.json").write_text(json.dumps({"format": -1, "id": "old", "name": "Old"}), encoding="utf-8")
    steps = {
        -1: lambda data: {**data, "called": data["name"]},
        0: lambda data: {**data, "title": f"{data['called']} book"},
    }
    folder = ProjectFolder(root, steps)
    assert folder.read_header(folder.header).project.title == "Old book"
    with pytest.raises(Unreadable):
        ProjectFolder(root).read_header(folder.header)


def test_what_unfinished_takes_leave_behind_is_removed_and_takes_are_not(tmp_path: Path) -> None:
    project = made(tmp_path)
    take = add_take(project, "s1")
    folder = project.folder.takes / "s1"
    (folder / "0002-abcdef.flac").write_bytes(b"half a take")
    (folder / ".0123456789abcdef.part").write_bytes(b"half a file")
    (folder / "0003-abcdef.json").write_text('{"id": "0003-abcdef", "fi', encoding="utf-8")
    (folder / "0003-abcdef.flac").write_bytes(b"a sound whose facts are damaged")
    again = reopened(tmp_path, project)
    assert [one.id for one in again.segment("s1").takes] == [take.id]
    assert sorted(file.name for file in folder.iterdir()) == sorted(
        [f"{take.id}.json", take.file, "0003-abcdef.flac", "0003-abcdef.json"]
    )


def test_the_oldest_take_goes_that_is_neither_heard_nor_starred(tmp_path: Path) -> None:
    project = projects_in(tmp_path, limits=ProjectLimits(takes=3)).create(book(["One."]))
    wrong = TakeCheck(flags=(TakeFlag.WRONG_WORDS,), errors=2, units=3)
    first, second, third = (add_take(project, "s1", check=check) for check in (None, wrong, wrong))
    project.edit("star", lambda before: editing.with_star(before, "s1", second.id, is_on=True))
    fourth = add_take(project, "s1", check=wrong)
    assert [take.id for take in project.segment("s1").takes] == [first.id, second.id, fourth.id]
    assert not list((project.folder.takes / "s1").glob(f"{third.id}*"))
    assert project.row("s1").take == first


def test_unchosen_takes_are_dropped_and_their_space_is_known_before(tmp_path: Path) -> None:
    project = made(tmp_path)
    first, second, _ = (add_take(project, "s1", seconds=1.0) for _ in range(3))
    project.edit("choose", lambda before: editing.with_chosen(before, "s1", first.id))
    project.edit("star", lambda before: editing.with_star(before, "s1", second.id, is_on=True))
    unchosen = project.space().unchosen
    assert unchosen > 24_000
    assert project.drop_unchosen() == unchosen
    assert [take.id for take in reopened(tmp_path, project).segment("s1").takes] == [first.id, second.id]


def test_a_deleted_take_comes_back_with_undo(tmp_path: Path) -> None:
    project = made(tmp_path)
    take = add_take(project, "s1")
    project.edit("delete_take", lambda before: editing.without_take(before, "s1", take.id))
    assert states(project)[0] == "waiting"
    project = reopened(tmp_path, project)
    project.undo()
    assert states(project)[0] == "ready"


def test_a_failure_is_shown_until_a_take_is_made_or_the_text_changes(tmp_path: Path) -> None:
    project = made(tmp_path)
    project.note_failure("s1", TakeFailure("engine_failed", project.row("s1").keys.made))
    project = reopened(tmp_path, project)
    assert states(project)[0] == "failed"
    add_take(project, "s1", origin=TakeOrigin.AGAIN)
    assert states(reopened(tmp_path, project))[0] == "ready"


def test_a_text_that_is_far_too_long_is_refused_before_it_is_parted(tmp_path: Path) -> None:
    projects = projects_in(tmp_path, limits=ProjectLimits(chars=10))
    projects.check_draft(Draft((DraftChapter("", "x" * 15),)))
    with pytest.raises(ProjectTooLong):
        projects.check_draft(Draft((DraftChapter("", "x" * 8), DraftChapter("", "x" * 8))))


def test_a_project_at_work_is_not_deleted(tmp_path: Path) -> None:
    projects = projects_in(tmp_path)
    project = projects.create(book(["One."]))
    with projects.holding(project.id) as held:
        assert held is project
        for remove in (projects.delete, projects.remove):
            with pytest.raises(ProjectBusy):
                remove(project.id)
    projects.remove(project.id)
    assert not project.folder.root.exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_disk_that_takes_nothing_says_so(tmp_path: Path) -> None:
    project = made(tmp_path)
    project.close()
    project.folder.root.chmod(0o500)
    refused = projects_in(tmp_path).open(project.id)
    with pytest.raises(ProjectUnwritable):
        text(refused, "s1", "No.")
    project.folder.root.chmod(0o700)


def test_an_edit_that_can_not_be_written_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = made(tmp_path)
    before = project.project

    def full(*_args: object, **_values: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("tts_core.studio.disk.journal.write_text", full)
        with pytest.raises(ProjectUnwritable, match="No space left"):
            text(project, "s1", "Lost.")
        assert project.project is before
        patched.setattr("tts_core.studio.disk.take_files.write_text", full)
        with pytest.raises(ProjectUnwritable):
            add_take(project, "s1")
    assert states(reopened(tmp_path, project)) == ["waiting"] * 4
    assert list((project.folder.takes / "s1").iterdir()) == []


def test_a_file_that_can_not_be_written_after_its_change_was_is_written_with_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = made(tmp_path)

    def full(*_args: object, **_values: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("tts_core.studio.disk.folder.write_text", full)
        text(project, "s1", "Recorded.")
    other = projects_in(tmp_path).open(project.id)
    assert other.segment("s1").text == "Recorded."
    text(project, "s4", "Next.")
    read = project.folder.read_chapter(project.folder.chapter("c1"))
    assert read.segments[0].text == "Recorded."


def test_threads_edit_and_take_at_once(tmp_path: Path) -> None:
    project = made(tmp_path)

    def work(segment_id: str) -> None:
        for number in range(6):
            text(project, segment_id, f"{segment_id} says {number}.")
            project.page(Filters())

    with ThreadPoolExecutor() as threads:
        list(threads.map(work, [segment.id for segment in project.project.segments]))
        list(threads.map(lambda key: add_take(project, key), ["s1", "s2", "s3", "s4"]))
    assert project.project.revision == 24
    again = reopened(tmp_path, project)
    assert texts(again) == [["s1 says 5.", "s2 says 5."], ["s3 says 5.", "s4 says 5."]]
    assert states(again) == ["ready"] * 4


def test_a_deleted_project_comes_back_for_some_weeks(tmp_path: Path) -> None:
    projects = projects_in(tmp_path)
    project = projects.create(book(["One."]))
    projects.delete(project.id)
    with pytest.raises(UnknownProject):
        projects.open(project.id)
    assert projects.cards() == ()
    assert [card.project.id for card in projects.cards(deleted=True)] == [project.id]
    assert projects.purge() == 0
    assert texts(projects.restore(project.id)) == [["One."]]
    projects.open(project.id).set_deleted("2020-01-01T00:00:00.000+00:00")
    assert projects.purge() == 1
    assert not project.folder.root.exists()


def test_the_list_needs_no_project_to_be_read_and_is_right_after_a_crash(tmp_path: Path) -> None:
    projects = projects_in(tmp_path)
    project = projects.create(book(["One.", "Two."]))
    add_take(project, "s1")
    projects.close()
    chapter = project.folder.chapter("c1")
    content = chapter.read_bytes()
    chapter.write_bytes(b"never read for the list")
    card = projects_in(tmp_path).cards()[0]
    assert (card.project.title, card.counts.segments, card.counts.characters) == ("A book", 2, 8)
    chapter.write_bytes(content)
    crashed = projects_in(tmp_path).open(project.id)
    add_take(crashed, "s2")
    crashed.close()  # the lock goes with the process, no summary is written
    card = projects_in(tmp_path).cards()[0]
    assert {state.value: count for state, count in card.counts.states.items()} == {"ready": 2}


def test_limits_have_errors_of_their_own(tmp_path: Path) -> None:
    limits = ProjectLimits(projects=1, segments=2, chars=20)
    projects = projects_in(tmp_path, limits=limits)
    with pytest.raises(TooManySegments):
        projects.create(book(["a", "b", "c"]))
    with pytest.raises(ProjectTooLong):
        projects.create(book(["a" * 21]))
    project = projects.create(book(["One, two."]))
    with pytest.raises(TooManyProjects):
        projects.create(book(["a"]))
    project.edit("split", lambda before: editing.split_at(before, "s1", 4))
    with pytest.raises(TooManySegments):
        project.edit("insert", lambda before: editing.inserted(before, "c1", "", "New"))
    with pytest.raises(ProjectTooLong):
        text(project, "s1", "far too long for it")
    with pytest.raises(InvalidValue):
        text(project, "s1", "x" * (editing.MAX_SEGMENT_CHARS + 1))
    assert project.project.revision == 1


@pytest.mark.parametrize("name", ["..", "a/b", "../other", "A", "", "x" * 41, "."])
def test_an_id_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    projects_in(tmp_path).create(book(["One."]))
    with pytest.raises(UnknownProject):
        projects_in(tmp_path).open(name)
