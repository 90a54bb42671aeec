"""The feed of revocations of the SQL store, and its sweep."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import text

from asgi_auth.stores import sql_terms
from asgi_auth.stores.records import Revocation
from asgi_auth.stores.sql import SQLStore
from tests.stores.sql_world import IDLE, direct_engine, open_session

T = 1_700_000_000.0


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
@pytest.mark.parametrize("first_read", ["before", "between"])
async def test_pages_that_end_within_a_transaction_hide_none_that_commits_late(
    postgres_url, table_prefix, first_read
):
    store = SQLStore(postgres_url, table_prefix=table_prefix)
    await store.create_schema()
    engine = direct_engine(store)
    cursor = None
    if first_read == "before":
        cursor = (await store.feed(None, wait=0)).cursor
    # The lower number is taken first, and shows up when all above it were read.
    (late,) = await insert_late(engine, f"{table_prefix}revocations", "late")
    await store.publish(revoked(*map(str, range(2500))), ttl=900)

    feed = await store.feed(cursor, wait=0)
    seen = {entry.value for entry in feed.entries}
    assert feed.more
    while feed.more:
        feed = await store.feed(feed.cursor, wait=0)
        seen |= {entry.value for entry in feed.entries}
    assert seen == {*map(str, range(2500))}
    await late.commit()
    await late.close()
    feed = await store.feed(feed.cursor, wait=0)
    assert [entry.value for entry in feed.entries] == ["late"]
    await engine.dispose()
    await store.aclose()


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
