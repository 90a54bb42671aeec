"""See whether a database serves, and has the tables that it should have.

It changes nothing, and reads no row.
"""

from __future__ import annotations

from typing import Any

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
        await database.fetch(table.select().limit(0))
