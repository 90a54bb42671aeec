from __future__ import annotations

import asyncio
import secrets
import time
import traceback
from contextlib import asynccontextmanager

import pytest
import redis.asyncio

from asgi_auth._drivers.redis_faults import was_closed, was_lost
from asgi_auth.errors import UnavailableError
from asgi_auth.stores import NewSession
from asgi_auth.stores.records import Revocation, subject_tag
from asgi_auth.stores.redis import RedisStore
from asgi_auth.testing._samples import read_feed
from tests.faults import fault_proxy
from tests.stores.valkey import valkey_server

ISSUER = "https://api.example.com"
LIVE = {"idle_ttl": 1000.0, "ttl": 5000.0}


@pytest.fixture(scope="module")
def server():
    with valkey_server() as server:
        yield server


@pytest.fixture
async def proxy(server):
    async with fault_proxy(server.port) as proxy:
        yield proxy


@pytest.fixture
async def store(proxy):
    url = f"redis://127.0.0.1:{proxy.port}/0"
    store = RedisStore(url, prefix=f"t-{secrets.token_hex(4)}")
    yield store
    await store.aclose()


async def log_in(store, subject="ada"):
    sid = f"{subject_tag(ISSUER, subject)}.{secrets.token_urlsafe(16)}"
    return await store.create(
        NewSession(sid=sid, issuer=ISSUER, subject=subject, **LIVE)
    )


def all_verbs(store, sid, cursor):
    entry = Revocation(kind="sid", issuer=ISSUER, value="x")
    return [
        log_in(store, "bob"),
        store.rotate(sid, 0, idle_ttl=9, grace=30),
        store.rotate(sid, 0, idle_ttl=9, grace=0),
        store.sessions(ISSUER, "ada"),
        store.close([sid[:17] + "nobody"]),
        store.publish([entry], ttl=60),
        store.feed(None, wait=0),
        store.feed(cursor, wait=30),
    ]


@asynccontextmanager
async def at_most(seconds):
    """Fail if the loop was given more than *seconds* of time meanwhile.

    It counts how often it wakes, so that time does not count that other processes take.
    """
    count = 0

    async def tick():
        nonlocal count
        while True:
            await asyncio.sleep(0.02)
            count += 1

    ticking = asyncio.create_task(tick())
    try:
        yield
    finally:
        ticking.cancel()

    assert count * 0.02 <= seconds


async def expect_outage(verbs):
    """Each verb, alone, raises UnavailableError within 3 seconds."""

    async def one(verb):
        with pytest.raises(UnavailableError):
            await verb

    async with at_most(3.1):
        await asyncio.gather(*map(one, verbs))


async def expect_recovery(store):
    start = time.monotonic()
    while True:
        try:
            session = await log_in(store)
        except UnavailableError:
            assert time.monotonic() - start < 10
            await asyncio.sleep(0.05)
        else:
            break
    answer = await store.rotate(session.sid, 0, idle_ttl=9, grace=30)
    assert (answer.outcome, answer.session.seq) == ("rotated", 1)
    cursor = (await store.feed(None, wait=0)).cursor
    assert (await store.feed(cursor, wait=0.1)).entries == ()


@pytest.mark.parametrize("warm", [True, False])
@pytest.mark.parametrize("fault", ["refuse", "reset", "stall"])
async def test_every_verb_says_unavailable_in_time_and_recovers(
    proxy, store, fault, warm
):
    session = await log_in(store)
    cursor = (await store.feed(None, wait=0)).cursor
    await store.feed(cursor, wait=0.05)
    if not warm:
        await store.aclose()
    await getattr(proxy, fault)()
    await expect_outage(all_verbs(store, session.sid, cursor))
    await proxy.pass_on()
    await expect_recovery(store)


@pytest.mark.parametrize("after", [0.1, 1.3])
async def test_a_waiting_feed_says_unavailable_when_the_server_falls_silent(
    proxy, store, after
):
    session = await log_in(store)
    cursor = (await store.feed(None, wait=0)).cursor
    waiting = asyncio.create_task(store.feed(cursor, wait=30))
    await asyncio.sleep(after)
    await proxy.stall()
    async with at_most(3.1):
        with pytest.raises(UnavailableError):
            await waiting

    await proxy.pass_on()
    await expect_recovery(store)
    assert (await store.rotate(session.sid, 0, idle_ttl=9, grace=9)).session.seq == 1


