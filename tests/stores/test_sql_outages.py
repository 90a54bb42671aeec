"""Outages of the SQL store, and what it logs."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sqlite3
import time

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from asgi_auth._drivers import sql_pool
from asgi_auth.errors import UnavailableError
from asgi_auth.stores.records import Revocation
from asgi_auth.stores.sql import SQLStore
from tests.faults import fault_proxy
from tests.postgres import socket_of
from tests.stores.sql_world import IDLE, ISSUER, direct_engine, open_session

# ------------------------------------------------------------------------------ outages


@pytest.mark.anyio
async def test_a_locked_sqlite_file_is_waited_for_and_then_an_outage(
    sqlite_url, tmp_path
):
    store = SQLStore(sqlite_url)
    await store.create_schema()
    await open_session(store)
    other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    started = time.monotonic()
    writers = [store.rotate("one", 0, **IDLE) for _ in range(5)]
    answers = await asyncio.gather(*writers, return_exceptions=True)
    assert {type(answer) for answer in answers} == {UnavailableError}
    assert 1.5 < time.monotonic() - started < 10

    # Readers go on meanwhile.
    assert len(await store.sessions(ISSUER, "ada")) == 1
    assert (await store.feed(None, wait=0)).entries == ()

    waiting = asyncio.create_task(store.rotate("one", 0, **IDLE))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    other.execute("ROLLBACK")
    other.close()
    # One that was given up may have come through after all: then this is its retry.
    assert (await waiting).session.seq == 1
    await store.aclose()


@pytest.mark.anyio
@pytest.mark.parametrize("content", [b"this is no database" * 100, None])
async def test_a_broken_or_missing_sqlite_file_is_an_outage(content, tmp_path):
    path = tmp_path / "gone" / "store.db"
    if content is not None:
        path.parent.mkdir()
        path.write_bytes(content)
    store = SQLStore(f"sqlite:///{path}")
    with pytest.raises(UnavailableError):
        await store.rotate("one", 0, **IDLE)
    await store.aclose()


@pytest.mark.anyio
async def test_an_unreachable_server_is_an_outage(free_port):
    store = SQLStore(f"postgresql://ada:hunter2@127.0.0.1:{free_port}/db")
    started = time.monotonic()
    with pytest.raises(UnavailableError) as caught:
        await store.rotate("one", 0, **IDLE)
    assert time.monotonic() - started < 10
    assert "hunter2" not in str(caught.value)
    await store.aclose()


@pytest.mark.anyio
async def test_a_server_that_never_answers_is_an_outage():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(50)
        store = SQLStore(f"postgresql://ada@127.0.0.1:{listener.getsockname()[1]}/db")
        started = time.monotonic()
        verbs = [store.sessions(ISSUER, "ada") for _ in range(30)]
        answers = await asyncio.gather(*verbs, return_exceptions=True)
        assert {type(answer) for answer in answers} == {UnavailableError}
        assert time.monotonic() - started < 10
        await store.aclose()


@pytest.mark.anyio
@pytest.mark.parametrize("stop", [signal.SIGQUIT, signal.SIGINT])
async def test_a_server_that_goes_down_and_comes_back(own_postgres, stop):
    store = SQLStore(own_postgres.get_uri())
    await store.create_schema()
    await open_session(store)
    await asyncio.gather(*(store.sessions(ISSUER, "ada") for _ in range(5)))

    process = own_postgres.get_postmaster_info().process
    process.send_signal(stop)
    await asyncio.to_thread(process.wait, 10)
    for _ in range(3):
        started = time.monotonic()
        with pytest.raises(UnavailableError):
            await store.rotate("one", 0, **IDLE)
        with pytest.raises(UnavailableError):
            await store.feed(None, wait=0)
        assert time.monotonic() - started < 10

    await asyncio.to_thread(own_postgres.ensure_postgres_running)
    deadline = time.monotonic() + 5
    outcome = None
    while outcome is None and time.monotonic() < deadline:
        try:
            outcome = (await store.rotate("one", 0, **IDLE)).outcome
        except UnavailableError:
            await asyncio.sleep(0.1)
    assert outcome == "rotated"
    await store.aclose()


@pytest.mark.anyio
async def test_a_server_that_hangs_is_an_outage_and_recovers(own_postgres):
    store = SQLStore(own_postgres.get_uri())
    await store.create_schema()
    await open_session(store)
    postmaster = own_postgres.get_postmaster_info().process
    frozen = [postmaster, *postmaster.children(recursive=True)]
    for process in frozen:
        process.suspend()
    try:
        started = time.monotonic()
        verbs = [store.rotate("one", 0, **IDLE) for _ in range(20)]
        answers = await asyncio.gather(*verbs, return_exceptions=True)
        assert {type(answer) for answer in answers} == {UnavailableError}
        assert time.monotonic() - started < 10
    finally:
        for process in frozen:
            process.resume()
    deadline = time.monotonic() + 5
    found = None
    while found is None and time.monotonic() < deadline:
        try:
            found = await store.rotate("one", 0, **IDLE)
        except UnavailableError:
            await asyncio.sleep(0.1)
    assert found.outcome in {"rotated", "retried"}
    assert found.session.seq == 1
    await store.aclose()


@pytest.mark.anyio
async def test_idle_connections_that_were_cut_are_not_noticed(own_postgres):
    store = SQLStore(own_postgres.get_uri())
    await store.create_schema()
    await open_session(store)
    engine = direct_engine(store)
    async with engine.connect() as connection:
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        await connection.execute(text(f"{cut} WHERE pid <> pg_backend_pid()"))
    await engine.dispose()
    await asyncio.sleep(0.1)  # The driver hears of it.
    assert (await store.rotate("one", 0, **IDLE)).outcome == "rotated"
    await store.aclose()


@pytest.mark.anyio
async def test_idle_connections_of_which_no_end_was_heard_are_asked(
    postgres_url, table_prefix, monkeypatch
):
    async with fault_proxy(str(socket_of(postgres_url))) as proxy:
        url = f"postgresql://postgres@127.0.0.1:{proxy.port}/postgres"
        store = SQLStore(url, table_prefix=table_prefix)
        await store.create_schema()
        await open_session(store)
        await store.find("one")

        before = proxy.requests
        await store.find("one")
        assert proxy.requests - before == 1, "it was used just now"

        monkeypatch.setattr(sql_pool, "PROBED_AFTER", 0.0)
        await store.find("one")
        asked = proxy.requests - before
        await store.find("one")
        # The first question prepares itself, which takes trips of its own.
        assert asked > 2
        assert proxy.requests - before - asked == 2

        # No driver hears of what a network swallows; nor would one that is collected.
        monkeypatch.setattr(asyncpg.Connection, "is_closed", lambda _: False)
        monkeypatch.setattr(asyncpg.Connection, "__del__", lambda _: None)
        proxy.drop()
        assert (await store.rotate("one", 0, **IDLE)).outcome == "rotated"
        monkeypatch.undo()
        await store.aclose()


@pytest.mark.anyio
@pytest.mark.parametrize("database", ["ada", "postgres"])
async def test_a_database_that_refuses_us_is_an_outage(postgres_url, database):
    url = postgres_url.replace("/postgres?", f"/{database}?")
    if database == "postgres":
        url = url.replace("postgres:@", "nobody:@")
    store = SQLStore(url)
    with pytest.raises(UnavailableError):
        await store.feed(None, wait=0)
    await store.aclose()


@pytest.mark.anyio
async def test_a_connection_that_only_reads_is_used_once(store):
    """As one opened without the rights to write, or to a replica of the same name."""
    await open_session(store)
    words = {
        "sqlite": "PRAGMA query_only = on",
        "postgresql": "SET default_transaction_read_only = on",
    }
    engine = store._database._lives.here().engine
    async with engine.connect() as connection:
        await connection.exec_driver_sql(words[store._database.dialect])

    with pytest.raises(UnavailableError):
        await store.rotate("one", 0, **IDLE)
    assert (await store.rotate("one", 0, **IDLE)).outcome == "rotated"


@pytest.mark.anyio
async def test_a_bug_of_ours_is_no_outage(store):
    with pytest.raises(Exception, match="nothing_like_it") as caught:
        await store._database.fetch(text("SELECT nothing_like_it"))
    assert not isinstance(caught.value, UnavailableError)


# ----------------------------------------------------------------------- what is logged


@pytest.mark.anyio
async def test_no_driver_writes_down_what_is_stored(database_url, table_prefix, caplog):
    caplog.set_level(logging.DEBUG)
    store = SQLStore(database_url, table_prefix=table_prefix)
    await store.create_schema()
    secret = "c0ffee-secret"
    await open_session(store, f"sid-{secret}")
    await store.rotate(f"sid-{secret}", 0, **IDLE)
    await store.publish(
        [Revocation(kind="sid", issuer="i", value=f"value-{secret}")], ttl=60
    )
    assert len((await store.feed(None, wait=0)).entries) == 1
    with pytest.raises(ValueError, match="exists"):
        await open_session(store, f"sid-{secret}")
    with pytest.raises(Exception, match="nothing_like_it") as caught:
        await store._database.fetch(
            text("SELECT nothing_like_it, :sid"), {"sid": secret}
        )
    assert secret not in str(caught.value)
    assert secret not in caplog.text
    if database_url.startswith("sqlite"):
        assert "executing execute" in caplog.text
    await store.aclose()


@pytest.mark.anyio
async def test_an_engine_of_the_application_keeps_our_values_to_itself(
    database_url, table_prefix, caplog
):
    caplog.set_level(logging.INFO, logger="sqlalchemy.engine")
    engine = create_async_engine(SQLStore(database_url)._database.url)
    store = SQLStore(engine, table_prefix=table_prefix)
    await store.create_schema()
    await open_session(store, "sid-c0ffee-secret")
    with pytest.raises(Exception, match="nothing_like_it") as caught:
        await store._database.fetch(
            text("SELECT nothing_like_it, :sid"), {"sid": "c0ffee-secret"}
        )
    assert "c0ffee-secret" not in str(caught.value)
    assert "c0ffee-secret" not in caplog.text
    # What its owner does with it is its owner's.
    assert not engine.sync_engine.hide_parameters
    await engine.dispose()


@pytest.mark.anyio
@pytest.mark.parametrize("echo", [False, True, "debug"])
async def test_an_engine_of_the_application_logs_no_row_of_ours(
    database_url, table_prefix, caplog, echo
):
    if not echo:
        caplog.set_level(logging.DEBUG, logger="sqlalchemy.engine")

    engine = create_async_engine(SQLStore(database_url)._database.url, echo=echo)
    store = SQLStore(engine, table_prefix=table_prefix)
    await store.create_schema()
    await open_session(store, "sid-c0ffee-secret")
    found = await store._database.fetch(text("SELECT 'sid-' || 'c0ffee-secret'"))
    assert found[0][0] == "sid-c0ffee-secret"
    assert "SELECT" in caplog.text
    assert "sid-c0ffee-secret" not in caplog.text
    # What its owner does with it is its owner's.
    async with engine.connect() as connection:
        await connection.execute(text("SELECT :value"), {"value": "of the owner"})
    assert "of the owner" in caplog.text
    await engine.dispose()
