"""Which tests of a run that has several processes may be under way together."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest


def is_alone(item: pytest.Item | None) -> bool:
    """Return whether a test is marked ``alone``."""
    return item is not None and item.get_closest_marker("alone") is not None


def put_alone_first(items: list[pytest.Item]) -> None:
    """Let those of a file that are marked ``alone`` follow one another."""
    places: dict[Path, int] = {}
    for item in items:
        places.setdefault(item.path, len(places))
    items.sort(key=lambda item: (places[item.path], not is_alone(item)))


class Turns:
    """The turns that one process has in a run.

    Args:
        run: What the processes of the run have in common.
    """

    def __init__(self, run: str) -> None:
        shared = Path(tempfile.gettempdir()) / f"asgi-auth-tests-{run}"
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._gate = os.open(shared.with_suffix(".gate"), flags)
        self._floor = os.open(shared.with_suffix(".floor"), flags)
        self._is_alone = False

    def take(self, *, alone: bool) -> None:
        """Wait until nobody is alone; or until nobody else tests, and keep them out."""
        import fcntl

        if self._is_alone:
            return

        # Who wants to be alone keeps the gate shut meanwhile: nobody slips in.
        fcntl.flock(self._gate, fcntl.LOCK_EX)
        fcntl.flock(self._floor, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(self._gate, fcntl.LOCK_UN)
        self._is_alone = alone

    def leave(self) -> None:
        """Make room for others."""
        import fcntl

        fcntl.flock(self._floor, fcntl.LOCK_UN)
        self._is_alone = False

    def close(self) -> None:
        """Leave for good."""
        os.close(self._gate)
        os.close(self._floor)


_turns = cache(Turns)


@contextmanager
def turn_of(item: pytest.Item, next_item: pytest.Item | None) -> Iterator[None]:
    """Run a test when it is its turn, if the run has several processes."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    if run is None:
        yield
        return

    turns = _turns(run)
    turns.take(alone=is_alone(item))
    try:
        yield
    finally:
        # All others have to stop for it: once for several in a row.
        if not (is_alone(item) and is_alone(next_item)):
            turns.leave()
