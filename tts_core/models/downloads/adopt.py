"""Takes over a copy that this machine has already as the model's own file.

On the same volume weights are linked, not copied: one content, two names, no space taken. A program that rewrites the
content through the other name changes ours, too. That is accepted: hubs' clients and browsers write weights under
another name and rename, which leaves ours alone; nobody edits gigabytes by hand; and should it happen, the changed time
makes the hash cache forget the file, so that it shows as damaged and not as ready. All other files are small texts,
which people do edit in place: they are copied. The studio itself never writes into a file that has its name.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from tts_core.domain.engine import CancelCheck
from tts_core.models.catalogue import is_weights
from tts_core.models.download_faults import Interrupted
from tts_core.models.downloads.disk import check_space, disk_faults
from tts_core.models.downloads.transfer.part_file import Want, put_aside
from tts_core.platform.whole_files import patiently, sync_folder

_CHUNK_BYTES = 8 << 20
ADOPTING = ".adopting"
"""The ending of the hidden name of a copy that is not whole yet."""


class _Unreadable(Exception):
    """The copy can't be read to its end, or changes meanwhile."""


def adopt(copy: Path, want: Want, target: Path, *, cancelled: CancelCheck, progress: Callable[[int], None]) -> bool:
    """Put the content of `copy` at `target` if its sha256 is the wanted one; False if it is not, or can't be read.

    `progress` gets the bytes checked so far (absolute, of `want.size`). A file with other content at `target` becomes
    `<name>.wrong-<n>`. Raises DiskFault and Interrupted, leaving nothing behind. The source is never changed, moved or
    removed. A file without a known sha256 can't be adopted.
    """
    if want.sha256 is None:
        return False
    beside = target.with_name(f".{target.name}{ADOPTING}")
    try:
        with _opened(copy, want.size) as source:
            if is_weights(want.file) and _is_same_volume(source, target):
                if _hash(source, None, cancelled, progress) != want.sha256:
                    return False
                if _link(copy, source, beside):
                    _put(beside, target)
                    return True
                source.seek(0)
            return _copy(source, want, beside, target, cancelled=cancelled, progress=progress)
    except _Unreadable:
        return False
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)


@contextlib.contextmanager
def _opened(copy: Path, size: int) -> Iterator[BinaryIO]:
    """Open a regular file of that size, no other: opening a pipe or a device could wait for ever."""
    try:
        if not stat.S_ISREG(copy.stat().st_mode):
            raise _Unreadable
        source = copy.open("rb")
    except OSError as error:
        raise _Unreadable from error
    with source:
        if os.fstat(source.fileno()).st_size != size:
            raise _Unreadable
        yield source


def _hash(source: BinaryIO, into: BinaryIO | None, cancelled: CancelCheck, progress: Callable[[int], None]) -> str:
    """The sha256 of the rest, written to `into` as well. Raises _Unreadable, Interrupted, OSError of `into`."""
    sha256, done = hashlib.sha256(), 0
    before = os.fstat(source.fileno())
    while True:
        if cancelled():
            raise Interrupted()
        try:
            chunk = source.read(_CHUNK_BYTES)
        except OSError as error:
            raise _Unreadable from error
        if not chunk:
            break
        sha256.update(chunk)
        if into is not None:
            into.write(chunk)
        done += len(chunk)
        progress(done)
    if _stamp(os.fstat(source.fileno())) != _stamp(before):
        raise _Unreadable
    return sha256.hexdigest()


def _is_same_volume(source: BinaryIO, target: Path) -> bool:
    """Whether both lie on one volume, so that a link is worth a try; it may still be refused."""
    there = next((folder for folder in target.parents if folder.exists()), None)
    return there is not None and there.stat().st_dev == os.fstat(source.fileno()).st_dev


def _link(copy: Path, source: BinaryIO, beside: Path) -> bool:
    """Whether `beside` is now another name of the very file that is open; systems refuse links for many reasons."""
    with disk_faults(beside):
        beside.parent.mkdir(parents=True, exist_ok=True)
        beside.unlink(missing_ok=True)
    try:
        # Link the file itself: a link to a symbolic link would break together with the cache that it points into.
        os.link(os.path.realpath(copy), beside)
        return _stamp(beside.stat()) == _stamp(os.fstat(source.fileno()))
    except (OSError, NotImplementedError):
        return False


def _copy(
    source: BinaryIO,
    want: Want,
    beside: Path,
    target: Path,
    *,
    cancelled: CancelCheck,
    progress: Callable[[int], None],
) -> bool:
    check_space(target.parent, want.size)
    with disk_faults(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        beside.unlink(missing_ok=True)
        with beside.open("xb") as written:
            is_right = _hash(source, written, cancelled, progress) == want.sha256
            written.flush()
            os.fsync(written.fileno())
    if is_right:
        _put(beside, target)
    return is_right


def _put(beside: Path, target: Path) -> None:
    with disk_faults(target):
        if os.path.lexists(target):
            put_aside(target)
        patiently(lambda: beside.replace(target))
        sync_folder(target.parent)


def _stamp(found: os.stat_result) -> tuple[int, int, int, int]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
