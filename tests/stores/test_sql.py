"""SQLStore on real databases: SQLite files and a PostgreSQL server."""

from __future__ import annotations

import asyncio
import sqlite3
import sys

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from asgi_auth.errors import ConfigurationError
from asgi_auth.stores.sql import SQLStore
from tests.stores.sql_contract import SharedContract, SQLContract
from tests.stores.sql_world import IDLE, open_session


class TestSQLiteContract(SQLContract):
    @pytest.fixture(scope="class")
    @classmethod
    def url(cls, tmp_path_factory):
        return f"sqlite:///{tmp_path_factory.mktemp('contract') / 'store.db'}"


class TestPostgresContract(SQLContract):
    @pytest.fixture(scope="class")
    @classmethod
    def url(cls, postgres_url):
        return postgres_url


class TestGivenSQLiteEngineContract(SharedContract):
    @pytest.fixture(scope="class")
    @classmethod
    async def stores(cls, tmp_path_factory, anyio_backend):
        path = tmp_path_factory.mktemp("contract") / "store.db"
        engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
        store = SQLStore(engine)
        await store.create_schema()
        yield store, store
        await store.aclose()
        await engine.dispose()


# ------------------------------------------------------------------------ construction


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("mysql://localhost/db", "mysql"),
        ("postgresql+psycopg2://localhost/db", r"psycopg2 blocks: write postgresql://"),
        ("postgresql+nope://localhost/db", r"no driver postgresql\+nope: write"),
        ("sqlite://", "needs a file: .* MemoryStore"),
        ("sqlite:///:memory:", "needs a file"),
        ("sqlite:///file:x?mode=memory&uri=true", "needs a file"),
        ("sqlite:/x.db", "sqlite:///app.db"),
        ("sqlite://x.db", "sqlite:///app.db"),
        ("sqlite+pysqlite:///file.db", "aiosqlite"),
        ("no url", "postgresql://"),
    ],
)
def test_a_wrong_url_is_told_when_the_store_is_made(url, word):
    with pytest.raises(ConfigurationError, match=word):
        SQLStore(url)


@pytest.mark.parametrize(
    "settings",
    [
        {"table_prefix": "a-b"},
        {"table_prefix": ""},
        {"table_prefix": 'x"; DROP TABLE y; --'},
        {"table_prefix": "x" * 40},
        {"retention": -1.0},
        {"poll": 0.0},
    ],
)
def test_a_wrong_setting_is_told_when_the_store_is_made(settings):
    with pytest.raises(ConfigurationError):
        SQLStore("sqlite:///never-opened.db", **settings)


def test_the_password_is_never_shown():
    store = SQLStore("postgresql://ada:hunter2@localhost/db")
    assert "hunter2" not in repr(store)
    with pytest.raises(ConfigurationError) as caught:
        SQLStore("ada:hunter2@localhost/db")
    assert "hunter2" not in str(caught.value)


def test_a_store_works_without_sqlalchemy_until_it_is_made():
    code = """
import sys
sys.modules["sqlalchemy"] = None
from asgi_auth.errors import MissingExtraError
from asgi_auth.stores.sql import SQLStore
try:
    SQLStore("sqlite:///x.db")
except MissingExtraError as error:
    print(error)
"""
    assert 'python -m pip install "asgi-auth[sql]"' in run_python(code)


def test_a_missing_driver_is_told_with_its_command():
    code = """
import sys
sys.modules["asyncpg"] = None
from asgi_auth.errors import MissingExtraError
from asgi_auth.stores.sql import SQLStore
try:
    SQLStore("postgres://ada@localhost/x")
except MissingExtraError as error:
    print(error)
"""
    assert 'python -m pip install "asgi-auth[postgres]"' in run_python(code)


def run_python(code, *arguments):
    import subprocess

    run = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


# ------------------------------------------------------------------------------ schema


@pytest.mark.anyio
async def test_a_missing_table_says_what_to_do(database_url, table_prefix):
    store = SQLStore(database_url, table_prefix=table_prefix)
    with pytest.raises(ConfigurationError, match="create_schema"):
        await store.rotate("one", 0, **IDLE)
    with pytest.raises(ConfigurationError, match="create_schema"):
        await store.feed(None, wait=0)
    await store.aclose()


@pytest.mark.anyio
async def test_a_missing_column_is_named_by_whatever_verb_meets_it(
    database_url, table_prefix
):
    store = SQLStore(database_url, table_prefix=table_prefix)
    await store.create_schema()
    table = f"{table_prefix}sessions"
    async with store._database._lives.here().engine.connect() as connection:
        await connection.exec_driver_sql(f"ALTER TABLE {table} DROP COLUMN rotated_by")

    missing = rf"a column is missing \({table}\.rotated_by\): migrate"
    for verb in (open_session(store), store.rotate("one", 0, **IDLE), store.ping()):
        with pytest.raises(ConfigurationError, match=missing):
            await verb

    await store.aclose()


@pytest.mark.anyio
async def test_many_workers_may_make_the_schema_at_once(database_url, table_prefix):
    stores = [SQLStore(database_url, table_prefix=table_prefix) for _ in range(6)]
    await asyncio.gather(*(store.create_schema() for store in stores))
    await open_session(stores[0])
    await asyncio.gather(*(store.create_schema() for store in stores))
    assert (await stores[1].rotate("one", 0, **IDLE)).outcome == "rotated"
    for store in stores:
        await store.aclose()


@pytest.mark.anyio
async def test_two_prefixes_share_a_database(store, database_url):
    other = SQLStore(database_url, table_prefix=store._schema.sessions.name[:-8] + "b_")
    await other.create_schema()
    await open_session(store)
    assert (await other.rotate("one", 0, **IDLE)).outcome == "refused"
    await other.aclose()


@pytest.mark.anyio
async def test_a_taken_sid_is_refused(store):
    await open_session(store)
    with pytest.raises(ValueError, match="sid"):
        await open_session(store)


@pytest.mark.anyio
async def test_sqlite_writes_ahead(sqlite_url, tmp_path):
    store = SQLStore(sqlite_url)
    await store.create_schema()
    with sqlite3.connect(tmp_path / "store.db") as connection:
        mode = connection.execute("PRAGMA journal_mode").fetchone()
    connection.close()
    assert mode == ("wal",)
    await store.aclose()
