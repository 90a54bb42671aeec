"""The statements of :class:`~asgi_auth.stores.sql.SQLStore`, one for each verb.

They are built once and run elsewhere. Each is atomic by itself, on both databases.
Where a verb has a time it is the bound ``now``, or the database's where that is NULL.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from asgi_auth._drivers.sql import JSONB, sa
from asgi_auth.stores.sql_cursor import OVERLAP
from asgi_auth.stores.sql_schema import Schema

__all__ = ["Statements"]

# How many rows a sweep deletes at once: others wait for that long at most.
_SWEEP_AT_ONCE = 1000


class Statements:
    """What the store asks the database.

    Args:
        schema: The tables.
        dialect: ``sqlite`` or ``postgresql``.
    """

    def __init__(self, schema: Schema, dialect: str) -> None:
        self._dialect = dialect
        self._sessions = schema.sessions
        self._revocations = schema.revocations
        self._moment = sa.select(self._time().label("now")).subquery("moment")
        self._now = self._moment.c.now

    def create(self) -> sa.Executable:
        """Insert a session; return it."""
        given = {
            name: sa.bindparam(name, type_=self._sessions.c[name].type)
            for name in ("sid", "issuer", "subject", "acr", "amr", "claims", "device")
        }
        values = given | {
            "seq": sa.literal(0, sa.BigInteger()),
            "created_at": self._now,
            "rotated_at": self._now,
            "idle_expires_at": self._now + _seconds("idle_ttl"),
            "expires_at": self._now + _seconds("ttl"),
            "auth_time": sa.func.coalesce(_seconds("auth_time"), self._now),
        }
        row = sa.select(*(value.label(name) for name, value in values.items()))
        return (
            sa.insert(self._sessions)
            .from_select(list(values), row.select_from(self._moment))
            .returning(self._sessions)
        )

    def rotate(self) -> sa.Executable:
        """Advance a live session whose counter is ``seq``; return it, or nothing."""
        table = self._sessions
        idle = self._now + _seconds("idle_ttl")
        return (
            sa.update(table)
            .where(
                table.c.sid == sa.bindparam("session", type_=sa.Text()),
                table.c.seq == sa.bindparam("current", type_=sa.BigInteger()),
                self._is_live(),
            )
            .values(
                seq=table.c.seq + 1,
                rotated_at=self._now,
                idle_expires_at=sa.case(
                    (idle < table.c.expires_at, idle), else_=table.c.expires_at
                ),
            )
            .returning(table)
        )

    def find(self) -> sa.Executable:
        """Read a session, and the time."""
        table = self._sessions
        return (
            sa.select(table, self._now)
            .select_from(table.join(self._moment, sa.true()))
            .where(table.c.sid == sa.bindparam("session", type_=sa.Text()))
        )

    def sessions(self) -> sa.Executable:
        """Read the live sessions of a subject, the oldest first."""
        table = self._sessions
        return (
            sa.select(table)
            .select_from(table.join(self._moment, sa.true()))
            .where(
                table.c.issuer == sa.bindparam("issuer", type_=sa.Text()),
                table.c.subject == sa.bindparam("subject", type_=sa.Text()),
                self._is_live(),
            )
            .order_by(table.c.created_at, table.c.sid)
        )

    def close(self) -> sa.Executable:
        """End the live sessions among ``sids``, a JSON array of arrays of one sid."""
        table = self._sessions
        source, (sid,) = self._rows("sids", width=1)
        # In one order, so that two that close the same sessions cannot deadlock.
        ordered = (
            sa.select(table.c.sid)
            .where(table.c.sid.in_(sa.select(sid).select_from(source)))
            .order_by(table.c.sid)
            .with_for_update()
        )
        return (
            sa.update(table)
            .where(table.c.sid.in_(ordered), self._is_live())
            .values(revoked_at=self._now)
        )

    def publish(self) -> sa.Executable:
        """Insert ``entries``, a JSON array of arrays of kind, issuer and value."""
        source, entry = self._rows("entries", width=3)
        row = sa.select(*entry, self._now, self._now + _seconds("ttl"))
        return sa.insert(self._revocations).from_select(
            ["kind", "issuer", "value", "at", "expires_at"],
            row.select_from(source.join(self._moment, sa.true())),
        )

    def window(self) -> sa.Executable:
        """Read all that is in force or recent, the time, and the last number before."""
        table = self._revocations
        before = (
            sa.select(table.c.id)
            .where(table.c.at < self._now - OVERLAP)
            .order_by(table.c.id.desc())
            .limit(1)
            .correlate(self._moment)
            .scalar_subquery()
        )
        fresh = table.c.at >= self._now - OVERLAP
        return sa.select(table, self._now, before.label("before")).select_from(
            self._moment.outerjoin(table, sa.or_(fresh, table.c.expires_at > self._now))
        )

    def since(self) -> sa.Executable:
        """Read the revocations above the number ``low``, and the time."""
        table = self._revocations
        above = table.c.id > sa.bindparam("low", type_=sa.BigInteger())
        return sa.select(table, self._now).select_from(
            self._moment.outerjoin(table, above)
        )

    def sweep(self) -> Sequence[sa.Executable]:
        """Delete some of what ended: sessions ``retention`` ago, revocations lately."""
        sessions, revocations = self._sessions, self._revocations
        limit = self._time() - _seconds("retention")
        return [
            _delete(sessions, sessions.c.sid, sessions.c.idle_expires_at <= limit),
            _delete(sessions, sessions.c.sid, sessions.c.revoked_at <= limit),
            _delete(
                revocations,
                revocations.c.id,
                # Younger ones keep their place, so that they do not look like holes.
                revocations.c.expires_at <= self._time() - OVERLAP,
            ),
        ]

    def _is_live(self) -> sa.ColumnElement[bool]:
        table = self._sessions
        return sa.and_(
            table.c.revoked_at.is_(None),
            self._now < table.c.idle_expires_at,
            self._now < table.c.expires_at,
        )

    def _time(self) -> sa.ColumnElement[float]:
        # Not now() of PostgreSQL, which stands still within a transaction.
        clock = (
            "CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS DOUBLE PRECISION)"
            if self._dialect == "postgresql"
            else "((julianday('now') - 2440587.5) * 86400.0)"
        )
        stored: sa.ColumnElement[float] = sa.literal_column(clock, sa.Double())
        return sa.func.coalesce(_seconds("now"), stored)

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


def _seconds(name: str) -> sa.BindParameter[float]:
    return sa.bindparam(name, type_=sa.Double())


def _delete(
    table: sa.Table, key: sa.Column[Any], condition: sa.ColumnElement[bool]
) -> sa.Executable:
    some = sa.select(key).where(condition).limit(_SWEEP_AT_ONCE)
    return sa.delete(table).where(key.in_(some)).returning(key)
