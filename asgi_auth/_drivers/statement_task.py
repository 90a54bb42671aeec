"""A statement on its way, which only its deadline cancels. It needs asyncio."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

__all__ = ["StatementTask"]

_T = TypeVar("_T")


class StatementTask(asyncio.Task[_T]):
    """A statement on its way, which only its deadline cancels.

    A caller that is cancelled leaves at once, and a loop that shuts down waits: the
    statement comes to its end, and its connection goes back clean. A SQLite file is
    never given up on the way: its thread cannot be interrupted, and has a limit.
    """

    def cancel(self, msg: Any = None) -> bool:
        """Return ``False``: the statement goes on."""
        return False

    def expire(self) -> None:
        """Cancel it."""
        super().cancel()
