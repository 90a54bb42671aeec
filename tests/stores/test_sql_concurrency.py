"""The SQL store under many callers, in many loops, and under cancellation."""

from __future__ import annotations

import asyncio
import sqlite3
import time

import aiosqlite
import pytest

from asgi_auth.stores.sql import SQLStore
from tests.races import raced
from tests.stores.sql_world import IDLE, ISSUER, open_session

RACE = """
import asyncio
from asgi_auth.stores.sql import SQLStore

async def main(begin, url, prefix):
    store = SQLStore(url, table_prefix=prefix)
    await store.create_schema()
    await begin()
    rotations = await asyncio.gather(
        *(store.rotate("one", 0, idle_ttl=600, grace=30) for _ in range(50))
    )
    return [[r.outcome, r.session.seq, r.session.rotated_at] for r in rotations]
"""


# --------------------------------------------------------------------------- many at it


@pytest.mark.anyio
async def test_four_processes_that_race_have_one_successor(
    store, database_url, table_prefix
):
    await open_session(store)
    answers = await raced(RACE, *[[database_url, table_prefix]] * 4)
    found = [tuple(one) for answer in answers for one in answer]
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
    assert time.monotonic() - started < 10
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


# ------------------------------------------------------------- trips to SQLite's thread


@pytest.mark.anyio
async def test_a_refresh_goes_to_the_thread_of_a_file_once(sqlite_url, monkeypatch):
    store = SQLStore(sqlite_url)
    await store.create_schema()
    await open_session(store)
    trips = []
    execute = aiosqlite.Connection._execute

    async def counted(self, function, *args, **options):
        trips.append(function.__name__)
        return await execute(self, function, *args, **options)

    monkeypatch.setattr(aiosqlite.Connection, "_execute", counted)
    rotation = await store.rotate("one", 0, **IDLE)
    await store.aclose()

    assert rotation.outcome == "rotated"
    assert trips == ["execute", "close"], "that, and the end of the connection"


@pytest.mark.anyio
async def test_a_transaction_that_somebody_has_begun_is_rolled_back(sqlite_url):
    store = SQLStore(sqlite_url)
    await store.create_schema()
    life = await store._database._lives.get()
    async with life.engine.connect() as connection:
        await connection.exec_driver_sql("BEGIN IMMEDIATE")

    # Else the file would stay locked for everybody.
    await open_session(store)
    await store.aclose()


@pytest.mark.anyio
async def test_many_rows_at_once_are_counted_as_by_any_cursor(sqlite_url):
    store = SQLStore(sqlite_url)
    await store.create_schema()
    life = await store._database._lives.get()
    async with life.engine.connect() as connection:
        await connection.exec_driver_sql("CREATE TABLE numbers (n INTEGER)")
        made = await connection.exec_driver_sql(
            "INSERT INTO numbers VALUES (?)", [(1,), (2,), (3,)]
        )
        changed = await connection.exec_driver_sql("UPDATE numbers SET n = 0")
        assert (made.rowcount, changed.rowcount) == (3, 3)

    await store.aclose()
