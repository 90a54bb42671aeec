"""A refresh that was answered 503, or given up, and may be done all the same.

By the users' own account, on a file that another process holds: no server, and no time.
"""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import sqlite3
from contextlib import contextmanager

import pytest

from asgi_auth import KeySet, SessionPolicy, TokenService, UnavailableError
from asgi_auth._drivers import gate, sql
from asgi_auth.errors import AuthError
from asgi_auth.stores.sql import SQLStore
from tests.load.crowd import Pace, User
from tests.load.ledger import Ledger
from tests.load.wire import Answer, claims_of

pytestmark = pytest.mark.anyio

SOON = 0.02


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture(autouse=True)
def nobody_steals(monkeypatch):
    monkeypatch.setattr(random, "random", lambda: 1.0)


@contextmanager
def nobody_waits():
    """Have callers be refused soon."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gate, "_PATIENCE", SOON)
        patch.setattr(sql, "_VERB_TIMEOUT", SOON)
        patch.setattr(sql, "_CLEAN_UP", 0.0)
        yield


class Wire:
    """Has a service refresh, in this process."""

    def __init__(self, tokens):
        self.tokens = tokens

    async def ask(self, _port, _path, *, body, token=None):
        try:
            pair = await self.tokens.refresh(body["refresh"])
        except UnavailableError as error:
            head = f"HTTP/1.1 503 \r\nRetry-After: {error.retry_after}\r\n"
            return Answer(head.encode(), b"{}")
        except AuthError as error:
            raw = json.dumps({"code": error.code}).encode()
            return Answer(f"HTTP/1.1 {error.status} ".encode(), raw)

        tokens = {"access": pair.access_token, "refresh": pair.refresh_token}
        return Answer(b"HTTP/1.1 200 ", json.dumps(tokens).encode())


class HastyWire(Wire):
    """Gives up what has begun, which cancels it."""

    async def ask(self, _port, _path, *, body, token=None):
        asking = asyncio.create_task(self.tokens.refresh(body["refresh"]))
        writing = life_of(self.tokens.store).writing
        while writing._free:
            await asyncio.sleep(0)

        asking.cancel()
        raise TimeoutError


def life_of(store):
    return store._database._lives.here()


class World:
    """One user of a service on a file."""

    def __init__(self, path, tokens):
        self.path, self.tokens, self.store = path, tokens, tokens.store
        self.ledger = Ledger(allowed=frozenset({"503", "lost"}))
        self.user = User(1, [1], Wire(tokens), self.ledger, Pace(0.0))

    async def log_in(self):
        pair = await self.tokens.issue(self.user.subject)
        self.user.pair = {"access": pair.access_token, "refresh": pair.refresh_token}

    async def seq(self):
        """Return how often the session was refreshed, once nothing is under way."""
        if verbs := life_of(self.store).verbs:
            await asyncio.wait([*verbs])

        sid = claims_of(self.user.pair["refresh"])["sid"]
        return (await self.store.find(sid)).seq


@pytest.fixture
async def world(tmp_path, request):
    grace = getattr(request, "param", 30.0)
    store = SQLStore(f"sqlite:///{tmp_path}/late.db")
    await store.create_schema()
    tokens = TokenService(
        KeySet.from_secret(secrets.token_bytes(32)),
        store=store,
        issuer="https://api.example",
        session_policy=SessionPolicy(grace=grace),
    )
    world = World(tmp_path / "late.db", tokens)
    await world.log_in()
    # It is known what is revoked before anything is slow.
    await tokens.ready()
    yield world
    await tokens.aclose()
    await store.aclose()


@contextmanager
def locked(path):
    """Hold the file, as another process does."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.execute("ROLLBACK")
    other.close()


async def test_a_refresh_that_was_answered_503_and_done_is_repeated(world):
    with locked(world.path), nobody_waits():
        await world.user.refresh()

    assert world.ledger.answers == {"/refresh 503": 2}
    assert await world.seq() == 1

    await world.user.refresh()
    assert world.ledger.answers == {"/refresh 503": 2, "/refresh 200": 2}
    assert (world.ledger.wrongs, +world.ledger.causes) == ([], {})
    assert await world.seq() == 1
    await world.user.refresh()
    assert await world.seq() == 2


async def test_a_refresh_that_was_given_up_and_done_is_repeated(world):
    usual, world.user.wire = world.user.wire, HastyWire(world.tokens)
    with locked(world.path):
        await world.user.refresh()

    assert world.ledger.answers == {"/refresh given up": 2}
    assert await world.seq() == 1

    world.user.wire = usual
    await world.user.refresh()
    assert world.ledger.answers["/refresh 200"] == 2
    assert (world.ledger.wrongs, +world.ledger.causes) == ([], {})


@pytest.mark.parametrize("world", [0.0], indirect=True)
async def test_without_a_grace_it_is_a_log_out(world):
    """The ledger would see it, if the grace did not cover it."""
    usual, world.user.wire = world.user.wire, HastyWire(world.tokens)
    with locked(world.path):
        await world.user.refresh()

    assert await world.seq() == 1
    world.user.wire, world.user.has_given_up = usual, False
    await world.user.refresh()
    assert "logged out without a cause" in world.ledger.wrongs[0]


async def test_a_refresh_for_which_there_was_no_place_is_never_done(world):
    writing = life_of(world.store).writing
    await writing.enter()
    with nobody_waits():
        await world.user.refresh()

    writing.leave()
    assert world.ledger.answers == {"/refresh 503": 2}
    assert await world.seq() == 0

    await world.user.refresh()
    assert world.ledger.answers["/refresh 200"] == 2
    assert (world.ledger.wrongs, await world.seq()) == ([], 1)
