"""Connections to SQLite files that several workers share, opened with aiosqlite.

It runs no query. It imports no driver: SQLAlchemy hands it in, through its door.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from typing import Any

__all__ = ["open_connection"]

# Opening takes far less than a millisecond, unless a disk hangs.
_LAST_WORDS = 0.3


class _Connection(sqlite3.Connection):
    """Closes itself when nobody has it: a cancelled opening loses it."""

    def __del__(self) -> None:
        self.close()


async def open_connection(
    connect: Callable[..., Any], patience: float, *args: Any, **options: Any
) -> Any:
    """Open a connection in write-ahead mode: readers go on while somebody writes.

    Args:
        connect: ``aiosqlite.connect``.
        patience: Seconds to wait for a lock at most.
        *args: For *connect*.
        **options: For *connect*.
    """
    options |= {"factory": _Connection, "check_same_thread": False}
    connection = connect(*args, **options | {"timeout": patience})
    thread = connection._thread  # noqa: SLF001
    thread.daemon = True
    try:
        await connection
        await _write_ahead(connection, time.monotonic() + patience)
    except BaseException:
        # If this event loop is about to end, the thread must not call back after it.
        connection.stop()
        thread.join(_LAST_WORDS)
        raise
    return connection


async def _write_ahead(connection: Any, deadline: float) -> None:
    # The file remembers it. Of two that tell it at once, one gets an error at once:
    # SQLite does not wait for the lock here.
    while True:
        try:
            await connection.execute_fetchall("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            locked = error.sqlite_errorname.startswith("SQLITE_BUSY")
            if not locked or time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.02)
        else:
            return
