"""The page's files by owner: a visitor may name those that he uploaded and those that the page gave him, and no others.

Gradio takes any path for a file, and hands out whatever lies in its folder to anybody who knows the name. Here it is
recorded who owns which file. The record is kept in memory only, as Gradio's own sessions are: a page that was open
before a restart has to upload again.
"""

from __future__ import annotations

import os
import stat
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from pathlib import Path

MAX_OWNERS = 1000
MAX_OF_ONE = 1000
"""The most files of one owner, so that he can't push out those of others. The oldest are forgotten first."""
_MARK = "gradio.FileData"


class PageFiles:
    """The owners of files; thread-safe. An owner is any name that tells visitors apart."""

    def __init__(self, folder: Path) -> None:
        """`folder`: where Gradio keeps uploads and its copies of what it shows. Nothing else is ever anybody's."""
        self._inside = f"{os.path.normpath(folder)}{os.sep}"
        self._lock = threading.Lock()
        self._owned: OrderedDict[str, OrderedDict[str, None]] = OrderedDict()

    def give(self, owner: str, paths: Iterable[object]) -> None:
        """Give files to an owner; a file may have several, as two who upload the same have one file. Files elsewhere
        are left out."""
        kept = [path for path in map(_full, paths) if path.startswith(self._inside)]
        if not kept:
            return
        with self._lock:
            owned = self._owned.setdefault(owner, OrderedDict())
            self._owned.move_to_end(owner)
            for path in kept:
                owned[path] = None
                owned.move_to_end(path)
            while len(owned) > MAX_OF_ONE:
                owned.popitem(last=False)
            while len(self._owned) > MAX_OWNERS:
                self._owned.popitem(last=False)

    def is_of(self, owner: str, path: object) -> bool:
        """Whether the file was given to the owner. Whether it is still there is not checked."""
        with self._lock:
            return _full(path) in self._owned.get(owner, ())

    def may_be_read(self, owner: str, paths: Iterable[object]) -> bool:
        """Whether all files are the owner's, are there, and are ordinary files. It reads the disk: call it in a
        thread."""
        return all(self.is_of(owner, path) and _is_ordinary(_full(path)) for path in paths)


def named_files(value: object) -> Iterator[object]:
    """The path of every object in what a caller sent that might be taken for a file, at any depth, other files' own
    fields included. It need not be a text."""
    for item in _objects(value):
        if "path" in item or _is_marked(item):
            yield item.get("path")


def shown_files(value: object) -> Iterator[object]:
    """The path of every file in what Gradio answers. Only what it has marked itself was put into its folder."""
    return (item.get("path") for item in _objects(value) if _is_marked(item))


def _objects(value: object) -> Iterator[dict[object, object]]:
    waiting = [value]
    while waiting:  # a caller may nest more deeply than functions may call themselves
        item = waiting.pop()
        if isinstance(item, dict):
            yield item
            waiting.extend(item.values())
        elif isinstance(item, (list, tuple)):
            waiting.extend(item)


def _is_marked(item: dict[object, object]) -> bool:
    mark = item.get("meta")
    return isinstance(mark, dict) and mark.get("_type") == _MARK


def _full(path: object) -> str:
    """The path as Gradio reads it; "" for what is no path."""
    return os.path.normpath(path) if isinstance(path, str) and path else ""


def _is_ordinary(path: str) -> bool:
    """Whether the path is an ordinary file. A link is none, wherever it leads; nor is a folder, a device or a pipe,
    which could be read for ever."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except (OSError, ValueError):
        return False
