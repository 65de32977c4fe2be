"""Unfinished files: writing their bytes, journalling those proven to be on the disk, moving them to their place."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from types import TracebackType

from tts_core.models.catalogue import ModelFile
from tts_core.models.download_faults import Interrupted
from tts_core.models.downloads.disk import disk_faults
from tts_core.models.downloads.transfer.journal import Record, is_strong, read_record, write_record
from tts_core.models.downloads.transfer.prefix_hash import PrefixHash
from tts_core.models.downloads.transfer.spans import Span, Spans
from tts_core.platform.whole_files import patiently, sync_folder

_PART, _JOURNAL, _WRONG = ".part", ".json", ".bad"
_RETURNED_BYTES = 1 << 20
"""The bytes given back to a full disk, so that a journal about all the rest fits on it."""


@dataclass(frozen=True, slots=True)
class Want:
    """The file that a part should become."""

    file: str
    """The path in the model's folder, for messages."""
    size: int
    sha256: str | None
    name: str
    """The stem of the part's name: equal for equal content, whatever the source and the model."""


def want_of(file: ModelFile, repository: str) -> Want:
    """The Want of a catalogue's file; `repository` distinguishes files without a sha256."""
    origin = f"{repository}\n{file.path}\n{file.size}".encode()
    return Want(file.path, file.size, file.sha256, file.sha256 or "of-" + hashlib.sha256(origin).hexdigest()[:40])


@dataclass(frozen=True, slots=True)
class StoredPart:
    """A file in the folder of parts."""

    path: Path
    name: str
    """The Want's name."""
    bytes: int
    """The bytes it takes on the disk."""
    is_wrong: bool
    """Whether the file is whole, but with another sha256 than it should have."""


