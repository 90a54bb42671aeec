"""Databases for the tests of stores: a SQLite file each, and one PostgreSQL server."""

from __future__ import annotations

import pytest

from asgi_auth.stores.sql import SQLStore
from tests.postgres import start_postgres, stop_postgres
from tests.stores.sql_world import new_prefix


@pytest.fixture(scope="session")
def postgres_server():
    server = start_postgres()
    yield server
    stop_postgres(server)


@pytest.fixture
def own_postgres():
    """A server that a test may kill."""
    server = start_postgres()
    yield server
    stop_postgres(server)


@pytest.fixture(scope="session")
def postgres_url(postgres_server) -> str:
    return postgres_server.get_uri()


@pytest.fixture
def sqlite_url(tmp_path) -> str:
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request) -> str:
    return request.getfixturevalue(f"{request.param}_url")


@pytest.fixture
def table_prefix() -> str:
    return new_prefix()


@pytest.fixture
async def store(database_url, table_prefix, anyio_backend):
    store = SQLStore(database_url, table_prefix=table_prefix)
    await store.create_schema()
    yield store
    await store.aclose()
