"""The revocations in a database, and reading on from where a reader was.

It keeps nothing about its readers: what they have seen is in their cursors.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from asgi_auth._drivers.sql import Database, sa
from asgi_auth._logs import package_logger
from asgi_auth.stores.entries import Entries
from asgi_auth.stores.records import FEED_PAGE, Feed, Revocation
from asgi_auth.stores.sql_cursor import Cursor
from asgi_auth.stores.sql_statements import Statements
from asgi_auth.stores.text import check_storable

__all__ = ["SQLFeed"]

_logger = package_logger(__name__)

_MAX_NUMBER = 2**62


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
        self._renumber = statements.renumber()
        self._settled = statements.settled()
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
            await self._insert(values)

    async def _insert(self, values: Mapping[str, Any]) -> None:
        """Add rows behind all others: readers look for no others."""
        try:
            rows = await self._database.fetch(self._publish, values, write=True)
        except sa.exc.IntegrityError:
            is_behind = True  # The number is taken.
        else:
            is_behind = any(row.id <= (row.known or 0) for row in rows)

        if is_behind:
            _logger.warning(
                "the sequence of the revocations is behind its table, as after a "
                "restore of rows alone: it is set forward"
            )
            await self._database.fetch(self._renumber, {}, write=True)
            await self._database.fetch(self._publish, values, write=True)

    async def read(self, cursor: str | None, *, wait: float, now: float | None) -> Feed:
        """Read a page of what came after *cursor*; ``None`` begins the window.

        Raises:
            UnavailableError: The database is down, locked or slow.
        """
        deadline = time.monotonic() + wait
        place = None if cursor is None else Cursor.parse(cursor)
        if place is None:
            return await self._read_window(
                await self._begin(now), now, restarted=cursor is not None
            )

        while place.window is None:
            page = await self._read_since(place, now, size=FEED_PAGE // 2)
            if page is None:
                place = await self._begin(now)
                return await self._read_window(place, now, restarted=True)

            rest = deadline - time.monotonic()
            feed = page.feed()
            if feed.entries or feed.more or rest <= 0:
                return feed

            place = page.place
            await asyncio.sleep(min(self._poll, rest))

        return await self._read_window(place, now)

    async def _begin(self, now: float | None) -> Cursor:
        """Note what is settled: all that comes later is read behind the window."""
        (row,) = await self._database.fetch(self._settled, {"now": now}, urgent=True)
        return Cursor(row.id or 0, row.stored_at, window=(row.now, _MAX_NUMBER))

    async def _read_window(
        self, place: Cursor, now: float | None, *, restarted: bool = False
    ) -> Feed:
        end, number = place.window or (0.0, 0)
        values = {
            "end": end,
            "number": number,
            "settled": place.last,
            "size": FEED_PAGE,
            "now": now,
        }
        rows = await self._database.fetch(self._window, values, urgent=True)
        page = _Page.of(rows, place.past_window(), more=True)
        if len(page.rows) == FEED_PAGE:
            last = page.rows[-1]
            page.place = place.in_window(last.expires_at, last.id)
        elif len(page.rows) <= FEED_PAGE // 2:
            # Small windows are read in one go.
            size = (FEED_PAGE - len(page.rows)) // 2
            news = await self._read_since(page.place, now, size=size)
            if news is not None:
                page = replace(news, rows=[*page.rows, *news.rows])

        return page.feed(restarted=restarted)

    async def _read_since(
        self, place: Cursor, now: float | None, *, size: int
    ) -> _Page | None:
        """Read what is new, or return ``None``: the table has gone back in time."""
        values = {
            "last": place.last,
            "holes": json.dumps([[str(n) for n in pair] for pair in place.ranges]),
            "size": size,
            "now": now,
        }
        rows = await self._database.fetch(self._since, values, urgent=True)
        if place.last and rows[0].known_at != place.stored_at:
            return None

        page = _Page.of(rows, place, more=False)
        above = sum(row.id > place.last for row in page.rows)
        page.more = size in {above, len(page.rows) - above}
        page.place = place.advance(
            ((row.id, row.stored_at) for row in page.rows),
            now=rows[0].present,
            more=page.more,
        )
        return page


@dataclass(slots=True)
class _Page:
    """Rows as they come, and where they lead to."""

    rows: Sequence[sa.Row[Any]]
    place: Cursor
    now: float
    more: bool = False

    @classmethod
    def of(cls, rows: Sequence[sa.Row[Any]], place: Cursor, *, more: bool) -> _Page:
        # The time stands in each row; a row with nothing else says that there is none.
        entries = [] if rows[0].id is None else rows
        return cls(entries, place, rows[0].now, more)

    def feed(self, *, restarted: bool = False) -> Feed:
        # By their order in the table: by name each costs as much as the rest together.
        live = (row[1:6] for row in self.rows if self.now < row.expires_at)
        return Feed(
            Entries(live),
            str(self.place),
            self.now,
            more=self.more,
            restarted=restarted,
        )
