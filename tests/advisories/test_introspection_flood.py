"""Junk must not keep the issuer busy, nor good tokens out."""

from __future__ import annotations

import asyncio
import json
import time
from types import SimpleNamespace
from urllib.parse import parse_qs

import pytest

from asgi_auth.backends import Client, _flights, introspection
from asgi_auth.backends.endpoint import IntrospectionEndpoint
from asgi_auth.backends.introspection import IntrospectionBackend
from asgi_auth.credentials.credential import Credential
from asgi_auth.errors import ExpiredTokenError, InvalidTokenError, UnavailableError
from asgi_auth.keys import Transport
from tests.asgi import http_scope


class Issuer:
    """Answers after a while, and knows the tokens that begin with *good*."""

    def __init__(self, pause=0.0):
        self.pause = pause
        self.held = None
        self.asked = []
        self.under_way = self.most = 0
        self.answer = {"active": False}

    async def __call__(self, url, headers, body):
        (token,) = parse_qs(body.decode())["token"]
        self.asked.append(token)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await asyncio.sleep(self.pause)
            if self.held is not None:
                await self.held.wait()
        finally:
            self.under_way -= 1

        answer = self.answer
        if token.startswith("good"):
            answer = {"active": True, "sub": "ada", "exp": time.time() + 600}
        return 200, {"content-type": "application/json"}, json.dumps(answer).encode()


def backend(issuer, **options):
    endpoint = IntrospectionEndpoint(
        "https://idp.example/introspect",
        client=Client(id="orders", secret="secret"),
        transport=Transport(issuer),
        **options,
    )
    return IntrospectionBackend(endpoint, issuer="https://idp.example", audience=None)


async def ask(backend, token):
    credential = Credential(token.encode("latin-1"), "header")
    return await backend.authenticate(credential, http_scope())


async def flood(backend, number):
    junk = [asyncio.create_task(ask(backend, f"junk{n}")) for n in range(number)]
    await asyncio.sleep(0)
    return junk


@pytest.mark.alone
async def test_a_good_token_gets_through_a_flood_of_junk():
    issuer = Issuer(pause=0.02)
    made = backend(issuer)
    junk = await flood(made, 1000)
    async with asyncio.timeout(5):
        assert (await ask(made, "good")).subject == "ada"
    results = await asyncio.gather(*junk, return_exceptions=True)

    assert all(isinstance(result, InvalidTokenError) for result in results)
    assert issuer.most <= 64 + 16
    await made.aclose()


@pytest.mark.alone
async def test_who_was_known_before_does_not_stand_behind_strangers():
    issuer = Issuer()
    made = backend(issuer, cache_ttl=0.01)
    await ask(made, "good")
    await asyncio.sleep(0.02)
    issuer.pause = 0.5
    junk = await flood(made, 1000)
    began = asyncio.get_running_loop().time()
    assert (await ask(made, "good")).subject == "ada"
    assert asyncio.get_running_loop().time() - began < 2
    for task in junk:
        task.cancel()
    await made.aclose()


@pytest.mark.alone
async def test_what_is_too_much_is_503_at_once(monkeypatch):
    monkeypatch.setattr(_flights, "_WAITING", 10)
    issuer = Issuer(pause=0.2)
    made = backend(issuer)
    junk = await flood(made, 90)
    # The newest comes next; whoever has waited longest is sent away for it.
    assert (await ask(made, "good")).subject == "ada"
    results = await asyncio.gather(*junk, return_exceptions=True)
    busy = [result for result in results if isinstance(result, UnavailableError)]
    assert len(busy) == 90 + 1 - 64 - 10
    assert all("too many" in str(error) for error in busy)
    assert issuer.most == 64
    assert (await ask(made, "good2")).subject == "ada"


@pytest.mark.alone
async def test_a_good_token_that_nobody_has_seen_gets_through_more_junk_than_waits():
    issuer = Issuer(pause=0.3)
    made = backend(issuer)
    junk = await flood(made, 1500)
    async with asyncio.timeout(5):  # In its turn, it would take seven.
        assert (await ask(made, "good")).subject == "ada"
    for task in junk:
        task.cancel()
    await made.aclose()


async def test_who_leaves_the_queue_takes_no_place_along(monkeypatch):
    issuer = Issuer(pause=0.05)
    made = backend(issuer)
    flights = await made._flights.get()
    junk = await flood(made, 70)
    await asyncio.sleep(0)
    await flights.cancel()
    await asyncio.gather(*junk, return_exceptions=True)
    assert flights._unknown._free == 64
    await asyncio.gather(*(ask(made, f"good{n}") for n in range(70)))


async def test_an_answer_that_is_not_meant_for_us_is_remembered_as_well():
    issuer = Issuer()
    made = backend(issuer)
    issuer.answer = {"active": True, "sub": "ada", "exp": 1}
    for _ in range(5):
        with pytest.raises(ExpiredTokenError):
            await ask(made, "stale")
    assert issuer.asked == ["stale"]


async def test_nobody_waits_for_ever_for_a_turn(monkeypatch):
    monkeypatch.setattr(_flights, "_PATIENCE", 0.05)
    issuer = Issuer()
    issuer.held = asyncio.Event()
    made = backend(issuer)
    junk = await flood(made, 80)
    with pytest.raises(UnavailableError, match="too many"):
        await ask(made, "good")
    issuer.held.set()
    await asyncio.gather(*junk, return_exceptions=True)


@pytest.mark.parametrize(
    "token", ["a b", "a,b", 'a"b', "a=b", "=", "{}", "a\x00", "ä", "a%20b", "a:b"]
)
async def test_what_no_bearer_token_looks_like_is_not_asked_about(token):
    issuer = Issuer()
    with pytest.raises(InvalidTokenError):
        await ask(backend(issuer), token)
    assert issuer.asked == []


async def test_a_refusal_is_remembered_for_ten_seconds_at_most(monkeypatch):
    times = [0.0]
    # The name in that module, not the function: event loops and threads use it as well.
    clock = SimpleNamespace(monotonic=lambda: times[-1])
    monkeypatch.setattr(introspection, "time", clock)
    issuer = Issuer()
    made = backend(issuer)
    for moment in (0.0, 5.0, 9.9):
        times.append(moment)
        with pytest.raises(InvalidTokenError):
            await ask(made, "junk")
    assert issuer.asked == ["junk"]
    times.append(10.0)
    with pytest.raises(InvalidTokenError):
        await ask(made, "junk")
    assert issuer.asked == ["junk"] * 2


async def test_refusals_are_not_remembered_where_answers_are_not():
    issuer = Issuer()
    made = backend(issuer, cache_ttl=0)
    for _ in range(2):
        with pytest.raises(InvalidTokenError):
            await ask(made, "junk")
    assert issuer.asked == ["junk"] * 2


async def test_the_table_of_refusals_has_a_bound(monkeypatch):
    monkeypatch.setattr(introspection, "_MOST_REFUSED", 50)
    made = backend(Issuer())
    for number in range(200):
        with pytest.raises(InvalidTokenError):
            await ask(made, f"junk{number}")
    assert len(made._refused) == 50
    assert all(len(digest) == 32 for digest in made._refused)
