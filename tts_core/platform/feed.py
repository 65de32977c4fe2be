"""A feed of the newest state of each watched thing (downloads, jobs), and subscriptions to its changes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Condition
from typing import Generic, TypeVar

from tts_core.domain.errors import Cancelled


@dataclass(frozen=True, slots=True)
class FeedItem:
    """The base of things that can be put on a feed."""

    key: str
    """The id of the thing whose state this is."""
    seq: int = 0
    """The event's number, which grows with every change on the feed."""
    updated_at: float = 0.0
    """The time of the last change, seconds since 1970."""


Item = TypeVar("Item", bound=FeedItem)


class Feed(Generic[Item]):
    """The newest item of each key. Thread-safe."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._items: dict[str, Item] = {}
        # Numbers start at the time in milliseconds: they grow over a restart too, so one who reconnects misses nothing.
        self._seq = int(time.time() * 1000)
        self._is_closed = False

    def item(self, key: str) -> Item | None:
        with self._changed:
            return self._items.get(key)

    def items(self) -> tuple[Item, ...]:
        """The newest item of each key, the oldest change first."""
        with self._changed:
            return tuple(sorted(self._items.values(), key=lambda item: item.seq))

    def put(self, item: Item) -> Item:
        """Replace the earlier item of its key; returns the item as it stands here, with number and time."""
        with self._changed:
            self._seq += 1
            item = replace(item, seq=self._seq, updated_at=time.time())
            self._items[item.key] = item
            self._changed.notify_all()
            return item

    def change(self, key: str, change: Callable[[Item], Item]) -> Item:
        """Put the item that `change` returns for the present one; an equal one is not put and no reader is woken."""
        with self._changed:
            before = self._items[key]
            item = change(before)
            return before if item == before else self.put(item)

    def remove(self, key: str) -> None:
        with self._changed:
            self._items.pop(key, None)

    def subscribe(self, after_seq: int = 0) -> Subscription[Item]:
        """Subscribe to changes; those already made with a number above `after_seq` come first."""
        return Subscription(self, after_seq)

    def next_after(self, seq: int, timeout_s: float, is_closed: Callable[[], bool]) -> Item | None:
        """The item changed first after number `seq`; None after `timeout_s`. Raises Cancelled once closed."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while True:
                if self._is_closed or is_closed():
                    raise Cancelled
                newer = [item for item in self._items.values() if item.seq > seq]
                if newer:
                    return min(newer, key=lambda item: item.seq)
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                self._changed.wait(left)

    def wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        """End all subscriptions; items stay readable."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()


class Subscription(Generic[Item]):
    """A reader of changes. Slow readers lose nothing but intermediate numbers: per key only the newest is kept."""

    def __init__(self, feed: Feed[Item], after_seq: int) -> None:
        self._feed = feed
        self._seq = after_seq
        self._is_closed = False

    def next(self, timeout_s: float) -> Item | None:
        """The next change of any item, None if nothing changed for that long. Raises Cancelled once closed."""
        item = self._feed.next_after(self._seq, timeout_s, lambda: self._is_closed)
        if item is not None:
            self._seq = item.seq
        return item

    def close(self) -> None:
        """End the subscription, from any thread; a reader that waits in `next` gets Cancelled."""
        self._is_closed = True
        self._feed.wake()

    def __enter__(self) -> Subscription[Item]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
