"""The usage of webtool's JWTService, with the names of this house."""

from __future__ import annotations

import secrets

import pytest

from asgi_auth import (
    InvalidTokenError,
    KeySet,
    RevokedTokenError,
    SessionPolicy,
    TokenService,
)
from asgi_auth.stores.redis import RedisStore
from tests.stores.valkey import valkey_server

SECRET = secrets.token_urlsafe(64)


@pytest.fixture(scope="module")
def url():
    with valkey_server() as server:
        yield server.url


@pytest.fixture
async def tokens(url):
    store = RedisStore(url)
    made = TokenService(
        KeySet.from_secret(SECRET, "HS384"),
        store=store,
        session_policy=SessionPolicy(access_ttl=3600, refresh_ttl=604800),
    )
    yield made
    await made.aclose()
    await store.aclose()


async def test_create_tokens(tokens):
    pair = await tokens.issue("user123")

    assert pair.access_token
    assert pair.refresh_token
    assert (pair.expires_in, pair.refresh_expires_in) == (3600, 604800)


async def test_manage_tokens(tokens):
    pair = await tokens.issue("user456", claims={"plan": "pro"})

    # Validate tokens: the two belong to each other by their session.
    access = await tokens.verify(pair.access_token)
    refresh = await tokens.verify(pair.refresh_token, "refresh")
    assert access["sub"] == refresh["sub"] == "user456"
    assert access["sid"] == refresh["sid"]
    assert access["plan"] == "pro"

    # Rotate tokens.
    new = await tokens.refresh(pair.refresh_token)
    assert new.refresh_token != pair.refresh_token
    assert (await tokens.verify(new.access_token))["plan"] == "pro"

    # Search active sessions: all devices of the user.
    other = await tokens.issue("user456")
    sessions = await tokens.sessions("user456")
    assert [session.seq for session in sessions] == [1, 0]

    # Invalidate one, atomically, with its access token.
    await tokens.revoke(new.refresh_token)
    for token in (new.access_token, new.refresh_token):
        with pytest.raises(InvalidTokenError):
            await tokens.verify(token, "access")
    with pytest.raises(RevokedTokenError):
        await tokens.refresh(new.refresh_token)
    assert await tokens.verify(other.access_token)
    assert len(await tokens.sessions("user456")) == 1
