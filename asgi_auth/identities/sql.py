"""Identities in SQLite or PostgreSQL.

Each verb is one statement; what is unique is unique to the database, not to us.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from asgi_auth._drivers.sql import AsyncEngine, sa
from asgi_auth._drivers.sql_table import SQLTable
from asgi_auth.identities.errors import IdentityTakenError
from asgi_auth.identities.records import Identity
from asgi_auth.tokens.claims import is_plain_text

__all__ = ["SQLIdentities"]


class SQLIdentities(SQLTable):
    """An :class:`IdentityStore` of one table.

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
        table: str = "asgi_auth_identities",
        schema: str | None = None,
    ) -> None:
        super().__init__(
            source, _define, owner="SQLIdentities", table=table, schema=schema
        )

    async def find(self, issuer: str, subject: str) -> Identity | None:
        """Find an identity by what the provider says."""
        # PostgreSQL has neither NUL nor surrogates, so no identity has them either.
        if not is_plain_text(issuer) or not is_plain_text(subject):
            return None

        columns = self._table.c
        statement = sa.select(self._table).where(
            columns.issuer == issuer, columns.subject == subject
        )
        rows = await self._database.fetch(statement)
        return _identity_of(rows[0]) if rows else None

    async def add(self, identity: Identity) -> None:
        """Add an identity.

        Raises:
            IdentityTakenError: There is one of this issuer and subject.
        """
        row = {
            "issuer": identity.issuer,
            "subject": identity.subject,
            "account_id": identity.account_id,
            "email": identity.email,
            "linked_at": identity.linked_at,
            "tokens": identity.tokens,
        }
        with suppress(sa.exc.IntegrityError):
            statement = sa.insert(self._table).values(row)
            await self._database.fetch(statement, write=True)
            return

        # Out here: what the driver says quotes the row.
        raise IdentityTakenError

    async def list(self, account_id: str) -> Sequence[Identity]:
        """List the identities of an account, the oldest first."""
        if not is_plain_text(account_id):
            return []

        columns = self._table.c
        statement = sa.select(self._table).where(columns.account_id == account_id)
        identities = [
            _identity_of(row) for row in await self._database.fetch(statement)
        ]
        return sorted(identities, key=lambda each: (each.linked_at, each.id))

    async def save_tokens(self, identity: Identity) -> bool:
        """Replace the tokens, and say whether it is still the same account's."""
        statement = (
            sa.update(self._table)
            .where(*self._is(identity))
            .values(tokens=identity.tokens)
            .returning(self._table.c.subject)
        )
        return bool(await self._database.fetch(statement, write=True))

    async def remove(self, identity: Identity, *, unless_last: bool = False) -> bool:
        """Remove an identity of its account, and say whether that was done."""
        table = self._table
        statement: Any = sa.delete(table).where(*self._is(identity))
        if unless_last:
            # Locked, so that of two statements at once the second counts what the
            # first has left. SQLite lets one write at a time, and has no locks.
            own = (
                sa.select(table.c.subject)
                .where(table.c.account_id == identity.account_id)
                .order_by(table.c.issuer, table.c.subject)
                .with_for_update()
                .cte("own")
            )
            count = sa.select(sa.func.count()).select_from(own).scalar_subquery()
            statement = statement.where(count > 1)

        statement = statement.returning(table.c.subject)
        return bool(await self._database.fetch(statement, write=True))

    def _is(self, identity: Identity) -> tuple[Any, ...]:
        columns = self._table.c
        return (
            columns.issuer == identity.issuer,
            columns.subject == identity.subject,
            columns.account_id == identity.account_id,
        )


def _define(name: str, metadata: sa.MetaData) -> sa.Table:
    return sa.Table(
        name,
        metadata,
        sa.Column("issuer", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("email", sa.Text),
        sa.Column("linked_at", sa.Double, nullable=False),
        sa.Column("tokens", sa.Text),
        sa.Index(f"{name}_account_id", "account_id"),
    )


def _identity_of(row: Any) -> Identity:
    return Identity(**dict(row._mapping))  # noqa: SLF001  # documented, in spite of its name
