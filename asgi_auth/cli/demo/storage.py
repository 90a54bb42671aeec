"""Where the demo keeps sessions and accounts: by URL, or in a file that is thrown away.

A URL may hold a password: what is shown of it never does.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from asgi_auth.accounts import AccountStore, MemoryAccounts
from asgi_auth.accounts.sql import SQLAccounts
from asgi_auth.cli._stores import is_sql, make_store, scheme_of
from asgi_auth.errors import ConfigurationError, UnavailableError
from asgi_auth.stores.base import Store

__all__ = ["Storage", "open_storage"]

_NAMES = {
    "sqlite": "SQLite",
    "postgresql": "PostgreSQL",
    "redis": "Redis",
    "rediss": "Redis",
    "unix": "Redis",
    "valkey": "Valkey",
    "valkeys": "Valkey",
}
_ODD = re.compile(r"[/?#\[\]@]")


@dataclass(frozen=True, slots=True)
class Storage:
    """Two stores, and how to speak of them.

    Attributes:
        sessions: Keeps sessions and revocations.
        accounts: Keeps the users.
        name: What kind it is, for instance ``PostgreSQL``.
        place: Where it is, without a password.
        accounts_place: Where the accounts are, where that is another place.
    """

    sessions: Store
    accounts: AccountStore
    name: str
    place: str
    accounts_place: str = ""


@contextlib.asynccontextmanager
async def open_storage(url: str | None) -> AsyncIterator[Storage]:
    """Open both stores, and close them at the end.

    Args:
        url: Of SQLite, PostgreSQL, Redis or Valkey; ``None``: a file that is gone
            with the demo.

    Raises:
        ConfigurationError: It is no such URL, or nothing answers there.
        MissingExtraError: The driver is not installed; the text says how to get it.
    """
    if url is not None:
        async with _open(url) as storage:
            yield storage

        return

    with tempfile.TemporaryDirectory(prefix="asgi-auth-demo-") as folder:
        async with _open(f"sqlite:///{Path(folder, 'demo.db')}") as storage:
            yield replace(storage, place="a file that is gone at the end")


@contextlib.asynccontextmanager
async def _open(url: str) -> AsyncIterator[Storage]:
    scheme = scheme_of(url)
    if scheme not in _NAMES:
        msg = (
            "--store takes sqlite:///file.db, postgresql://user@host/name, "
            f"redis://host or valkey://host, not {scheme or 'nothing'}://"
        )
        raise ConfigurationError(msg)

    name, place = _NAMES[scheme], _place(url)
    sessions = make_store(url)
    accounts = SQLAccounts(url) if is_sql(url) else MemoryAccounts()
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(sessions.aclose)
        if isinstance(accounts, SQLAccounts):
            stack.push_async_callback(accounts.aclose)

        try:
            await _prepare(sessions, accounts)
        except UnavailableError as error:
            msg = f"{name} at {place} cannot be used: {error}."
            raise ConfigurationError(msg) from error

        note = "" if is_sql(url) else "the memory of this process"
        yield Storage(sessions, accounts, name, place, note)


async def _prepare(sessions: Any, accounts: AccountStore) -> None:
    """Make the tables that are not there yet, and see that the database answers."""
    if isinstance(accounts, SQLAccounts):
        await sessions.create_schema()
        await accounts.create_schema()

    await sessions.feed(None, wait=0)


def _place(url: str) -> str:
    """Say where it is: host and path, or the file."""
    scheme, _, rest = url.partition("://")
    before = rest.rpartition("@")[0]
    if "sqlite" not in scheme and _ODD.search(before):
        # Drivers read a password with such letters in it; whoever splits a URL by the
        # book takes the rest of it for a path.
        return "an address that is not shown: its password should be percent-encoded"

    try:
        parts = urlsplit(url)
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        msg = "--store is not a URL: its host or its port cannot be read."
        raise ConfigurationError(msg) from None

    if parts.hostname is None:
        return parts.path.removeprefix("/") if "sqlite" in parts.scheme else parts.path

    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{host}{port}{parts.path}"
