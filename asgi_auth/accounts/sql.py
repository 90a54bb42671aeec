"""Accounts in SQLite or PostgreSQL.

Each verb is one statement; what is unique is unique to the database, not to us.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from asgi_auth._drivers.sql import AsyncEngine, sa
from asgi_auth._drivers.sql_table import SQLTable
from asgi_auth.accounts.base import Account
from asgi_auth.accounts.errors import DuplicateAccountError, StaleAccountError

__all__ = ["SQLAccounts"]


class SQLAccounts(SQLTable):
    """An :class:`AccountStore` of one table.

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
        table: str = "asgi_auth_accounts",
        schema: str | None = None,
    ) -> None:
        super().__init__(
            source, _define, owner="SQLAccounts", table=table, schema=schema
        )

    async def find_by_email(self, email: str) -> Account | None:
        """Find an account by its address."""
        return await self._find(self._table.c.email, email)

    async def find_by_id(self, account_id: str) -> Account | None:
        """Find an account by its id."""
        return await self._find(self._table.c.id, account_id)

    async def add(self, account: Account) -> Account:
        """Add an account.

        Raises:
            DuplicateAccountError: The address or the id is taken.
        """
        await self._write(sa.insert(self._table).values(_row_of(account)))
        return account

    async def update(self, account: Account) -> Account:
        """Replace the account with this id and this version.

        Raises:
            StaleAccountError: The stored version is another one, or there is none.
            DuplicateAccountError: The new address is taken.
        """
        columns = self._table.c
        stored = replace(account, version=account.version + 1)
        rows = await self._write(
            sa.update(self._table)
            .where(columns.id == account.id, columns.version == account.version)
            .values(_row_of(stored))
            .returning(columns.id)
        )
        if not rows:
            raise StaleAccountError

        return stored

    async def page(self, *, search: str, after: str, limit: int) -> Sequence[Account]:
        """Return a page of accounts, ordered by their ids."""
        if not (search + after).isprintable():
            return []

        columns = self._table.c
        statement = sa.select(self._table).where(columns.id > after)
        if search:
            contains = columns.email.contains(search, autoescape=True)
            statement = statement.where(contains)

        rows = await self._database.fetch(statement.order_by(columns.id).limit(limit))
        return [_account_of(row) for row in rows]

    async def remove(self, account_id: str) -> None:
        """Delete an account, if it is there."""
        table = self._table
        statement = sa.delete(table).where(table.c.id == account_id)
        await self._database.fetch(statement.returning(table.c.id), write=True)

    async def _find(self, column: Any, value: str) -> Account | None:
        # PostgreSQL has neither NUL nor surrogates, so no account has them either.
        if not value.isprintable():
            return None

        statement = sa.select(self._table).where(column == value)
        rows = await self._database.fetch(statement)
        return _account_of(rows[0]) if rows else None

    async def _write(self, statement: Any) -> Any:
        with suppress(sa.exc.IntegrityError):
            return await self._database.fetch(statement, write=True)

        # Out here: what the driver says quotes the address.
        raise DuplicateAccountError


def _define(name: str, metadata: sa.MetaData) -> sa.Table:
    return sa.Table(
        name,
        metadata,
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("email", sa.Text, nullable=False, unique=True),
        sa.Column("password_hash", sa.Text),
        sa.Column("roles", sa.Text, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("disabled", sa.Boolean, nullable=False),
        sa.Column("verified_at", sa.Double),
        sa.Column("created_at", sa.Double, nullable=False),
        # JSON as ASCII text: PostgreSQL's own type refuses an escaped NUL.
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
    )


def _row_of(account: Account) -> dict[str, Any]:
    return {
        "id": account.id,
        "email": account.email,
        "password_hash": account.password_hash,
        "roles": json.dumps(account.roles),
        "scopes": json.dumps(account.scopes),
        "disabled": account.disabled,
        "verified_at": account.verified_at,
        "created_at": account.created_at,
        "data": json.dumps(account.data),
        "version": account.version,
    }


def _account_of(row: Any) -> Account:
    fields = dict(row._mapping)  # noqa: SLF001  # documented, in spite of its name
    for name in ("roles", "scopes", "data"):
        fields[name] = json.loads(fields[name])

    return Account(**fields)
