"""What a verb costs must not depend on how much is stored: counted, not timed.

SQLite counts steps of its virtual machine, Redis its commands, and Python the
instructions of the store in memory. Each verb runs with n rows and with eight times as
many; what hands out everything may cost eight times as much, and nothing more than ten.
"""

from __future__ import annotations

import gc
import sys
from contextlib import contextmanager

import pytest
from sqlalchemy import event

from asgi_auth import KeySet, MemoryStore, SessionPolicy, TokenService
from asgi_auth.stores.redis import RedisStore
from asgi_auth.stores.sql import SQLStore
from benchmarks.crowd_rows import SUBJECT, VERBS, Rows
from benchmarks.material import ISSUER
from tests.stores.valkey import valkey_server

pytestmark = pytest.mark.anyio

# More than a page of the feed.
SMALL = 2500
FEW = 300
FACTOR = 8
ROUNDS = 3
# A search goes a few steps deeper; a table that has grown is another page to look at.
SLACK = 1.5
LIMIT = 10


class SQLiteWork:
    """Counts the steps of the virtual machine, on all connections of a store."""

    STEP = 10

    def __init__(self):
        self.count = 0

    def watch(self, store):
        engine = store._database._lives.here().engine
        event.listen(engine.sync_engine, "connect", self._begin)

    def _begin(self, connection, _):
        connection.driver_connection._conn.set_progress_handler(self._tick, self.STEP)

    def _tick(self):
        self.count += self.STEP

    @contextmanager
    def counting(self):
        self.count = 0
        yield


class RedisWork:
    """Counts the commands that a server has run, those of scripts included."""

    def __init__(self, server):
        self._server = server
        self.count = 0

    @contextmanager
    def counting(self):
        with self._server.client() as client:
            client.config_resetstat()
            yield
            stats = client.info("commandstats")
        overhead = {"cmdstat_info", "cmdstat_config|resetstat", "cmdstat_hello"}
        self.count = sum(
            stat["calls"]
            for name, stat in stats.items()
            if name not in overhead and "client" not in name
        )


class PythonWork:
    """Counts the instructions of this process."""

    def __init__(self):
        self.count = 0

    def _trace(self, frame, what, _):
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        self.count += what == "opcode"
        return self._trace

    @contextmanager
    def counting(self):
        self.count = 0
        before = sys.gettrace()
        # What tools hook into the collector is no work of a store.
        gc.disable()
        sys.settrace(self._trace)
        try:
            yield
        finally:
            sys.settrace(before)
            gc.enable()


@pytest.fixture(scope="module")
def valkey():
    with valkey_server() as server:
        yield server


@pytest.fixture(params=["memory", "sqlite", "valkey"])
async def stored(request, tmp_path):
    """A store, and what counts its work."""
    if request.param == "memory":
        yield MemoryStore(), PythonWork()
        return

    if request.param == "valkey":
        server = request.getfixturevalue("valkey")
        with server.client() as client:
            client.flushall()
        store, work = RedisStore(server.url), RedisWork(server)
    else:
        store, work = SQLStore(f"sqlite:///{tmp_path}/growth.db"), SQLiteWork()
        work.watch(store)
        await store.create_schema()

    yield store, work
    await store.aclose()


async def cost_of(verb, rows, work):
    """Return the least work of some tries: chance adds to it, and never takes away.

    But for the first: since Python 3.12 it is only then that code learns to be counted.
    """
    costs = []
    for _ in range(ROUNDS + 1):
        steps = VERBS[verb](rows)
        await anext(steps)
        with work.counting():
            await anext(steps, None)
        costs.append(work.count)
    return min(costs[1:])


async def cost_of_revoke_all(tokens, work):
    with work.counting():
        await tokens.revoke_all()
    return work.count


async def test_no_verb_costs_more_because_more_is_stored(stored):
    store, work = stored
    rows = Rows(store)
    await rows.begin()
    costs = []
    for count in (SMALL, SMALL * FACTOR):
        await rows.fill(count)
        await rows.settle()
        costs.append({verb: await cost_of(verb, rows, work) for verb in VERBS})

    few, many = costs
    grown = {
        verb: (few[verb], many[verb])
        for verb in VERBS
        if many[verb] > SLACK * max(few[verb], SQLiteWork.STEP)
    }
    assert not grown
    # And something was counted at all.
    idle = {verb for verb in VERBS if many[verb] == 0}
    assert idle <= {"sweep, nothing to do"}


async def test_what_hands_out_or_ends_everything_grows_with_it_and_no_faster(stored):
    store, work = stored
    tokens = TokenService(
        KeySet.generate("HS256"),
        store=store,
        issuer=ISSUER,
        session_policy=SessionPolicy(max_sessions=None),
    )
    rows = Rows(store)
    costs = []
    for count in (FEW, FEW, FEW * FACTOR):  # As in cost_of, the first does not count.
        await rows.fill(count)
        cost = {}
        rows.cursor = ""
        with work.counting():
            await rows.settle()
        cost["feed"] = work.count
        with work.counting():
            page = await store.sessions(ISSUER, SUBJECT)
            while page:
                page = await store.sessions(ISSUER, SUBJECT, after=page[-1].place)
        cost["sessions"] = work.count
        await tokens.revocations.read()
        cost["revoke_all"] = min(
            [await cost_of_revoke_all(tokens, work) for _ in "123"]
        )
        costs.append(cost)

    del costs[0]
    # Counted with all of them, and with an eighth of them.
    with work.counting():
        await tokens.revoke_subject(SUBJECT)
    many = work.count
    assert await store.sessions(ISSUER, SUBJECT) == []
    rest = Rows(store)
    await rest.fill(FEW)
    with work.counting():
        await tokens.revoke_subject(SUBJECT)
    costs[0]["revoke_subject"], costs[1]["revoke_subject"] = work.count, many

    few, many = costs
    for name, cost in few.items():
        assert many[name] <= LIMIT * cost, (name, cost, many[name])
    assert many["revoke_all"] <= SLACK * few["revoke_all"]
    await tokens.aclose()
