"""Tables of ours where Alembic looks after them, or in a schema of their own."""

from __future__ import annotations

import secrets

import pytest
from alembic.autogenerate import compare_metadata, produce_migrations
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Column, Integer, MetaData, Table, text
from sqlalchemy.ext.asyncio import create_async_engine

from asgi_auth.accounts.sql import SQLAccounts
from asgi_auth.backends.apikeys.sql import SQLAPIKeys
from asgi_auth.errors import ConfigurationError
from asgi_auth.stores import NewSession
from asgi_auth.stores.records import Revocation
from asgi_auth.stores.sql import SQLStore

pytestmark = pytest.mark.anyio

IDLE = {"idle_ttl": 600.0, "grace": 30.0}


@pytest.fixture
async def engine(request, database_url):
    """A database with nothing else in it."""
    url = SQLStore(database_url)._database.url
    name = f"d{secrets.token_hex(4)}"
    if url.get_backend_name() == "postgresql":
        server = create_async_engine(url, isolation_level="AUTOCOMMIT")
        async with server.connect() as connection:
            await connection.execute(text(f"CREATE DATABASE {name}"))
        await server.dispose()
        url = url.set(database=name)
    engine = create_async_engine(url)
    yield engine
    await engine.dispose()


def everything_on(engine):
    return [SQLStore(engine), SQLAccounts(engine), SQLAPIKeys(engine)]


def metadata_of(stores):
    application = MetaData()
    Table("orders", application, Column("id", Integer, primary_key=True))
    return [application, *(store.metadata for store in stores)]


async def differences(engine, metadata):
    def compare(connection):
        return compare_metadata(MigrationContext.configure(connection), metadata)

    async with engine.connect() as connection:
        return await connection.run_sync(compare)


async def upgrade(engine, metadata):
    """Do what a revision that Alembic has generated does."""

    def run(connection):
        context = MigrationContext.configure(connection)
        operations = Operations(context)
        for step in produce_migrations(context, metadata).upgrade_ops.ops:
            for operation in getattr(step, "ops", [step]):
                operations.invoke(operation)

    async with engine.begin() as connection:
        await connection.run_sync(run)


async def test_alembic_leaves_our_tables_alone(engine):
    stores = everything_on(engine)
    for store in stores:
        await store.create_schema()
    metadata = metadata_of(stores)
    await upgrade(engine, metadata)
    assert await differences(engine, metadata) == []
    # Without them it would drop what users log in with.
    dropped = await differences(engine, metadata[:1])
    assert {kind for kind, _ in dropped} == {"remove_table", "remove_index"}


async def test_alembic_makes_our_tables_as_we_do(engine):
    stores = everything_on(engine)
    await upgrade(engine, metadata_of(stores))
    for store in stores:
        await store.create_schema()
    assert await differences(engine, metadata_of(stores)) == []

    store = stores[0]
    await store.create(
        NewSession(sid="one", issuer="i", subject="s", idle_ttl=60, ttl=60)
    )
    assert (await store.rotate("one", 0, **IDLE)).outcome == "rotated"
    await store.publish([Revocation(kind="sid", issuer="i", value="one")], ttl=60)
    assert len((await store.feed(None, wait=0)).entries) == 1


async def test_tables_may_be_in_a_schema_of_their_own(postgres_url):
    name = f"s{secrets.token_hex(4)}"
    store = SQLStore(postgres_url, schema=name)
    with pytest.raises(ConfigurationError, match="CREATE SCHEMA"):
        await store.create_schema()
    await store.aclose()
    server = create_async_engine(SQLStore(postgres_url)._database.url)
    async with server.begin() as connection:
        await connection.execute(text(f"CREATE SCHEMA {name}"))

    store = SQLStore(postgres_url, schema=name)
    accounts = SQLAccounts(postgres_url, schema=name)
    for one in (store, accounts):
        await one.create_schema()
    await store.create(
        NewSession(sid="one", issuer="i", subject="s", idle_ttl=60, ttl=60)
    )
    assert (await store.rotate("one", 0, **IDLE)).outcome == "rotated"
    await store.sweep()
    async with server.connect() as connection:
        count = await connection.execute(
            text(f"SELECT count(*) FROM {name}.asgi_auth_sessions")
        )
        assert count.scalar() == 1
    await server.dispose()
    for one in (store, accounts):
        await one.aclose()


def test_sqlite_has_no_schemas():
    with pytest.raises(ConfigurationError, match="schema"):
        SQLStore("sqlite:///x.db", schema="auth")
