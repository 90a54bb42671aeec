from __future__ import annotations

import asyncio
import logging

import pytest
from cryptography.hazmat.primitives import serialization

from asgi_auth import ConfigurationError, InvalidTokenError, Key, UnavailableError
from asgi_auth.backends.trusted import TrustedIssuer
from asgi_auth.keys import Transport
from asgi_auth.keys.pem_client import PEMClient
from asgi_auth.testing.clock import FakeClock
from tests.forge import ISSUER, fresh, header, sign

URL = "https://public-keys.auth.elb.eu-central-1.amazonaws.com/{kid}"


class Balancer:
    """A server with one PEM for each kid."""

    def __init__(self) -> None:
        self.keys: dict[str, Key] = {}
        self.asked: list[str] = []
        self.status = 200
        self.body: bytes | None = None
        self.delay = 0.0

    def make(self, kid: str, algorithm: str = "ES256") -> Key:
        key = self.keys[kid] = Key.generate(algorithm, kid=kid)
        return key

    async def __call__(self, url, headers, body):
        self.asked.append(url)
        await asyncio.sleep(self.delay)
        key = self.keys.get(url.rpartition("/")[2])
        if key is None:
            return 404, {}, b"not found"

        pem = key._material.public.public_bytes(
            serialization.Encoding.PEM,
            serialization.PublicFormat.SubjectPublicKeyInfo,
        )
        return self.status, {}, self.body or pem


@pytest.fixture
def balancer():
    return Balancer()


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
async def client(balancer, clock):
    made = PEMClient(URL, transport=Transport(balancer), clock=clock)
    yield made
    await made.aclose()


def token(key, kid=None):
    return sign(header("ES256", kid=kid or key.kid), fresh(), key)


async def test_a_key_is_fetched_when_a_token_first_names_it(balancer, client):
    issuer = TrustedIssuer(ISSUER, audience="api", keys=client)
    one, two = balancer.make("one"), balancer.make("two")
    for key in (one, two, one, two):
        assert (await issuer.admit(token(key))).subject == "ada"
    assert [url.rpartition("/")[2] for url in balancer.asked] == ["one", "two"]
    with pytest.raises(InvalidTokenError):
        await issuer.admit(token(two, kid="one"))
    assert client.is_fresh()
    assert "{kid}" in repr(client)


async def test_a_key_that_is_not_there_is_401(balancer, client):
    issuer = TrustedIssuer(ISSUER, audience="api", keys=client)
    stranger = Key.generate("ES256", kid="stranger")
    with pytest.raises(InvalidTokenError):
        await issuer.admit(token(stranger))
    assert len(balancer.asked) == 1


@pytest.mark.parametrize(
    "kid", [None, "", "../x", "a/b", "a?b", "x" * 129, "a\n", "%2e"]
)
async def test_nothing_but_a_plain_name_goes_into_a_url(balancer, client, kid):
    await client.seek(kid, "ES256")
    assert not balancer.asked


async def test_no_key_is_asked_for_that_would_not_be_used(balancer, client):
    balancer.make("one")
    await client.seek("one", "RS256")
    assert not balancer.asked
    await client.seek("one", "ES256")
    await client.seek("one", "ES256")
    assert len(balancer.asked) == 1


async def test_many_who_need_one_key_ask_once(balancer, client):
    balancer.make("one")
    balancer.delay = 0.02
    await asyncio.gather(*(client.seek("one", "ES256") for _ in range(50)))
    assert len(balancer.asked) == 1
    assert "one" in await client.ready()


async def test_a_flood_of_names_is_503_and_costs_few_requests(balancer, client, clock):
    for number in range(5):
        await client.seek(f"no-{number}", "ES256")
    balancer.make("one")
    with pytest.raises(UnavailableError) as caught:
        await client.seek("one", "ES256")
    assert caught.value.retry_after == 5
    assert len(balancer.asked) == 5
    clock.advance(5)
    await client.seek("one", "ES256")
    assert "one" in await client.ready()


async def test_an_outage_is_503_and_says_why(balancer, client, caplog):
    balancer.make("one")
    balancer.status = 500
    with caplog.at_level(logging.WARNING), pytest.raises(UnavailableError):
        await client.seek("one", "ES256")
    assert "500" in caplog.text

    async def fail(*_):
        raise OSError

    broken = PEMClient(URL, transport=Transport(fail))
    with pytest.raises(UnavailableError):
        await broken.seek("one", "ES256")
    assert "OSError" in caplog.text
    await broken.aclose()


@pytest.mark.parametrize("body", [b"<html>", b"\xff", b"-----BEGIN PUBLIC KEY-----"])
async def test_what_is_no_key_is_left_out(balancer, client, caplog, body):
    balancer.make("one")
    balancer.body = body
    await client.seek("one", "ES256")
    assert "one" not in await client.ready()
    assert "is not used" in caplog.text


async def test_a_key_is_asked_for_again_in_a_day(balancer, client, clock):
    balancer.make("one")
    await client.seek("one", "ES256")
    clock.advance(86_399)
    assert client.is_fresh()
    assert "one" in await client.ready()
    clock.advance(1)
    assert not client.is_fresh()
    assert "one" not in await client.ready()
    await client.seek("one", "ES256")
    assert "one" in await client.ready()


async def test_few_keys_are_kept(balancer, clock):
    client = PEMClient(URL, transport=Transport(balancer), clock=clock, cooldown=1)
    for number in range(25):
        clock.advance(1)
        balancer.make(f"k{number}")
        await client.seek(f"k{number}", "ES256")
    keys = await client.ready()
    assert [key.kid for key in keys] == [f"k{number}" for number in range(5, 25)]
    await client.aclose()


async def test_nothing_stays_under_way(balancer, client):
    balancer.make("one")
    balancer.delay = 60
    waiting = asyncio.create_task(client.seek("one", "ES256"))
    while not balancer.asked:
        await asyncio.sleep(0)
    await client.aclose()
    with pytest.raises(asyncio.CancelledError):
        await waiting


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("http://keys.example/{kid}", {}),
        ("https://keys.example/", {}),
        ("https://{kid}.example/", {}),
        (URL, {"algorithms": ()}),
        (URL, {"algorithms": ("HS256",)}),
        (URL, {"ttl": 0}),
        (URL, {"cooldown": 0}),
    ],
)
def test_parts_must_fit_together(url, options):
    with pytest.raises(ConfigurationError):
        PEMClient(url, **options)
