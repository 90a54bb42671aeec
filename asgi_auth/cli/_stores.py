"""Open the store that a URL names."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from asgi_auth.errors import ConfigurationError
from asgi_auth.stores.base import Store

if TYPE_CHECKING:
    from asgi_auth.stores.redis import RedisStore
    from asgi_auth.stores.sql import SQLStore

__all__ = ["add_store_option", "is_sql", "make_store", "open_store", "scheme_of"]

_STORES = "sqlite:///file.db, postgresql://user@host/name, redis://host, valkey://host"
_VARIABLE = "ASGI_AUTH_STORE"

_SQL = frozenset({"sqlite", "postgresql"})
_REDIS = frozenset({"redis", "rediss", "unix", "valkey", "valkeys"})


def add_store_option(
    parser: argparse.ArgumentParser, what: str, *, required: bool = False
) -> None:
    """Describe where the store is said: a password must not stand in an argument.

    Args:
        parser: Gets the option.
        what: The store is to the command.
        required: It cannot do without.
    """
    default = os.environ.get(_VARIABLE) or None
    parser.add_argument(
        "--store",
        metavar="URL",
        default=default,
        required=required and default is None,
        help=f"{what}: {_STORES}; by default the variable {_VARIABLE}, which is the "
        "place for a URL with a password",
    )


@contextlib.asynccontextmanager
async def open_store(url: str | None) -> AsyncIterator[Store]:
    """Open a store, and close it at the end.

    Args:
        url: Where it is; ``None``: a new one in memory.

    Raises:
        ConfigurationError: It is no such URL.
        MissingExtraError: The driver is not installed.
    """
    if url is None:
        from asgi_auth.stores.memory import MemoryStore  # noqa: PLC0415

        yield MemoryStore()
        return

    async with contextlib.aclosing(make_store(url)) as store:
        yield store


def scheme_of(url: str) -> str:
    """Return the scheme of a URL, without the name of a driver."""
    return url.partition(":")[0].partition("+")[0].lower()


def is_sql(url: str) -> bool:
    """Say whether a URL leads to a database that knows SQL."""
    return scheme_of(url) in _SQL


def make_store(url: str) -> SQLStore | RedisStore:
    """Make the store that a URL names; nothing is opened yet.

    Raises:
        ConfigurationError: It is no such URL.
        MissingExtraError: The driver is not installed.
    """
    # Imported here: nobody waits for the drivers of a store that is not theirs.
    if is_sql(url):
        from asgi_auth.stores.sql import SQLStore  # noqa: PLC0415

        return SQLStore(url)

    scheme = scheme_of(url)
    if scheme in _REDIS:
        from asgi_auth.stores.redis import RedisStore  # noqa: PLC0415

        return RedisStore(url)

    # The URL itself may hold a password.
    msg = f"A store is one of {_STORES}; not {scheme or 'nothing'}://"
    raise ConfigurationError(msg)