async def test_a_slow_server_is_waited_for(proxy, store):
    await proxy.delay(0.3)
    session = await log_in(store)
    answer = await store.rotate(session.sid, 0, idle_ttl=9, grace=30)
    assert answer.outcome == "rotated"


@pytest.mark.parametrize("after", [0, 1, 4, 12, 40, 100, 200])
async def test_a_rotation_whose_answer_is_cut_is_neither_lost_nor_done_twice(
    proxy, store, after
):
    session = await log_in(store)
    await store.rotate(session.sid, 0, idle_ttl=9, grace=30)
    await proxy.cut(after)
    mine = await store.rotate(session.sid, 1, idle_ttl=9, grace=30)
    assert mine.session.seq == 2

    again = await store.rotate(session.sid, 1, idle_ttl=9, grace=30)
    assert (again.outcome, again.session) == ("retried", mine.session)
    following = await store.rotate(session.sid, 2, idle_ttl=9, grace=30)
    assert (following.outcome, following.session.seq) == ("rotated", 3)


async def test_a_rotation_without_grace_is_not_repeated(proxy, store):
    session = await log_in(store)
    await store.rotate(session.sid, 0, idle_ttl=9, grace=0)
    await proxy.cut(5)
    before = proxy.requests
    with pytest.raises(UnavailableError):
        await store.rotate(session.sid, 1, idle_ttl=9, grace=0)
    assert proxy.requests == before + 1
    # It was done, and nobody was called a thief for it.
    [found] = await store.sessions(ISSUER, "ada")
    assert found.seq == 2


async def test_a_login_whose_answer_is_cut_gives_its_session(proxy, store):
    await log_in(store)
    await proxy.cut(5)
    session = await log_in(store, "bob")
    assert await store.sessions(ISSUER, "bob") == [session]
    with pytest.raises(ValueError, match="exists"):
        await store.create(
            NewSession(sid=session.sid, issuer=ISSUER, subject="bob", **LIVE)
        )


async def test_a_publication_whose_answer_is_cut_is_published(proxy, store):
    cursor = (await store.feed(None, wait=0)).cursor
    await store.publish([Revocation(kind="sid", issuer=ISSUER, value="x")], ttl=9)
    await proxy.cut(1)
    await store.publish([Revocation(kind="sid", issuer=ISSUER, value="y")], ttl=9)
    values = [entry.value for entry in (await store.feed(cursor, wait=0)).entries]
    assert values[0] == "x"
    assert set(values) == {"x", "y"}


@pytest.mark.parametrize("after", [0, 1, 3])
async def test_a_use_whose_answer_is_cut_is_neither_lost_nor_done_twice(
    proxy, store, after
):
    await store.once("ticket", "warm", ttl=30)
    await proxy.cut(after)
    assert await store.once("ticket", "one", ttl=30) is True
    assert await store.once("ticket", "one", ttl=30) is False


async def test_a_feed_whose_answer_is_cut_is_whole(proxy, store):
    cursor = (await store.feed(None, wait=0)).cursor
    many = [Revocation(kind="jti", issuer=ISSUER, value=str(n)) for n in range(1500)]
    await store.publish(many, ttl=60)
    await proxy.cut(20_000)
    feed = await read_feed(store, cursor)
    assert {entry.value for entry in feed.entries} == {str(n) for n in range(1500)}


async def test_idle_connections_that_were_reset_are_not_an_outage(proxy, store):
    session = await log_in(store)
    cursor = (await store.feed(None, wait=0)).cursor
    await store.feed(cursor, wait=0.05)
    proxy.drop()
    await asyncio.sleep(0.05)
    assert (await store.rotate(session.sid, 0, idle_ttl=9, grace=9)).session.seq == 1
    proxy.drop()
    assert (await store.feed(cursor, wait=0.3)).entries == ()


async def test_many_idle_connections_that_were_reset_fail_no_verb(proxy, store):
    sids = [(await log_in(store, str(number))).sid for number in range(30)]
    await asyncio.gather(*(store.rotate(sid, 0, idle_ttl=9, grace=0) for sid in sids))
    proxy.drop()
    await asyncio.sleep(0.05)
    for sid in sids:
        answer = await store.rotate(sid, 1, idle_ttl=9, grace=30)
        assert answer.session.seq == 2


