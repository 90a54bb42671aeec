"""Find out whether a pooled connection still lives, where that is not known already.

To ask takes a round trip, as long as most statements: one that has just been used, and
has heard nothing of an end, is not asked. SQLAlchemy is handed in, through its door.
"""

from __future__ import annotations

import time
from typing import Any, Final

__all__ = ["PROBED_AFTER", "probe_idle"]

PROBED_AFTER: Final = 1.0
"""Seconds for which a connection of asyncpg is not asked after its last use."""

_USED_AT: Final = "asgi_auth.used_at"


def probe_idle(engine: Any, sa: Any) -> None:
    """Have *engine* ask connections that were idle, and replace those that are gone.

    Args:
        engine: Of SQLAlchemy, on asyncpg, which hears of an end by itself.
        sa: SQLAlchemy.
    """
    probe = _Probe(engine.dialect, sa.exc.InvalidatePoolError)
    sa.event.listen(engine.sync_engine, "checkin", _note)
    sa.event.listen(engine.sync_engine, "checkout", probe)


def _note(_: object, record: Any) -> None:
    """Keep when a connection was used; what is known of it goes when it does."""
    record.info[_USED_AT] = time.monotonic()


class _Probe:
    """Looks at a connection that leaves the pool.

    Args:
        dialect: Of SQLAlchemy; it knows how to ask.
        gone: What tells a pool that its connections are gone.
    """

    def __init__(self, dialect: Any, gone: type[Exception]) -> None:
        self._dialect = dialect
        self._gone = gone

    def __call__(self, connection: Any, record: Any, _: object) -> None:
        """Have the pool take another one instead of one that is gone."""
        used_at = record.info.get(_USED_AT)
        if used_at is None:
            return  # It is new.

        if connection.driver_connection.is_closed():
            raise self._gone

        if time.monotonic() - used_at >= PROBED_AFTER:
            self._ask(connection)

    def _ask(self, connection: Any) -> None:
        try:
            self._dialect.do_ping(connection)
        except self._dialect.loaded_dbapi.Error as error:
            raise self._gone from error
