"""State that several takes keep beside each other: tensors with one row for each, at addresses that never change."""

from __future__ import annotations

from dataclasses import fields
from typing import TypeVar

from torch import Tensor

Some = TypeVar("Some", bound="Rows")


class Rows:
    """Base of dataclasses whose fields are tensors with rows first, or such dataclasses themselves."""

    def part(self: Some, first: int, count: int) -> Some:
        """A view of some rows, for reading and writing through it."""
        parts = []
        for field in fields(self):  # type: ignore[arg-type]
            value: Tensor | Rows = getattr(self, field.name)
            parts.append(value.part(first, count) if isinstance(value, Rows) else value.narrow(0, first, count))
        return type(self)(*parts)

    def put(self: Some, row: int, source: Some) -> None:
        """Copy the only row of `source`, which may be shorter, to `row`."""
        for field in fields(self):  # type: ignore[arg-type]
            target, copied = getattr(self, field.name), getattr(source, field.name)
            if isinstance(target, Rows):
                target.put(row, copied)
            else:
                shape = tuple(slice(size) for size in copied.shape[1:])
                target[row][shape] = copied[0]
