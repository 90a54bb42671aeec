"""SQLStore on real databases: SQLite files and a PostgreSQL server."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import socket
import sqlite3
import sys
import time

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from asgi_auth.errors import ConfigurationError, UnavailableError
from asgi_auth.stores import NewSession, sql_terms
from asgi_auth.stores.records import Revocation
from asgi_auth.stores.sql import SQLStore
from asgi_auth.testing import StoreContract

T = 1_700_000_000.0
ISSUER = "https://issuer.example"
IDLE = {"idle_ttl": 600.0, "grace": 30.0}

WORKER = """
import asyncio, json, sys
from asgi_auth.stores.sql import SQLStore

async def main():
    store = SQLStore(sys.argv[1], table_prefix=sys.argv[2])
    await store.create_schema()
    print("ready", flush=True)
    sys.stdin.readline()
    rotations = await asyncio.gather(
        *(store.rotate("one", 0, idle_ttl=600, grace=30) for _ in range(50))
    )
    found = [[r.outcome, r.session.seq, r.session.rotated_at] for r in rotations]
    print(json.dumps(found), flush=True)

asyncio.run(main())
"""


class SQLContract(StoreContract):
    @pytest.fixture
    async def store(self, url, table_prefix):
        store = SQLStore(url, table_prefix=table_prefix)
        await store.create_schema()
        yield store
        await store.aclose()

    @pytest.fixture
    async def peer(self, store, url, table_prefix):
        peer = SQLStore(url, table_prefix=table_prefix)
        yield peer
        await peer.aclose()


class TestSQLiteContract(SQLContract):
    @pytest.fixture
    def url(self, sqlite_url):
        return sqlite_url


class TestPostgresContract(SQLContract):
    @pytest.fixture
    def url(self, postgres_url):
        return postgres_url


class TestGivenSQLiteEngineContract(StoreContract):
    @pytest.fixture
    async def store(self, sqlite_url):
        url = sqlite_url.replace("sqlite", "sqlite+aiosqlite", 1)
        engine = create_async_engine(url)
        store = SQLStore(engine)
        await store.create_schema()
        yield store
        await store.aclose()
        await engine.dispose()


@pytest.fixture
async def store(database_url, table_prefix, anyio_backend):
    store = SQLStore(database_url, table_prefix=table_prefix)
    await store.create_schema()
    yield store
    await store.aclose()


async def open_session(store, sid="one", *, now=None):
    return await store.create(
        NewSession(sid=sid, issuer=ISSUER, subject="ada", idle_ttl=600, ttl=3600),
        now=now,
    )


def direct_engine(store):
    """A second way to the database, past the store."""
    return create_async_engine(store._database.url)


# ------------------------------------------------------------------------ construction


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("mysql://localhost/db", "mysql"),
        ("postgresql+psycopg2://localhost/db", "psycopg2"),
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


# --------------------------------------------------------------------------- many at it


@pytest.mark.anyio
async def test_four_processes_that_race_have_one_successor(
    store, database_url, table_prefix
):
    await open_session(store)
    workers = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            WORKER,
            database_url,
            table_prefix,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(4)
    ]
    for worker in workers:
        assert await worker.stdout.readline() == b"ready\n"
    answers = await asyncio.gather(*(worker.communicate(b"go\n") for worker in workers))
    found = [tuple(one) for out, _ in answers for one in json.loads(out)]
    assert len(found) == 200
    assert [outcome for outcome, _, _ in found].count("rotated") == 1
    assert {outcome for outcome, _, _ in found} == {"rotated", "retried"}
    successors = {(seq, rotated_at) for _, seq, rotated_at in found}
    assert [seq for seq, _ in successors] == [1]


@pytest.mark.anyio
async def test_two_that_close_the_same_sessions_do_not_deadlock(store, database_url):
    sids = [f"sid-{number}" for number in range(40)]
    for sid in sids:
        await open_session(store, sid)
    peer = SQLStore(database_url, table_prefix=store._schema.sessions.name[:-8])
    await asyncio.gather(
        *(store.close(sids) for _ in range(4)),
        *(peer.close(sids[::-1]) for _ in range(4)),
    )
    assert list(await store.sessions(ISSUER, "ada")) == []
    await peer.aclose()


def test_event_loops_one_after_the_other_use_one_store(database_url, table_prefix):
    store = SQLStore(database_url, table_prefix=table_prefix)

    async def first():
        await store.create_schema()
        await open_session(store)

    async def later(seq):
        found = await asyncio.gather(*(store.rotate("one", seq, **IDLE) for _ in "ab"))
        return {rotation.outcome for rotation in found}

    asyncio.run(first())
    assert asyncio.run(later(0)) == {"rotated", "retried"}
    assert asyncio.run(later(1)) == {"rotated", "retried"}
    assert len(store._database._lives) == 0


@pytest.mark.anyio
async def test_event_loops_in_threads_use_one_store(store):
    await open_session(store)

    def rotate():
        return asyncio.run(store.rotate("one", 0, **IDLE)).outcome

    outcomes = await asyncio.gather(*(asyncio.to_thread(rotate) for _ in range(4)))
    assert sorted(outcomes) == ["retried", "retried", "retried", "rotated"]


# ------------------------------------------------------------------------- cancellation


@pytest.mark.anyio
async def test_a_refresh_cancelled_anywhere_can_be_retried(store):
    for number in range(40):
        sid = f"sid-{number}"
        await open_session(store, sid)
        task = asyncio.create_task(store.rotate(sid, 0, **IDLE))
        # From before the first step to after the last, in steps of the event loop.
        for _ in range(number // 2):
            await asyncio.sleep(0)
        if number % 2:
            await asyncio.sleep(number / 20_000)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        again = await store.rotate(sid, 0, **IDLE)
        assert again.outcome in {"rotated", "retried"}
        assert again.session.seq == 1
        third = await store.rotate(sid, 0, **IDLE)
        assert third.outcome == "retried"
        assert third.session == again.session


@pytest.mark.anyio
async def test_a_store_works_on_after_hundreds_of_cancelled_verbs(store):
    await open_session(store)
    for _ in range(10):
        tasks = [asyncio.create_task(store.rotate("one", 0, **IDLE)) for _ in range(30)]
        await asyncio.sleep(0.003)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert (await store.rotate("one", 0, **IDLE)).session.seq == 1
    life = await store._database._lives.get()
    await asyncio.gather(*life.verbs, return_exceptions=True)
    assert life.engine.pool.checkedout() == 0


def test_a_loop_may_end_while_verbs_are_on_their_way(database_url, table_prefix):
    store = SQLStore(database_url, table_prefix=table_prefix)

    async def leave(rounds):
        await store.create_schema()
        verbs = [store.sessions(ISSUER, "ada"), open_session(store, f"s{rounds}")]
        tasks = [asyncio.create_task(verb) for verb in verbs]
        tasks += [asyncio.create_task(store.rotate("s0", 0, **IDLE)) for _ in range(10)]
        await asyncio.sleep(rounds / 1000)
        return tasks

    started = time.monotonic()
    for rounds in range(12):
        asyncio.run(leave(rounds))
    assert time.monotonic() - started < 10
    assert asyncio.run(store.rotate("s0", 0, **IDLE)).outcome != "reused"


@pytest.mark.anyio
async def test_a_loop_may_end_while_a_sqlite_file_is_locked(sqlite_url, tmp_path):
    store = SQLStore(sqlite_url)
    await store.create_schema()
    await open_session(store)
    other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    async def leave():
        tasks = [asyncio.create_task(store.rotate("one", 0, **IDLE)) for _ in "abc"]
        await asyncio.sleep(0.1)
        tasks[0].cancel()

    started = time.monotonic()
    await asyncio.to_thread(asyncio.run, leave())
    assert time.monotonic() - started < 5
    other.execute("ROLLBACK")
    other.close()
    assert (await store.rotate("one", 0, **IDLE)).session.seq == 1
    await store.aclose()


@pytest.mark.anyio
async def test_closing_waits_for_what_a_cancelled_caller_left(sqlite_url, tmp_path):
    store = SQLStore(sqlite_url)
    await store.create_schema()
    await open_session(store)
    other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    before = asyncio.all_tasks()
    refresh = asyncio.create_task(store.rotate("one", 0, **IDLE))
    await asyncio.sleep(0.1)
    refresh.cancel()
    asyncio.get_running_loop().call_later(0.2, other.execute, "ROLLBACK")
    await store.aclose()

    assert not other.in_transaction
    assert asyncio.all_tasks() == before
    other.close()


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
    assert 1.5 < time.monotonic() - started < 3

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
    assert time.monotonic() - started < 3
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
        assert time.monotonic() - started < 3
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
        assert time.monotonic() - started < 3

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
        assert time.monotonic() - started < 3
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
    assert (await store.rotate("one", 0, **IDLE)).outcome == "rotated"
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


# --------------------------------------------------------------------------------- feed


async def insert_late(engine, table, *values):
    """Take numbers in one order, and commit in the other."""
    sql = (
        f"INSERT INTO {table} (kind, issuer, value, at, expires_at, stored_at) "
        "VALUES ('sid', 'i', :value, :at, 9e9, :at)"
    )
    connections = [await engine.connect() for _ in values]
    for connection, value in zip(connections, values, strict=True):
        await connection.execute(text(sql), {"value": value, "at": time.time()})
    return connections[::-1]


@pytest.mark.anyio
@pytest.mark.parametrize("first_read", ["before", "between"])
async def test_revocations_that_commit_in_reverse_are_both_seen(
    postgres_url, table_prefix, first_read
):
    store = SQLStore(postgres_url, table_prefix=table_prefix, poll=0.05)
    await store.create_schema()
    engine = direct_engine(store)
    cursor = None
    if first_read == "before":
        cursor = (await store.feed(None, wait=0)).cursor
    late = await insert_late(engine, f"{table_prefix}revocations", "low", "high")

    seen = []
    for connection in late:
        await connection.commit()
        await connection.close()
        feed = await store.feed(cursor, wait=2 if cursor else 0)
        cursor = feed.cursor
        seen.append([entry.value for entry in feed.entries])
    assert seen == [["high"], ["low"]]
    assert (await store.feed(cursor, wait=0)).entries == ()
    await engine.dispose()
    await store.aclose()


@pytest.mark.anyio
async def test_a_rolled_back_number_is_forgotten(postgres_url, table_prefix):
    store = SQLStore(postgres_url, table_prefix=table_prefix)
    await store.create_schema()
    engine = direct_engine(store)
    cursor = (await store.feed(None, wait=0, now=T)).cursor
    (late,) = await insert_late(engine, f"{table_prefix}revocations", "lost")
    await late.rollback()
    await late.close()
    await store.publish([Revocation(kind="jti", issuer="i", value="x")], ttl=9, now=T)
    cursor = (await store.feed(cursor, wait=0, now=T)).cursor
    # Whatever clock a caller brings: that of the database counts.
    cursor = (await store.feed(cursor, wait=0, now=T + 1e6)).cursor
    assert ";" in cursor
    number, seen_at = cursor.split("@")
    cursor = f"{number}@{float(seen_at) - 31}"
    assert ";" not in (await store.feed(cursor, wait=0, now=T)).cursor
    await engine.dispose()
    await store.aclose()


@pytest.mark.anyio
@pytest.mark.parametrize("cursor", ["", "x", "1;", "1;2", "1-2", "-1", "9" * 30, "٣"])
async def test_a_foreign_cursor_reads_the_whole_window(store, cursor):
    await store.publish([Revocation(kind="jti", issuer="i", value="x")], ttl=9)
    feed = await store.feed(cursor, wait=0)
    assert [entry.value for entry in feed.entries] == ["x"]


async def change(store, sql, **values):
    engine = direct_engine(store)
    table = store._schema.revocations.name
    async with engine.begin() as connection:
        await connection.execute(text(sql.format(table=table)), values)
    await engine.dispose()


async def age(store, seconds=86400):
    """Let all revocations have been stored long ago."""
    await change(store, "UPDATE {table} SET stored_at = stored_at - :s", s=seconds)


def revoked(*values):
    return [Revocation(kind="jti", issuer="i", value=value) for value in values]


@pytest.mark.anyio
async def test_a_number_never_comes_back_after_a_sweep(store):
    await store.publish(revoked("w", "x"), ttl=9, now=T)
    await age(store)
    cursor = (await store.feed(None, wait=0, now=T)).cursor
    # The newest row stays: readers stand there.
    assert await store.sweep(now=T + 7200) == 1
    await store.publish(revoked("y"), ttl=9, now=T)
    feed = await store.feed(cursor, wait=0, now=T)
    assert [entry.value for entry in feed.entries] == ["y"]
    assert not feed.restarted


# ------------------------------------------------------- a table that goes back in time


@pytest.mark.anyio
@pytest.mark.parametrize(
    "lose",
    [
        "DELETE FROM {table} WHERE value IN ('b', 'c')",
        # The number has been given out once more meanwhile.
        "UPDATE {table} SET value = 'd', stored_at = stored_at + 1 WHERE value = 'c'",
    ],
)
async def test_a_reader_of_a_table_that_was_put_back_reads_all_of_it(store, lose):
    await store.publish(revoked("a"), ttl=900)
    await store.publish(revoked("b"), ttl=900)
    await store.publish(revoked("c"), ttl=900)
    cursor = (await store.feed(None, wait=0)).cursor
    await change(store, lose)
    await store.publish(revoked("e"), ttl=900)

    feed = await store.feed(cursor, wait=0)
    assert feed.restarted
    assert {"a", "e"} <= {entry.value for entry in feed.entries}
    assert not (await store.feed(feed.cursor, wait=0)).restarted


@pytest.mark.anyio
async def test_a_reader_of_an_emptied_table_does_not_wait_for_its_numbers(store):
    await store.publish(revoked("a", "b", "c"), ttl=900)
    cursor = (await store.feed(None, wait=0)).cursor
    await change(store, "DELETE FROM {table}")
    feed = await store.feed(cursor, wait=5)
    assert (feed.entries, feed.restarted) == ((), True)


@pytest.mark.anyio
async def test_a_cursor_from_the_future_begins_anew(store):
    await store.publish(revoked("a"), ttl=900)
    feed = await store.feed("1000000=1.5", wait=5)
    assert [entry.value for entry in feed.entries] == ["a"]
    assert feed.restarted


@pytest.mark.anyio
async def test_what_was_committed_by_a_clock_an_hour_behind_settles_nothing(
    postgres_url, table_prefix
):
    store = SQLStore(postgres_url, table_prefix=table_prefix)
    await store.create_schema()
    engine = direct_engine(store)
    (late,) = await insert_late(engine, f"{table_prefix}revocations", "late")
    now = time.time()
    await store.publish(revoked("behind"), ttl=7200, now=now - 3600)
    cursor = (await store.feed(None, wait=0)).cursor
    await late.commit()
    await late.close()
    feed = await store.feed(cursor, wait=0)
    assert [entry.value for entry in feed.entries] == ["late"]
    await engine.dispose()
    await store.aclose()


# -------------------------------------------------------------------------------- sweep


@pytest.mark.anyio
async def test_sweep_deletes_what_ended_and_nothing_else(store):
    await open_session(store, "closed", now=T)
    await open_session(store, "idle", now=T)
    await open_session(store, "live", now=T + 86000)
    await store.close(["closed"], now=T)
    await store.publish([Revocation(kind="sid", issuer="i", value="x")], ttl=9, now=T)
    await store.publish([Revocation(kind="all", issuer="i")], ttl=10 * 86400, now=T)
    await age(store)
    assert await store.sweep(now=T + 5) == 0
    assert await store.sweep(now=T + 86400) == 2
    assert (await store.rotate("closed", 0, **IDLE, now=T)).session is None
    assert await store.sweep(now=T + 86400 + 600) == 1
    assert (await store.rotate("live", 0, **IDLE, now=T + 86001)).outcome == "rotated"
    feed = await store.feed(None, wait=0, now=T + 86400)
    assert [entry.kind for entry in feed.entries] == ["all"]


@pytest.mark.anyio
async def test_a_clock_that_jumps_ahead_sweeps_nothing_that_is_in_force(store):
    await store.publish(revoked("x", "y"), ttl=900)
    assert await store.sweep(now=time.time() + 10 * 86400) == 0
    assert len((await store.feed(None, wait=0)).entries) == 2


@pytest.mark.anyio
async def test_feed_sweeps_now_and_then(store):
    await open_session(store, now=T)
    await store.feed(None, wait=0, now=T + 10 * 86400)
    assert (await store.rotate("one", 0, **IDLE, now=T)).outcome == "rotated"
    store._sweeper._next = time.monotonic()
    await store.feed(None, wait=0, now=T + 10 * 86400)
    assert (await store.rotate("one", 0, **IDLE, now=T)).session is None


@pytest.mark.anyio
async def test_a_feed_sweeps_a_piece_at_a_time_until_all_is_gone(
    store, database_url, table_prefix, monkeypatch
):
    """Whoever waits for news of revocations does not wait for a large sweep."""
    monkeypatch.setattr(sql_terms, "_SWEEP_AT_ONCE", 2)
    worker = SQLStore(database_url, table_prefix=table_prefix)
    for number in range(7):
        await open_session(store, f"s{number}", now=T)

    worker._sweeper._next = time.monotonic()
    left = []
    for _ in range(6):
        await worker.feed(None, wait=0, now=T + 10 * 86400)
        found = [await store.find(f"s{number}", now=T) for number in range(7)]
        left.append(sum(session is not None for session in found))

    assert left == [5, 3, 1, 0, 0, 0]
    assert worker._sweeper._next > time.monotonic() + 3000
    await worker.aclose()


@pytest.mark.anyio
async def test_a_worker_sweeps_early_since_it_may_not_live_for_an_hour(store):
    assert 0 < store._sweeper._next - time.monotonic() < 100
