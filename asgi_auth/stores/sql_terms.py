"""The terms of which SQL statements are made: times, rows that come as JSON, pieces.

They are the same on both databases, and spelled differently. Nothing is run here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from asgi_auth._drivers.sql import JSONB, sa
from asgi_auth.stores.sql_schema import Schema

__all__ = ["Terms", "delete_some", "integer", "seconds"]

# How many rows a sweep deletes at once: others wait for that long at most.
_SWEEP_AT_ONCE = 1000


def delete_some(
    dialect: str, key: sa.Column[Any], some: sa.Select[Any]
) -> sa.Executable:
    """Return what deletes the rows with *some* keys, and returns those.

    Args:
        dialect: ``sqlite`` or ``postgresql``.
        key: The primary key of the table.
        some: Selects keys, with a limit.
    """
    chosen: sa.ColumnElement[bool] = key.in_(some)
    if dialect == "postgresql":
        # With IN it may read the whole table rather than look up a thousand rows.
        keys = sa.func.array(some.scalar_subquery(), type_=sa.ARRAY(key.type))
        chosen = key == sa.any_(keys)

    return sa.delete(key.table).where(chosen).returning(key)


class Terms:
    """What statements have in common.

    Args:
        schema: The tables.
        dialect: ``sqlite`` or ``postgresql``.
    """

    def __init__(self, schema: Schema, dialect: str) -> None:
        self._dialect = dialect
        self._sessions = schema.sessions
        self._revocations = schema.revocations
        self._used = schema.once
        self._moment = sa.select(
            self._time().label("now"), self._present().label("present")
        ).subquery("moment")
        self._now = self._moment.c.now

    def _delete(
        self,
        key: sa.Column[Any],
        time: sa.Column[Any],
        limit: sa.ColumnElement[float],
        *conditions: sa.ColumnElement[bool],
    ) -> sa.Executable:
        some = (
            sa.select(key)
            .where(time <= limit, *conditions)
            .order_by(time)
            .limit(_SWEEP_AT_ONCE)
        )
        return delete_some(self._dialect, key, some)

    @staticmethod
    def _once(value: sa.ColumnElement[float]) -> sa.ColumnElement[float]:
        """Compute a value once: PostgreSQL finds no index for a clock that goes on."""
        return sa.select(value).scalar_subquery()

    def _time(self) -> sa.ColumnElement[float]:
        return sa.func.coalesce(seconds("now"), self._present())

    def _present(self) -> sa.ColumnElement[float]:
        # Not now() of PostgreSQL, which stands still within a transaction.
        clock = (
            "CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS DOUBLE PRECISION)"
            if self._dialect == "postgresql"
            else "((julianday('now') - 2440587.5) * 86400.0)"
        )
        return sa.literal_column(clock, sa.Double())

    def _rows(
        self, name: str, *, width: int
    ) -> tuple[sa.FromClause, Sequence[sa.ColumnElement[Any]]]:
        """Read a JSON array of arrays of strings as a table: one parameter for all."""
        document = sa.bindparam(name, type_=sa.Text())
        if self._dialect == "postgresql":
            value = sa.column("value", JSONB())
            function = sa.func.jsonb_array_elements(sa.cast(document, JSONB()))
            each = function.table_valued(value, name="item")
            return each, [each.c.value[index].astext for index in range(width)]

        each = sa.func.json_each(document).table_valued("value", name="item")
        return each, [
            sa.func.json_extract(each.c.value, f"$[{index}]", type_=sa.Text())
            for index in range(width)
        ]


def seconds(name: str) -> sa.BindParameter[float]:
    """Bind a time, or a number of seconds."""
    return sa.bindparam(name, type_=sa.Double())


def integer(name: str) -> sa.BindParameter[int]:
    """Bind a whole number."""
    return sa.bindparam(name, type_=sa.BigInteger())
