"""One timer and one listener for all the sockets of an event loop."""

from __future__ import annotations

import asyncio
import math
import time

import pytest

from asgi_auth import MemoryStore
from asgi_auth.lifetime.deadlines import Deadlines
from asgi_auth.principal import Principal
from asgi_auth.revocation import RevocationList
from asgi_auth.stores.records import Revocation
from asgi_auth.testing import FakeClock


class Socket:
    """Notes when it is told to look."""

    def __init__(self, deadlines, clock, *, ttl=60.0, **principal):
        self.principal = Principal(**{"subject": "ann", **principal})
        self.deadlines, self.clock, self.deadline = deadlines, clock, clock() + ttl
        self.waited = self.looked = 0
        deadlines.enter(self, self.deadline, clock())

    def wait(self):
        self.waited += 1

    def look(self):
        self.looked += 1

    def go(self):
        self.deadlines.leave(self, self.deadline)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def store(clock):
    return MemoryStore(clock=clock)


@pytest.fixture
def revocations(store):
    return RevocationList(store)


@pytest.fixture
async def deadlines(clock, revocations):
    return Deadlines(clock, revocations)


def timers():
    loop = asyncio.get_running_loop()
    return [h for h in loop._scheduled if not h._cancelled]


def fire(deadlines):
    """Do what the timer that was set last does."""
    deadlines._wake(deadlines._ticket)


async def revoke(store, *entries):
    found = [Revocation(kind=kind, issuer="", value=value) for kind, value in entries]
    await store.publish(found, ttl=900)
    await asyncio.sleep(0.01)


async def test_many_sockets_share_a_timer_and_a_listener(deadlines, clock, revocations):
    before = len(timers())
    sockets = [Socket(deadlines, clock, ttl=60 + n) for n in range(50)]
    assert (len(timers()), len(revocations._listeners)) == (before + 1, 1)
    assert len(deadlines) == 50
    for socket in sockets:
        socket.go()

    assert len(deadlines) == 0
    sockets[0].go()  # Twice is no error.


async def test_whose_time_has_come_is_told_and_taken_out(deadlines, clock):
    soon, late = Socket(deadlines, clock, ttl=60), Socket(deadlines, clock, ttl=61)
    clock.advance(60)
    fire(deadlines)
    assert (soon.waited, late.waited) == (1, 0)
    assert list(deadlines) == [late]


async def test_an_earlier_deadline_sets_an_earlier_timer(deadlines, clock):
    Socket(deadlines, clock, ttl=20)
    first = deadlines._ticket
    soon = Socket(deadlines, clock, ttl=10)
    assert deadlines._wakes_at == clock() + 10
    clock.advance(10)
    deadlines._wake(first)
    assert not soon.waited  # That timer is out of date.
    fire(deadlines)
    assert soon.waited


async def test_a_timer_is_set_anew_where_the_clock_was_set_ahead(deadlines, clock):
    over = Socket(deadlines, clock, ttl=60)
    clock.advance(3600)
    Socket(deadlines, clock, ttl=5)
    # At once, because of the one whose time is over by the new clock.
    assert deadlines._wakes_at == clock()
    fire(deadlines)
    assert over.waited == 1
    assert deadlines._wakes_at == clock() + 5


async def test_who_comes_while_the_loop_is_late_puts_off_nobodys_end(deadlines, clock):
    over = Socket(deadlines, clock, ttl=0.01)
    time.sleep(0.02)  # noqa: ASYNC251  (the loop is late: its timer is due, but not come)
    clock.advance(0.02)
    for _ in range(3):
        Socket(deadlines, clock, ttl=3600)

    async with asyncio.timeout(30):
        while not over.waited:
            await asyncio.sleep(0)

    assert deadlines._wakes_at == clock() + 30


async def test_who_never_ends_is_told_of_revocations_only(deadlines, clock, store):
    socket = Socket(deadlines, clock, ttl=math.inf)
    fire(deadlines)
    assert deadlines._wakes_at == clock() + 30
    await revoke(store, ("subject", "ann"))
    assert (socket.waited, socket.looked) == (0, 1)


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (("jti", "j1"), [1, 0]),
        (("sid", "s1"), [1, 0]),
        (("subject", "ann"), [1, 0]),
        (("subject", "eve"), [0, 0]),
        (("all", ""), [1, 1]),
    ],
)
async def test_those_that_an_entry_names_look(deadlines, clock, store, entry, told):
    sockets = [
        Socket(deadlines, clock, token_id="j1", session_id="s1"),
        Socket(deadlines, clock, subject="bob", token_id="j2", session_id="s2"),
    ]
    await revoke(store, entry)
    assert [socket.looked for socket in sockets] == told


async def test_sockets_look_before_it_is_said_that_all_is_known(
    deadlines, clock, revocations
):
    """However late the loop is: no turn of it lies in between."""
    socket = Socket(deadlines, clock)
    entry = Revocation(kind="subject", issuer="", value="ann")
    revocations._apply([entry], clock())
    assert socket.looked == 1


async def test_a_flood_is_held_against_the_sockets_together(deadlines, clock, store):
    socket = Socket(deadlines, clock)
    deadlines._rest_until = asyncio.get_running_loop().time() + 0.1
    for number in range(20):
        await store.publish(
            [Revocation(kind="jti", issuer="", value=f"x{number}")], ttl=900
        )

    await revoke(store, ("subject", "ann"))
    assert socket.looked == 0
    await asyncio.sleep(0.15)
    assert socket.looked == 1


async def test_an_empty_ledger_stops_listening_when_its_timer_fires(
    deadlines, clock, revocations
):
    Socket(deadlines, clock).go()
    assert revocations._listeners
    fire(deadlines)
    assert not revocations._listeners
    Socket(deadlines, clock)
    assert revocations._listeners


async def test_where_nothing_can_be_revoked_nobody_listens(clock):
    deadlines = Deadlines(clock, None)
    socket = Socket(deadlines, clock)
    clock.advance(60)
    fire(deadlines)
    assert socket.waited
    fire(deadlines)


def test_what_comes_after_the_end_of_a_loop_ends_the_listening(
    clock, store, revocations
):
    async def serve():
        deadlines = Deadlines(clock, revocations)
        return deadlines, Socket(deadlines, clock)

    async def publish():
        await revoke(store, ("subject", "ann"))

    kept, socket = asyncio.run(serve())
    assert revocations._listeners
    asyncio.run(publish())
    assert not revocations._listeners
    assert len(kept) == 1
    assert not socket.looked
