"""An engine of an application of its own, with its tables, on SQLite or PostgreSQL."""

from __future__ import annotations

from contextlib import asynccontextmanager

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

__all__ = ["own_engine"]


@asynccontextmanager
async def own_engine(request, metadata):
    """Yield an engine of the kind that *request* names, with tables that are empty."""
    url, options = _where(request)
    engine = create_async_engine(url, **options)
    async with engine.begin() as connection:
        # Who was here before may have left some: the database is shared.
        await connection.run_sync(metadata.drop_all)
        await connection.run_sync(metadata.create_all)
    try:
        yield engine
    finally:
        async with engine.begin() as connection:
            await connection.run_sync(metadata.drop_all)
        await engine.dispose()


def _where(request):
    if request.param == "sqlite":
        folder = request.getfixturevalue("tmp_path")
        return f"sqlite+aiosqlite:///{folder}/own.db", {}

    # asyncpg takes the folder of a socket as an argument, not from the URL.
    given = sa.make_url(request.getfixturevalue("postgres_url"))
    options = {"connect_args": {"host": given.query.get("host")}}
    return given.set(drivername="postgresql+asyncpg", query={}), options
