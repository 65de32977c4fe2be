"""State that several takes keep beside each other: tensors with one row for each, at addresses that never change."""

from __future__ import annotations

from dataclasses import fields
from typing import TypeVar

from torch import Tensor

Some = TypeVar("Some", bound="Rows")


class Rows:
    """Base of dataclasses whose fields are tensors with rows first, or such dataclasses themselves."""

    def part(self: Some, first: int, count: int) -> Some:
        """Some rows only, for reading and writing through it."""
        parts = []
        for field in fields(self):  # type: ignore[arg-type]
            mine: Tensor | Rows = getattr(self, field.name)
            parts.append(mine.part(first, count) if isinstance(mine, Rows) else mine.narrow(0, first, count))
        return type(self)(*parts)

    def put(self: Some, row: int, source: Some) -> None:
        """Copy the only row of `source`, which may be shorter, to `row`."""
        for field in fields(self):  # type: ignore[arg-type]
            mine, theirs = getattr(self, field.name), getattr(source, field.name)
            if isinstance(mine, Rows):
                mine.put(row, theirs)
            else:
                shape = tuple(slice(size) for size in theirs.shape[1:])
                mine[row][shape] = theirs[0]
