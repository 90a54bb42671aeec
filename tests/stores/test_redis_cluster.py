from __future__ import annotations

import asyncio
import gc
import secrets
import time
import warnings

import pytest
import redis.asyncio

from asgi_auth.errors import UnavailableError
from asgi_auth.stores import NewSession
from asgi_auth.stores.records import Revocation, subject_tag
from asgi_auth.stores.redis import RedisStore
from asgi_auth.testing import StoreContract
from tests.stores.valkey import monitor, valkey_cluster

ISSUER = "https://api.example.com"
LIVE = {"idle_ttl": 1000.0, "ttl": 5000.0}


@pytest.fixture(scope="module")
def cluster():
    with valkey_cluster() as cluster:
        yield cluster


@pytest.fixture
async def store(cluster):
    store = RedisStore.from_cluster(cluster.url, prefix=f"t-{secrets.token_hex(4)}")
    yield store
    await store.aclose()


async def log_in(store, subject):
    sid = f"{subject_tag(ISSUER, subject)}.{secrets.token_urlsafe(16)}"
    return await store.create(
        NewSession(sid=sid, issuer=ISSUER, subject=subject, **LIVE)
    )


async def within(seconds, condition):
    """Wait until *condition* no longer raises UnavailableError."""
    until = time.monotonic() + seconds
    while True:
        try:
            return await condition()
        except UnavailableError:
            if time.monotonic() > until:
                raise
            await asyncio.sleep(0.1)


class TestContract(StoreContract):
    @pytest.fixture
    async def store(self, cluster):
        prefix = f"t-{secrets.token_hex(4)}"
        store = RedisStore.from_cluster(cluster.url, prefix=prefix)
        yield store
        await store.aclose()

    @pytest.fixture
    async def peer(self, cluster, store):
        peer = RedisStore(cluster.servers[1].url, prefix=store._prefix, cluster=True)
        yield peer
        await peer.aclose()


async def test_all_keys_of_a_subject_are_on_one_node_and_subjects_on_all(
    cluster, store
):
    for number in range(60):
        session = await log_in(store, f"user-{number}")
        await store.rotate(session.sid, 0, idle_ttl=9, grace=9)
        assert len(await store.sessions(ISSUER, f"user-{number}")) == 1

    homes = []
    for server in cluster.servers:
        with server.client() as client:
            keys = client.keys(f"{store._prefix}:*")
            assert all(client.pttl(key) > 0 for key in keys)
            homes.append({key.split("{")[1][:16] for key in keys})
    assert all(homes)
    assert sum(map(len, homes)) == len(set().union(*homes)) == 60


async def test_sessions_of_many_subjects_are_closed_in_one_call(store):
    sessions = [await log_in(store, str(number)) for number in range(20)]
    await store.close([session.sid for session in sessions])
    for session in sessions:
        answer = await store.rotate(session.sid, 0, idle_ttl=9, grace=9)
        assert answer.outcome == "refused"


async def test_a_rotation_is_one_round_trip_to_one_node(cluster, store):
    session = await log_in(store, "ada")
    await store.rotate(session.sid, 0, idle_ttl=9, grace=9)
    async with (
        monitor(cluster.servers[0].port) as first,
        monitor(cluster.servers[1].port) as second,
        monitor(cluster.servers[2].port) as third,
    ):
        await store.rotate(session.sid, 1, idle_ttl=9, grace=9)
    seen = [line.split()[0].upper() for line in first + second + third]
    assert seen.count('"EVALSHA"') == 1
    # The nodes talk to one another on other ports: nothing else came from clients.
    assert len(seen) == 1


async def test_scripts_come_back_after_a_flush_of_all_nodes(cluster, store):
    sessions = [await log_in(store, str(number)) for number in range(9)]
    for server in cluster.servers:
        with server.client() as client:
            client.script_flush()
    for session in sessions:
        answer = await store.rotate(session.sid, 0, idle_ttl=9, grace=9)
        assert answer.outcome == "rotated"


