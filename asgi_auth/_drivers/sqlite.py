"""Connections to SQLite files that several workers share, opened with aiosqlite.

It runs no query. It imports no driver: SQLAlchemy hands it in, through its door.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from functools import cache, partial
from typing import Any, Self

__all__ = ["open_connection"]

# Opening takes far less than a millisecond, unless a disk hangs.
_LAST_WORDS = 0.3


class _WithoutValues(logging.Filter):
    """Lets aiosqlite say what it does with our connections, but not with which values.

    At DEBUG it writes down each call with its arguments: hashes, addresses, sids.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(map(_named, record.args))

        return True


def _named(argument: object) -> object:
    if isinstance(argument, partial):
        owner = getattr(argument.func, "__self__", None)
        if isinstance(owner, _Cursor | _Connection):
            return argument.func.__name__

    return argument


class _Cursor(sqlite3.Cursor):
    """Runs a statement to its end at once.

    Else an UPDATE that returns rows keeps the file locked until they are fetched; and
    if the task that was to fetch them is cancelled, until the garbage collector comes.
    """

    _rows: list[Any]

    def execute(self, *args: Any) -> Self:
        super().execute(*args)
        self._rows = super().fetchall()
        return self

    def fetchall(self) -> list[Any]:
        rows, self._rows = self._rows, []
        return rows


class _OneTrip:
    """A cursor of aiosqlite's kind that goes to the connection's thread once.

    Its own would go there to be made, to execute, to fetch and to be closed; each time
    costs more than most statements take.

    Args:
        connection: Of aiosqlite; its cursors are of :class:`_Cursor`.
    """

    __slots__ = ("_connection", "_cursor", "arraysize")

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._cursor: Any = None
        self.arraysize = 1

    def __await__(self) -> Generator[Any, None, Self]:
        return self.__aenter__().__await__()

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, *args: Any) -> Self:
        self._cursor = (await self._connection.execute(*args))._cursor  # noqa: SLF001
        return self

    async def executemany(self, *args: Any) -> Self:
        cursor = await self._connection.executemany(*args)
        self._cursor = cursor._cursor  # noqa: SLF001
        return self

    async def fetchall(self) -> list[Any]:
        rows: list[Any] = self._cursor.fetchall()
        return rows

    async def close(self) -> None:
        """Do nothing: all rows are here, and nothing is held."""

    def __getattr__(self, name: str) -> Any:
        """Lend what the cursor knows: its description, its count of rows."""
        return getattr(self._cursor, name)


class _Connection(sqlite3.Connection):
    """Closes itself when no reference is left: a cancelled opening loses it."""

    def cursor(self, factory: Any = _Cursor) -> Any:
        return super().cursor(factory)

    def __del__(self) -> None:
        with suppress(sqlite3.ProgrammingError):  # It was never open.
            self.close()


_WITHOUT_VALUES = _WithoutValues()


async def open_connection(
    connect: Callable[..., Any], patience: float, *args: Any, **options: Any
) -> Any:
    """Open a connection in write-ahead mode: readers go on while another writes.

    Args:
        connect: ``aiosqlite.connect``.
        patience: Seconds to wait for a lock at most.
        *args: For *connect*.
        **options: For *connect*.
    """
    # Added once, however many connections there are.
    logging.getLogger("aiosqlite").addFilter(_WITHOUT_VALUES)
    options |= {"factory": _Connection, "check_same_thread": False}
    connection = connect(*args, **options | {"timeout": patience})
    thread = connection._thread  # noqa: SLF001
    thread.daemon = True
    try:
        await connection
        await _write_ahead(connection, time.monotonic() + patience)
        kind: Any = type(connection)
        connection.__class__ = _quick(kind)
    except BaseException:
        # If this event loop is about to end, the thread must not call back after it.
        connection.stop()
        thread.join(_LAST_WORDS)
        raise

    return connection


@cache
def _quick(kind: Any) -> Any:
    """Return *kind*, which the driver knows, with fewer trips to its thread."""

    class Quick(kind):  # type: ignore[misc]
        def cursor(self) -> _OneTrip:
            return _OneTrip(self)

        async def rollback(self) -> None:
            # Statements run by themselves: nearly always there is nothing.
            if self.in_transaction:
                await super().rollback()

    return Quick


async def _write_ahead(connection: Any, deadline: float) -> None:
    # The file remembers it. Of two that set it at once, one gets an error at once:
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
