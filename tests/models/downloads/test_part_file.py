"""Parts: what survives a kill, a power cut, a full disk and other people's hands."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
import textwrap
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from tts_core.models.catalogue import ModelFile
from tts_core.models.download_faults import DiskLow, Interrupted
from tts_core.models.downloads.disk import check_space, disk_fault
from tts_core.models.downloads.transfer.journal import Record, read_record, write_record
from tts_core.models.downloads.transfer.part_file import PartStore, Want, want_of
from tts_core.models.downloads.transfer.prefix_hash import PrefixHash
from tts_core.models.downloads.transfer.spans import Spans

CONTENT = bytes(range(256)) * 400
SHA256 = hashlib.sha256(CONTENT).hexdigest()
WANT = Want("model.safetensors", len(CONTENT), SHA256, SHA256)
edges = st.tuples(st.integers(0, 40), st.integers(0, 40))


@pytest.fixture
def store(tmp_path: Path) -> PartStore:
    return PartStore(tmp_path / "models" / ".downloads")


@pytest.fixture
def part(store: PartStore, tmp_path: Path) -> Path:
    return tmp_path / "models" / ".downloads" / f"{SHA256}.part"


@pytest.fixture
def journal(part: Path) -> Path:
    return part.with_suffix(".json")


def fill(store: PartStore, start: int, end: int) -> None:
    with store.open(WANT) as part:
        part.write(start, CONTENT[start:end])


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), edges)), edges)
def test_spans_are_what_a_set_of_bytes_is(changes: list[tuple[bool, tuple[int, int]]], asked: tuple[int, int]) -> None:
    spans, model = Spans(), set[int]()
    for is_added, (start, end) in changes:
        if is_added:
            spans.add(start, end)
            model |= set(range(start, end))
        else:
            spans.remove(start, end)
            model -= set(range(start, end))
    listed = list(spans)
    assert {byte for start, end in listed for byte in range(start, end)} == model
    assert all(one[1] < two[0] for one, two in pairwise(listed))
    assert all(start < end for start, end in listed)
    assert spans.total == len(model)
    assert spans.prefix_end == next(byte for byte in range(50) if byte not in model)
    assert spans.end == max(model, default=-1) + 1
    missing = [byte for start, end in spans.missing(*asked) for byte in range(start, end)]
    assert missing == [byte for byte in range(*asked) if byte not in model]


def test_what_was_written_is_there_again(store: PartStore, part: Path) -> None:
    fill(store, 1000, 3000)
    fill(store, 0, 500)
    with store.open(WANT) as again:
        assert again.missing() == ((500, 1000), (3000, len(CONTENT)))
        assert (again.present_bytes, again.prefix_end) == (2500, 500)
        again.write(200, b"x" * 400)
        assert again.missing() == ((600, 1000), (3000, len(CONTENT)))
    assert part.read_bytes()[:600] == CONTENT[:500] + b"x" * 100
    assert store.present_bytes(WANT) == 2600


def test_bytes_that_were_not_journalled_do_not_count(store: PartStore, part: Path) -> None:
    fill(store, 0, 1000)
    with part.open("ab") as stream:
        stream.write(bytes(500))
    with store.open(WANT) as again:
        assert again.missing() == ((1000, len(CONTENT)),)
    assert part.stat().st_size == 1000


def test_a_journal_ahead_of_the_bytes_counts_as_far_as_there_are_bytes(store: PartStore, part: Path) -> None:
    fill(store, 0, 5000)
    fill(store, 7000, 9000)
    os.truncate(part, 3000)
    assert store.present_bytes(WANT) == 3000
    with store.open(WANT) as again:
        assert again.missing() == ((3000, len(CONTENT)),)


@pytest.mark.parametrize("is_there", [True, False])
def test_a_part_that_is_gone_begins_anew(store: PartStore, part: Path, is_there: bool) -> None:
    fill(store, 0, 5000)
    part.unlink()
    if is_there:
        part.touch()
    assert store.present_bytes(WANT) == 0
    fill(store, 0, 100)
    assert store.present_bytes(WANT) == 100


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 5000,
        b'{"version": 1}',
        b" " * 2_000_000,
        json.dumps({"spans": [[0, 10**9]]}).encode(),
        json.dumps({"spans": [[5, 3]]}).encode(),
        json.dumps({"spans": [[0, 5], [3, 9]]}).encode(),
        json.dumps({"spans": [[0, 5.5]]}).encode(),
        json.dumps({"spans": [[0, True]]}).encode(),
        json.dumps({"spans": [0]}).encode(),
        json.dumps({"spans": None}).encode(),
        json.dumps({"marks": {"x": "y"}}).encode(),
        json.dumps({"marks": {"5": "y"}}).encode(),
        json.dumps({"etags": {"http://a/b": '"x"\r\nEvil: 1'}}).encode(),
        json.dumps({"etags": 7}).encode(),
        json.dumps({"sha256": "0" * 64}).encode(),
        json.dumps({"size": 5}).encode(),
        json.dumps({"version": 2}).encode(),
    ],
)
def test_a_broken_or_foreign_journal_proves_nothing(store: PartStore, journal: Path, broken: bytes) -> None:
    fill(store, 0, 5000)
    if b'": ' in broken:
        journal.write_text(json.dumps({**json.loads(journal.read_bytes()), **json.loads(broken)}))
    if b'": ' not in broken or b"version" in broken:
        journal.write_bytes(broken)
    assert store.present_bytes(WANT) == 0
    with store.open(WANT) as again:
        assert again.present_bytes == 0


def test_a_journal_that_can_not_be_read_proves_nothing(store: PartStore, journal: Path) -> None:
    fill(store, 0, 5000)
    journal.unlink()
    journal.mkdir()
    assert store.present_bytes(WANT) == 0


def test_a_file_of_the_right_length_without_a_journal_is_kept_for_the_hash(store: PartStore, part: Path) -> None:
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT)
    with store.open(WANT) as whole:
        assert whole.is_whole


def test_something_else_in_the_place_of_a_part_is_moved_not_written_to(store: PartStore, part: Path) -> None:
    mine = part.parent.parent / "mine"
    part.parent.mkdir(parents=True)
    mine.write_bytes(b"precious")
    part.symlink_to(mine)
    fill(store, 0, 100)
    assert mine.read_bytes() == b"precious"
    part.unlink()
    part.mkdir()
    fill(store, 0, 100)
    assert part.read_bytes() == CONTENT[:100]


def test_a_closed_part_takes_no_more(store: PartStore) -> None:
    with store.open(WANT) as part:
        part.write(0, b"1")
    with pytest.raises(Interrupted):
        part.write(1, b"2")


def test_forgotten_bytes_are_forgotten_on_the_disk_first(store: PartStore, journal: Path) -> None:
    fill(store, 0, 5000)
    with store.open(WANT) as part:
        part.forget(1000, 2000)
        assert store.present_bytes(WANT) == 4000
        part.reset()
        assert (store.present_bytes(WANT), part.present_bytes) == (0, 0)


def test_etags_are_kept_unless_they_are_weak_or_strange(store: PartStore) -> None:
    with store.open(WANT) as part:
        part.write(0, b"1")
        for number, etag in enumerate(['"abc"', 'W/"abc"', "abc", '"a\nb"', ""]):
            part.note_etag(f"http://hub/{number}", etag)
    with store.open(WANT) as part:
        assert [part.etag(f"http://hub/{number}") for number in range(5)] == ['"abc"', None, None, None, None]


KILLED = """
import sys
from pathlib import Path
from tts_core.models.downloads.transfer.part_file import PartStore, Want
content = bytes(range(256)) * 400
with PartStore(Path(sys.argv[1])).open(Want("model.safetensors", len(content), sys.argv[2], sys.argv[2])) as part:
    for at in range(0, len(content), 100):
        part.write(at, content[at : at + 100])
        part.sync()
        print(part.present_bytes, flush=True)
