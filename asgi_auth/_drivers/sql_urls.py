"""Which databases are spoken to, by which driver, and in which extra that is.

It imports no driver.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from asgi_auth.errors import ConfigurationError

__all__ = ["DRIVERS", "EXTRAS", "check_dialect", "extra_of"]

DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
EXTRAS = {"sqlite": "sql", "postgresql": "postgres"}
_EXTRA_OF_DRIVER = {"psycopg": "psycopg", "psycopg_async": "psycopg"}


def check_dialect(dialect: str, owner: str, schema: str | None) -> None:
    """Refuse a database that cannot do what is asked of it.

    Raises:
        ConfigurationError: It is another one, too old, or knows no schemas.
    """
    # UPDATE ... FROM came with SQLite 3.33, RETURNING with 3.35.
    if dialect == "sqlite" and sqlite3.sqlite_version_info < (3, 35):
        msg = f"{owner} needs SQLite 3.35 or later, not {sqlite3.sqlite_version}"
        raise ConfigurationError(msg)

    if dialect not in EXTRAS:
        msg = f"{owner} speaks sqlite:// and postgresql://, not {dialect}://"
        raise ConfigurationError(msg)

    if schema is not None and dialect == "sqlite":
        msg = "SQLite has no schemas: leave schema out"
        raise ConfigurationError(msg)


def extra_of(url: Any) -> str:
    """Name the extra that has the driver of a URL of SQLAlchemy."""
    driver = url.get_driver_name()
    return _EXTRA_OF_DRIVER.get(driver, EXTRAS[url.get_backend_name()])
