"""The URLs and the bounds that a client of JWK sets accepts."""

from __future__ import annotations

import asyncio
import json

import pytest

from asgi_auth import (
    ConfigurationError,
    UnavailableError,
)
from asgi_auth.keys import Transport
from asgi_auth.keys.jwks import JWKSClient


async def test_a_located_url_is_looked_up_again_after_a_failure(realm, clock):
    places = ["https://idp.example/old", realm.jwks_uri]

    async def locate():
        return places.pop(0)

    async def fetch(url, headers, body):
        if "old" in url:
            return 410, {}, b""
        return 200, {}, json.dumps(realm.jwks).encode()

    client = JWKSClient(locate, transport=Transport(fetch), clock=clock)
    with pytest.raises(UnavailableError):
        await client.ready()
    clock.advance(1)
    assert len(await client.ready()) == 1


async def test_a_located_url_must_be_safe_too():
    async def locate():
        return "http://idp.example/jwks"

    with pytest.raises(UnavailableError):
        await JWKSClient(locate).ready()


@pytest.mark.parametrize(
    "url",
    [
        "http://idp.example/jwks",
        "ftp://idp.example/jwks",
        "file:///etc/passwd",
        "https://user@idp.example/jwks",
        "https://",
        "https://idp.example/jwks#part",
        "https://idp.example:port/",
        "http://127.0.0.1.evil.example/",
        "https://idp.example/\n",
        "",
    ],
)
def test_unsafe_urls_are_refused(url):
    with pytest.raises(ConfigurationError):
        JWKSClient(url)


@pytest.mark.parametrize(
    "url", ["http://localhost:8080/a", "http://127.0.0.1/a", "http://[::1]:1/a"]
)
def test_loopback_needs_no_tls(url):
    JWKSClient(url)


@pytest.mark.parametrize(
    "options",
    [
        {"ttl": 0},
        {"stale_for": 1},
        {"cooldown": 0},
        {"max_keys": 101},
        {"max_keys": 0},
        {"algorithms": ()},
        {"algorithms": ("HS256",)},
        {"algorithms": ("none",)},
    ],
)
def test_bounds_must_make_sense(options):
    with pytest.raises(ConfigurationError):
        JWKSClient("https://idp.example/jwks", **options)


def test_each_loop_has_its_own_connections(realm):
    client = JWKSClient(realm.jwks_uri, ttl=600)
    kids = [key.kid for key in asyncio.run(client.ready())]

    async def again():
        await client.seek("unknown", "ES256")
        return [key.kid for key in await client.ready()]

    assert asyncio.run(again()) == kids
    assert asyncio.run(again()) == kids
    assert len(client._flights) == 0


def test_repr_shows_where_it_asks():
    client = JWKSClient("https://idp.example/jwks")
    assert repr(client) == "JWKSClient('https://idp.example/jwks')"


@pytest.mark.parametrize("timeout", [0, -1])
def test_a_transport_waits_for_a_while(timeout):
    with pytest.raises(ConfigurationError, match="timeout"):
        Transport(timeout=timeout)


def test_a_transport_shows_no_function():
    async def fetch(url, headers, body):
        raise ConnectionError

    assert repr(Transport(fetch)) == "Transport(timeout=5, insecure_http=False)"
