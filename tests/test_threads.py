"""What event loops in several threads share stays whole, with the GIL and without.

Each thread runs a loop of its own, as a server with threads does. Nothing is timed:
all threads begin together, do a number of things, and what is left is counted.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from asgi_auth import (
    AuthenticationMiddleware,
    JWTBackend,
    KeySet,
    RevokedTokenError,
    TokenService,
)
from asgi_auth._drivers.per_loop import PerLoop
from asgi_auth.events import Event
from asgi_auth.metrics.readings import Readings
from asgi_auth.revocation import RevocationList
from asgi_auth.stores import MemoryStore
from asgi_auth.stores.records import Revocation
from asgi_auth.tokens.cache import Entry, VerifiedCache

THREADS = 8
TIMES = 200
ISSUER = "https://api.example"


def at_once(work, *, threads=THREADS):
    """Call *work* with the number of each thread, and return what all have returned."""
    start = threading.Barrier(threads)

    def run(number):
        start.wait()
        return work(number)

    with ThreadPoolExecutor(threads) as pool:
        return [*pool.map(run, range(threads))]


@pytest.fixture
def tokens():
    return TokenService(
        KeySet.from_secret(secrets.token_bytes(32)), issuer=ISSUER, audience="api"
    )


async def status_of(app, token):
    """Return the status of one request with a token."""
    messages = []

    async def send(message):
        messages.append(message)

    headers = [(b"authorization", f"Bearer {token}".encode())]
    scope = {"type": "http", "method": "GET", "path": "/", "headers": headers}
    await app(scope, None, send)
    return messages[0]["status"]


async def greet(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["user"].subject.encode()})


def test_the_table_of_remembered_tokens_stays_a_ring():
    cache = VerifiedCache(16)
    keys = [number.to_bytes(2) for number in range(48)]

    def work(number):
        for step in range(TIMES * 5):
            key = keys[(step * 7 + number) % len(keys)]
            if cache.get(key) is None:
                cache.put(key, Entry(), 100)

    at_once(work)

    newer, older = [], []
    entry = cache._root.newer
    while entry is not cache._root:
        newer.append(entry.key)
        entry = entry.newer
    entry = cache._root.older
    while entry is not cache._root:
        older.append(entry.key)
        entry = entry.older

    assert sorted(newer) == sorted(older) == sorted(cache.table)
    assert len(cache.table) == cache.size
    assert cache.stats().size == 16


def test_each_revocation_has_a_version_of_its_own(monkeypatch):
    revocations = RevocationList(MemoryStore())
    # As if nothing were to be written down: then they meet most often.
    monkeypatch.setattr(revocations._register, "add", lambda *_, note: 1)
    monkeypatch.setattr(revocations._register, "sweep", lambda: None)
    news = [Revocation(kind="jti", issuer=ISSUER, value="a")]

    def apply(_):
        for _ in range(50 * TIMES):
            revocations._apply(news, 0.0)

    at_once(apply)
    # One version twice, and what was cleared at it would pass the next revocation.
    assert revocations.version == THREADS * 50 * TIMES


def test_no_revocation_of_any_thread_is_lost():
    store = MemoryStore()
    revocations = RevocationList(store)

    async def publish(number):
        for step in range(TIMES):
            entry = Revocation(kind="jti", issuer=ISSUER, value=f"{number}-{step}")
            await store.publish([entry], ttl=600)

    at_once(lambda number: asyncio.run(publish(number)))
    assert revocations.size == THREADS * TIMES


def test_what_one_thread_revokes_no_other_lets_pass(tokens):
    app = AuthenticationMiddleware(greet, JWTBackend(tokens))
    share = 12

    async def issue():
        return [await tokens.issue(f"user-{n}") for n in range(THREADS * share)]

    pairs = asyncio.run(issue())

    async def revoke_and_ask(number):
        mine = pairs[number * share : (number + 1) * share]
        for pair in pairs:  # All threads remember all tokens, at the same time.
            assert await status_of(app, pair.access_token) in {200, 401}

        for pair in mine[::2]:
            await tokens.revoke(pair.refresh_token)
            assert await status_of(app, pair.access_token) == 401

    at_once(lambda number: asyncio.run(revoke_and_ask(number)))

    async def ask(_):
        return [await status_of(app, pair.access_token) for pair in pairs]

    for statuses in at_once(lambda number: asyncio.run(ask(number))):
        assert statuses == [401, 200] * (len(pairs) // 2)


def test_one_refresh_token_has_one_successor(tokens):
    async def issue():
        return await tokens.issue("ann")

    pair = asyncio.run(issue())

    async def refresh(_):
        return (await tokens.refresh(pair.refresh_token)).refresh_token

    successors = at_once(lambda number: asyncio.run(refresh(number)))
    assert len({*successors}) == 1
    assert successors[0] != pair.refresh_token


def test_a_session_that_one_thread_ended_is_refreshed_by_none(tokens):
    async def issue():
        return await tokens.issue("ann")

    pair = asyncio.run(issue())

    async def end_or_refresh(number):
        if number == 0:
            await tokens.revoke_subject("ann")
            return

        for _ in range(20):
            try:
                await tokens.refresh(pair.refresh_token)
            except RevokedTokenError:
                return

    at_once(lambda number: asyncio.run(end_or_refresh(number)))
    with pytest.raises(RevokedTokenError):
        asyncio.run(tokens.refresh(pair.refresh_token))


def test_a_key_is_used_once():
    store = MemoryStore()

    async def use(_):
        return [await store.once("space", f"{n}", ttl=60) for n in range(TIMES)]

    used = at_once(lambda number: asyncio.run(use(number)))
    assert [sum(uses) for uses in zip(*used, strict=True)] == [1] * TIMES


def test_each_loop_has_its_own_and_each_is_closed():
    opened, closed = [], []

    def make():
        opened.append(object())
        return opened[-1]

    async def close(thing):
        closed.append(thing)

    shared = PerLoop(make, close)

    async def ask():
        first = await shared.get()
        await asyncio.sleep(0)
        return first is await shared.get()

    def work(_):
        return [asyncio.run(ask()) for _ in range(25)]

    assert all(all(answers) for answers in at_once(work))
    assert len(opened) == THREADS * 25
    assert Counter(map(id, opened)) == Counter(map(id, closed))
    assert len(shared) == 0


def test_no_event_is_lost_in_the_counters():
    readings = Readings("api")
    event = Event(name="login.succeeded", at=0.0)

    def work(_):
        for _ in range(TIMES):
            readings.hear(event)

    at_once(work)
    logins = dict(readings.collect())["logins"]
    assert logins == {("api", "succeeded"): THREADS * TIMES}
