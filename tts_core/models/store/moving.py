"""Moves the models folder: everything in the folders of models, and unfinished downloads. Started again after
kill -9 or a full disk, a move goes on. Other things beside them are not the studio's: they stay and are named.

On one volume names change and no byte is copied. Between volumes each file is copied, read back and compared, files
that share their bytes keep doing so, and only when all of it is there does the studio look at the new folder; then
the old files go. At every moment each file is whole in at least one of the two folders.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tts_core.domain.engine import CancelCheck
from tts_core.models.downloads.disk import check_space, disk_faults
from tts_core.models.files.hash_cache import HashCache
from tts_core.models.store.faults import (
    InsideModels,
    ModelsInside,
    ModelsThereAlready,
    MoveUnfinished,
    NoFolder,
    PlaceTaken,
)
from tts_core.models.store.files import COPYING, absolute, copy_file, remove_empty_folders, same_content, walk
from tts_core.models.store.move_journal import Copied, Journal, read_journal
from tts_core.models.store.reports import Meter, MovePlan, Progress
from tts_core.platform.whole_files import sync_folder

logger = logging.getLogger(__name__)

_OUR_OWN = frozenset({".downloads/lock", ".downloads/owner.json"})
"""The lock files of a folder, which don't move with it."""


@dataclass(frozen=True, slots=True)
class _Pending:
    name: str
    """The path below the source, with forward slashes."""
    size: int
    inode: tuple[int, int]


class FolderMove:
    """A move of the models folder. Nothing else may work in the folders meanwhile."""

    def __init__(self, journal_file: Path, hashes: HashCache) -> None:
        self._file = journal_file
        self._hashes = hashes

    def prepare(self, source: Path, target: Path, names: tuple[str, ...]) -> Journal:
        """The move to go on with, or a new one of `names` below `source`; writes nothing.

        Raises FolderUnusable, MoveUnfinished, PlaceTaken and DiskLow.
        """
        target = absolute(target)
        unfinished = read_journal(self._file)
        if unfinished is not None and unfinished.is_begun:
            if unfinished.target == target and source in (unfinished.source, target):
                return unfinished
            raise MoveUnfinished(target=str(unfinished.target))
        _check_places(source, target)
        journal = Journal(source, target, names)
        _refuse_collisions(journal)
        if not _on_one_volume(source, target):
            check_space(target, _bytes_of(_pending(journal)))
        return journal

    def plan(self, journal: Journal) -> MovePlan:
        """The plan of a prepared move. Raises DiskFault."""
        with disk_faults(journal.target):
            there = next(path for path in (journal.target, *journal.target.parents) if path.exists())
            return MovePlan(
                journal.source,
                journal.target,
                total_bytes=_bytes_of(_pending(journal)),
                is_copied=not _on_one_volume(journal.source, journal.target),
                free_bytes=shutil.disk_usage(there).free,
            )

    def transfer(self, journal: Journal, progress: Progress, cancelled: CancelCheck) -> None:
        """Bring everything to the target. Raises PlaceTaken, SourceDamaged, DiskFault and Cancelled."""
        with disk_faults(journal.target):
            journal.target.mkdir(parents=True, exist_ok=True)
            if _on_one_volume(journal.source, journal.target):
                self._rename_all(journal)
            check_space(journal.target, _bytes_of(_pending(journal)))
            while pending := _pending(journal):  # again: files may have come meanwhile
                self._copy_all(journal, pending, progress, cancelled)
            _copy_links(journal)
            self._begin(journal)

    def finish(self, journal: Journal) -> None:
        """Remove the files from the source that are proven to be in the target."""
        for name, copied in journal.copied.items():
            old, new = journal.source / name, journal.target / name
            with suppress(OSError):
                if not old.is_symlink() and _stamp(old.stat()) == copied and new.stat().st_size == copied.size:
                    old.unlink()
        for path in list(_items(journal)):
            if path.is_symlink() and (journal.target / path.relative_to(journal.source)).is_symlink():
                with suppress(OSError):
                    path.unlink()

    def left_behind(self, journal: Journal) -> tuple[str, ...]:
        """Remove the journal and the emptied folders, whose lock is free now.

        Returns what is still there: foreign folders by their names, single files of models. Raises DiskFault.
        """
        for name in _OUR_OWN:
            with suppress(OSError):
                (journal.source / name).unlink()
        for name in journal.names:
            remove_empty_folders(journal.source / name)
        with suppress(OSError):  # other things lie there, or it is a link
            journal.source.rmdir()
        with disk_faults(self._file):
            self._file.unlink(missing_ok=True)
        others = () if not journal.source.is_dir() else sorted(path.name for path in journal.source.iterdir())
        files = tuple(map(_below(journal.source), _items(journal)))
        return (*files, *(name for name in others if name not in journal.names))

    def _begin(self, journal: Journal) -> None:
        """Save the journal before the target is first written to."""
        if not journal.is_begun:
            journal.is_begun = True
            journal.save(self._file)

    def _rename_all(self, journal: Journal) -> None:
        try:
            for path in list(_items(journal)):
                self._rename(journal, path, journal.target / _below(journal.source)(path))
        except OSError as error:
            if error.errno != errno.EXDEV:  # one volume by its number, two by the system's rules: copied instead
                raise

    def _rename(self, journal: Journal, file: Path, target: Path) -> None:
        if os.path.lexists(target):
            return  # the same content, which transfer proves
        self._begin(journal)
        target.parent.mkdir(parents=True, exist_ok=True)
        if file.is_symlink() and (leads_to := _kept_target(file, journal)):
            target.symlink_to(leads_to)
            file.unlink()
            return
        digest = None if file.is_symlink() else self._hashes.get(file, file.stat())
        file.rename(target)
        sync_folder(target.parent)
        if digest is not None:
            self._hashes.put(target, target.stat(), digest)

    def _copy_all(self, journal: Journal, pending: list[_Pending], progress: Progress, cancelled: CancelCheck) -> None:
        meter = Meter(progress, _bytes_of(pending))
        first = _already_there(journal)
        for item in pending:
            source, target = journal.source / item.name, journal.target / item.name
            before = _stamp(source.stat())
            twin = first.get(item.inode)
            meter.file = item.name
            if not os.path.lexists(target):
                self._begin(journal)
            elif item.name in journal.copied:
                target.unlink()  # our own copy of what the file was before
            if twin is not None and _link(twin, target):
                digest = self._hashes.get(twin, twin.stat())
            else:
                bring = same_content if os.path.lexists(target) else copy_file
                digest = bring(source, target, meter.count, cancelled)
            if digest is not None:
                self._hashes.put(target, target.stat(), digest)
            first.setdefault(item.inode, target)
            journal.copied[item.name] = before
            journal.save(self._file)


