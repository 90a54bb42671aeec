"""What may be used once is, however many ask, and leaves nothing behind."""

from __future__ import annotations

import threading
import time

import pytest

from asgi_auth.errors import UnavailableError
from asgi_auth.stores import memory_once
from asgi_auth.stores.memory import MemoryStore
from asgi_auth.stores.memory_once import MemoryOnce
from asgi_auth.stores.records import once_name
from asgi_auth.stores.redis import RedisStore
from asgi_auth.stores.sql import SQLStore
from tests.races import raced
from tests.stores.valkey import monitor, valkey_server

pytestmark = pytest.mark.anyio

T = 1_700_000_000.0

RACE = """
import asyncio
from asgi_auth.stores.redis import RedisStore
from asgi_auth.stores.sql import SQLStore

async def main(begin, url, count):
    store = (RedisStore if url.startswith("redis") else SQLStore)(url)
    await store.once("ticket", "warm", ttl=0)
    await begin()
    uses = [store.once("ticket", "one", ttl=30) for _ in range(count)]
    good = (await asyncio.gather(*uses)).count(True)
    await store.aclose()
    return good
"""


@pytest.fixture(scope="module")
def valkey():
    with valkey_server() as server:
        yield server


@pytest.fixture
async def sql(database_url, table_prefix):
    store = SQLStore(database_url, table_prefix=table_prefix)
    await store.create_schema()
    yield store
    await store.aclose()


@pytest.fixture
async def redis_store(valkey):
    store = RedisStore(valkey.url)
    yield store
    await store.aclose()


@pytest.fixture(params=["sqlite", "postgres", "valkey"])
async def url(request):
    """A database that four processes reach."""
    if request.param == "valkey":
        return request.getfixturevalue("valkey").url

    url = request.getfixturevalue(f"{request.param}_url")
    store = SQLStore(url)
    await store.create_schema()
    await store.aclose()
    return url


async def test_of_fifty_in_four_processes_one_uses_a_key(url):
    counts = await raced(RACE, *([url, count] for count in (12, 12, 13, 13)))
    assert sorted(counts) == [0, 0, 0, 1]


def test_of_fifty_threads_one_uses_a_key():
    table, uses = MemoryOnce(), []
    barrier = threading.Barrier(50)

    def use():
        barrier.wait()
        uses.append(table.use("ticket", "one", ttl=30, now=T))

    threads = [threading.Thread(target=use) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert uses.count(True) == 1
    assert len(uses) == 50


def test_what_no_longer_counts_goes_as_new_keys_come():
    table = MemoryOnce()
    for number in range(10_000):
        assert table.use("ticket", str(number), ttl=30, now=T + number)
    assert len(table) <= 31
    assert len(table._queue) == len(table)


def test_a_full_table_refuses_and_forgets_nothing(monkeypatch):
    monkeypatch.setattr(memory_once, "_MOST", 3)
    table = MemoryOnce()
    for key in "abc":
        assert table.use("ticket", key, ttl=30, now=T)
    with pytest.raises(UnavailableError):
        table.use("ticket", "d", ttl=30, now=T)
    for key in "abc":
        assert not table.use("ticket", key, ttl=30, now=T + 29)
    assert table.use("ticket", "d", ttl=30, now=T + 30)


def test_who_fills_one_space_keeps_nobody_out_of_another(monkeypatch):
    monkeypatch.setattr(memory_once, "_MOST", 3)
    monkeypatch.setattr(memory_once, "_MOST_IN_ALL", 5)
    table = MemoryOnce()
    for key in "abc":
        assert table.use("strangers", key, ttl=30, now=T)
    with pytest.raises(UnavailableError):
        table.use("strangers", "d", ttl=30, now=T)
    assert table.use("callers", "a", ttl=60, now=T)
    assert table.use("others", "a", ttl=60, now=T)
    with pytest.raises(UnavailableError, match="no more"):
        table.use("callers", "b", ttl=30, now=T)
    # With what no longer counts goes its count.
    assert table.use("strangers", "d", ttl=30, now=T + 30)
    assert not table.use("callers", "a", ttl=30, now=T + 30)
    assert table._counts == {"strangers": 1, "callers": 1, "others": 1}


async def test_a_memory_store_uses_a_key_by_its_own_clock():
    now = [T]
    store = MemoryStore(clock=lambda: now[0])
    assert await store.once("ticket", "one", ttl=30)
    now[0] += 29.5
    assert not await store.once("ticket", "one", ttl=30)
    now[0] += 0.5
    assert await store.once("ticket", "one", ttl=30)
    # Used again, it does not go with its first end.
    now[0] += 29.5
    assert not await store.once("ticket", "one", ttl=30)


async def test_a_use_is_one_round_trip_and_ends_by_itself(valkey, redis_store):
    await redis_store.once("ticket", "warm", ttl=1)
    async with monitor(valkey.port) as seen:
        for key in "abcde":
            await redis_store.once("ticket", key, ttl=30)
    assert [line.split()[0].upper() for line in seen] == ['"EVALSHA"'] * 5
    with valkey.client() as client:
        name = f"asgi_auth:o:{once_name('ticket', 'a')}"
        assert 29_000 < client.pttl(name) <= 30_000
        assert client.memory_usage(name) <= 160


async def test_sweeping_takes_what_no_longer_counts(sql):
    await sql.once("ticket", "old", ttl=30, now=T)
    await sql.once("ticket", "new", ttl=900, now=T)
    assert await sql.sweep(now=T + 60) == 0, "a clock may be set back a little"
    assert await sql.sweep(now=T + 91) == 1
    assert not await sql.once("ticket", "new", ttl=30, now=T + 91)


async def test_who_uses_keys_also_sweeps(sql):
    """Not every service reads revocations."""
    for number in range(5):
        await sql.once("ticket", str(number), ttl=30, now=T)
    sql._sweeper._next = time.monotonic()
    await sql.once("ticket", "new", ttl=30, now=T + 91)
    assert await sql.sweep(now=T + 91) == 0, "all of it is gone"
