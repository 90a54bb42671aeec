"""API keys in SQLite or PostgreSQL.

Each verb is one statement, and the table holds no key that could be used.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from asgi_auth._drivers.sql import AsyncEngine, sa
from asgi_auth._drivers.sql_table import SQLTable
from asgi_auth.backends.apikeys.records import APIKey

__all__ = ["SQLAPIKeys"]


class SQLAPIKeys(SQLTable):
    """An :class:`APIKeyStore` of one table.

    Args:
        source: ``sqlite:///file``, ``postgresql://...``, or an asynchronous engine of
            SQLAlchemy, which is used as it is.
        table: The table's name.
        schema: The schema of PostgreSQL that it is in, which must exist.

    Raises:
        MissingExtraError: SQLAlchemy or the driver is not installed.
        ConfigurationError: It is neither SQLite nor PostgreSQL, or not asynchronous.
    """

    def __init__(
        self,
        source: str | sa.URL | AsyncEngine,
        *,
        table: str = "asgi_auth_api_keys",
        schema: str | None = None,
    ) -> None:
        super().__init__(
            source, _define, owner="SQLAPIKeys", table=table, schema=schema
        )

    async def add(self, key: APIKey) -> None:
        """Add a key; its id is new."""
        statement = sa.insert(self._table).values(_row_of(key))
        await self._database.fetch(statement, write=True)

    async def find(self, key_id: str) -> APIKey | None:
        """Find a key by its id."""
        statement = sa.select(self._table).where(self._table.c.id == key_id)
        rows = await self._database.fetch(statement)
        return _key_of(rows[0]) if rows else None

    async def list(self, subject: str) -> Sequence[APIKey]:
        """List the keys of a subject, the oldest first, ended ones included."""
        columns = self._table.c
        rows = await self._database.fetch(
            sa.select(self._table)
            .where(columns.subject == subject)
            .order_by(columns.created_at, columns.id)
        )
        return [_key_of(row) for row in rows]

    async def mark(
        self,
        key_id: str,
        *,
        used_at: float | None = None,
        revoked_at: float | None = None,
    ) -> None:
        """Write down a use or the end of a key; an unknown id is passed over."""
        columns = self._table.c
        values: dict[str, Any] = {}
        if used_at is not None:
            later = columns.last_used_at > used_at
            values["last_used_at"] = sa.case(
                (later, columns.last_used_at), else_=used_at
            )

        if revoked_at is not None:
            values["revoked_at"] = sa.func.coalesce(columns.revoked_at, revoked_at)

        if values:
            statement = sa.update(self._table).where(columns.id == key_id)
            await self._database.fetch(statement.values(values), write=True)


def _define(name: str, metadata: sa.MetaData) -> sa.Table:
    return sa.Table(
        name,
        metadata,
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False, index=True),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("roles", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double),
        sa.Column("last_used_at", sa.Double),
        sa.Column("revoked_at", sa.Double),
        # JSON as ASCII text: PostgreSQL's own type refuses an escaped NUL.
        sa.Column("data", sa.Text, nullable=False),
    )


def _row_of(key: APIKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "digest": key.digest,
        "subject": key.subject,
        "label": key.label,
        "scopes": json.dumps(key.scopes),
        "roles": json.dumps(key.roles),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "last_used_at": key.last_used_at,
        "revoked_at": key.revoked_at,
        "data": json.dumps(key.data),
    }


def _key_of(row: Any) -> APIKey:
    fields = dict(row._mapping)  # noqa: SLF001  # documented, in spite of its name
    for name in ("scopes", "roles", "data"):
        fields[name] = json.loads(fields[name])

    return APIKey(**fields)
