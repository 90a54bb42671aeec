"""More work than a store can do: refused at once, and no connection is thrown away."""

from __future__ import annotations

import asyncio
import time

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import create_async_engine

from asgi_auth import UnavailableError
from asgi_auth._drivers import gate as gates
from asgi_auth._drivers.gate import Gate
from asgi_auth._drivers.sql_life import CONNECTIONS
from asgi_auth.stores.records import Revocation
from asgi_auth.stores.redis import RedisStore
from asgi_auth.stores.sql import SQLStore
from tests.stores.valkey import valkey_server

pytestmark = [pytest.mark.alone, pytest.mark.anyio]

ISSUER = "https://issuer.example"


@pytest.fixture
def anyio_backend():
    return "asyncio"


# ---------------------------------------------------------------------------- the gate


async def test_no_more_are_in_than_there_are_places():
    gate = Gate(3, "it")
    inside, most = 0, 0

    async def work():
        nonlocal inside, most
        await gate.enter()
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0)
        inside -= 1
        gate.leave()

    await asyncio.gather(*(work() for _ in range(100)))
    assert (inside, most) == (0, 3)


async def test_who_finds_the_queue_full_is_refused_at_once(monkeypatch):
    monkeypatch.setattr(gates, "_WAITING", 2)
    gate = Gate(1, "it")
    await gate.enter()
    waiting = [asyncio.create_task(gate.enter()) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(UnavailableError, match="too many wait for it") as refused:
        await gate.enter()
    assert refused.value.retry_after == 1

    # The one on whom all verdicts depend is let in, and first.
    urgent = asyncio.create_task(gate.enter(urgent=True))
    await asyncio.sleep(0)
    gate.leave()
    await asyncio.wait_for(urgent, 10)
    assert not any(task.done() for task in waiting)
    for _ in range(2):
        gate.leave()
    await asyncio.gather(*waiting)


async def test_who_waits_too_long_is_refused_and_leaves_no_trace(monkeypatch):
    monkeypatch.setattr(gates, "_PATIENCE", 0.01)
    gate = Gate(1, "it")
    await gate.enter()
    for _ in range(3):
        with pytest.raises(UnavailableError):
            await gate.enter()
    gate.leave()
    await gate.enter()


async def test_a_place_is_not_lost_with_who_is_cancelled():
    gate = Gate(1, "it")
    await gate.enter()
    waiting = [asyncio.create_task(gate.enter()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    gate.leave()
    # Its turn has come, and it is cancelled before it runs.
    waiting[1].cancel()
    await asyncio.wait_for(waiting[2], 10)
    gate.leave()
    await asyncio.wait_for(gate.enter(), 10)


async def test_a_place_that_came_too_late_goes_to_the_next():
    gate = Gate(1, "it")
    await gate.enter()
    waiting = [asyncio.create_task(gate.enter()) for _ in range(2)]
    await asyncio.sleep(0)
    gate.leave()
    waiting[0].cancel()
    await asyncio.wait_for(waiting[1], 10)


# -------------------------------------------------------------------------- PostgreSQL


@pytest.fixture
async def store(postgres_url, table_prefix):
    store = SQLStore(postgres_url, table_prefix=table_prefix)
    await store.create_schema()
    yield store
    await store.aclose()


@pytest.fixture
async def connections(store):
    """Count the connections that are opened and closed."""
    counts = {"connect": 0, "close": 0}
    pool = store._database._lives.here().engine.sync_engine.pool

    for name in counts:

        def count(*_, name=name):
            counts[name] += 1

        event.listen(pool, name, count)

    return counts


async def crowd(store, number, *, patience=None):
    """Ask at once, and count the answers by their kind."""
    answers = {"served": 0, "refused": 0, "gone": 0}

    async def one():
        try:
            async with asyncio.timeout(patience):
                await store.find("0123456789abcdef.nothing")
        except UnavailableError as error:
            answers["refused"] += error.retry_after == 1
        except TimeoutError:
            answers["gone"] += 1
        else:
            answers["served"] += 1

    await asyncio.gather(*(one() for _ in range(number)))
    return answers


async def test_a_crowd_opens_as_many_connections_as_the_pool_has(store, connections):
    for _ in range(5):
        answers = await crowd(store, 200)
        assert answers == {"served": 200, "refused": 0, "gone": 0}
    assert connections["connect"] <= CONNECTIONS
    assert connections["close"] == 0


async def test_too_large_a_crowd_is_refused_at_once_and_the_rest_is_served(store):
    await crowd(store, 10)
    started = time.monotonic()
    answers = await crowd(store, 1000)
    assert answers["refused"] == 1000 - 256 - CONNECTIONS
    assert answers["served"] == 256 + CONNECTIONS
    assert time.monotonic() - started < 10
    # It is over as soon as the crowd is.
    assert await crowd(store, 200) == {"served": 200, "refused": 0, "gone": 0}


async def test_clients_that_give_up_cost_no_connection_and_leave_no_work(
    store, connections
):
    await crowd(store, 20)
    opened = connections["connect"]
    for patience in (0.0, 0.001, 0.002, 0.005, 0.01):
        await crowd(store, 200, patience=patience)

    # No metastable state: what nobody waits for is not done first.
    async with asyncio.timeout(10):
        assert (await crowd(store, 100))["served"] == 100
    assert connections["close"] == 0
    assert connections["connect"] <= max(opened, CONNECTIONS)


async def test_a_stalled_database_recovers_with_the_connections_that_it_had(
    store, connections, table_prefix
):
    """A lock on the table, shorter than a statement may take, under a crowd."""
    await crowd(store, 50)
    engine = create_async_engine(store._database.url)
    until = time.monotonic() + 0.8
    tries = {"served": 0, "refused": 0, "gone": 0}
    async with engine.connect() as connection:
        await connection.execute(
            text(f"LOCK TABLE {table_prefix}sessions IN ACCESS EXCLUSIVE MODE")
        )
        while time.monotonic() < until:
            for name, count in (await crowd(store, 300, patience=0.3)).items():
                tries[name] += count
        await connection.rollback()
    await engine.dispose()

    assert tries["served"] == 0
    started = time.monotonic()
    assert await crowd(store, 200) == {"served": 200, "refused": 0, "gone": 0}
    assert time.monotonic() - started < 10
    assert connections["close"] == 0
    assert connections["connect"] <= CONNECTIONS


async def test_a_crowd_does_not_keep_the_feed_out(store):
    cursor = (await store.feed(None, wait=0)).cursor
    rush = asyncio.create_task(crowd(store, 2000))
    await asyncio.sleep(0)
    await store._database.fetch(
        store._feed._publish,
        {"entries": '[["sid", "i", "x"]]', "ttl": 60.0, "now": None},
        write=True,
        urgent=True,
    )
    feed = await store.feed(cursor, wait=0)
    assert [entry.value for entry in feed.entries] == ["x"]
    assert not rush.done()
    await rush
    entry = Revocation(kind="sid", issuer=ISSUER, value="y")
    await store.publish([entry], ttl=60)


# ------------------------------------------------------------------------------- Redis


@pytest.fixture(scope="module")
def valkey():
    with valkey_server() as server:
        yield server


@pytest.fixture
async def redis_store(valkey):
    store = RedisStore(valkey.url, prefix="overload")
    yield store
    await store.aclose()


def opened(server):
    with server.client() as client:
        # It is one itself.
        return client.info("stats")["total_connections_received"] - 1


async def test_a_crowd_opens_few_connections_to_redis(valkey, redis_store):
    before = opened(valkey)
    for _ in range(5):
        answers = await crowd(redis_store, 280)
        assert answers == {"served": 280, "refused": 0, "gone": 0}
    assert opened(valkey) - before - 1 <= 32


async def test_too_large_a_crowd_before_redis_is_refused_at_once(redis_store):
    answers = await crowd(redis_store, 1000)
    assert answers == {"served": 256 + 32, "refused": 1000 - 256 - 32, "gone": 0}
    assert (await crowd(redis_store, 200))["served"] == 200


async def test_clients_that_give_up_cost_redis_no_connection(valkey, redis_store):
    await crowd(redis_store, 280)
    before = opened(valkey)
    for patience in (0.0, 0.0005, 0.001, 0.002, 0.005):
        await crowd(redis_store, 200, patience=patience)

    async with asyncio.timeout(10):
        assert (await crowd(redis_store, 100))["served"] == 100
    assert opened(valkey) - before - 1 <= 0


async def test_a_stalled_redis_recovers_with_the_connections_that_it_had(
    valkey, redis_store
):
    await crowd(redis_store, 280)
    before = opened(valkey)
    with valkey.client() as client:
        client.client_pause(600)
    answers = await crowd(redis_store, 1000, patience=0.3)
    assert answers["served"] == 0
    assert answers["refused"] >= 1000 - 256 - 32
    await asyncio.sleep(0.5)
    assert (await crowd(redis_store, 200))["served"] == 200
    assert opened(valkey) - before - 2 <= 0