@asynccontextmanager
async def own_server(**config):
    with valkey_server(**config) as server:
        store = RedisStore(server.url)
        try:
            yield server, store
        finally:
            await store.aclose()


async def test_a_server_that_comes_back_empty_knows_no_session_and_feeds_anew():
    async with own_server() as (server, store):
        session = await log_in(store)
        entries = [Revocation(kind="sid", issuer=ISSUER, value=v) for v in "abc"]
        await store.publish(entries[:2], ttl=60)
        cursor = (await store.feed(None, wait=0)).cursor
        waiting = asyncio.create_task(store.feed(cursor, wait=30))
        await asyncio.sleep(0.1)

        server.kill()
        with pytest.raises(UnavailableError):
            await waiting
        await expect_outage(all_verbs(store, session.sid, cursor))
        server.start()

        answer = await store.rotate(session.sid, 0, idle_ttl=9, grace=9)
        assert (answer.outcome, answer.session) == ("refused", None)
        empty = await store.feed(cursor, wait=0)
        assert empty.entries == ()
        await store.publish(entries[2:], ttl=60)
        for old in (cursor, empty.cursor, None):
            feed = await store.feed(old, wait=0)
            assert [entry.value for entry in feed.entries] == ["c"]


async def test_a_cursor_from_the_future_reads_the_whole_window(store):
    await store.publish([Revocation(kind="sid", issuer=ISSUER, value="x")], ttl=60)
    feed = await store.feed("99999999999999-7", wait=5)
    assert [entry.value for entry in feed.entries] == ["x"]
    assert (await store.feed(feed.cursor, wait=0)).entries == ()


async def test_a_frozen_server_is_an_outage_until_it_thaws():
    async with own_server() as (server, store):
        session = await log_in(store)
        cursor = (await store.feed(None, wait=0)).cursor
        await store.rotate(session.sid, 0, idle_ttl=99, grace=30)
        server.pause()
        try:
            await expect_outage([store.rotate(session.sid, 1, idle_ttl=99, grace=30)])
            await expect_outage(all_verbs(store, session.sid, cursor))
        finally:
            server.resume()
        await asyncio.sleep(0.2)
        # What was sent into the ice was done when it melted, once.
        answer = await store.rotate(session.sid, 1, idle_ttl=99, grace=30)
        assert (answer.outcome, answer.session.seq) == ("retried", 2)


async def test_a_replica_a_full_and_a_busy_server_are_outages():
    async with own_server() as (server, store):
        session = await log_in(store)

        def rotate(seq):
            return store.rotate(session.sid, seq, idle_ttl=9, grace=30)

        with server.client() as admin:
            admin.execute_command("REPLICAOF", "127.0.0.1", "1")
            await expect_outage([rotate(0), log_in(store)])
            admin.config_set("replica-serve-stale-data", "no")
            await expect_outage([rotate(0), store.sessions(ISSUER, "ada")])
            admin.execute_command("REPLICAOF", "NO", "ONE")
            assert (await rotate(0)).outcome == "rotated"

            admin.config_set("maxmemory", "1")
            await expect_outage([rotate(1), log_in(store)])
            admin.config_set("maxmemory", "0")
            assert (await rotate(1)).outcome == "rotated"

            admin.config_set("busy-reply-threshold", "50")
            spinner = redis.asyncio.Redis(port=server.port)
            spinning = asyncio.create_task(spinner.eval("while true do end", 0))
            await asyncio.sleep(0.3)
            await expect_outage([rotate(2), log_in(store)])
            admin.script_kill()
            with pytest.raises(redis.exceptions.ResponseError):
                await spinning
            await spinner.aclose()
            assert (await rotate(2)).outcome == "rotated"


async def test_a_primary_that_became_a_replica_is_left_for_the_one_of_its_name():
    """Its connections live on, and only read; the name leads to another by then."""
    with valkey_server() as old, valkey_server() as new:
        async with fault_proxy(old.port) as name:
            store = RedisStore(f"redis://127.0.0.1:{name.port}/0")
            await asyncio.gather(*(log_in(store) for _ in range(5)))
            with old.client() as admin:
                admin.execute_command("REPLICAOF", "127.0.0.1", new.port)
            name.lead_to(new.port)
            with pytest.raises(UnavailableError, match="READONLY"):
                await log_in(store)
            session = await log_in(store)
            assert (await store.find(session.sid)).sid == session.sid
            await store.aclose()


