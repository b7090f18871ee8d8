"""The last frames of a run, for looking back."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

__all__ = ["CAPACITY", "FrameBuffer"]

CAPACITY = 500

Key = TypeVar("Key")
Content = TypeVar("Content")


class FrameBuffer(Generic[Key, Content]):
    """The last 500 frames. Where they are is remembered; what is in them is read when it is looked at.

    Parameters
    ----------
    read
        Returns a frame from what was appended; the newest results are kept.
    capacity
        Frames that are remembered.
    """

    _KEPT = 32  # frames in memory

    def __init__(self, read: Callable[[Key], Content], capacity: int = CAPACITY) -> None:
        self._read = read
        self._keys: deque[tuple[int, Key]] = deque(maxlen=capacity)
        self._cache: OrderedDict[int, Content] = OrderedDict()
        self._counter = 0

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[Key]:
        return (key for _, key in self._keys)

    @property
    def total(self) -> int:
        """How many frames were ever appended."""
        return self._counter

    def append(self, key: Key) -> None:
        """Remember a frame; the oldest is forgotten when there are too many."""
        self._keys.append((self._counter, key))
        self._counter += 1

    def key(self, index: int) -> Key:
        """Return what was appended; 0 is the oldest that is remembered, -1 the newest."""
        return self._keys[index][1]

    def at(self, index: int) -> Content:
        """Return a frame; whatever ``read`` raises comes through."""
        identity, key = self._keys[index]
        if identity not in self._cache:
            self._cache[identity] = self._read(key)
            if len(self._cache) > self._KEPT:
                self._cache.popitem(last=False)
        self._cache.move_to_end(identity)
        return self._cache[identity]

    def clear(self) -> None:
        """Forget all."""
        self._keys.clear()
        self._cache.clear()