class PartStore:
    """The folder of parts, `{models_dir}/.downloads`. Callers of changing methods hold the folder's lock."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def present_bytes(self, want: Want) -> int:
        """The journalled bytes of an unfinished part, 0 if there are none. Never raises."""
        try:
            there = self._file(want, _PART).stat().st_size
        except OSError:
            return 0
        record = read_record(self._file(want, _JOURNAL), want.size, want.sha256)
        return Spans((start, min(end, there)) for start, end in record.spans).total if record else 0

    def open(self, want: Want) -> PartFile:
        """Open the part of that file, created if need be. Raises DiskFault."""
        part = self._file(want, _PART)
        with disk_faults(part):
            self._folder.mkdir(parents=True, exist_ok=True)
            if os.path.lexists(part) and (part.is_symlink() or not part.is_file()):
                part.replace(free_name(part))
            return PartFile(want, part, self._file(want, _JOURNAL))

    def set_aside(self, want: Want) -> Path | None:
        """Keep a whole part with wrong content as `.bad`, in the place of an earlier one. Raises DiskFault.

        Returns None and does nothing where there is no whole part: an unfinished one is not proven wrong.
        """
        part, wrong = self._file(want, _PART), self._file(want, _WRONG)
        with disk_faults(part):
            if not part.is_file() or self.present_bytes(want) < want.size:
                return None
            patiently(lambda: part.replace(wrong))
            self._file(want, _JOURNAL).unlink(missing_ok=True)
        return wrong

    def publish(self, want: Want, target: Path) -> None:
        """Move a verified, closed part to its place, durably. Raises DiskFault; the part is then where it was.

        A file in that place becomes `<name>.wrong-<n>`. A `.bad` of this content is dropped: the right one is here.
        """
        part = self._file(want, _PART)
        with disk_faults(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            if os.path.lexists(target):
                put_aside(target)
            try:
                patiently(lambda: part.replace(target))
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                _move_across(part, target)
            sync_folder(target.parent)
        with contextlib.suppress(OSError):  # leftovers are shown and can be removed; the file has arrived
            for suffix in (_JOURNAL, _WRONG):
                self._file(want, suffix).unlink(missing_ok=True)

    def discard(self, want: Want) -> None:
        """Remove the part and its journal. Raises DiskFault."""
        for suffix in (_JOURNAL, _PART):
            file = self._file(want, suffix)
            with disk_faults(file):
                file.unlink(missing_ok=True)

    def leftovers(self) -> tuple[StoredPart, ...]:
        """The parts, finished or not, and those set aside. Never raises."""
        try:
            files = sorted(file for file in self._folder.iterdir() if file.suffix in (_PART, _WRONG))
        except OSError:
            return ()
        return tuple(StoredPart(file, file.stem, _disk_bytes(file), file.suffix == _WRONG) for file in files)

    def remove(self, leftover: StoredPart) -> None:
        """Remove a file of `leftovers`, a part with its journal. Raises DiskFault."""
        with disk_faults(leftover.path):
            if not leftover.is_wrong:
                leftover.path.with_suffix(_JOURNAL).unlink(missing_ok=True)
            leftover.path.unlink(missing_ok=True)

    def total_bytes(self) -> int:
        """The disk space that all parts take, bytes."""
        return sum(leftover.bytes for leftover in self.leftovers())

    def _file(self, want: Want, suffix: str) -> Path:
        return self._folder / f"{want.name}{suffix}"


class PartFile:
    """An open part. Thread-safe. Leaving it as a context journals the bytes written.

    Only journalled bytes count when a part is opened: the file is cut after the last one. The journal never runs
    ahead: bytes are flushed to the disk first, and leave the journal before they are overwritten.
    """

    def __init__(self, want: Want, path: Path, journal: Path) -> None:
        """Open the file, created if need be. Raises DiskFault."""
        self.want = want
        self.path = path
        self._journal = journal
        self._lock = threading.Lock()
        self._syncing = threading.Lock()
        with disk_faults(path):
            self._file = _open(path)
            record, there = self._recover()
            self._spans = Spans((start, min(end, there)) for start, end in record.spans)
            self._file.truncate(self._spans.end)
        self._etags = dict(record.etags)
        marks = {end: digest for end, digest in record.marks.items() if end <= self._spans.prefix_end}
        self.prefix_hash = PrefixHash(path, marks)
        """The running hash of the bytes here; for the one thread that hashes."""
        self._present = self._spans.total
        self._written = self._synced = 0

    def _recover(self) -> tuple[Record, int]:
        there = os.fstat(self._file.fileno()).st_size
        record = read_record(self._journal, self.want.size, self.want.sha256)
        if record is None:
            # A file of the right length may be right although its journal is lost; the sha256 will prove it.
            is_whole = there == self.want.size and self.want.sha256 is not None
            spans = ((0, there),) if is_whole and there else ()
            record = Record(self.want.size, self.want.sha256, spans)
        return record, there

    def __enter__(self) -> PartFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def present_bytes(self) -> int:
        """The bytes written so far."""
        return self._present

    @property
    def is_whole(self) -> bool:
        return self._present == self.want.size

    @property
    def prefix_end(self) -> int:
        """The end of the gapless beginning: every byte before this one is there."""
        with self._lock:
            return self._spans.prefix_end

    @property
    def unsynced_bytes(self) -> int:
        return self._written - self._synced

    def missing(self) -> tuple[Span, ...]:
        with self._lock:
            return self._spans.missing(0, self.want.size)

    def write(self, start: int, data: bytes | memoryview) -> None:
        """Put bytes at `start`; those that are there already stay. Raises DiskFault, Interrupted when closed."""
        view, end = memoryview(data), start + len(data)
        # One lock for all writers costs nothing: a file system lets only one write to a file at a time.
        with self._lock, disk_faults(self.path):
            if self._file.closed:
                raise Interrupted
            for low, high in self._spans.missing(start, end):
                at = low
                try:
                    while at < high:
                        at += self._write_some(view[at - start : high - start], at)
                finally:
                    self._spans.add(low, at)
                    self._present += at - low
                    self._written += at - low

    def _write_some(self, data: memoryview, at: int) -> int:
        if hasattr(os, "pwrite"):
            return os.pwrite(self._file.fileno(), data, at)
        self._file.seek(at)
        return self._file.write(data) or 0

    def sync(self) -> None:
        """Make the bytes written so far survive a power cut. Raises DiskFault."""
        with self._syncing, disk_faults(self.path):
            if not self.unsynced_bytes:
                return
            marks = self.prefix_hash.marks()
            with self._lock:
                written, record = self._written, self._record(marks)
            os.fsync(self._file.fileno())
            try:
                write_record(self._journal, record)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                self._return_bytes()
                write_record(self._journal, self._record(marks))
                raise
            self._synced = written

    def _return_bytes(self) -> None:
        with self._lock:
            tail = list(self._spans)[-1:]
            for start, end in tail:
                kept = max(start, end - _RETURNED_BYTES)
                self._spans.remove(kept, end)
                self._present = self._spans.total
                self._file.truncate(self._spans.end)
                os.fsync(self._file.fileno())

    def _record(self, marks: dict[int, str]) -> Record:
        prefix = self._spans.prefix_end
        marks = {end: digest for end, digest in marks.items() if end <= prefix}
        return Record(self.want.size, self.want.sha256, tuple(self._spans), marks, dict(self._etags))

    def forget(self, start: int, end: int) -> None:
        """Drop wrong bytes, which will be written again. Raises DiskFault."""
        with self._forgetting():
            self._spans.remove(start, end)

    def reset(self) -> None:
        """Drop all bytes. Raises DiskFault."""
        with self._forgetting():
            self._spans = Spans()
            self._etags.clear()
            self.prefix_hash = PrefixHash(self.path, {})
        with disk_faults(self.path):
            self._file.truncate(0)

    @contextlib.contextmanager
    def _forgetting(self) -> Iterator[None]:
        with self._syncing, disk_faults(self._journal):
            with self._lock:
                yield
                self._present = self._spans.total
                record = self._record(self.prefix_hash.marks())
            write_record(self._journal, record)

    def etag(self, address: str) -> str | None:
        """The strong ETag that this address (without its query) gave for these bytes."""
        return self._etags.get(address)

    def note_etag(self, address: str, etag: str) -> None:
        if is_strong(etag):
            self._etags[address] = etag

    def close(self) -> None:
        """Sync, then close; later writes are refused. Raises DiskFault, closed nevertheless."""
        try:
            if not self._file.closed:
                self.sync()
        finally:
            with self._lock:
                self._file.close()


def _open(path: Path) -> FileIO:
    """Open a file for reading and writing at any place, created if need be, unbuffered and binary."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
    return FileIO(os.open(path, flags, 0o666), "r+")


