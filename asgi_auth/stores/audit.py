"""Write what happened into a table, and read it again: who did what, when.

An event holds no token, key or password, so neither does the table. Nothing is changed
in it; old entries are only deleted. Needs asyncio.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from asgi_auth._drivers.sql import AsyncEngine, sa
from asgi_auth._drivers.sql_table import SQLTable
from asgi_auth.errors import ConfigurationError
from asgi_auth.events import Event
from asgi_auth.stores.sql_terms import delete_some

__all__ = ["AuditEntry", "SQLAuditLog"]

_LARGEST_PAGE = 1000
# An application may hand in events of its own.
_LONGEST_DETAIL = 4096
# They would fill the disk, and leave no time to write down what matters.
_LEFT_OUT = ("session.rotated", "session.retried", "request.", "credential.", "limit.")


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """An event in the log.

    Attributes:
        id: Its number; later ones are greater.
        event: What happened.
    """

    id: int
    event: Event


class SQLAuditLog(SQLTable):
    """A listener that keeps events in a table of SQLite or PostgreSQL.

    Give it to ``TokenService(on_event=...)``. What the database does not take within
    ten seconds is lost, and logged: no request waits for it.

    Args:
        source: ``sqlite:///file``, ``postgresql://...``, or an asynchronous engine of
            SQLAlchemy, which is used as it is.
        table: The table's name.
        schema: The schema of PostgreSQL that it is in, which must exist.
        only: The beginnings of the names to keep, for instance ``("account.",)``;
            by default all but the refreshes of sessions, and but what a stranger can
            make happen as often as they like: refused requests, for one.

    Raises:
        MissingExtraError: SQLAlchemy or the driver is not installed.
        ConfigurationError: It is neither SQLite nor PostgreSQL, or not asynchronous.
    """

    def __init__(
        self,
        source: str | sa.URL | AsyncEngine,
        *,
        table: str = "asgi_auth_audit",
        schema: str | None = None,
        only: Sequence[str] | None = None,
    ) -> None:
        super().__init__(
            source, _define, owner="SQLAuditLog", table=table, schema=schema
        )
        self._only = None if only is None else tuple(only)

    async def __call__(self, event: Event) -> None:
        """Keep an event.

        Raises:
            UnavailableError: The database is down.
        """
        if not self._is_kept(event.name):
            return

        detail = json.dumps(dict(event.detail), default=str)
        if len(detail) > _LONGEST_DETAIL:
            detail = '{"cut": true}'

        table = self._table
        values = {
            "at": event.at,
            "name": event.name,
            "issuer": event.issuer,
            "subject": event.subject,
            "session_id": event.session_id,
            "detail": detail,
        }
        statement = sa.insert(table).values(values).returning(table.c.id)
        await self._database.fetch(statement, write=True)

    async def entries(
        self,
        *,
        subject: str | None = None,
        name: str | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> Sequence[AuditEntry]:
        """Return a page of the log, the newest first.

        Args:
            subject: Only what is about this user.
            name: Only what has exactly this name.
            before: The id of the last entry of the page before.
            limit: How many, at most 1000.

        Raises:
            ConfigurationError: *limit* is out of bounds.
            UnavailableError: The database is down.
        """
        if not 1 <= limit <= _LARGEST_PAGE:
            msg = f"limit must be 1 to {_LARGEST_PAGE}."
            raise ConfigurationError(msg)

        columns = self._table.c
        statement = sa.select(self._table)
        for column, value in ((columns.subject, subject), (columns.name, name)):
            if value is not None:
                if not value.isprintable():
                    return []  # Databases have no such texts.

                statement = statement.where(column == value)

        if before is not None:
            statement = statement.where(columns.id < before)

        statement = statement.order_by(columns.id.desc()).limit(limit)
        return [_entry_of(row) for row in await self._database.fetch(statement)]

    async def prune(self, *, before: float, limit: int = 10_000) -> int:
        """Delete old entries, a bounded piece at a time; return how many.

        Args:
            before: Unix seconds; what is older goes.
            limit: How many at most.

        Raises:
            UnavailableError: The database is down.
        """
        columns = self._table.c
        old = sa.select(columns.id).where(columns.at < before)
        old = old.order_by(columns.at).limit(limit)
        statement = delete_some(self._database.dialect, columns.id, old)
        return len(await self._database.fetch(statement, write=True))

    def _is_kept(self, name: str) -> bool:
        if self._only is None:
            return not name.startswith(_LEFT_OUT)

        return name.startswith(self._only)


def _define(name: str, metadata: sa.MetaData) -> sa.Table:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Table(
        name,
        metadata,
        sa.Column("id", number, primary_key=True, autoincrement=True),
        sa.Column("at", sa.Double, nullable=False, index=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("issuer", sa.Text),
        sa.Column("subject", sa.Text),
        sa.Column("session_id", sa.Text),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Index(f"{name}_of_subject", "subject", "id"),
        sa.Index(f"{name}_of_name", "name", "id"),
    )


def _entry_of(row: Any) -> AuditEntry:
    event = Event(
        name=row.name,
        at=row.at,
        issuer=row.issuer,
        subject=row.subject,
        session_id=row.session_id,
        detail=json.loads(row.detail),
    )
    return AuditEntry(row.id, event)
