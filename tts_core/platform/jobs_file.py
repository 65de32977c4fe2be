"""A list of jobs in a file, so that it outlives the app."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from tts_core.platform.whole_files import set_aside, write_json

logger = logging.getLogger(__name__)

_MAX_BYTES = 50_000_000
Item = TypeVar("Item")


class ListFile:
    """The file of one list. A file that can't be used is set aside, and its list is lost; neither stops the app."""

    def __init__(self, file: Path, name: str) -> None:
        """`name` is the list's name in the file."""
        self._file = file
        self._name = name
        self._must_stay = False
        """Whether the file can't be used and could not be set aside: nothing may take its place."""

    def read(self, parse: Callable[[Any], Item]) -> tuple[Item, ...]:
        """The items, each made by `parse`; () where there is no file."""
        try:
            with self._file.open("rb") as stream:
                data = json.loads(stream.read(_MAX_BYTES))
            return tuple(parse(fields) for fields in data[self._name])
        except FileNotFoundError:
            return ()
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            self._set_aside(error)
            return ()

    def write(self, items: Iterable[Mapping[str, Any]]) -> None:
        """Replace the file as a whole. A list that can't be written costs a click after the next start: it is no
        error."""
        if self._must_stay:
            return
        try:
            # A power cut costs no more than a list that can't be written, and speech waits for this.
            write_json(self._file, {"version": 1, self._name: list(items)}, durable=False)
        except OSError as error:
            logger.warning("%s can't be written: %s", self._file.name, error)

    def remove(self) -> None:
        if not self._must_stay:
            with suppress(OSError):
                self._file.unlink(missing_ok=True)

    def _set_aside(self, problem: Exception) -> None:
        try:
            aside = set_aside(self._file)
        except OSError as error:
            self._must_stay = True
            logger.warning("%s can't be used (%s) and stays: %s", self._file.name, type(problem).__name__, error)
        else:
            logger.warning(
                "%s can't be used (%s); it is kept as %s", self._file.name, type(problem).__name__, aside.name
            )
