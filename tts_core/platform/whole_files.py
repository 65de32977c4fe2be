"""Files that are whole or not there, and private files: only their owner can read them, from the first byte on.

A disk may know no rights (FAT, some networks); its files then have whatever rights it gives, which is no error.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

_FOLDER, _FILE, _OTHERS = 0o700, 0o600, 0o077
_LOCK_WAIT_S = 5.0
PART_SUFFIX = ".part"
"""The end of the name of a file that is not whole yet."""


def write_json(file: Path, data: object, *, for_people: bool = False, durable: bool = True) -> None:
    """Replace the file, private and whole. Raises OSError; the file is then as it was.

    A value that JSON has no form for, such as a path, is written as its text. `for_people` indents it and keeps all
    letters as they are. `durable` makes it survive a power cut, which takes some milliseconds.
    """
    text = json.dumps(data, default=str, ensure_ascii=not for_people, indent=2 if for_people else None)
    write_text(file, text, durable=durable)


def write_text(file: Path, text: str, *, durable: bool = True) -> None:
    """Replace the file, private and whole, as `write_json` does. Raises OSError; the file is then as it was."""
    part = part_of(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open_private(part, "wb") as stream:
            stream.write(text.encode())
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        patiently(lambda: part.replace(file))
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise
    if durable:
        sync_folder(file.parent)


def part_of(file: Path) -> Path:
    """A new name beside the file for what becomes it. It is short: a file's own name may be as long as the disk
    allows."""
    return file.with_name(f".{secrets.token_hex(8)}{PART_SUFFIX}")


@contextlib.contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """A path to write to; at the end of the block what lies there becomes the file, whole. Raises OSError.

    If the block fails, the file is as it was. A link stays a link, and what it points at is replaced. A device or a
    pipe is never replaced: it takes the bytes.
    """
    if takes_bytes(file):
        with tempfile.TemporaryDirectory(prefix="tts-studio-") as folder:
            part = Path(folder, "part")
            yield part
            with part.open("rb") as source, file.open("wb") as target:
                shutil.copyfileobj(source, target)
        return
    place = Path(os.path.realpath(file))
    part = part_of(place)
    try:
        yield part
        patiently(lambda: part.replace(place))
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def takes_bytes(file: Path) -> bool:
    """Whether it is a device or a pipe, to which a link may lead. Raises OSError."""
    return file.exists() and not file.is_file() and not file.is_dir()


def set_aside(file: Path) -> Path:
    """Give a file that can't be used another name, so that nothing is written over it; returns the new name.

    Files that were set aside earlier stay. Raises OSError.
    """
    number = 1
    while os.path.lexists(aside := file.with_name(f"{file.name}.broken-{number}")):
        number += 1
    patiently(lambda: file.rename(aside))
    sync_folder(file.parent)
    return aside


def check_writable(folder: Path) -> None:
    """Write a small file and remove it again. Raises OSError where nothing can be written now, as on a full disk."""
    trial = part_of(folder / "trial")
    make_private(folder)
    try:
        with open_private(trial, "wb") as stream:
            stream.write(bytes(4096))
    finally:
        trial.unlink(missing_ok=True)


def make_private(folder: Path) -> None:
    """Make the folder, and those above it that are missing; only their owner can enter them. Raises OSError."""
    try:
        folder.mkdir(_FOLDER)
    except FileNotFoundError:
        make_private(folder.parent)
        folder.mkdir(_FOLDER, exist_ok=True)
    except OSError:  # a disk's root may raise another error than FileExistsError
        if not folder.is_dir():
            raise


def open_private(file: Path, mode: str) -> IO[Any]:
    """Open a file for writing, private from the start; an earlier file becomes private, too. Raises OSError."""
    return open(file, mode, encoding=None if "b" in mode else "utf-8", opener=_private)


def copy_private(source: Path | str, target: Path | str) -> Path:
    """Copy a file's content, without its rights and times, to a private file. Raises OSError."""
    open_private(Path(target), "wb").close()
    return Path(shutil.copyfile(source, target))


def close_to_others(places: Iterable[Path]) -> None:
    """Make files of earlier versions or other programs private, and folders with all that they hold.

    A file of another user's and a link stay as they are.
    """
    places = tuple(places)
    for place in places:
        _close(place)
    for place in places:
        for folder, folders, files in os.walk(place):
            for name in (*folders, *files):
                _close(Path(folder, name))


def _close(place: Path) -> None:
    with contextlib.suppress(OSError):
        found = place.lstat()
        is_ours = hasattr(os, "geteuid") and found.st_uid == os.geteuid()
        is_one = stat.S_ISDIR(found.st_mode) or (stat.S_ISREG(found.st_mode) and found.st_nlink == 1)
        if is_ours and is_one and found.st_mode & _OTHERS:
            place.chmod(stat.S_IMODE(found.st_mode) & ~_OTHERS)


def _private(name: str, flags: int) -> int:
    handle = os.open(name, flags, _FILE)
    if hasattr(os, "fchmod"):
        with contextlib.suppress(OSError):
            os.fchmod(handle, _FILE)
    return handle


def sync_folder(folder: Path) -> None:
    """Make renames and new names in the folder survive a power cut. Windows has no such call; its journal does it."""
    if os.name == "nt":
        return
    with contextlib.suppress(OSError):  # some network file systems refuse; the rename itself has happened
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def patiently(change: Callable[[], object]) -> None:
    """Call `change`, on Windows again for some seconds while another program (a virus scanner) holds the file."""
    deadline = time.monotonic() + (_LOCK_WAIT_S if os.name == "nt" else 0.0)
    while True:
        try:
            change()
        except PermissionError:
            if time.monotonic() > deadline:
                raise
        else:
            return
        time.sleep(0.1)
