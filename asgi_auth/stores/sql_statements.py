"""The statements of :class:`~asgi_auth.stores.sql.SQLStore`, one for each verb.

They are built once and run elsewhere. Each is atomic by itself, on both databases.
Where a verb has a time it is the bound ``now``, or the database's where that is NULL.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

from asgi_auth._drivers.sql import insert_for, sa
from asgi_auth.stores.sql_cursor import OVERLAP
from asgi_auth.stores.sql_terms import Terms, integer, seconds

__all__ = ["Statements"]

# Seconds by which a clock may jump ahead and back without harm.
_JUMP = 3600.0
# The same for what is used once, of which there is more.
_SLIGHT_JUMP = 60.0


class Statements(Terms):
    """What the store asks the database."""

    def create(self) -> sa.Executable:
        """Insert a session; return it."""
        columns = {
            name: sa.bindparam(name, type_=self._sessions.c[name].type)
            for name in ("sid", "issuer", "subject", "acr", "amr", "claims", "device")
        }
        values = columns | {
            "seq": sa.literal(0, sa.BigInteger()),
            "created_at": self._now,
            "rotated_at": self._now,
            "idle_expires_at": self._now + seconds("idle_ttl"),
            "expires_at": self._now + seconds("ttl"),
            "auth_time": sa.func.coalesce(seconds("auth_time"), self._now),
        }
        row = sa.select(*(value.label(name) for name, value in values.items()))
        return (
            sa.insert(self._sessions)
            .from_select(list(values), row.select_from(self._moment))
            .returning(self._sessions)
        )

    def rotate(self) -> sa.Executable:
        """Advance a live session whose counter is ``current``; return it, if any."""
        return self._advance(operator.eq)

    def restore(self) -> sa.Executable:
        """Advance a live session whose counter is behind ``current``; return it."""
        return self._advance(operator.lt)

    def advances(self) -> dict[str, sa.Executable]:
        """Return both, by the outcome that they have."""
        return {"rotated": self.rotate(), "restored": self.restore()}

    def _advance(self, compare: Callable[[Any, Any], Any]) -> sa.Executable:
        table = self._sessions
        idle = self._now + seconds("idle_ttl")
        current = sa.bindparam("current", type_=sa.BigInteger())
        return (
            sa.update(table)
            .where(
                table.c.sid == sa.bindparam("session", type_=sa.Text()),
                compare(table.c.seq, current),
                self._is_live(),
            )
            .values(
                seq=current + 1,
                rotated_at=self._now,
                rotated_by=sa.bindparam("client", type_=sa.Text()),
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
        """Read ``size`` live sessions of a subject that begin behind a place.

        The place is ``begin`` and ``session`` of the last one that was read.
        """
        table = self._sessions
        place = sa.tuple_(seconds("begin"), sa.bindparam("session", type_=sa.Text()))
        return (
            sa.select(table)
            .where(
                self._is_of_subject(),
                sa.tuple_(table.c.created_at, table.c.sid) > place,
                self._is_live(self._once(self._time())),
            )
            .order_by(table.c.created_at, table.c.sid)
            .limit(integer("size"))
        )

    def surplus(self) -> sa.Executable:
        """Name ``size`` live sessions of a subject beyond ``keep`` that end last."""
        table = self._sessions
        order = (table.c.idle_expires_at, table.c.created_at, table.c.sid)
        rank = sa.func.row_number().over(order_by=[each.desc() for each in order])
        ranked = (
            sa.select(table.c.sid, rank.label("rank"))
            .where(
                self._is_of_subject(),
                self._is_live(self._once(self._time())),
            )
            .subquery("ranked")
        )
        return (
            sa.select(ranked.c.sid)
            .where(ranked.c.rank > integer("keep"))
            .order_by(ranked.c.rank.desc())
            .limit(integer("size"))
        )

    def _is_of_subject(self) -> sa.ColumnElement[bool]:
        table = self._sessions
        return sa.and_(
            table.c.issuer == sa.bindparam("issuer", type_=sa.Text()),
            table.c.subject == sa.bindparam("subject", type_=sa.Text()),
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
        """Insert ``entries``, a JSON array of arrays of kind, issuer and value.

        It returns the numbers of the rows, and on PostgreSQL the greatest before them:
        a sequence may be behind its table. SQLite numbers by the table.
        """
        source, entry = self._rows("entries", width=3)
        until = self._now + seconds("ttl")
        row = sa.select(*entry, self._now, until, self._moment.c.present)
        number = self._revocations.c.id
        insert = sa.insert(self._revocations).from_select(
            ["kind", "issuer", "value", "at", "expires_at", "stored_at"],
            row.select_from(source.join(self._moment, sa.true())),
        )
        if self._dialect != "postgresql":
            return insert.returning(number, sa.literal(0).label("known"))

        greatest = sa.select(sa.func.max(number)).scalar_subquery()
        return insert.returning(number, greatest.label("known"))

    def renumber(self) -> sa.Executable:
        """Set the sequence of PostgreSQL forward to the greatest number in use."""
        table = self._revocations
        names = filter(None, (table.schema, table.name))
        name = ".".join(f'"{name}"' for name in names)
        sequence = sa.func.pg_get_serial_sequence(name, "id")
        greatest = sa.select(sa.func.max(table.c.id)).scalar_subquery()
        return sa.select(sa.func.setval(sequence, greatest))

    def settled(self) -> sa.Executable:
        """Read the time, and the last row before which none can show up any more."""
        table = self._revocations
        # Backwards from the newest: it looks at the rows of half a minute.
        row = (
            sa.select(table.c.id, table.c.stored_at)
            .where(table.c.stored_at < self._present() - OVERLAP)
            .order_by(table.c.id.desc())
            .limit(1)
            .subquery("settled")
        )
        return sa.select(row.c.id, row.c.stored_at, self._now).select_from(
            self._moment.outerjoin(row, sa.true())
        )

    def window(self) -> sa.Executable:
        """Read ``size`` rows that end behind a place, up to ``settled``; and the time.

        The place is ``end`` and ``number`` of the last row that was read. What is not
        settled comes with :meth:`since`.
        """
        table = self._revocations
        place = sa.tuple_(seconds("end"), integer("number"))
        page = (
            sa.select(table)
            .where(
                sa.tuple_(table.c.expires_at, table.c.id) > place,
                table.c.id <= integer("settled"),
            )
            .order_by(table.c.expires_at, table.c.id)
            .limit(integer("size"))
            .subquery("page")
        )
        return sa.select(page, self._now).select_from(
            self._moment.outerjoin(page, sa.true())
        )

    def since(self) -> sa.Executable:
        """Read what is new: ``size`` rows above ``last``, and as many in ``holes``.

        Each row has the times of now, and when the row ``last`` was stored.
        """
        table, row = self._revocations, self._revocations.alias("known")
        source, (first, last) = self._rows("holes", width=2)
        in_hole = sa.between(
            table.c.id, sa.cast(first, sa.BigInteger()), sa.cast(last, sa.BigInteger())
        )
        filled = (
            sa.select(table)
            .select_from(source.join(table, in_hole))
            .limit(integer("size"))
        )
        above = (
            sa.select(table)
            .where(table.c.id > integer("last"))
            .order_by(table.c.id)
            .limit(integer("size"))
        )
        # Each behind a SELECT of its own: SQLite takes no limit within a union.
        page = sa.union_all(
            sa.select(filled.subquery("filled")), sa.select(above.subquery("above"))
        ).subquery("page")
        stored_at = (
            sa.select(row.c.stored_at)
            .where(row.c.id == integer("last"))
            .scalar_subquery()
            .label("known_at")
        )
        return sa.select(
            page, self._now, self._moment.c.present, stored_at
        ).select_from(self._moment.outerjoin(page, sa.true()))

    def once(self) -> sa.Executable:
        """Keep ``name`` for ``ttl``; return it, unless it counts as used."""
        table = self._used
        insert = insert_for(self._dialect, table).values(
            name=sa.bindparam("name", type_=sa.Text()),
            expires_at=self._time() + seconds("ttl"),
        )
        statement: sa.Executable = insert.on_conflict_do_update(
            index_elements=[table.c.name],
            set_={"expires_at": insert.excluded.expires_at},
            where=table.c.expires_at <= self._time(),
        ).returning(table.c.name)
        return statement

    def sweep(self) -> Sequence[sa.Executable]:
        """Delete some of what ended: sessions ``retention`` ago, the rest lately."""
        sessions, revocations, used = self._sessions, self._revocations, self._used
        ended = self._once(self._time() - seconds("retention"))
        life = revocations.c.expires_at - revocations.c.at
        newest = sa.select(sa.func.max(revocations.c.id)).scalar_subquery()
        return [
            self._delete(sessions.c.sid, sessions.c.idle_expires_at, ended),
            self._delete(sessions.c.sid, sessions.c.revoked_at, ended),
            self._delete(
                revocations.c.id,
                revocations.c.expires_at,
                self._once(self._time() - _JUMP),
                # By the database's clock as well: one that jumps ahead and back must
                # not take what is in force, nor what fills a hole.
                revocations.c.stored_at + life <= self._present() - OVERLAP,
                # Readers that stand there would think that it was lost.
                revocations.c.id < newest,
            ),
            self._delete(
                used.c.name,
                used.c.expires_at,
                self._once(self._time() - _SLIGHT_JUMP),
            ),
        ]

    def _is_live(
        self, now: sa.ColumnElement[float] | None = None
    ) -> sa.ColumnElement[bool]:
        table = self._sessions
        now = self._now if now is None else now
        return sa.and_(
            table.c.revoked_at.is_(None),
            now < table.c.idle_expires_at,
            now < table.c.expires_at,
        )
