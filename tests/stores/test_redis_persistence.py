"""What a Redis that is killed has forgotten, for each way in which it writes to disk.

These are the lines of the table in the how-to: kill -9, and a start with its files.
"""

from __future__ import annotations

import asyncio

import pytest

from asgi_auth import KeySet, RevokedTokenError, TokenService, UnavailableError
from asgi_auth.stores.redis import RedisStore
from tests.stores.redis_server import redis_server
from tests.stores.test_redis_real import until_it_serves

pytestmark = pytest.mark.anyio

ISSUER = "https://api.example"
KEYS = KeySet.generate("HS256")
NOTHING = ("save ''", "appendonly no")
SNAPSHOTS = ("save 3600 1", "appendonly no")
EVERY_SECOND = ("save ''", "appendonly yes", "appendfsync everysec")
ALWAYS = ("save ''", "appendonly yes", "appendfsync always")


@pytest.fixture
def anyio_backend():
    return "asyncio"


def service_on(url):
    store = RedisStore(url)
    return TokenService(KEYS, store=store, issuer=ISSUER, audience="api")


class Life:
    """Users before and after the last snapshot, and one who has logged out."""

    def __init__(self, tokens):
        self.tokens = tokens

    async def begin(self):
        self.old = await self.tokens.issue("old")
        self.gone = await self.tokens.issue("gone")

    async def go_on(self):
        for _ in range(3):
            self.old = await self.tokens.refresh(self.old.refresh_token)
        self.new = await self.tokens.issue("new")
        await self.tokens.revoke(self.gone.refresh_token)
        with pytest.raises(RevokedTokenError):
            await self.tokens.verify(self.gone.access_token)


async def is_served(tokens, pair):
    """Return whether a refresh token still works."""
    try:
        await until_it_serves(lambda: tokens.refresh(pair.refresh_token))
    except RevokedTokenError:
        return False
    return True


async def is_accepted(tokens, pair):
    try:
        await until_it_serves(lambda: tokens.verify(pair.access_token))
    except RevokedTokenError:
        return False
    return True


async def killed(settings, *, with_worker):
    """Live, be killed and start again; say who is in, in the eyes of a fresh worker."""
    with redis_server(*settings) as server:
        worker = service_on(server.url)
        life = Life(worker)
        await life.begin()
        if settings == SNAPSHOTS:
            with server.client() as client:
                client.save()
        await life.go_on()
        if not with_worker:
            await worker.store.aclose()
            await worker.aclose()
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)

        fresh = service_on(server.url)
        if with_worker:
            await until_it_serves(worker.revocations.ensure_fresh)
            await given_back(worker, fresh, life)
        found = {
            "old": await is_served(fresh, life.old),
            "new": await is_served(fresh, life.new),
            "gone, access": await is_accepted(fresh, life.gone),
            "gone, refresh": await is_served(fresh, life.gone),
        }
        for tokens in (worker, fresh):
            await tokens.aclose()
            await tokens.store.aclose()
        return {name for name, is_in in found.items() if is_in}


async def given_back(worker, fresh, life):
    """Wait until the worker has published again what the server lost."""
    async with asyncio.timeout(20):
        while True:
            await worker.revocations.read()
            with_it = await fresh.store.feed(None, wait=0)
            if with_it.entries:
                return
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("settings", [EVERY_SECOND, ALWAYS])
@pytest.mark.parametrize("with_worker", [False, True])
async def test_a_server_that_appends_to_a_file_forgets_nothing(settings, with_worker):
    assert await killed(settings, with_worker=with_worker) == {"old", "new"}


async def test_after_a_snapshot_a_worker_ends_again_what_was_ended():
    assert await killed(SNAPSHOTS, with_worker=True) == {"old"}


async def test_after_a_snapshot_without_a_worker_what_was_ended_lives_again():
    found = await killed(SNAPSHOTS, with_worker=False)
    assert found == {"old", "gone, access", "gone, refresh"}


async def test_a_server_that_comes_back_empty_knows_no_session_and_no_one_gets_in():
    assert await killed(NOTHING, with_worker=True) == set()


async def test_an_empty_server_and_no_worker_know_of_no_log_out():
    """What is left is an access token, for as long as it lives."""
    assert await killed(NOTHING, with_worker=False) == {"gone, access"}


async def test_no_one_is_answered_while_the_server_is_away():
    with redis_server(*ALWAYS) as server:
        tokens = service_on(server.url)
        pair = await tokens.issue("ann")
        await asyncio.to_thread(server.kill)
        with pytest.raises(UnavailableError):
            await tokens.refresh(pair.refresh_token)
        await asyncio.to_thread(server.start)
        assert await is_served(tokens, pair)
        await tokens.aclose()
        await tokens.store.aclose()
