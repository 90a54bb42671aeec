"""The three tables of :class:`~asgi_auth.stores.sql.SQLStore`.

No column holds a usable token. It runs nothing: see ``SQLStore.create_schema``.
"""

from __future__ import annotations

import re

from asgi_auth._drivers.sql import sa
from asgi_auth.errors import ConfigurationError

__all__ = ["Schema"]

# Short enough for the names of indexes, which PostgreSQL cuts at 63 bytes.
_PREFIX = re.compile(r"[a-z_][a-z0-9_]{0,30}")


class Schema:
    """The tables, under a prefix.

    Args:
        prefix: Begins the name of each table and index.
        schema: The schema of PostgreSQL that they are in; by default the usual one.

    Raises:
        ConfigurationError: The prefix cannot begin a name.
    """

    def __init__(self, prefix: str, schema: str | None = None) -> None:
        if not _PREFIX.fullmatch(prefix):
            msg = "table_prefix must be 1-31 of a-z, 0-9 and _, and not begin with 0-9"
            raise ConfigurationError(msg)

        self.metadata: sa.MetaData = sa.MetaData(schema=schema)
        self.sessions: sa.Table = _sessions(prefix, self.metadata)
        self.revocations: sa.Table = _revocations(prefix, self.metadata)
        self.once: sa.Table = _once(prefix, self.metadata)


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=null)


def _time(name: str, *, null: bool = False) -> sa.Column[float]:
    return sa.Column(name, sa.Double(), nullable=null)


def _sessions(prefix: str, metadata: sa.MetaData) -> sa.Table:
    name = f"{prefix}sessions"
    revoked_at = _time("revoked_at", null=True)
    return sa.Table(
        name,
        metadata,
        sa.Column("sid", sa.Text(), primary_key=True),
        _text("issuer"),
        _text("subject"),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        _time("created_at"),
        _time("rotated_at"),
        _time("idle_expires_at"),
        _time("expires_at"),
        _time("auth_time"),
        _text("acr", null=True),
        # JSON as text: what comes back is what went in, whatever the database.
        _text("amr"),
        _text("claims"),
        _text("device"),
        revoked_at,
        _text("rotated_by", null=True),
        # In the order in which they are listed. What was revoked is not: who logs in
        # and out all day must not make their list slow.
        sa.Index(
            f"{name}_subject",
            "issuer",
            "subject",
            "created_at",
            "sid",
            postgresql_where=revoked_at.is_(None),
            sqlite_where=revoked_at.is_(None),
        ),
        sa.Index(f"{name}_idle_expires_at", "idle_expires_at"),
        # For the sweep alone: what looks for living sessions must not walk over it.
        sa.Index(
            f"{name}_revoked_at",
            revoked_at,
            postgresql_where=revoked_at.is_not(None),
            sqlite_where=revoked_at.is_not(None),
        ),
    )


def _revocations(prefix: str, metadata: sa.MetaData) -> sa.Table:
    name = f"{prefix}revocations"
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Table(
        name,
        metadata,
        sa.Column("id", number, primary_key=True, autoincrement=True),
        _text("kind"),
        _text("issuer"),
        _text("value"),
        _time("at"),
        _time("expires_at"),
        # By the database's clock, whoever brings a time of their own: what is settled,
        # and whether a number has been given out twice.
        _time("stored_at"),
        sa.Index(f"{name}_expires_at", "expires_at", "id"),
        # A deleted id must not come back: readers go on from the last they saw.
        sqlite_autoincrement=True,
    )


def _once(prefix: str, metadata: sa.MetaData) -> sa.Table:
    name = f"{prefix}once"
    return sa.Table(
        name,
        metadata,
        # A digest of what was used, and until when that counts.
        sa.Column("name", sa.Text(), primary_key=True),
        _time("expires_at"),
        sa.Index(f"{name}_expires_at", "expires_at"),
    )
