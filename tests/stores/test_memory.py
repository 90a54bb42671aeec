"""MemoryStore: the contract, its bounds, and more than one loop or thread."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace

import pytest

from asgi_auth.errors import ConfigurationError
from asgi_auth.stores import NewSession, memory_feed
from asgi_auth.stores.memory import MemoryStore
from asgi_auth.stores.records import Revocation
from asgi_auth.testing import FakeClock, StoreContract

ISSUER = "https://issuer.example"
ROTATE = {"idle_ttl": 600.0, "grace": 30.0}


class TestMemoryContract(StoreContract):
    @pytest.fixture
    def store(self):
        return MemoryStore()


@pytest.fixture
def clock():
    return FakeClock()


def open_session(store, sid, *, idle_ttl=600.0, subject="ada"):
    return store.create(
        NewSession(sid=sid, issuer=ISSUER, subject=subject, idle_ttl=idle_ttl, ttl=3600)
    )


async def known(store, *sids):
    """Tell which sessions the store still knows, without refreshing any."""
    found = [(sid, await store.rotate(sid, -1, **ROTATE)) for sid in sids]
    return {sid for sid, rotation in found if rotation.session is not None}


@pytest.mark.parametrize("settings", [{"max_sessions": 0}, {"retention": -1.0}])
def test_a_wrong_setting_is_told_when_the_store_is_made(settings):
    with pytest.raises(ConfigurationError):
        MemoryStore(**settings)


@pytest.mark.anyio
async def test_a_taken_sid_is_refused():
    store = MemoryStore()
    await open_session(store, "one")
    with pytest.raises(ValueError, match="sid"):
        await open_session(store, "one")


@pytest.mark.anyio
async def test_claims_that_are_no_json_are_refused():
    store = MemoryStore()
    with pytest.raises(TypeError):
        await store.create(
            NewSession(
                sid="a", issuer="", subject="b", idle_ttl=1, ttl=1, claims={"set": {1}}
            )
        )
    assert list(await store.sessions("", "b")) == []


@pytest.mark.anyio
async def test_a_full_store_drops_the_ended_session_first(clock):
    store = MemoryStore(max_sessions=3, clock=clock)
    await open_session(store, "old")
    await open_session(store, "ended", idle_ttl=10)
    await open_session(store, "new")
    clock.advance(10)
    await open_session(store, "newest")
    assert await known(store, "old", "ended", "new", "newest") == {
        "old",
        "new",
        "newest",
    }


@pytest.mark.anyio
async def test_a_full_store_drops_closed_sessions_before_live_ones(clock):
    store = MemoryStore(max_sessions=2, clock=clock)
    await open_session(store, "live")
    await open_session(store, "closed")
    await store.close(["closed"])
    await open_session(store, "new")
    assert await known(store, "live", "closed", "new") == {"live", "new"}


@pytest.mark.anyio
async def test_a_full_store_drops_the_session_refreshed_longest_ago(clock):
    store = MemoryStore(max_sessions=3, clock=clock)
    for sid in ("a", "b", "c"):
        await open_session(store, sid, subject=sid)
        clock.advance(1)
    await store.rotate("a", 0, **ROTATE)
    await open_session(store, "d")
    assert await known(store, "a", "b", "c", "d") == {"a", "c", "d"}
    assert list(await store.sessions(ISSUER, "b")) == []


@pytest.mark.anyio
async def test_it_holds_no_more_than_it_may_whatever_comes(clock):
    store = MemoryStore(max_sessions=50, retention=100, clock=clock)
    for number in range(2000):
        await open_session(store, f"s{number}", subject=f"u{number % 7}")
        if number % 3 == 0:
            await store.rotate(f"s{number}", 0, **ROTATE)
        if number % 5 == 0:
            await store.close([f"s{number}"])
        clock.advance(number % 11)
    assert len(store._rows) <= 50
    assert len(store._ends) <= 2 * 50 + 20
    assert sum(map(len, store._subjects.values())) == len(store._rows)


@pytest.mark.anyio
async def test_ended_sessions_go_as_new_ones_come(clock):
    store = MemoryStore(retention=100, clock=clock)
    for number in range(100):
        await open_session(store, f"s{number}", subject=f"u{number}")
    await store.rotate("s0", 0, idle_ttl=3000, grace=0)
    clock.advance(700)
    for number in range(20):
        await open_session(store, f"n{number}")
    assert len(store._rows) == 21
    assert await known(store, "s0", "s1") == {"s0"}
    assert len(store._subjects) == 2


@pytest.mark.anyio
async def test_an_ended_session_is_known_for_the_retention(clock):
    store = MemoryStore(retention=100, clock=clock)
    await open_session(store, "one", idle_ttl=10)
    clock.advance(109)
    await open_session(store, "two")
    assert await known(store, "one") == {"one"}
    clock.advance(1)
    await open_session(store, "three")
    assert await known(store, "one") == set()


@pytest.mark.anyio
async def test_revocations_go_when_they_expire(clock, monkeypatch):
    # The name in that module, not the function: event loops and threads use it as well.
    monkeypatch.setattr(memory_feed, "time", SimpleNamespace(monotonic=clock))
    store = MemoryStore(clock=clock)
    for number in range(100):
        entry = Revocation(kind="jti", issuer=ISSUER, value=str(number))
        await store.publish([entry], ttl=10)
    await store.publish([Revocation(kind="all", issuer=ISSUER)], ttl=1000)
    clock.advance(10)
    await store.publish([Revocation(kind="jti", issuer=ISSUER, value="x")], ttl=10)
    assert len(store._feed._rows) == len(store._feed._ends) == 2
    for number in range(200):
        await store.publish([Revocation(kind="jti", issuer="", value="y")], ttl=number)
    assert len(store._feed._keys) == len(store._feed._numbers) < 120


@pytest.mark.anyio
async def test_a_clock_that_jumps_ahead_and_back_loses_no_revocation(clock):
    store = MemoryStore(clock=clock)
    await store.publish([Revocation(kind="jti", issuer="", value="x")], ttl=900)
    clock.advance(86400)
    await store.publish([Revocation(kind="jti", issuer="", value="y")], ttl=900)
    clock.advance(-86400)
    feed = await store.feed(None, wait=0)
    assert [entry.value for entry in feed.entries] == ["x", "y"]


@pytest.mark.anyio
async def test_a_cursor_from_the_future_begins_anew():
    store = MemoryStore()
    await store.publish([Revocation(kind="jti", issuer="", value="x")], ttl=900)
    cursor = (await store.feed(None, wait=0)).cursor
    ahead = await store.feed(cursor + "0", wait=5)
    assert (len(ahead.entries), ahead.restarted) == (1, True)


@pytest.mark.anyio
async def test_the_same_revocation_again_takes_no_more_room_and_ends_no_sooner(clock):
    store = MemoryStore(clock=clock)
    entry = Revocation(kind="subject", issuer=ISSUER, value="ada")
    await store.publish([entry], ttl=100)
    cursor = (await store.feed(None, wait=0)).cursor
    for _ in range(50):
        clock.advance(1)
        await store.publish([entry], ttl=10)
    (found,) = (await store.feed(cursor, wait=0)).entries
    assert found.at == clock()
    assert found.expires_at == 1_700_000_000 + 100
    assert len(store._feed._ends) == 1


@pytest.mark.anyio
async def test_a_cursor_of_another_store_reads_the_whole_window():
    ours, theirs = MemoryStore(), MemoryStore()
    for store in (ours, theirs):
        await store.publish([Revocation(kind="jti", issuer="", value="x")], ttl=9)
    cursor = (await theirs.feed(None, wait=0)).cursor
    for foreign in (cursor, "", "x", ".", cursor.split(".")[0] + ".²", "\ud800"):
        assert len((await ours.feed(foreign, wait=0)).entries) == 1


def test_readers_in_threads_are_woken_at_once():
    store = MemoryStore()
    cursor = asyncio.run(store.feed(None, wait=0)).cursor

    async def scenario():
        loop = asyncio.get_running_loop()
        readers = [
            loop.run_in_executor(None, asyncio.run, store.feed(cursor, wait=5))
            for _ in range(3)
        ]
        here = asyncio.create_task(store.feed(cursor, wait=5))
        while len(store._feed._waiters) < 4:
            await asyncio.sleep(0.01)
        started = time.monotonic()
        await store.publish([Revocation(kind="jti", issuer="", value="x")], ttl=9)
        feeds = await asyncio.gather(*readers, here)
        return feeds, time.monotonic() - started

    feeds, took = asyncio.run(scenario())
    assert [len(feed.entries) for feed in feeds] == [1] * 4
    assert took < 4  # Who waits for the end of its wait takes five.
    assert not store._feed._waiters


def test_a_reader_whose_loop_was_closed_harms_nobody():
    store = MemoryStore()
    cursor = asyncio.run(store.feed(None, wait=0)).cursor
    loop = asyncio.new_event_loop()
    reader = store.feed(cursor, wait=5)
    task = loop.create_task(reader)
    loop.run_until_complete(asyncio.sleep(0.01))
    waiters = set(store._feed._waiters)
    task.cancel()
    loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
    loop.close()
    store._feed._waiters |= waiters
    asyncio.run(store.publish([Revocation(kind="jti", issuer="", value="x")], ttl=9))
    assert len(asyncio.run(store.feed(cursor, wait=0)).entries) == 1


def test_threads_that_race_have_one_successor():
    store = MemoryStore()
    asyncio.run(open_session(store, "one"))

    async def many():
        return [(await store.rotate("one", 0, **ROTATE)).outcome for _ in range(200)]

    async def scenario():
        threads = [asyncio.to_thread(asyncio.run, many()) for _ in range(4)]
        return [one for found in await asyncio.gather(*threads) for one in found]

    outcomes = asyncio.run(scenario())
    assert outcomes.count("rotated") == 1
    assert outcomes.count("retried") == 799


@pytest.mark.parametrize("anyio_backend", ["trio"])
@pytest.mark.anyio
async def test_sessions_need_no_asyncio():
    store = MemoryStore()
    await open_session(store, "one")
    assert (await store.rotate("one", 0, **ROTATE)).outcome == "rotated"
    await store.publish([Revocation(kind="jti", issuer="", value="x")], ttl=9)
    assert len((await store.feed(None, wait=5)).entries) == 1
