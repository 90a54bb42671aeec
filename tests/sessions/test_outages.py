from __future__ import annotations

import asyncio
import secrets
import time
from contextlib import suppress

import pytest

from asgi_auth import (
    AuthenticationMiddleware,
    JWTBackend,
    KeySet,
    RevokedTokenError,
    SessionPolicy,
    TokenService,
    UnavailableError,
)
from asgi_auth.stores.redis import RedisStore
from tests.faults import fault_proxy
from tests.stores.valkey import valkey_server

KEYS = KeySet.from_secret(secrets.token_bytes(32))


def make(url, **options):
    return TokenService(
        KEYS, store=RedisStore(url), issuer="https://api.example", **options
    )


@pytest.fixture(scope="module")
def server():
    with valkey_server() as running:
        yield running


@pytest.fixture
async def proxy(server):
    async with fault_proxy(server.port) as standing:
        yield standing


@pytest.fixture
async def tokens(proxy):
    made = make(
        f"redis://127.0.0.1:{proxy.port}/0",
        session_policy=SessionPolicy(max_staleness=0.2),
    )
    yield made
    await made.aclose()
    await made.store.aclose()


async def never_longer_than(seconds, awaitable):
    began = time.monotonic()
    with pytest.raises(UnavailableError):
        await awaitable
    assert time.monotonic() - began < seconds + 0.5  # a busy machine


async def until_it_works(call):
    began = time.monotonic()
    while True:
        try:
            return await call(), time.monotonic() - began
        except UnavailableError:
            assert time.monotonic() - began < 10
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("fault", ["refuse", "reset", "stall"])
async def test_while_the_store_is_down_nothing_passes_and_it_recovers(
    tokens, proxy, fault
):
    pair = await tokens.issue("42")
    await tokens.verify(pair.access_token)
    await getattr(proxy, fault)()
    await asyncio.sleep(0.3)

    await never_longer_than(8, tokens.issue("42"))
    await never_longer_than(8, tokens.refresh(pair.refresh_token))
    await never_longer_than(8, tokens.verify(pair.access_token))
    await never_longer_than(8, tokens.revoke(pair.refresh_token))

    await proxy.pass_on()
    second, took = await until_it_works(lambda: tokens.refresh(pair.refresh_token))
    assert took < 10
    assert (await tokens.verify(second.refresh_token, "refresh"))["seq"] == 1
    assert await tokens.verify(second.access_token)


async def test_a_request_gets_503_and_never_a_pass(tokens, proxy):
    async def app(scope, receive, send):
        pytest.fail("the app was reached")

    pair = await tokens.issue("42")
    await tokens.verify(pair.access_token)
    await proxy.refuse()
    await asyncio.sleep(0.3)
    sent = []

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "headers": [(b"authorization", b"Bearer " + pair.access_token.encode())],
    }
    await AuthenticationMiddleware(app, JWTBackend(tokens))(scope, None, send)

    assert sent[0]["status"] == 503
    assert dict(sent[0]["headers"])[b"retry-after"] == b"1"


async def test_slow_is_not_down(tokens, proxy):
    pair = await tokens.issue("42")
    await proxy.delay(0.3)

    second = await tokens.refresh(pair.refresh_token)
    assert await tokens.verify(second.access_token)


async def test_an_answer_lost_in_the_middle_costs_nothing(tokens, proxy):
    pair = await tokens.issue("42")
    await tokens.verify(pair.access_token)
    for bytes_passed in (0, 1, 10, 100):
        await proxy.cut(bytes_passed)
        with suppress(UnavailableError):
            await tokens.refresh(pair.refresh_token)
        await proxy.pass_on()

        pair, _ = await until_it_works(lambda: tokens.refresh(pair.refresh_token))  # noqa: B023
    seq = (await tokens.verify(pair.refresh_token, "refresh"))["seq"]
    assert seq == 4


async def test_a_server_that_comes_back_empty_knows_no_session():
    with valkey_server() as own:
        tokens = make(own.url)
        pair = await tokens.issue("42")
        own.kill()
        own.start()

        with pytest.raises(RevokedTokenError):
            await until_it_works(lambda: tokens.refresh(pair.refresh_token))
        again, _ = await until_it_works(lambda: tokens.issue("42"))
        assert await tokens.verify(again.access_token)
        await tokens.aclose()
        await tokens.store.aclose()


async def test_a_refresh_cancelled_anywhere_can_be_repeated(tokens):
    for steps in range(0, 24, 3):
        pair = await tokens.issue("42")
        task = asyncio.ensure_future(tokens.refresh(pair.refresh_token))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])

        second = await tokens.refresh(pair.refresh_token)
        assert (await tokens.verify(second.refresh_token, "refresh"))["seq"] == 1


@pytest.mark.slow
async def test_a_thousand_rounds_of_fifty_lose_nobody(server):
    tokens = make(server.url)
    pair = await tokens.issue("42")
    for seq in range(1, 1001):
        pairs = await asyncio.gather(
            *(tokens.refresh(pair.refresh_token) for _ in range(50))
        )
        assert len({given.refresh_token for given in pairs}) == 1
        pair = pairs[0]
        assert (await tokens.verify(pair.refresh_token, "refresh"))["seq"] == seq
    await tokens.aclose()
    await tokens.store.aclose()