def _check_places(source: Path, target: Path) -> None:
    here, there = Path(os.path.realpath(source)), Path(os.path.realpath(target))
    if here == there:
        raise ModelsThereAlready(folder=str(target))
    if here in there.parents:
        raise InsideModels(folder=str(target))
    if there in here.parents:
        raise ModelsInside(folder=str(target))
    if os.path.lexists(target) and not target.is_dir():
        raise NoFolder(folder=str(target))


def _refuse_collisions(journal: Journal) -> None:
    """Raise PlaceTaken, before anything is touched, for other files in the target; equal sizes are compared later."""
    for path in _items(journal):
        there = journal.target / _below(journal.source)(path)
        if os.path.lexists(there) and (
            there.is_symlink()
            or path.is_symlink()
            or not there.is_file()
            or there.stat().st_size != path.stat().st_size
        ):
            raise PlaceTaken(path=str(there))


def _items(journal: Journal) -> Iterator[Path]:
    """The files and links of the source that are to move."""
    for name in journal.names:
        top = journal.source / name
        for path in (top,) if top.is_symlink() else walk(top):
            below = _below(journal.source)(path)
            if below not in _OUR_OWN and not below.endswith(COPYING):
                yield path


def _pending(journal: Journal) -> list[_Pending]:
    """The files that are not proven to be in the target."""
    pending = []
    for path in _items(journal):
        name = _below(journal.source)(path)
        if path.is_symlink() or not path.is_file():
            continue
        found = path.stat()
        is_there = (journal.target / name).is_file()
        if not is_there or journal.copied.get(name) != _stamp(found):
            pending.append(_Pending(name, found.st_size, (found.st_dev, found.st_ino)))
    return pending


def _bytes_of(pending: list[_Pending]) -> int:
    return sum({item.inode: item.size for item in pending}.values())


def _copy_links(journal: Journal) -> None:
    for path in _items(journal):
        target = journal.target / path.relative_to(journal.source)
        if path.is_symlink() and not os.path.lexists(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(_kept_target(path, journal) or path.readlink())


def _kept_target(link: Path, journal: Journal) -> str:
    """The absolute target of a relative link to something that stays; "" for a link that may stay as it is."""
    leads_to = link.readlink()
    there = Path(os.path.normpath(link.parent / leads_to))
    moves_along = any(there.is_relative_to(journal.source / name) for name in journal.names)
    return "" if leads_to.is_absolute() or moves_along else str(there)


def _link(twin: Path, target: Path) -> bool:
    """Make `target` a hard link to a file that is there already; False where the volume can't or the name is taken."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.hardlink_to(twin)
    except FileExistsError:
        return False
    except OSError as error:
        logger.info("%s is copied, the volume keeps no hard links: %s", target.name, error)
        return False
    return True


def _already_there(journal: Journal) -> dict[tuple[int, int], Path]:
    """The copies in the target by the inodes of the source."""
    known = {}
    for name, copied in journal.copied.items():
        with suppress(FileNotFoundError):
            found = (journal.source / name).stat()
            if _stamp(found) == copied and (journal.target / name).is_file():
                known[found.st_dev, found.st_ino] = journal.target / name
    return known


def _on_one_volume(source: Path, target: Path) -> bool:
    existing = next((path for path in (target, *target.parents) if path.exists()), None)
    return existing is not None and source.exists() and source.stat().st_dev == existing.stat().st_dev


def _stamp(found: os.stat_result) -> Copied:
    return Copied(found.st_size, found.st_mtime_ns)


def _below(root: Path) -> Callable[[Path], str]:
    return lambda path: path.relative_to(root).as_posix()
