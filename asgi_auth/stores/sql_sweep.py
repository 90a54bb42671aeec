"""Delete from a database what has ended, a bounded piece at a time.

It starts no task: whoever reads revocations pays for it.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import suppress

from asgi_auth._drivers.sql import Database, sa
from asgi_auth.errors import UnavailableError

__all__ = ["SQLSweeper"]

_EVERY = 3600.0
# A worker sweeps early in its life, since it may not live for an hour.
_FIRST = 60.0
_AGAIN = 60.0
_TIMEOUT = 1.0


class SQLSweeper:
    """Deletes sessions and revocations that have ended.

    Args:
        database: Where they are.
        statements: Each deletes a piece, and returns what it has deleted.
        retention: Seconds for which an ended session is still known.
    """

    def __init__(
        self, database: Database, statements: Sequence[sa.Executable], retention: float
    ) -> None:
        self._database = database
        self._statements = statements
        self._retention = retention
        # Not all workers at once.
        self._next = time.monotonic() + _FIRST * random.uniform(0.5, 1.5)  # noqa: S311

    async def sweep(self, now: float | None) -> int:
        """Delete all of it, piece by piece, and return how many rows are gone.

        Raises:
            UnavailableError: The database is down, locked or slow.
        """
        total = 0
        while count := await self._piece(now):
            total += count

        return total

    async def sometimes(self, now: float | None) -> None:
        """Delete a piece, about once an hour, or at each call while there is more."""
        if time.monotonic() < self._next:
            return

        self._next = time.monotonic() + _AGAIN
        with suppress(UnavailableError, TimeoutError):
            async with asyncio.timeout(_TIMEOUT):
                is_done = not await self._piece(now)
                self._next = time.monotonic() + (_EVERY if is_done else 0.0)

    async def _piece(self, now: float | None) -> int:
        values = {"retention": self._retention, "now": now}
        return sum(
            [
                len(await self._database.fetch(statement, values, write=True))
                for statement in self._statements
            ]
        )
