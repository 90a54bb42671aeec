"""What the tests of the SQL store share."""

from __future__ import annotations

import itertools
import os

from sqlalchemy.ext.asyncio import create_async_engine

from asgi_auth.stores import NewSession

ISSUER = "https://issuer.example"
IDLE = {"idle_ttl": 600.0, "grace": 30.0}

_numbers = itertools.count(1)


def new_prefix() -> str:
    """Return a name that no other test has on the shared server."""
    return f"t{os.getpid()}_{next(_numbers)}_"


async def open_session(store, sid="one", *, now=None):
    return await store.create(
        NewSession(sid=sid, issuer=ISSUER, subject="ada", idle_ttl=600, ttl=3600),
        now=now,
    )


def direct_engine(store):
    """A second way to the database, past the store."""
    return create_async_engine(store._database.url)
