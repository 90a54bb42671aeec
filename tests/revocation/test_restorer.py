"""A store that goes back in time gets back what its readers still hold."""

from __future__ import annotations

import asyncio
from copy import deepcopy

import pytest

from asgi_auth import (
    KeySet,
    MemoryStore,
    RevocationList,
    RevokedTokenError,
    TokenService,
    UnavailableError,
)
from asgi_auth.stores.records import Revocation
from asgi_auth.testing import FakeClock

ISSUER = "https://api.example"


class Restorable:
    """A store of which only the feed tells, and which can be put back."""

    def __init__(self, clock=None):
        self.make = (lambda: MemoryStore(clock=clock)) if clock else MemoryStore
        self.memory = self.make()
        self.published = []
        self.outages = 0

    def lose(self):
        self.memory = self.make()
        self.published.clear()

    async def publish(self, entries, *, ttl, now=None):
        if self.outages:
            self.outages -= 1
            raise UnavailableError
        self.published += entries
        await self.memory.publish(entries, ttl=ttl, now=now)

    async def feed(self, cursor, *, wait, now=None):
        return await self.memory.feed(cursor, wait=wait, now=now)

    def __getattr__(self, name):
        if name == "subscribe":
            raise AttributeError(name)
        return getattr(self.memory, name)


def entry(kind, value="", issuer=ISSUER):
    return Revocation(kind=kind, issuer=issuer, value=value)


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr("asgi_auth.revocation.restorer._LONGEST_START", 0.0)
    monkeypatch.setattr("asgi_auth.revocation.restorer._PAUSE", 0.01)


async def everything_in(store, *, now=None):
    seen, page = {}, await store.feed(None, wait=0, now=now)
    while True:
        seen |= {(one.kind, one.value): one for one in page.entries}
        if not page.more:
            return seen
        page = await store.feed(page.cursor, wait=0, now=now)


async def restored(store, count):
    async with asyncio.timeout(30):
        while len(await everything_in(store)) < count:
            await asyncio.sleep(0.01)
    return await everything_in(store)


async def test_what_a_store_has_lost_is_published_again_with_its_times():
    clock = FakeClock()
    store, closed = Restorable(clock), []

    async def close(sids):
        closed.extend(sids)

    revocations = RevocationList(store, close=close)
    everything = [entry("jti", "t"), entry("sid", "s"), entry("subject", "42")]
    everything += [entry("all"), entry("sid", "0123456789abcdef.x", issuer="")]
    await store.publish(everything, ttl=900)
    revoked_at = clock()
    await revocations.read()
    clock.advance(300)
    store.lose()

    await revocations.read()
    entries = await restored(store, 5)
    assert {*entries} == {(one.kind, one.value) for one in everything}
    assert entries["sid", "0123456789abcdef.x"].issuer == ""
    assert sorted(closed) == ["0123456789abcdef.x", "s"]
    # Who has logged in again since is not hit by a later time.
    assert entries["all", ""].at == entries["subject", "42"].at == revoked_at
    for one in entries.values():
        assert revoked_at + 900 <= one.expires_at <= revoked_at + 900 + 300 + 10
    await revocations.aclose()


async def test_what_the_store_still_has_is_not_published_again(caplog):
    store = Restorable()
    revocations = RevocationList(store)
    kept = [entry("sid", f"kept-{number}") for number in range(1200)]
    await store.publish([*kept, entry("sid", "lost")], ttl=900)
    await revocations.read()
    store.lose()
    await store.memory.publish(kept, ttl=900)

    await revocations.read()
    await restored(store, 1201)
    async with asyncio.timeout(30):
        while revocations._restorer._known is not None:
            await asyncio.sleep(0.01)
    assert [one.value for one in store.published] == ["lost"]
    assert "has gone back in time: 1 that" in caplog.text
    await revocations.aclose()


async def test_an_outage_meanwhile_is_waited_for():
    store = Restorable()
    revocations = RevocationList(store)
    await store.publish([entry("sid", str(number)) for number in range(600)], ttl=900)
    await revocations.read()
    store.lose()
    store.outages = 3

    await revocations.read()
    assert len(await restored(store, 600)) == 600
    await revocations.aclose()


async def test_what_ends_at_once_is_let_go():
    store = Restorable()
    revocations = RevocationList(store)
    await store.publish([entry("sid", "s")], ttl=5)
    await revocations.read()
    store.lose()
    await revocations.read()
    await asyncio.sleep(0.1)
    assert store.published == []
    await revocations.aclose()


async def test_a_store_that_goes_back_twice_gets_it_back_twice():
    store = Restorable()
    revocations = RevocationList(store)
    await store.publish([entry("sid", str(number)) for number in range(300)], ttl=900)
    await revocations.read()
    for _ in range(2):
        store.lose()
        await revocations.read()
    assert len(await restored(store, 300)) == 300
    await revocations.aclose()


async def test_who_leaves_meanwhile_leaves_no_task(monkeypatch):
    monkeypatch.setattr("asgi_auth.revocation.restorer._LONGEST_START", 60.0)
    store = Restorable()
    revocations = RevocationList(store)
    before = asyncio.all_tasks()
    await store.publish([entry("sid", "s")], ttl=900)
    await revocations.read()
    store.lose()
    await revocations.read()
    await revocations.aclose()
    assert asyncio.all_tasks() == before


async def test_a_session_that_was_ended_does_not_come_back_to_life():
    """A backup has the session's row from before it was ended."""
    keys = KeySet.generate("ES256")
    store = Restorable()
    tokens = TokenService(keys, issuer=ISSUER, audience="api", store=store)
    pair = await tokens.issue("42")
    backup = deepcopy((store.memory._rows, store.memory._subjects))
    (session,) = await tokens.sessions("42")
    await tokens.revoke_session(session.sid)
    store.lose()
    store.memory._rows, store.memory._subjects = backup

    await tokens.revocations.read()
    await restored(store, 1)
    async with asyncio.timeout(30):
        while await store.memory.sessions(ISSUER, "42"):
            await asyncio.sleep(0.01)
    fresh = TokenService(keys, issuer=ISSUER, audience="api", store=store)
    with pytest.raises(RevokedTokenError):
        await fresh.verify(pair.access_token)
    await tokens.aclose()
    await fresh.aclose()
