"""Log-ins that come at once leave as many sessions as a subject may have."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from asgi_auth import KeySet, MemoryStore, SessionPolicy, TokenService
from asgi_auth.stores.redis import RedisStore
from asgi_auth.stores.sql import SQLStore
from tests.stores.valkey import valkey_server

SECRET = "v8Qm2kX0r4TnWz7LpYc1Hs9GdUfJb6Ae3Ro5Ti"


class Interleaved(MemoryStore):
    """Lets others run between the verbs, as a server does."""

    async def create(self, new, **options):
        session = await super().create(new, **options)
        await asyncio.sleep(0)
        return session

    async def sessions(self, *args, **options):
        found = await super().sessions(*args, **options)
        await asyncio.sleep(0)
        return found


@pytest.fixture(scope="module")
def valkey():
    with valkey_server() as server:
        yield server


@pytest.fixture(params=["memory", "sqlite", "postgres", "valkey"])
async def store(request, tmp_path):
    if request.param == "memory":
        yield Interleaved()
        return

    if request.param == "valkey":
        url = request.getfixturevalue("valkey").url
        store = RedisStore(url, prefix="at_once")
    elif request.param == "sqlite":
        store = SQLStore(f"sqlite:///{tmp_path}/sessions.db")
        await store.create_schema()
    else:
        store = SQLStore(request.getfixturevalue("postgres_url"))
        await store.create_schema()

    yield store
    await store.aclose()


numbers = itertools.count()


@pytest.mark.parametrize("allowed", [1, 2])
async def test_of_log_ins_at_once_the_newest_survive(store, allowed):
    keys = KeySet.from_secret(SECRET)
    policy = SessionPolicy(max_sessions=allowed)
    workers = [TokenService(keys, store=store, session_policy=policy) for _ in range(3)]
    for _ in range(10):
        subject = f"ann-{next(numbers)}"
        await asyncio.gather(*(s.issue(subject) for s in workers for _ in range(2)))
        sessions = await workers[0].sessions(subject)
        assert 1 <= len(sessions) <= allowed

        # Each is good, and the next log-in takes the place of the oldest.
        pair = await workers[1].issue(subject)
        await workers[2].refresh(pair.refresh_token)
        assert len(await workers[0].sessions(subject)) <= allowed

    for service in workers:
        await service.aclose()