"""


def test_killed_in_the_middle_it_keeps_what_it_had_synced(store: PartStore, part: Path) -> None:
    for _ in range(2):
        store.discard(WANT)
        child = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(part.parent), SHA256],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert child.stdout is not None
        synced = [int(child.stdout.readline()) for _ in range(30)]
        child.kill()
        synced += [int(line) for line in child.stdout if line.endswith(b"\n")]
        child.wait()
        child.stdout.close()
        kept = store.present_bytes(WANT)
        assert kept >= synced[-1]
        assert part.read_bytes()[:kept] == CONTENT[:kept]


# The hash that follows


def test_the_hash_follows_in_steps(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(CONTENT)
    prefix = PrefixHash(file, {})
    for limit in (10, 10, 5000, len(CONTENT)):
        assert prefix.advance(limit) is None
        assert prefix.digest() == hashlib.sha256(CONTENT[:limit]).hexdigest()
    assert prefix.position == len(CONTENT)


def test_marks_find_the_block_that_the_disk_damaged(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(CONTENT)
    before = PrefixHash(file, {}, mark_bytes=1000)
    before.advance(10_500)
    marks = before.marks()
    assert sorted(marks) == [*range(1000, 10_001, 1000), 10_500]
    damaged = bytearray(CONTENT)
    damaged[3456] ^= 1
    damaged[10_400] ^= 1
    file.write_bytes(damaged)
    again = PrefixHash(file, marks, mark_bytes=1000)
    assert again.advance(10_500) == (3000, 4000)
    assert set(marks) - {4000} <= set(again.marks()), "a journal written now would forget what is known"
    damaged[3456] ^= 1
    file.write_bytes(damaged)
    assert again.advance(10_500) == (10_000, 10_500)
    file.write_bytes(CONTENT)
    assert again.advance(len(CONTENT)) is None
    assert again.digest() == SHA256


# The folder


def test_equal_content_has_one_part_whatever_its_path() -> None:
    one = want_of(ModelFile("a/model.safetensors", 5, SHA256), "Qwen/A")
    two = want_of(ModelFile("model.safetensors", 5, SHA256), "Qwen/B")
    assert one.name == two.name == SHA256
    unknown = {
        want_of(ModelFile(path, size), repo).name
        for path, size, repo in [("a", 5, "A"), ("a", 5, "B"), ("a", 6, "A"), ("b", 5, "A")]
    }
    assert len(unknown) == 4


def test_a_finished_part_takes_its_place_and_leaves_nothing(store: PartStore, part: Path, tmp_path: Path) -> None:
    fill(store, 0, len(CONTENT))
    target = tmp_path / "models" / "Qwen" / "speech_tokenizer" / "model.safetensors"
    store.publish(WANT, target)
    assert target.read_bytes() == CONTENT
    assert list(part.parent.iterdir()) == []
    assert (store.present_bytes(WANT), store.leftovers(), store.total_bytes()) == (0, (), 0)


def test_what_stands_in_the_place_is_moved_aside(store: PartStore, tmp_path: Path) -> None:
    target = tmp_path / "model.safetensors"
    for number in (1, 2):
        target.write_bytes(b"mine %d" % number)
        fill(store, 0, len(CONTENT))
        store.publish(WANT, target)
        assert (tmp_path / f"model.safetensors.wrong-{number}").read_bytes() == b"mine %d" % number


def test_only_a_whole_part_is_set_aside_as_wrong(store: PartStore, part: Path, tmp_path: Path) -> None:
    assert store.set_aside(WANT) is None
    fill(store, 0, 500)
    assert store.set_aside(WANT) is None
    assert store.present_bytes(WANT) == 500
    fill(store, 0, len(CONTENT))
    wrong = store.set_aside(WANT)
    assert wrong is not None
    assert wrong.read_bytes() == CONTENT
    assert store.present_bytes(WANT) == 0
    assert [(found.name, found.is_wrong) for found in store.leftovers()] == [(SHA256, True)]
    fill(store, 0, len(CONTENT))
    store.publish(WANT, tmp_path / "right")
    assert not wrong.exists(), "the right one has arrived"


def test_leftovers_can_be_removed(store: PartStore, part: Path) -> None:
    fill(store, 0, 5000)
    (left,) = store.leftovers()
    assert (left.path, left.is_wrong) == (part, False)
    assert left.bytes == store.total_bytes() >= 5000
    store.remove(left)
    assert list(part.parent.iterdir()) == []
    fill(store, 0, 5000)
    store.discard(WANT)
    store.discard(WANT)
    assert list(part.parent.iterdir()) == []


# The disk


def test_errors_of_the_disk_have_their_codes(tmp_path: Path) -> None:
    codes = {
        errno.ENOSPC: "DISK_FULL",
        errno.EDQUOT: "DISK_FULL",
        errno.EROFS: "READ_ONLY",
        errno.EACCES: "PERMISSION",
        errno.EPERM: "PERMISSION",
        errno.EBUSY: "FILE_LOCKED",
        errno.EIO: "DISK_ERROR",
        errno.EFBIG: "DISK_ERROR",
    }
    assert {number: disk_fault(OSError(number, "x"), tmp_path / "part").code for number in codes} == codes
    held = OSError(errno.EACCES, "x")
    held.winerror = 32  # type: ignore[attr-defined]
    assert disk_fault(held, tmp_path / "part").code == "FILE_LOCKED"


def test_room_is_asked_for_before_the_first_byte(tmp_path: Path) -> None:
    check_space(tmp_path / "not" / "there" / "yet", 1_000_000)
    check_space(tmp_path, 0)
    with pytest.raises(DiskLow) as low:
        check_space(tmp_path / "not" / "there" / "yet", 10**15)
    assert int(str(low.value.params["needed_bytes"])) > 10**15


def test_a_full_disk_keeps_its_bytes_and_their_journal(tmp_path: Path) -> None:
    answer = on_small_disk(
        tmp_path,
        """
        try:
            with PartStore(Path(sys.argv[1])).open(want) as part:
                for at in range(0, size, 65536):
                    part.write(at, bytes(65536))
        except DiskFull as full:
            print(full.code)
        print(PartStore(Path(sys.argv[1])).present_bytes(want) > size // 4)
        """,
    )
    assert answer == ["DISK_FULL", "True"]


def test_the_reserve_does_not_lock_out_small_disks(tmp_path: Path) -> None:
    answer = on_small_disk(
        tmp_path,
        """
        check_space(Path(sys.argv[1]), 3 << 20)
        try:
            check_space(Path(sys.argv[1]), 4 << 20)
        except DiskLow as low:
            print(low.code)
        """,
    )
    assert answer == ["DISK_LOW"]


def on_small_disk(folder: Path, code: str) -> list[str]:
    """What the code prints with a disk of 4 MiB at sys.argv[1]; skips where nobody may mount one."""
    head = """
        import sys
        from pathlib import Path
        from tts_core.models.downloads.disk import check_space
        from tts_core.models.download_faults import DiskFull, DiskLow
        from tts_core.models.downloads.transfer.part_file import PartStore, Want
        size = 8 << 20
        want = Want("big", size, "0" * 64, "big")
    """
    if shutil.which("unshare") is None:
        pytest.skip("no disk can be mounted here")
    disk = folder / "disk"
    disk.mkdir()
    script = f'mount -t tmpfs -o size=4m tmpfs "{disk}" || exit 77; exec "$0" -c "$1" "{disk}"'
    run = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, sys.executable, textwrap.dedent(head) + textwrap.dedent(code)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode == 77 or "unshare" in run.stderr:
        pytest.skip("no disk can be mounted here")
    assert run.returncode == 0, run.stderr
    return run.stdout.split()


@settings(deadline=None, max_examples=20)
@given(st.lists(edges))
def test_a_record_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, raw: list[tuple[int, int]]) -> None:
    file = tmp_path_factory.getbasetemp() / "record.json"
    record = Record(40, SHA256, tuple(Spans((a, b) for a, b in raw if a < b)), {7: SHA256}, {"http://a/b": '"e"'})
    write_record(file, record)
    assert read_record(file, 40, SHA256) == record
