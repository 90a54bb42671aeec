"""RedisStore on Redis itself: plain, with TLS and a password, under a Sentinel."""

from __future__ import annotations

import asyncio
import gc
import secrets
import time

import pytest
from redis.asyncio.sentinel import Sentinel

from asgi_auth import RevocationList
from asgi_auth.errors import UnavailableError
from asgi_auth.stores import NewSession
from asgi_auth.stores.records import Revocation, subject_tag
from asgi_auth.stores.redis import RedisStore
from asgi_auth.testing import StoreContract
from tests.stores.redis_server import Certificates, RedisServer, redis_server

ISSUER = "https://api.example.com"
PASSWORD = "hunter2-of-the-store"
RIGHTS = "+@read +@write +@connection +@scripting +time -@dangerous"


@pytest.fixture(scope="module")
def plain():
    with redis_server("save ''") as server:
        yield server.url


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def guarded(certificates):
    """With TLS, and a user who may do what the store does, and nothing else."""
    settings = [
        f"tls-cert-file {certificates.certificate}",
        f"tls-key-file {certificates.key}",
        f"tls-ca-cert-file {certificates.authority}",
        "tls-auth-clients no",
        "user default off",
        f"user store on >{PASSWORD} ~store:* {RIGHTS}",
    ]
    with redis_server(*settings, tls=certificates) as server:
        authority = f"store:{PASSWORD}@127.0.0.1:{server.port}"
        yield f"rediss://{authority}/0?ssl_ca_certs={certificates.authority}"


class Contract(StoreContract):
    @pytest.fixture
    async def store(self, url):
        store = RedisStore(url, prefix=f"store:{secrets.token_hex(4)}")
        yield store
        await store.aclose()

    @pytest.fixture
    async def peer(self, url, store):
        peer = RedisStore(url, prefix=store._prefix)
        yield peer
        await peer.aclose()


class TestRedisContract(Contract):
    @pytest.fixture
    def url(self, plain):
        return plain


class TestTLSAndPasswordContract(Contract):
    @pytest.fixture
    def url(self, guarded):
        return guarded


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("right", "wrong"),
    [(PASSWORD, "another-password"), ("rediss:", "redis:"), ("?ssl_ca_certs", "?x")],
)
async def test_who_is_not_let_in_or_not_trusted_is_an_outage(guarded, right, wrong):
    url = guarded.replace(right, wrong)
    if right != PASSWORD:
        url = url.partition("?")[0]
    store = RedisStore(url)
    with pytest.raises(UnavailableError) as caught:
        await store.feed(None, wait=0)
    assert PASSWORD not in str(caught.value)
    await store.aclose()
    # redis-py may leave a socket whose server has ended the handshake to the collector,
    # which would meet it in another test.
    del caught
    gc.collect()


# ---------------------------------------------------------------------------- fail-over


@pytest.fixture
def replicated():
    """A primary, its replica, and one Sentinel that watches them."""
    servers = []
    try:
        primary = RedisServer("save ''")
        servers.append(primary.start())
        replica = RedisServer(
            "save ''",
            f"replicaof 127.0.0.1 {primary.port}",
            "repl-diskless-sync-delay 0",
        )
        servers.append(replica.start())
        sentinel = RedisServer(
            f"sentinel monitor main 127.0.0.1 {primary.port} 1",
            "sentinel down-after-milliseconds main 500",
            "sentinel failover-timeout main 2000",
            mode=["--sentinel"],
        )
        until = time.monotonic() + 10
        with replica.client() as client:
            while client.info("replication")["master_link_status"] != "up":
                assert time.monotonic() < until
                time.sleep(0.05)
        servers.append(sentinel.start())
        with sentinel.client() as client:
            while not client.sentinel_slaves("main"):
                assert time.monotonic() < until
                time.sleep(0.1)
        yield primary, replica, sentinel
    finally:
        for server in servers:
            server.close()


def client_of(sentinel):
    watch = Sentinel([("127.0.0.1", sentinel.port)], socket_timeout=0.5)
    return watch, watch.master_for("main", socket_timeout=1.0)


async def until_it_serves(verb):
    async with asyncio.timeout(20):
        while True:
            try:
                return await verb()
            except UnavailableError:
                await asyncio.sleep(0.1)


def revoked(value):
    return [Revocation(kind="sid", issuer=ISSUER, value=value)]


@pytest.mark.alone
async def test_a_replica_that_lags_gets_back_what_workers_hold(replicated):
    primary, replica, sentinel = replicated
    watch, client = client_of(sentinel)
    store = RedisStore(client)
    worker = RevocationList(store)
    sid = f"{subject_tag(ISSUER, 'ada')}.{secrets.token_urlsafe(16)}"
    await store.create(
        NewSession(sid=sid, issuer=ISSUER, subject="ada", idle_ttl=900, ttl=900)
    )
    await store.publish(revoked("before"), ttl=900)
    with primary.client() as direct:
        assert direct.execute_command("WAIT", 1, 5000) == 1

    # It hears no more of what happens now.
    replica.pause()
    await store.publish(revoked("lost"), ttl=900)
    await worker.ensure_fresh()
    primary.kill()
    replica.resume()

    session = await until_it_serves(
        lambda: store.rotate(sid, 0, idle_ttl=900, grace=30)
    )
    assert session.outcome in {"rotated", "retried"}
    worker.keep_fresh()
    fresh = RevocationList(store)
    async with asyncio.timeout(20):
        while not {"before", "lost"} <= await values_in(store):
            await asyncio.sleep(0.1)
    await until_it_serves(fresh.ensure_fresh)
    assert fresh._tables[ISSUER].has_session("lost")

    for one in (worker, fresh, store):
        await one.aclose()
    await client.aclose()
    for other in watch.sentinels:
        await other.aclose()


async def values_in(store):
    try:
        page = await store.feed(None, wait=0)
    except UnavailableError:
        return set()
    return {entry.value for entry in page.entries}
