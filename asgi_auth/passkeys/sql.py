"""Passkeys in SQLite or PostgreSQL.

Each verb is one statement; what is unique is unique to the database, not to us.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from asgi_auth._drivers.sql import AsyncEngine, sa
from asgi_auth._drivers.sql_table import SQLTable
from asgi_auth._encoding import b64url_decode, b64url_encode
from asgi_auth.passkeys.errors import DuplicatePasskeyError
from asgi_auth.passkeys.records import Passkey
from asgi_auth.tokens.claims import is_plain_text

__all__ = ["SQLPasskeys"]


class SQLPasskeys(SQLTable):
    """A :class:`PasskeyStore` of one table.

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
        table: str = "asgi_auth_passkeys",
        schema: str | None = None,
    ) -> None:
        super().__init__(
            source, _define, owner="SQLPasskeys", table=table, schema=schema
        )

    async def add(self, passkey: Passkey) -> None:
        """Add a passkey.

        Raises:
            DuplicatePasskeyError: Its id is taken.
        """
        statement = sa.insert(self._table).values(_row_of(passkey))
        with suppress(sa.exc.IntegrityError):
            await self._database.fetch(statement, write=True)
            return

        # Out here: what the driver says quotes the row.
        raise DuplicatePasskeyError

    async def find(self, passkey_id: str) -> Passkey | None:
        """Find a passkey by its id."""
        # PostgreSQL has neither NUL nor surrogates, so no passkey has them either.
        if not passkey_id.isprintable():
            return None

        statement = sa.select(self._table).where(self._table.c.id == passkey_id)
        rows = await self._database.fetch(statement)
        return _passkey_of(rows[0]) if rows else None

    async def list(self, subject: str) -> Sequence[Passkey]:
        """List the passkeys of a subject, the oldest first."""
        if not is_plain_text(subject):
            return []

        columns = self._table.c
        rows = await self._database.fetch(
            sa.select(self._table)
            .where(columns.subject == subject)
            .order_by(columns.created_at, columns.id)
        )
        return [_passkey_of(row) for row in rows]

    async def use(
        self,
        passkey_id: str,
        *,
        sign_count: int,
        is_backed_up: bool,
        at: float,
        any_count: bool = False,
    ) -> bool:
        """Write down a use, and return whether the counter allows it."""
        columns = self._table.c
        later = columns.last_used_at > at
        higher = columns.sign_count > sign_count
        statement = sa.update(self._table).where(columns.id == passkey_id)
        if not any_count and sign_count == 0:
            statement = statement.where(columns.sign_count == 0)
        elif not any_count:
            statement = statement.where(columns.sign_count < sign_count)

        return await self._changes(
            (passkey_id,),
            statement.values(
                sign_count=sa.case((higher, columns.sign_count), else_=sign_count),
                is_backed_up=is_backed_up,
                last_used_at=sa.case((later, columns.last_used_at), else_=at),
            ),
        )

    async def rename(self, passkey_id: str, subject: str, name: str) -> bool:
        """Name a passkey; return whether the subject has one with this id."""
        columns = self._table.c
        statement = (
            sa.update(self._table)
            .where(columns.id == passkey_id, columns.subject == subject)
            .values(name=json.dumps(name))
        )
        return await self._changes((passkey_id, subject), statement)

    async def remove(self, passkey_id: str | None, subject: str) -> bool:
        """Remove a passkey of a subject, or all; return whether there was any."""
        columns = self._table.c
        statement = sa.delete(self._table).where(columns.subject == subject)
        if passkey_id is not None:
            statement = statement.where(columns.id == passkey_id)

        return await self._changes((passkey_id or subject, subject), statement)

    async def _changes(self, names: Iterable[str], statement: Any) -> bool:
        """Run a statement; return whether it changed anything."""
        # An id is longer than a plain text may be, and has its letters only.
        if not all(name.isprintable() or is_plain_text(name) for name in names):
            return False

        returning = statement.returning(self._table.c.id)
        return bool(await self._database.fetch(returning, write=True))


def _define(name: str, metadata: sa.MetaData) -> sa.Table:
    return sa.Table(
        name,
        metadata,
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, nullable=False, index=True),
        sa.Column("handle", sa.Text, nullable=False),
        sa.Column("public_key", sa.Text, nullable=False),
        sa.Column("sign_count", sa.BigInteger, nullable=False),
        # JSON as ASCII text: people may call it anything.
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("aaguid", sa.Text, nullable=False),
        sa.Column("transports", sa.Text, nullable=False),
        sa.Column("is_synced", sa.Boolean, nullable=False),
        sa.Column("is_backed_up", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("last_used_at", sa.Double),
    )


def _row_of(passkey: Passkey) -> dict[str, Any]:
    return {
        "id": passkey.id,
        "subject": passkey.subject,
        "handle": passkey.handle,
        "public_key": b64url_encode(passkey.public_key).decode(),
        "sign_count": passkey.sign_count,
        "name": json.dumps(passkey.name),
        "aaguid": passkey.aaguid,
        "transports": json.dumps(passkey.transports),
        "is_synced": passkey.is_synced,
        "is_backed_up": passkey.is_backed_up,
        "created_at": passkey.created_at,
        "last_used_at": passkey.last_used_at,
    }


def _passkey_of(row: Any) -> Passkey:
    fields = dict(row._mapping)  # noqa: SLF001  # documented, in spite of its name
    for name in ("name", "transports"):
        fields[name] = json.loads(fields[name])

    fields["public_key"] = b64url_decode(fields["public_key"].encode())
    return Passkey(**fields)
