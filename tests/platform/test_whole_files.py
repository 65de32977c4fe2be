"""A file is whole or as it was, whatever its name; devices take the bytes and stay devices."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from tts_core.platform.whole_files import replacing, write_json

LONGEST = "n" * 255
"""The longest name that common disks allow, bytes."""


def put(file: Path, data: bytes) -> None:
    with replacing(file) as part:
        part.write_bytes(data)


def put_half(file: Path) -> None:
    with replacing(file) as part:
        part.write_bytes(b"half")
        raise ZeroDivisionError


def test_the_longest_name_is_no_hindrance(tmp_path: Path) -> None:
    put(tmp_path / LONGEST, b"first")
    put(tmp_path / LONGEST, b"second")
    write_json(tmp_path / LONGEST[:-1], {"a": 1})
    assert (tmp_path / LONGEST).read_bytes() == b"second"
    assert {path.name for path in tmp_path.iterdir()} == {LONGEST, LONGEST[:-1]}


def test_a_failure_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"before")
    with pytest.raises(ZeroDivisionError):
        put_half(tmp_path / "a")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"before")]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(Path("there", "file"))
    for data in (b"first", b"second"):
        put(tmp_path / "link", data)
        assert ((tmp_path / "link").is_symlink(), (tmp_path / "there" / "file").read_bytes()) == (True, data)
    assert len(list((tmp_path / "there").iterdir())) == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such files")
def test_pipes_and_devices_take_the_bytes(tmp_path: Path) -> None:
    pipe, found = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: found.append(pipe.read_bytes()))
    reader.start()
    put(pipe, b"sound")
    reader.join(10)
    assert (found, pipe.is_fifo()) == ([b"sound"], True)
    (tmp_path / "null").symlink_to(os.devnull)
    put(tmp_path / "null", b"sound")
    assert (tmp_path / "null").is_char_device()
    assert Path(os.devnull).is_char_device()


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="only Linux has a device that is always full")
def test_a_device_that_is_full_says_so() -> None:
    with pytest.raises(OSError, match="No space"):
        put(Path("/dev/full"), b"sound")
    assert Path("/dev/full").is_char_device()
