"""The whole exception tree: every module that defines errors is imported first."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

from tests import ROOT
from tts_core.domain.errors import StudioError


def every_error(root: type[StudioError] = StudioError) -> list[type[StudioError]]:
    """`root` and the errors below it, without those that tests define."""
    for source in (ROOT / "tts_core").rglob("*faults.py"):
        import_module(source.relative_to(ROOT).with_suffix("").as_posix().replace("/", "."))
    return [kind for kind in _branch(root) if kind.__module__.startswith("tts_core.")]


def _branch(kind: type[StudioError]) -> Iterator[type[StudioError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _branch(child)
