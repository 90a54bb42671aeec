"""What ends much is done in pieces: cut off anywhere, and repeated, it is whole."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from asgi_auth import KeySet, MemoryStore, SessionPolicy, TokenService
from asgi_auth.accounts import UnknownAccountError
from asgi_auth.backends.apikeys import APIKeys, MemoryAPIKeys
from asgi_auth.errors import UnavailableError
from asgi_auth.factors import MemoryFactors
from asgi_auth.factors.records import FactorRecord
from asgi_auth.stores.records import NewSession, Revocation, subject_tag
from tests.routes.world import EMAIL, World

pytestmark = pytest.mark.anyio

ISSUER = "https://api.example"
# More than a page.
SESSIONS = 120
MANY = 30_000


class Killed(BaseException):
    """The process ends here, and no handler runs."""


class Pieces:
    """Kills whoever calls the verbs of some stores too often."""

    def __init__(self, *stores):
        self.left = float("inf")
        self.calls = 0
        for store in stores:
            for name, verb in inspect.getmembers(store, inspect.iscoroutinefunction):
                if not name.startswith("_"):
                    setattr(store, name, self._counted(verb))

    def _counted(self, verb):
        async def counted(*args, **options):
            self.calls += 1
            self.left -= 1
            if self.left < 0:
                raise Killed
            return await verb(*args, **options)

        return counted


async def open_sessions(store, subject, count):
    tag = subject_tag(ISSUER, subject)
    for number in range(count):
        new = NewSession(
            sid=f"{tag}.{number}", issuer=ISSUER, subject=subject, idle_ttl=9e5, ttl=9e5
        )
        await store.create(new)


async def all_of(full):
    sessions, page = [], await full.tokens.sessions(full.id)
    while page:
        sessions += page
        page = await full.tokens.sessions(full.id, after=page[-1].place)
    return sessions


class Full:
    """A user with some of everything, and what counts the verbs about them."""

    @classmethod
    async def make(cls):
        self = cls()
        self.sessions = MemoryStore()
        policy = SessionPolicy(max_sessions=None)
        tokens = {"store": self.sessions, "clock": None, "session_policy": policy}
        world = World(tokens=tokens, factors={"store": MemoryFactors()})
        self.tokens, self.accounts = world.tokens, world.accounts
        self.factors = world.factors._store
        keys = MemoryAPIKeys()
        self.keys = APIKeys(keys, clock=world.clock)
        self.accounts.also_end(self.keys.revoke_subject)
        account = await self.accounts.create(EMAIL)
        self.id = account.id
        await open_sessions(self.sessions, self.id, SESSIONS)
        self.sids = {session.sid for session in await all_of(self)}
        for kind in ("totp", "recovery"):
            await self.factors.put(FactorRecord(subject=self.id, kind=kind, since=0.0))
        for label in "ab":
            await self.keys.generate(self.id, label=label)
        self.pieces = Pieces(self.sessions, world.store, self.factors, keys)
        return self

    async def is_there(self):
        return await self.accounts.store.find_by_id(self.id) is not None

    async def count_factors(self):
        return len(await self.factors.find(self.id))

    async def assert_nothing_is_left(self):
        assert not await self.is_there()
        assert await self.tokens.sessions(self.id) == []
        assert await self.count_factors() == 0
        assert all(key.revoked_at for key in await self.keys.list(self.id))


async def test_a_deletion_that_is_killed_anywhere_is_finished_by_the_next():
    full = await Full.make()
    await full.accounts.delete(full.id)
    total = full.pieces.calls
    await full.assert_nothing_is_left()

    states = set()
    for place in range(total):
        full = await Full.make()
        full.pieces.left = place
        with pytest.raises(Killed):
            await full.accounts.delete(full.id)
        full.pieces.left = float("inf")
        is_there, factors = await full.is_there(), await full.count_factors()
        states.add((is_there, bool(factors)))
        # What is asked for beside the password stays as long as the account.
        assert factors == 2 or not is_there

        if is_there:
            await full.accounts.delete(full.id)
        else:
            with pytest.raises(UnknownAccountError):
                await full.accounts.delete(full.id)
        await full.assert_nothing_is_left()

    assert states == {(True, True), (False, True)}


@pytest.mark.parametrize("fault", [UnavailableError, RuntimeError])
async def test_a_store_that_fails_leaves_what_is_in_it_and_nothing_else(caplog, fault):
    full = await Full.make()
    ended, is_down = [], True

    async def fail(subject):
        if is_down:
            raise fault
        ended.append(subject)

    async def note(subject):
        ended.append(subject)

    for ending in (fail, note):
        full.accounts.also_end(ending, deleted_only=True)
    with pytest.raises(fault):
        await full.accounts.delete(full.id)
    await full.assert_nothing_is_left()
    assert ended == [full.id]
    assert f"{full.id!r} is deleted, but not all that it had" in caplog.text

    is_down = False
    with pytest.raises(UnknownAccountError):
        await full.accounts.delete(full.id)
    assert ended == [full.id] * 3


async def test_an_unknown_account_has_nothing_to_delete():
    full = await Full.make()
    with pytest.raises(UnknownAccountError):
        await full.accounts.delete("nobody")
    assert await full.is_there()
    assert await full.count_factors() == 2
    assert len(await full.tokens.sessions(full.id)) == 100


async def test_ending_all_sessions_can_be_killed_anywhere_and_repeated():
    full = await Full.make()
    verbs = full.pieces
    for place in range(100):
        verbs.left = place
        try:
            await full.tokens.revoke_subject(full.id)
        except Killed:
            verbs.left = float("inf")
            held = await full.sessions.feed(None, wait=0)
            published = {entry.value for entry in held.entries}
            left = {session.sid for session in await all_of(full)}
            # What is closed was published before: no token of it is accepted.
            assert full.sids - left <= published
        else:
            break

    verbs.left = float("inf")
    assert await full.tokens.sessions(full.id) == []


async def test_ending_everything_can_be_killed_and_repeated():
    full = await Full.make()
    full.pieces.left = 0
    with pytest.raises(Killed):
        await full.tokens.revoke_all()
    full.pieces.left = float("inf")
    await full.tokens.revoke_all()
    (entry,) = (await full.sessions.feed(None, wait=0)).entries
    assert isinstance(entry, Revocation)
    assert entry.kind == "all"


@pytest.mark.parametrize("count", [3000, pytest.param(MANY, marks=pytest.mark.slow)])
async def test_others_run_while_all_sessions_of_one_subject_end(count):
    store = MemoryStore()
    tokens = TokenService(
        KeySet.generate("HS256"),
        store=store,
        issuer=ISSUER,
        session_policy=SessionPolicy(max_sessions=None),
    )
    await open_sessions(store, "ann", count)
    turns = 0

    async def others():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    first = await tokens.sessions("ann")
    assert len(first) == 100
    await tokens.revoke_subject("ann")
    task.cancel()
    assert await tokens.sessions("ann") == []
    # Once after each page, of which the last is empty.
    assert turns >= count // 100
    assert tokens.revocations.size == count + 1
