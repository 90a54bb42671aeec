"""Let whoever measures see the calls to stores and to the keys of issuers.

Where no watcher is set, a call pays for one look. It measures nothing itself.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import NamedTuple

__all__ = ["Call", "Watcher", "observed", "watch_calls"]


class Call(NamedTuple):
    """A call to something elsewhere.

    Attributes:
        system: ``postgresql``, ``sqlite``, ``redis`` or ``http``.
        operation: For instance ``SELECT``, ``EVALSHA`` or ``GET``.
        place: Where, without a password.
    """

    system: str
    operation: str
    place: str


Watcher = Callable[[Call], AbstractContextManager[object]]
"""Returns what is entered before a call and left after it; neither may raise."""

_NOBODY = nullcontext()
_watchers: list[Watcher] = []


def observed(system: str, operation: str, place: str) -> AbstractContextManager[object]:
    """Return what a call is to be made within."""
    if not _watchers:
        return _NOBODY

    call = Call(system, operation, place)
    stack = ExitStack()
    for watcher in _watchers:
        stack.enter_context(watcher(call))

    return stack


def watch_calls(watcher: Watcher) -> Callable[[], None]:
    """Show *watcher* each call of this process; return how to stop that."""
    _watchers.append(watcher)

    def stop() -> None:
        if watcher in _watchers:
            _watchers.remove(watcher)

    return stop