async def test_errors_tell_no_password():
    with valkey_server() as server, server.client() as admin:
        admin.config_set("requirepass", "right")
        url = f"redis://user:hunter2@127.0.0.1:{server.port}/0"
        urls = [url, url.replace("user", "default"), url.replace("hunter2@", "@")]
        for wrong in (*urls, f"redis://:hunter2@127.0.0.1:{server.port + 1}"):
            store = RedisStore(wrong)
            with pytest.raises(UnavailableError) as caught:
                await log_in(store)
            text = "".join(traceback.format_exception(caught.value))
            assert "hunter2" not in text
            assert "hunter2" not in str(caught.value) + repr(caught.value)
            await store.aclose()


@pytest.mark.parametrize("places", [1, 3])
async def test_a_cancelled_verb_leaves_no_answer_for_the_next(proxy, places):
    """Cancelled at hundreds of points, with the connection used again at once."""
    url = f"redis://127.0.0.1:{proxy.port}/0?max_connections={places}"
    store = RedisStore(url, prefix=f"t-{secrets.token_hex(4)}")
    ada, bob = await log_in(store, "ada"), await log_in(store, "bob")
    cursor = (await store.feed(None, wait=0)).cursor
    await proxy.delay(0.002)
    cancelled = 0
    for number in range(150):
        victims = [
            asyncio.create_task(store.sessions(ISSUER, "ada")),
            asyncio.create_task(store.rotate(ada.sid, -1, idle_ttl=1, grace=30)),
            asyncio.create_task(store.feed(cursor, wait=0.01)),
        ]
        if number % 2:
            await asyncio.sleep(number * 0.00005)
        else:
            for _ in range(number):
                await asyncio.sleep(0)
        for victim in victims:
            victim.cancel()
        ended = await asyncio.gather(*victims, return_exceptions=True)
        cancelled += sum(isinstance(end, asyncio.CancelledError) for end in ended)

        answer = await store.rotate(bob.sid, number, idle_ttl=1000, grace=30)
        assert (answer.outcome, answer.session.subject) == ("rotated", "bob")
        assert answer.session.seq == number + 1
    assert cancelled > 100
    assert [s.subject for s in await store.sessions(ISSUER, "ada")] == ["ada"]
    await store.aclose()


async def test_a_cancelled_rotation_can_be_retried(proxy, store):
    session = await log_in(store)
    await store.rotate(session.sid, 0, idle_ttl=9, grace=30)
    await proxy.delay(0.2)
    task = asyncio.create_task(store.rotate(session.sid, 1, idle_ttl=9, grace=30))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await proxy.pass_on()
    answer = await store.rotate(session.sid, 1, idle_ttl=9, grace=30)
    assert (answer.outcome, answer.session.seq) == ("retried", 2)


async def test_closing_while_verbs_run_leaves_the_store_usable(proxy, store):
    session = await log_in(store)
    cursor = (await store.feed(None, wait=0)).cursor
    await proxy.delay(0.05)
    running = [
        asyncio.create_task(verb)
        for verb in (
            store.sessions(ISSUER, "ada"),
            store.feed(cursor, wait=0.3),
            store.rotate(session.sid, 0, idle_ttl=9, grace=30),
        )
    ]
    await asyncio.sleep(0.02)
    await store.aclose()
    await asyncio.gather(*running, return_exceptions=True)
    answer = await store.rotate(session.sid, 0, idle_ttl=9, grace=30)
    assert answer.session.seq == 1


async def test_a_connection_that_is_gone_is_told_from_a_mistake_of_ours():
    connection = redis.asyncio.Connection(port=1)
    with pytest.raises(AttributeError, match="writelines") as written:
        await connection._send_packed_command([b"PING"])
    assert (was_lost(written.value), was_closed(written.value)) == (True, True)

    # Of what was read it cannot be known whether the server has done it.
    with pytest.raises(AttributeError, match="read") as read:
        await connection._parser.read_from_socket()
    assert (was_lost(read.value), was_closed(read.value)) == (False, True)

    with pytest.raises(AttributeError) as mistaken:
        connection.no_such_thing  # noqa: B018
    assert (was_lost(mistaken.value), was_closed(mistaken.value)) == (False, False)
