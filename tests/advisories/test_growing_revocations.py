"""Who holds a token must not be able to write revocations without limit."""

from __future__ import annotations

import asyncio
import time

import pytest

from asgi_auth import KeySet, RevokedTokenError, TokenService
from asgi_auth.ratelimit import Limits
from asgi_auth.ratelimit.limiter import Limit, RateLimiter
from asgi_auth.sessions import dating
from asgi_auth.stores.memory import MemoryStore
from asgi_auth.stores.sql import SQLStore
from tests.routes.world import World, bearer, log_in


class CountingStore(MemoryStore):
    """Counts what is written about ends."""

    def __init__(self):
        super().__init__()
        self.written = 0

    async def publish(self, entries, **options):
        self.written += len(entries)
        await super().publish(entries, **options)

    async def close(self, sids, **options):
        self.written += len(sids)
        await super().close(sids, **options)


@pytest.fixture
def store():
    return CountingStore()


@pytest.fixture
def world(store):
    return World(tokens={"store": store})


async def posted(world, path, times, **request):
    async with world.client() as client:
        answers = [await client.post(path, **request) for _ in range(times)]
    await asyncio.sleep(0)  # Listeners run apart from requests.
    return {answer.status_code for answer in answers}


@pytest.mark.parametrize("passed", [0, 1000, 90_000])
async def test_logging_out_again_and_again_is_written_once(world, store, passed):
    await world.add()
    async with world.client() as client:
        pair = await log_in(client)
    world.clock.advance(passed)  # The access token, and later all of it, has ended.

    statuses = await posted(world, "/logout", 50, headers=bearer(pair))
    assert statuses == {204}
    assert store.written <= 2
    assert world.heard("session.revoked") == ["session.revoked"]

    world.clock.advance(5000)  # By now no list knows of it.
    await posted(world, "/logout", 50, headers=bearer(pair))
    assert store.written <= 2
    assert world.heard("session.revoked") == ["session.revoked"]


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
async def test_revoking_a_token_again_and_again_is_written_once(world, store, kind):
    await world.add()
    async with world.client() as client:
        pair = await log_in(client)

    assert await posted(world, "/revoke", 50, json={"token": pair[kind]}) == {200}
    assert store.written <= 2
    assert len(world.heard("session.revoked")) == (kind == "refresh_token")


async def test_a_session_of_another_issuer_is_not_ended(store):
    mine, other = (
        World(tokens={"store": store, "issuer": f"https://{name}.example"})
        for name in ("mine", "other")
    )
    await mine.tokens.issue("ann")
    (session,) = await mine.tokens.sessions("ann")
    await other.tokens.revoke_session(session.sid)

    assert store.written == 0
    assert await mine.tokens.session(session.sid, "ann") == session
    assert await mine.tokens.session(session.sid, "bob") is None


@pytest.mark.parametrize("path", ["/refresh", "/logout", "/revoke"])
async def test_requests_about_tokens_are_counted(path):
    world = World(limiter=RateLimiter(limits=Limits(tokens=Limit(3, 60))))
    statuses = await posted(world, path, 5, json={"token": "x"})

    assert 429 in statuses


# ------------------------------------------------------------------------ skewed clocks


@pytest.mark.parametrize("skew", [4, -4, 3600])
async def test_no_token_outlives_a_revocation_because_a_clock_is_ahead(
    tmp_path, monkeypatch, skew
):
    store = SQLStore(f"sqlite+aiosqlite:///{tmp_path / 'db'}")
    await store.create_schema()
    monkeypatch.setattr(dating, "system_clock", lambda: time.time() + skew)
    tokens = TokenService(KeySet.generate("HS256"), store=store)
    try:
        while not await tokens.ready():  # A busy machine takes its time.
            await asyncio.sleep(0.05)

        token = tokens.mint("ann")
        claims = await tokens.verify(token)
        assert claims["iat"] <= time.time()
        assert claims["exp"] == pytest.approx(time.time() + skew + 900, abs=2)

        await tokens.revoke_subject("ann")
        with pytest.raises(RevokedTokenError):
            await tokens.verify(token)
    finally:
        await tokens.aclose()
        await store.aclose()
