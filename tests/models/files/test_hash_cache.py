from __future__ import annotations

import hashlib
import json
import os
import threading
from pathlib import Path

import pytest

from tts_core.models.files.hash_cache import CHUNK_BYTES, ZERO_BLOCK_BYTES, ContentReader, Digest, HashCache

MIB = ZERO_BLOCK_BYTES


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"weights")
    return path


@pytest.fixture
def cache_file(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "hashes.json"


def test_a_digest_is_remembered_across_restarts(file: Path, cache_file: Path) -> None:
    HashCache(cache_file).put(file, file.stat(), Digest("aa", True))
    assert HashCache(cache_file).get(file, file.stat()) == Digest("aa", True)


def test_another_size_time_or_inode_forgets_it(file: Path, cache_file: Path) -> None:
    cache = HashCache(cache_file)
    before = file.stat()
    cache.put(file, before, Digest("aa", False))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns + 1_000_000_000))
    assert cache.get(file, file.stat()) is None
    file.write_bytes(b"weightz+")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert cache.get(file, file.stat()) is None
    copy = file.with_name("copy")
    copy.write_bytes(b"weights")
    copy.replace(file)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert cache.get(file, file.stat()) is None


def test_a_file_system_without_inodes_is_served_by_size_and_time(file: Path, cache_file: Path) -> None:
    found = os.stat_result((*file.stat()[:1], 0, *file.stat()[2:]))
    cache = HashCache(cache_file)
    cache.put(file, found, Digest("aa", False))
    assert cache.get(file, found) == Digest("aa", False)


def test_what_another_process_writes_is_seen(file: Path, cache_file: Path) -> None:
    here, there = HashCache(cache_file), HashCache(cache_file)
    other = file.with_name("other")
    other.write_bytes(b"other")
    here.put(file, file.stat(), Digest("aa", False))
    there.put(other, other.stat(), Digest("bb", False))
    assert here.get(other, other.stat()) == Digest("bb", False)
    assert HashCache(cache_file).get(file, file.stat()) == Digest("aa", False)


def test_earlier_digests_of_a_path_are_remembered_newest_first(file: Path, cache_file: Path) -> None:
    cache = HashCache(cache_file)
    for sha256 in ("a", "b", "b", "c", "a", "d", "e", "f"):
        cache.put(file, file.stat(), Digest(sha256, False))
    found = HashCache(cache_file).get(file, file.stat())
    assert found is not None
    assert found.earlier == ("e", "d", "a", "c")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"files": []}',
        b'{"files": {"x": 1}}',
        b'{"files": {"x": {"size": "1", "mtime_ns": 1, "inode": 1, "digest": {}}}}',
        b'{"files": {"x": {"size": 1, "mtime_ns": 1, "inode": 1, "digest": 5}}}',
        b'{"files": {"x": {"size": 1, "mtime_ns": 1, "inode": 1, "digest": {"sha256": "a", "has_zero_block": false}}}}',
        b"[" * 100_000,
    ],
)
def test_a_broken_cache_file_is_set_aside_and_replaced(file: Path, cache_file: Path, content: bytes) -> None:
    cache_file.parent.mkdir()
    cache_file.write_bytes(content)
    cache = HashCache(cache_file)
    assert cache.get(file, file.stat()) is None
    assert cache_file.with_name("hashes.json.broken-1").read_bytes() == content
    cache.put(file, file.stat(), Digest("aa", False))
    assert HashCache(cache_file).get(file, file.stat()) == Digest("aa", False)


def test_a_place_that_can_not_be_written_keeps_the_digests_in_memory(file: Path, tmp_path: Path) -> None:
    cache = HashCache(file / "below a file" / "hashes.json")
    cache.put(file, file.stat(), Digest("aa", False))
    assert cache.get(file, file.stat()) == Digest("aa", False)
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_the_oldest_records_leave_when_there_are_too_many(
    file: Path, cache_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tts_core.models.files.hash_cache._MAX_RECORDS", 3)
    cache = HashCache(cache_file)
    names = [file.with_name(name) for name in "abcd"]
    for path in names[:3]:
        cache.put(path, file.stat(), Digest(path.name, False))
    cache.put(names[0], file.stat(), Digest("a", False))
    cache.put(names[3], file.stat(), Digest("d", False))
    kept = [Path(name).name for name in json.loads(cache_file.read_text())["files"]]
    assert kept == ["c", "a", "d"]


def test_many_threads_leave_one_whole_file(file: Path, cache_file: Path) -> None:
    def write(number: int) -> None:
        cache = HashCache(cache_file)
        for step in range(5):
            cache.put(file.with_name(f"{number}-{step}"), file.stat(), Digest("aa", False))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert json.loads(cache_file.read_text())["files"]
    assert [path.name for path in cache_file.parent.iterdir()] == [cache_file.name]


def test_reading_a_file_through_gives_its_sha256_in_chunks(file: Path) -> None:
    data = os.urandom(CHUNK_BYTES + 5)
    file.write_bytes(data)
    reader = ContentReader(file)
    assert list(reader.chunk_sizes()) == [CHUNK_BYTES, 5]
    assert reader.digest() == Digest(hashlib.sha256(data).hexdigest(), False)


@pytest.mark.parametrize(
    ("start", "length", "found"),
    [
        (0, MIB, True),
        (CHUNK_BYTES - MIB, MIB, True),
        (CHUNK_BYTES + MIB, MIB, True),
        (MIB + 1, 2 * MIB - 1, True),
        (MIB, MIB - 1, False),
        (5, MIB, False),
        (0, 0, False),
    ],
)
def test_only_a_whole_aligned_block_of_zeros_counts(file: Path, start: int, length: int, found: bool) -> None:
    file.write_bytes(b"\1" * start + bytes(length) + b"\1" * (CHUNK_BYTES + 2 * MIB - start - length))
    reader = ContentReader(file)
    assert sum(reader.chunk_sizes()) == CHUNK_BYTES + 2 * MIB
    assert reader.digest().has_zero_block is found
