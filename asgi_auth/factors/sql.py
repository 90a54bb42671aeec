"""Second factors in SQLite or PostgreSQL.

Each verb is one statement. The table holds no code, and no secret that could be used
without the keys it is sealed with.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from asgi_auth._drivers.sql import AsyncEngine, insert_for, sa
from asgi_auth._drivers.sql_table import SQLTable
from asgi_auth.factors.errors import StaleFactorError
from asgi_auth.factors.records import FactorKind, FactorRecord
from asgi_auth.tokens.claims import is_plain_text

__all__ = ["SQLFactors"]


class SQLFactors(SQLTable):
    """A :class:`FactorStore` of one table.

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
        table: str = "asgi_auth_factors",
        schema: str | None = None,
    ) -> None:
        super().__init__(
            source, _define, owner="SQLFactors", table=table, schema=schema
        )

    async def find(self, subject: str) -> Sequence[FactorRecord]:
        """Return all factors of a user."""
        # PostgreSQL has neither NUL nor surrogates, so no subject has them either.
        if not is_plain_text(subject):
            return []

        statement = sa.select(self._table).where(self._table.c.subject == subject)
        return [_record_of(row) for row in await self._database.fetch(statement)]

    async def put(self, record: FactorRecord) -> FactorRecord:
        """Write a factor, if the stored version is the one that is replaced.

        Raises:
            StaleFactorError: It is another one.
        """
        stored = replace(record, version=record.version + 1)
        write = self._replace if record.version else self._insert
        if not await self._database.fetch(write(stored), write=True):
            raise StaleFactorError

        return stored

    async def remove(self, subject: str, kind: FactorKind | None = None) -> None:
        """Remove one kind of factor of a user, or all."""
        if not is_plain_text(subject):
            return

        columns = self._table.c
        statement = sa.delete(self._table).where(columns.subject == subject)
        if kind is not None:
            statement = statement.where(columns.kind == kind)

        await self._database.fetch(statement.returning(columns.kind), write=True)

    def _insert(self, record: FactorRecord) -> Any:
        insert = insert_for(self._database.dialect, self._table)
        statement = insert.values(_row_of(record)).on_conflict_do_nothing()
        return statement.returning(self._table.c.kind)

    def _replace(self, record: FactorRecord) -> Any:
        columns = self._table.c
        return (
            sa.update(self._table)
            .where(
                columns.subject == record.subject,
                columns.kind == record.kind,
                columns.version == record.version - 1,
            )
            .values(_row_of(record))
            .returning(columns.kind)
        )


def _define(name: str, metadata: sa.MetaData) -> sa.Table:
    return sa.Table(
        name,
        metadata,
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("since", sa.Double, nullable=False),
        sa.Column("used_at", sa.Double),
        # JSON as ASCII text: PostgreSQL's own type refuses an escaped NUL.
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
    )


def _row_of(record: FactorRecord) -> dict[str, Any]:
    return {
        "subject": record.subject,
        "kind": record.kind,
        "since": record.since,
        "used_at": record.used_at,
        "data": json.dumps(record.data),
        "version": record.version,
    }


def _record_of(row: Any) -> FactorRecord:
    fields = dict(row._mapping)  # noqa: SLF001  # documented, in spite of its name
    return FactorRecord(**{**fields, "data": json.loads(fields["data"])})
