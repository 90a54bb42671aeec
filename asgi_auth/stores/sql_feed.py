"""The revocations in a database, and reading on from where a reader was.

It keeps nothing about its readers: what they have seen is in their cursors.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any

from asgi_auth._sql import Database, sa
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
            rows = await self._database.fetch(self._window, {"now": now})
            return _feed(rows, Cursor(rows[0].before or 0))[0]
        while True:
            values = {"low": place.low, "now": now}
            rows = await self._database.fetch(self._since, values)
            feed, place = _feed(rows, place)
            left = deadline - time.monotonic()
            if feed.entries or left <= 0:
                return feed
            await asyncio.sleep(min(self._poll, left))


def _feed(rows: Sequence[sa.Row[Any]], place: Cursor) -> tuple[Feed, Cursor]:
    # The time stands in each row; a row with nothing else says that there is none.
    now = rows[0].now
    found = [row for row in rows if row.id is not None]
    entries = tuple(
        _revocation(row)
        for row in found
        if place.is_new(row.id) and now < row.expires_at
    )
    place = place.advance((row.id for row in found), now=now)
    return Feed(entries, str(place), now), place


def _revocation(row: sa.Row[Any]) -> Revocation:
    return Revocation(
        kind=row.kind,
        issuer=row.issuer,
        value=row.value,
        at=row.at,
        expires_at=row.expires_at,
    )
