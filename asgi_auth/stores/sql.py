"""The store in a database: SQLite for the workers of one machine, or PostgreSQL.

It makes no table unasked. It needs asyncio, and the extra ``sql`` or ``postgres``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal

from asgi_auth._drivers.sql import AsyncEngine, Database, sa
from asgi_auth._drivers.sql_ping import ping_tables
from asgi_auth.errors import ConfigurationError, UnavailableError
from asgi_auth.stores.records import (
    SESSIONS_PAGE,
    Feed,
    NewSession,
    Place,
    Revocation,
    Rotation,
    Session,
    once_name,
)
from asgi_auth.stores.rotation import GREATEST_SEQ, judge
from asgi_auth.stores.sql_feed import SQLFeed
from asgi_auth.stores.sql_rows import read_session, to_json
from asgi_auth.stores.sql_schema import Schema
from asgi_auth.stores.sql_statements import Statements
from asgi_auth.stores.sql_sweep import SQLSweeper
from asgi_auth.stores.text import is_storable

__all__ = ["SQLStore"]

_ROTATE_TIMEOUT = 2.6  # It may take three statements.
_BEGINNING = Place(float("-inf"), "")


class SQLStore:
    """Keeps sessions and revocations in SQLite or PostgreSQL. Satisfies ``Store``.

    Each verb is one statement that commits by itself, and answers or fails within
    3 seconds. A verb that is cancelled happens wholly or not at all. Any number of
    event loops may use the store, one after the other or in threads.

    Args:
        url_or_engine: ``sqlite:///file`` or ``postgresql://user:password@host/name``,
            or an ``AsyncEngine`` of SQLAlchemy, which is used as it is: by one event
            loop, with the time-outs that it has, and closed by its owner.
        table_prefix: Begins the names of its three tables.
        schema: The schema of PostgreSQL that they are in, which must exist; by default
            the first one of the search path.
        retention: Seconds for which an ended session is still known.
        poll: Seconds between two looks for new revocations, while :meth:`feed` waits.

    Raises:
        ConfigurationError: The URL or a setting is wrong.
        MissingExtraError: SQLAlchemy or the driver is not installed.
    """

    def __init__(
        self,
        url_or_engine: str | sa.URL | AsyncEngine,
        *,
        table_prefix: str = "asgi_auth_",
        schema: str | None = None,
        retention: float = 86400.0,
        poll: float = 0.5,
    ) -> None:
        if retention < 0 or poll <= 0:
            msg = "retention must be 0 or more seconds, and poll more than 0"
            raise ConfigurationError(msg)

        self._database = Database(url_or_engine, owner="SQLStore", schema=schema)
        self._schema = Schema(table_prefix, schema)
        statements = Statements(self._schema, self._database.dialect)
        self._create, self._find = statements.create(), statements.find()
        self._advances, self._list = statements.advances(), statements.sessions()
        self._surplus, self._close = statements.surplus(), statements.close()
        self._once = statements.once()
        self._sweeper = SQLSweeper(self._database, statements.sweep(), retention)
        self._feed = SQLFeed(self._database, statements, poll=poll)

    def __repr__(self) -> str:
        """Show where it is, without the password."""
        return f"SQLStore({self._database!r})"

    @property
    def metadata(self) -> sa.MetaData:
        """The tables and indexes, for tools of migration such as Alembic."""
        return self._schema.metadata

    async def create_schema(self) -> None:
        """Make the tables and indexes that are not there yet; workers may race.

        Raises:
            UnavailableError: The database is down, locked or slow.
        """
        await self._database.create(self._schema.metadata)

    async def ping(self) -> None:
        """See whether the database serves, with its tables: for a readiness probe.

        Raises:
            UnavailableError: It is down, locked or slow.
            ConfigurationError: A table or a column is missing.
        """
        await ping_tables(self._database, self._schema.metadata)

    async def aclose(self) -> None:
        """Close the running loop's connections; a later verb opens new ones."""
        await self._database.aclose()

    async def create(self, new: NewSession, *, now: float | None = None) -> Session:
        """Open a session with counter 0. See ``Store.create``.

        Raises:
            ValueError: The sid is taken, or a string cannot be stored.
            TypeError: The claims are not JSON values.
            UnavailableError: The database is down, locked or slow.
        """
        new.check_storable()
        values = {
            "sid": new.sid,
            "issuer": new.issuer,
            "subject": new.subject,
            "idle_ttl": min(new.idle_ttl, new.ttl),
            "ttl": new.ttl,
            "auth_time": new.auth_time,
            "acr": new.acr,
            "amr": to_json(list(new.amr)),
            "claims": to_json(dict(new.claims)),
            "device": to_json(asdict(new.device)),
            "now": now,
        }
        try:
            (row,) = await self._database.fetch(self._create, values, write=True)
        except sa.exc.IntegrityError as error:
            msg = "a session with this sid exists"
            raise ValueError(msg) from error

        return read_session(row)

    async def rotate(
        self,
        sid: str,
        seq: int,
        *,
        idle_ttl: float,
        grace: float,
        client: str | None = None,
        now: float | None = None,
    ) -> Rotation:
        """Advance the counter from *seq*, or report why not. See ``Store.rotate``.

        Raises:
            UnavailableError: The database is down, locked or slow.
        """
        if not is_storable(sid):
            return Rotation("refused")

        try:
            async with asyncio.timeout(_ROTATE_TIMEOUT):
                while True:
                    rotation = await self._rotate(
                        sid, seq, idle_ttl=idle_ttl, grace=grace, client=client, now=now
                    )
                    # None: it changed between two statements, and can be had now.
                    if rotation is not None:
                        return rotation
        except TimeoutError as error:
            msg = "the database did not answer in time"
            raise UnavailableError(msg) from error

    async def find(self, sid: str, *, now: float | None = None) -> Session | None:
        """Return a live session, or ``None``. See ``Store.find``.

        Raises:
            UnavailableError: The database is down, locked or slow.
        """
        if not is_storable(sid):
            return None

        rows = await self._database.fetch(self._find, {"session": sid, "now": now})
        session = read_session(rows[0]) if rows else None
        return session if session is not None and session.is_live(rows[0].now) else None

    async def sessions(
        self,
        issuer: str,
        subject: str,
        *,
        after: Place | None = None,
        limit: int = SESSIONS_PAGE,
        now: float | None = None,
    ) -> Sequence[Session]:
        """Return a page of the live sessions. See ``Store.sessions``.

        Raises:
            UnavailableError: The database is down, locked or slow.
        """
        begin, sid = _BEGINNING if after is None else after
        if not all(map(is_storable, (issuer, subject, sid))):
            return []

        values = {"issuer": issuer, "subject": subject, "now": now}
        values |= {"begin": begin, "session": sid, "size": limit}
        rows = await self._database.fetch(self._list, values)
        return [read_session(row) for row in rows]

    async def surplus(
        self,
        issuer: str,
        subject: str,
        *,
        keep: int,
        limit: int = SESSIONS_PAGE,
        now: float | None = None,
    ) -> Sequence[str]:
        """Name the live sessions that are too many. See ``Store.surplus``.

        Raises:
            UnavailableError: The database is down, locked or slow.
        """
        if not (is_storable(issuer) and is_storable(subject)):
            return []

        values = {"issuer": issuer, "subject": subject, "now": now}
        values |= {"keep": keep, "size": limit}
        rows = await self._database.fetch(self._surplus, values)
        return [row.sid for row in rows]

    async def close(self, sids: Sequence[str], *, now: float | None = None) -> None:
        """End sessions for good; unknown and ended ones are passed over.

        Raises:
            UnavailableError: The database is down, locked or slow.
        """
        rows = [[sid] for sid in sids if is_storable(sid)]
        if rows:
            values = {"sids": to_json(rows), "now": now}
            await self._database.fetch(self._close, values, write=True)

    async def publish(
        self,
        entries: Sequence[Revocation],
        *,
        ttl: float,
        now: float | None = None,
    ) -> None:
        """Add entries, all or none. See ``Store.publish``.

        Raises:
            ValueError: A string cannot be stored.
            UnavailableError: The database is down, locked or slow.
        """
        await self._feed.publish(entries, ttl=ttl, now=now)

    async def feed(
        self, cursor: str | None, *, wait: float, now: float | None = None
    ) -> Feed:
        """Read what was published since *cursor*. See ``Store.feed``.

        The whole window is answered at once, even if it is empty. About once an hour
        a call also sweeps, a bounded piece at a time.

        Raises:
            UnavailableError: The database is down, locked or slow.
        """
        await self._sweeper.sometimes(now)
        return await self._feed.read(cursor, wait=wait, now=now)

    async def once(
        self, space: str, key: str, *, ttl: float, now: float | None = None
    ) -> bool:
        """Use up a key; return whether it was there. See ``Store.once``."""
        await self._sweeper.sometimes(now)
        values = {"name": once_name(space, key), "ttl": ttl, "now": now}
        return bool(await self._database.fetch(self._once, values, write=True))

    async def sweep(self, *, now: float | None = None) -> int:
        """Delete what ended: sessions after *retention*, the rest at once.

        Returns:
            How many rows are gone.

        Raises:
            UnavailableError: The database is down, locked or slow.
        """
        return await self._sweeper.sweep(now)

    async def _rotate(
        self,
        sid: str,
        seq: int,
        *,
        idle_ttl: float,
        grace: float,
        client: str | None,
        now: float | None,
    ) -> Rotation | None:
        values = {
            "session": sid,
            "current": seq if 0 <= seq <= GREATEST_SEQ else -1,
            "idle_ttl": idle_ttl,
            "client": client,
            "now": now,
        }
        rotation = await self._advance("rotated", values)
        if rotation is not None:
            return rotation

        rows = await self._database.fetch(self._find, {"session": sid, "now": now})
        if not rows:
            return Rotation("refused")

        session = read_session(rows[0])
        outcome = judge(session, seq, grace=grace, client=client, now=rows[0].now)
        if outcome == "restored":
            return await self._advance(outcome, values)

        return None if outcome == "rotated" else Rotation(outcome, session)

    async def _advance(
        self, outcome: Literal["rotated", "restored"], values: Mapping[str, Any]
    ) -> Rotation | None:
        rows = await self._database.fetch(self._advances[outcome], values, write=True)
        return Rotation(outcome, read_session(rows[0])) if rows else None
