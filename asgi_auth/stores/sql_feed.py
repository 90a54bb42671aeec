"""The revocations in a database, and reading on from where a reader was.

It keeps nothing about its readers: what they have seen is in their cursors.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any

from asgi_auth._drivers.sql import Database, sa
from asgi_auth.stores.records import Feed, Revocation
from asgi_auth.stores.sql_cursor import Cursor
from asgi_auth.stores.sql_statements import Statements
from asgi_auth.stores.text import check_storable

__all__ = ["SQLFeed"]


class SQLFeed:
    """The part of a SQL store that passes on what is revoked.

    Args:
        database: Where the table is.
        statements: How to ask it.
        poll: Seconds between two looks, while a reader waits.
    """

    def __init__(
        self, database: Database, statements: Statements, *, poll: float
    ) -> None:
        self._database = database
        self._poll = poll
        self._publish = statements.publish()
        self._window = statements.window()
        self._since = statements.since()

    async def publish(
        self, entries: Sequence[Revocation], *, ttl: float, now: float | None
    ) -> None:
        """Add entries, all or none.

        Raises:
            ValueError: A string cannot be stored.
            UnavailableError: The database is down, locked or slow.
        """
        for entry in entries:
            check_storable(issuer=entry.issuer, value=entry.value)
        rows = [[entry.kind, entry.issuer, entry.value] for entry in entries]
        if rows:
            values = {"entries": json.dumps(rows), "ttl": ttl, "now": now}
            await self._database.fetch(self._publish, values, write=True)

    async def read(self, cursor: str | None, *, wait: float, now: float | None) -> Feed:
        """Read what is new, or the whole window for ``None`` or a foreign cursor.

        Raises:
            UnavailableError: The database is down, locked or slow.
        """
        deadline = time.monotonic() + wait
        place = None if cursor is None else Cursor.parse(cursor)
        if place is None:
            return await self._read_window(now)
        while True:
            feed, place = await self._read_since(place, now)
            left = deadline - time.monotonic()
            if feed.entries or left <= 0:
                return feed
            await asyncio.sleep(min(self._poll, left))

    async def _read_window(self, now: float | None) -> Feed:
        rows = await self._database.fetch(self._window, {"now": now})
        # Numbers up to this one are settled; above it there may be holes.
        settled = Cursor(rows[0].before or 0)
        found = _found(rows)
        place = settled.advance((row.id for row in found), now=rows[0].now)
        return _feed(found, place, rows[0].now)

    async def _read_since(
        self, place: Cursor, now: float | None
    ) -> tuple[Feed, Cursor]:
        values = {"low": place.low, "now": now}
        rows = await self._database.fetch(self._since, values)
        found = _found(rows)
        new = [row for row in found if place.is_new(row.id)]
        place = place.advance((row.id for row in found), now=rows[0].now)
        return _feed(new, place, rows[0].now), place


def _found(rows: Sequence[sa.Row[Any]]) -> Sequence[sa.Row[Any]]:
    # The time stands in each row; a row with nothing else says that there is none.
    return [row for row in rows if row.id is not None]


def _feed(rows: Sequence[sa.Row[Any]], place: Cursor, now: float) -> Feed:
    live = (row for row in rows if now < row.expires_at)
    return Feed(tuple(map(_revocation, live)), str(place), now)


def _revocation(row: sa.Row[Any]) -> Revocation:
    return Revocation(
        kind=row.kind,
        issuer=row.issuer,
        value=row.value,
        at=row.at,
        expires_at=row.expires_at,
    )