def free_name(file: Path) -> Path:
    """A free name beside a file that is not the wanted one, for moving it out of the way."""
    numbered = (file.with_name(f"{file.name}.wrong-{number}") for number in range(1, 10_000))
    return next(name for name in numbered if not os.path.lexists(name))


def put_aside(target: Path) -> None:
    """Give the file at `target` another name. Raises OSError.

    Where a link does it, the file keeps this name, too, until it is replaced: a reader meanwhile finds the old file or
    the new one. Not on Windows, where a file that is in use can't be replaced, and the other name would stay.
    """
    aside = free_name(target)
    if os.name == "posix" and target.is_file() and not target.is_symlink():
        with contextlib.suppress(OSError):
            aside.hardlink_to(target)
            return
    patiently(lambda: target.replace(aside))


def _move_across(part: Path, target: Path) -> None:
    """Move a part to another volume by a copy under another name, so that the target is whole from the first moment."""
    copy = target.with_name(target.name + _PART)
    try:
        shutil.copyfile(part, copy)
        with copy.open("rb+") as stream:
            os.fsync(stream.fileno())
        patiently(lambda: copy.replace(target))
    except OSError:
        copy.unlink(missing_ok=True)
        raise
    part.unlink(missing_ok=True)


def _disk_bytes(file: Path) -> int:
    """The disk space of a file, bytes: a part with gaps takes less than its length."""
    try:
        found = file.lstat()
    except OSError:
        return 0
    return int(getattr(found, "st_blocks", 0)) * 512 or found.st_size
