"""What all stores of one table do alike: make it, see whether it is there, close.

It knows no column: which there are, and what they are asked, is for the stores to say.
"""

from __future__ import annotations

from collections.abc import Callable

from asgi_auth._drivers.sql import AsyncEngine, Database, sa
from asgi_auth._drivers.sql_ping import ping_tables

__all__ = ["SQLTable"]


class SQLTable:
    """A store of one table in SQLite or PostgreSQL.

    Args:
        source: ``sqlite:///file``, ``postgresql://...``, or an asynchronous engine of
            SQLAlchemy, which is used as it is.
        define: Defines the table of a name.
        owner: The name of the store, for errors and for its ``repr``.
        table: The table's name.
        schema: The schema of PostgreSQL that it is in, which must exist.

    Raises:
        MissingExtraError: SQLAlchemy or the driver is not installed.
        ConfigurationError: It is neither SQLite nor PostgreSQL, or not asynchronous.
    """

    def __init__(
        self,
        source: str | sa.URL | AsyncEngine,
        define: Callable[[str, sa.MetaData], sa.Table],
        *,
        owner: str,
        table: str,
        schema: str | None,
    ) -> None:
        self._owner = owner
        self._database = Database(source, owner=owner, schema=schema)
        self.metadata: sa.MetaData = sa.MetaData(schema=schema)
        self._table = define(table, self.metadata)

    def __repr__(self) -> str:
        """Show where it is, without the password."""
        return f"{self._owner}({self._database!r})"

    async def create_schema(self) -> None:
        """Make the table if it is not there yet; many may call it at once."""
        await self._database.create(self.metadata)

    async def ping(self) -> None:
        """See whether the database serves, with its tables: for a readiness probe.

        Raises:
            UnavailableError: It is down, locked or slow.
            ConfigurationError: A table or a column is missing.
        """
        await ping_tables(self._database, self.metadata)

    async def aclose(self) -> None:
        """Close the running loop's connections; a given engine is its owner's."""
        await self._database.aclose()
