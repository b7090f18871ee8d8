"""Slots that do not keep their object alive."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakMethod

from shiboken6 import isValid

__all__ = ["weakly"]


def weakly(method: Callable[..., object], *arguments: Any) -> Callable[..., None]:
    """Return a slot that calls a bound method with ``arguments`` before what the signal brings.

    Qt holds a lambda as long as the sender lives, and the lambda holds ``self``. If that is the last reference to an object
    that Python owns, and the sender is one of its children, then the end of the child is the end of the parent, which
    deletes the child a second time. Signals of tasks and jobs, which end before what listens to them, are connected
    through this function, or to bound methods, which Qt holds weakly too.
    """
    reference: WeakMethod[Any] = WeakMethod(method)

    def slot(*news: Any) -> None:
        alive = reference()
        if alive is not None and isValid(
            alive.__self__
        ):  # its C++ part may be gone before Python's
            alive(*arguments, *news)

    return slot
