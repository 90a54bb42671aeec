"""What a verb of a store of one table costs must not depend on what is beside.

These are accounts, API keys, second factors, identities, passkeys and the audit log.
SQLite counts the steps of its virtual machine, and Python the instructions of those in
memory, with n rows and with eight times as many.
"""

from __future__ import annotations

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import create_async_engine

from asgi_auth.accounts import Account, MemoryAccounts
from asgi_auth.backends.apikeys import APIKey, MemoryAPIKeys
from asgi_auth.factors import MemoryFactors
from asgi_auth.factors.records import FactorRecord
from asgi_auth.identities import Identity, MemoryIdentities
from asgi_auth.passkeys import MemoryPasskeys
from asgi_auth.passkeys.records import Passkey
from benchmarks.plans import STORES_OF_TABLES, filled
from tests.stores.test_growth import LIMIT, SLACK, PythonWork, SQLiteWork

pytestmark = pytest.mark.anyio

# So that user 100 and row 400 are there; more than a page.
FEW = 500
FACTOR = 8
TABLES = [name for name in STORES_OF_TABLES if name != "sessions"]
# It looks at all addresses: for administrators.
LOOKS_AT_ALL = {"a search"}


def user(number):
    return f"u{number // 4}"


IN_MEMORY = {
    "accounts": (
        MemoryAccounts,
        lambda s, n: s.add(Account(id=f"id{n}", email=f"email{n}")),
    ),
    "api keys": (
        MemoryAPIKeys,
        lambda s, n: s.add(APIKey(id=f"id{n}", digest="d", subject=user(n))),
    ),
    "factors": (
        MemoryFactors,
        lambda s, n: s.put(FactorRecord(subject=f"u{n}", kind="totp", since=1.0)),
    ),
    "identities": (
        MemoryIdentities,
        lambda s, n: s.add(
            Identity(issuer="i", subject=f"subject{n}", account_id=user(n))
        ),
    ),
    "passkeys": (
        MemoryPasskeys,
        lambda s, n: s.add(
            Passkey(id=f"id{n}", subject=user(n), handle="h", public_key=b"k")
        ),
    ),
}


async def costs_of(name, store, work):
    costs = {}
    for verb, run in STORES_OF_TABLES[name].verbs.items():
        with work.counting():
            await run(store)
        costs[verb] = work.count
    return costs


def least(one, other):
    return {verb: min(cost, other[verb]) for verb, cost in one.items()}


def assert_nothing_has_grown(few, many):
    grown = {
        verb: (cost, many[verb])
        for verb, cost in few.items()
        if verb not in LOOKS_AT_ALL
        and many[verb] > SLACK * max(cost, 10 * SQLiteWork.STEP)
    }
    assert not grown
    for verb in few:
        assert many[verb] <= LIMIT * few[verb], (verb, few[verb], many[verb])
    assert any(many.values())


@pytest.mark.parametrize("name", TABLES)
async def test_no_verb_in_sqlite_costs_more_because_more_is_stored(tmp_path, name):
    costs = []
    for count in (FEW, FEW * FACTOR):
        engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/{count}.db")
        work = SQLiteWork()
        event.listen(engine.sync_engine, "connect", work._begin)
        store = await filled(engine, name, count)
        costs.append(await costs_of(name, store, work))
        await store.aclose()
        await engine.dispose()
    assert_nothing_has_grown(*costs)


@pytest.mark.parametrize("name", IN_MEMORY)
async def test_no_verb_in_memory_costs_more_because_more_is_stored(name):
    make, add = IN_MEMORY[name]

    async def costs(count):
        store = make()
        for number in range(1, count + 1):
            await add(store, number)
        return await costs_of(name, store, PythonWork())

    # From Python 3.12 on, what is traced for the first time is counted in part.
    for _ in range(2):
        await costs(FEW)

    few, many = [
        least(await costs(count), await costs(count)) for count in (FEW, FEW * FACTOR)
    ]
    assert_nothing_has_grown(few, many)


def test_every_verb_of_these_stores_is_looked_at():
    named = {name: " ".join(table.verbs) for name, table in STORES_OF_TABLES.items()}
    named["accounts"] += " page"
    named["audit log"] += " entries"
    for name, table in STORES_OF_TABLES.items():
        kind = type(table.make("sqlite:///x.db", "asgi_auth_"))
        verbs = {verb for verb in vars(kind) if not verb.startswith("_")}
        verbs -= {"ping", "aclose", "create_schema", "metadata"}
        assert {verb for verb in verbs if verb not in named[name]} == set(), name
