"""Of many answers to one question one is taken, whatever keeps the sessions."""

from __future__ import annotations

import asyncio
import itertools
import os

import pytest

from asgi_auth.passkeys import MemoryPasskeys, SQLPasskeys
from asgi_auth.stores.redis import RedisStore
from asgi_auth.stores.sql import SQLStore
from tests.passkeys.authenticator import Authenticator, encoded
from tests.passkeys.world import PasskeyWorld, add_passkey, ask, log_in, show
from tests.postgres import postgres
from tests.stores.valkey import valkey_server

pytestmark = pytest.mark.anyio

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def postgres_url():
    """A PostgreSQL server of its own, in a new folder."""
    with postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres", "valkey"])
async def world(request, tmp_path):
    """A world whose sessions and passkeys are where other processes reach them."""
    if request.param == "valkey":
        with valkey_server() as server:
            sessions, passkeys = RedisStore(server.url), MemoryPasskeys()
            yield await opened(sessions, passkeys)
            await sessions.aclose()
        return

    url = f"sqlite:///{tmp_path / 'store.db'}"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
    prefix = f"r{os.getpid()}_{next(_numbers)}_"
    sessions = SQLStore(url, table_prefix=prefix)
    passkeys = SQLPasskeys(url, table=f"{prefix}passkeys")
    for each in (sessions, passkeys):
        await each.create_schema()
    yield await opened(sessions, passkeys)
    for each in (sessions, passkeys):
        await each.aclose()


async def opened(sessions, passkeys):
    # Sessions go by the time of their store, and so does what asks how old they are.
    world = PasskeyWorld(
        passkeys={"store": passkeys},
        tokens={"store": sessions, "clock": None},
    )
    await world.add()
    return world


async def test_fifty_racing_answers_open_one_session(world):
    async with world.client() as client:
        pair = await log_in(client)
        passkey = await add_passkey(client, pair)
        question = await ask(client)
        calls = [show(client, passkey, question) for _ in range(50)]
        answers = await asyncio.gather(*calls)
        assert sorted(each.status_code for each in answers) == [200] + [401] * 49

        clone = Authenticator(id=passkey.id, handle=passkey.handle)
        clone.cose, clone._sign = passkey.cose, passkey._sign
        clone.count = 7
        questions = [await ask(client) for _ in range(20)]
        calls = [show(client, clone, each) for each in questions]
        answers = await asyncio.gather(*calls)
        # Many questions, and one counter: one authenticator was first.
        assert sorted(each.status_code for each in answers) == [200] + [401] * 19
        kept = await world.passkeys.store.find(encoded(passkey.id))
        assert kept.sign_count == 7
