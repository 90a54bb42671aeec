"""See whether a database serves, and has the tables that it should have.

It changes nothing, and reads no row.
"""

from __future__ import annotations

from typing import Any

from asgi_auth._drivers.sql_codes import NO_COLUMN, code_of
from asgi_auth.errors import AsgiAuthError, ConfigurationError

__all__ = ["ping_tables"]


async def ping_tables(database: Any, metadata: Any) -> None:
    """Ask each table for all of its columns, and no row.

    Args:
        database: A :class:`~asgi_auth._drivers.sql.Database`.
        metadata: Of SQLAlchemy: the tables.

    Raises:
        UnavailableError: The database is down, locked or slow.
        ConfigurationError: A table or a column is missing.
    """
    for table in metadata.sorted_tables:
        try:
            await database.fetch(table.select().limit(0))
        except AsgiAuthError:
            raise
        except Exception as error:
            # SQLite has no code for it.
            if code_of(error) != NO_COLUMN and "no such column" not in str(error):
                raise

            msg = f"{database.outage.place}: a column is missing: migrate its tables"
            raise ConfigurationError(msg) from error