@pytest.mark.alone
async def test_a_store_follows_a_slot_that_moves(cluster, store):
    tag = subject_tag(ISSUER, "mover")
    key = f"{store._prefix}:{{{tag}}}:b"
    await store.sessions(ISSUER, "mover")
    with cluster.servers[0].client() as client:
        slot = client.execute_command("CLUSTER", "KEYSLOT", key)
    names = []
    for server in cluster.servers:
        with server.client() as client:
            names.append(client.execute_command("CLUSTER", "MYID"))
    owner = min(slot // (16384 // 3 + 1), 2)

    def move(target):
        for server in (cluster.servers[target], *cluster.servers):
            with server.client() as client:
                client.execute_command(
                    "CLUSTER", "SETSLOT", slot, "NODE", names[target]
                )

    try:
        move((owner + 1) % 3)
        session = await log_in(store, "mover")
        answer = await store.rotate(session.sid, 0, idle_ttl=9, grace=9)
        assert answer.outcome == "rotated"
        await store.close([session.sid])
    finally:
        move(owner)


@pytest.mark.alone
async def test_a_waiting_feed_follows_the_stream_when_it_moves(cluster, store):
    with cluster.servers[0].client() as client:
        slot = client.execute_command("CLUSTER", "KEYSLOT", store._stream)
    names = []
    for server in cluster.servers:
        with server.client() as client:
            names.append(client.execute_command("CLUSTER", "MYID"))
    owner = min(slot // (16384 // 3 + 1), 2)
    cursor = (await store.feed(None, wait=0)).cursor
    waiting = asyncio.create_task(store.feed(cursor, wait=8))
    await asyncio.sleep(0.2)

    def move(target):
        for server in (cluster.servers[target], *cluster.servers):
            with server.client() as client:
                client.execute_command(
                    "CLUSTER", "SETSLOT", slot, "NODE", names[target]
                )

    # All other tests' streams share the slot of {revocations}: take them away first.
    for server in cluster.servers:
        with server.client() as client:
            for key in client.keys("*{revocations}*"):
                client.delete(key)
    try:
        move((owner + 1) % 3)
        entry = Revocation(kind="jti", issuer=ISSUER, value="moved")
        await within(5, lambda: store.publish([entry], ttl=60))
        feed = await asyncio.wait_for(waiting, 20)
        assert [found.value for found in feed.entries] == ["moved"]
        with cluster.servers[(owner + 1) % 3].client() as client:
            client.delete(store._stream)
    finally:
        move(owner)


@pytest.mark.parametrize("decode", [False, True])
async def test_a_given_cluster_client_is_used_as_it_is(cluster, decode):
    client = redis.asyncio.RedisCluster.from_url(cluster.url, decode_responses=decode)
    store = RedisStore(client, prefix=f"t-{secrets.token_hex(4)}")
    session = await log_in(store, "ada")
    assert [s.sid for s in await store.sessions(ISSUER, "ada")] == [session.sid]
    cursor = (await store.feed(None, wait=0)).cursor
    assert (await store.feed(cursor, wait=0.1)).entries == ()
    await store.aclose()
    assert await client.ping(target_nodes=client.RANDOM)
    await client.aclose()


def test_one_store_serves_two_loops_and_leaves_nothing_open(cluster):
    store = RedisStore.from_cluster(cluster.url, prefix=f"t-{secrets.token_hex(4)}")

    async def use():
        for number in range(9):
            await log_in(store, str(number))
        cursor = (await store.feed(None, wait=0)).cursor
        await store.feed(cursor, wait=0.05)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):
            asyncio.run(use())
        gc.collect()
    assert [str(warning.message) for warning in caught] == []


async def test_idle_connections_that_were_reset_fail_no_verb(store):
    sids = [(await log_in(store, str(number))).sid for number in range(30)]
    await asyncio.gather(*(store.rotate(s, 0, idle_ttl=9, grace=9) for s in sids))
    room = store._link._rooms.here()
    for node in room.client.get_nodes():
        for connection in node._connections:
            connection._writer.transport.abort()
    await asyncio.sleep(0.05)
    for sid in sids:
        answer = await store.rotate(sid, 1, idle_ttl=9, grace=9)
        assert answer.session.seq == 2


@pytest.mark.alone
async def test_a_node_that_dies_is_an_outage_and_comes_back(cluster, store):
    subjects = [f"user-{number}" for number in range(12)]
    sessions = [await log_in(store, subject) for subject in subjects]
    cursor = (await store.feed(None, wait=0)).cursor
    cluster.servers[1].kill()
    try:

        async def one(verb):
            start = time.monotonic()
            try:
                await verb
            except UnavailableError:
                return "down", time.monotonic() - start
            return "up", time.monotonic() - start

        verbs = [
            store.rotate(session.sid, 0, idle_ttl=9, grace=30) for session in sessions
        ]
        answers = await asyncio.gather(*map(one, [*verbs, store.feed(cursor, wait=1)]))
        assert max(seconds for _, seconds in answers) <= 3
        assert "down" in {state for state, _ in answers}

        # Soon the others know, and the whole cluster says that it is down.
        await asyncio.sleep(2.5)
        verbs = [store.sessions(ISSUER, subject) for subject in subjects]
        answers = await asyncio.gather(*map(one, verbs))
        assert max(seconds for _, seconds in answers) <= 3
        assert "down" in {state for state, _ in answers}
    finally:
        cluster.servers[1].start()
        cluster.wait_until_ok()

    start = time.monotonic()
    for subject in subjects:
        await within(5, lambda subject=subject: store.sessions(ISSUER, subject))
        await within(5, lambda subject=subject: log_in(store, subject))
    await within(5, lambda: store.feed(cursor, wait=0))
    assert time.monotonic() - start <= 5
