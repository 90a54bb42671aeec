"""Which databases are spoken to, by which driver, and in which extra that is.

It imports no driver but through SQLAlchemy, which is handed in.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from asgi_auth.errors import ConfigurationError, MissingExtraError

__all__ = ["check_dialect", "check_driver", "read_url"]

DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
EXTRAS = {"sqlite": "sql", "postgresql": "postgres"}
_AS_FILE = (
    "a SQLite file is sqlite:///app.db, or sqlite:////var/lib/app.db from the root"
)
_ASYNC = {
    "sqlite": "sqlite:// (aiosqlite)",
    "postgresql": "postgresql:// (asyncpg) or postgresql+psycopg://",
}
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


def read_url(sa: Any, source: Any, owner: str) -> Any:
    """Return a URL of SQLAlchemy, with a driver that does not block.

    Args:
        sa: SQLAlchemy.
        source: A text, or such a URL.
        owner: Who asks, for the sentences of errors.

    Raises:
        ConfigurationError: It is none, or leads to no database that can be shared.
    """
    # Without the cause: it would quote the URL, which may hold a password.
    is_sqlite = str(source).startswith("sqlite")
    example = _AS_FILE if is_sqlite else "write one like postgresql://user@host/name"
    msg = f"the database URL of {owner} is not one: {example}"
    try:
        url = sa.make_url(source)
    except (sa.exc.ArgumentError, ValueError):  # The latter for its port.
        raise ConfigurationError(msg) from None

    if url.get_backend_name() == "sqlite":
        if url.host:
            raise ConfigurationError(msg)

        _check_file(url, owner)

    name = "postgresql" if url.drivername == "postgres" else url.drivername
    return url.set(drivername=DRIVERS.get(name, name))


def _check_file(url: Any, owner: str) -> None:
    name = url.database or ":memory:"
    if ":memory:" not in name and url.query.get("mode") != "memory":
        return

    msg = (
        f"{owner} needs a file: each connection to SQLite in memory would have a "
        "database of its own. Write sqlite:///app.db, or take MemoryStore and its like"
    )
    raise ConfigurationError(msg)


def check_driver(sa: Any, url: Any) -> None:
    """Refuse a driver that blocks, or is not there.

    Args:
        sa: SQLAlchemy.
        url: Of the database.

    Raises:
        ConfigurationError: It blocks, or there is none of this name.
        MissingExtraError: It is not installed.
    """
    better = _ASYNC[url.get_backend_name()]
    try:
        dialect = url.get_dialect(_is_async=True)
    except sa.exc.NoSuchModuleError as error:
        msg = f"there is no driver {url.drivername}: write {better}"
        raise ConfigurationError(msg) from error

    # First: to install one that blocks would not help.
    if not dialect.is_async:
        msg = f"{url.drivername} blocks: write {better}"
        raise ConfigurationError(msg)

    try:
        dialect.import_dbapi()
    except ImportError as error:
        command = f'pip install "asgi-auth[{_extra_of(url)}]"'
        msg = f"the driver of {url.drivername} is missing: python -m {command}"
        raise MissingExtraError(msg) from error


def _extra_of(url: Any) -> str:
    """Name the extra that has the driver of a URL of SQLAlchemy."""
    driver = url.get_driver_name()
    return _EXTRA_OF_DRIVER.get(driver, EXTRAS[url.get_backend_name()])
