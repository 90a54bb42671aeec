"""How the databases run each statement: by an index, whatever else is stored."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import create_async_engine

from asgi_auth.stores.sql import SQLStore
from asgi_auth.stores.sql_statements import Statements
from benchmarks.plans import STORES_OF_TABLES, Plan, explain, walks
from benchmarks.plans import plans_of as plans_of_store

pytestmark = pytest.mark.anyio

ROWS = 100_000
SESSION = {
    "session": "s50000",
    "current": 0,
    "idle_ttl": 600.0,
    "client": None,
    "now": None,
}
VALUES = {
    "create": {
        "sid": "new",
        "issuer": "i",
        "subject": "u1",
        "idle_ttl": 1.0,
        "ttl": 1.0,
        "auth_time": None,
        "acr": None,
        "amr": "[]",
        "claims": "{}",
        "device": "{}",
        "now": None,
    },
    "rotate": SESSION,
    "restore": SESSION,
    "find": {"session": "s50000", "now": None},
    "sessions": {
        "issuer": "i",
        "subject": "u77",
        "begin": 1e9,
        "session": "s7720",
        "size": 20,
        "now": None,
    },
    "surplus": {"issuer": "i", "subject": "u77", "keep": 9, "size": 20, "now": None},
    "close": {"sids": '[["s1"], ["s2"], ["s3"]]', "now": None},
    "publish": {"entries": '[["sid", "i", "x"]]', "ttl": 9.0, "now": None},
    "settled": {"now": None},
    "window": {
        "end": 1.8e9,
        "number": 2**62,
        "settled": 2**62,
        "size": 2000,
        "now": None,
    },
    "since": {
        "last": ROWS - 10,
        "holes": '[["5", "9"], ["99", "101"]]',
        "size": 500,
        "now": None,
    },
    "once": {"name": "n5", "ttl": 30.0, "now": None},
    "sweep": {"retention": 86400.0, "now": None},
}

# Rows that are live, and as many that ended long ago and were not swept yet.
FILL = {
    "sessions": (
        "INSERT INTO {prefix}sessions (sid, issuer, subject, seq, created_at, "
        "rotated_at, idle_expires_at, expires_at, auth_time, amr, claims, device, "
        "revoked_at) SELECT 's' || n, 'i', 'u' || (n / 100), 0, 1e9, 1e9, "
        "CASE WHEN n % 2 = 0 THEN 9e9 + n ELSE 1e9 + n END, 9e9, 1e9, '[]', '{{}}', "
        "'{{}}', CASE WHEN n % 10 = 1 THEN 1e9 + n END FROM ({numbers}) AS series"
    ),
    "revocations": (
        "INSERT INTO {prefix}revocations (kind, issuer, value, at, expires_at, "
        "stored_at) SELECT 'sid', 'i', 's' || n, 1e9, "
        "CASE WHEN n % 2 = 0 THEN 1e9 + n ELSE 9e9 + n END, 1e9 + n "
        "FROM ({numbers}) AS series"
    ),
    "once": (
        "INSERT INTO {prefix}once (name, expires_at) SELECT 'n' || n, "
        "CASE WHEN n % 2 = 0 THEN 1e9 + n ELSE 9e9 + n END "
        "FROM ({numbers}) AS series"
    ),
}
NUMBERS = {
    "sqlite": (
        "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c "
        f"WHERE n < {ROWS}) SELECT n FROM c"
    ),
    "postgresql": f"SELECT n FROM generate_series(1, {ROWS}) AS n",
}


async def fill(url, prefix):
    store = SQLStore(url, table_prefix=prefix)
    await store.create_schema()
    engine = create_async_engine(store._database.url)
    async with engine.begin() as connection:
        for sql in FILL.values():
            numbers = NUMBERS[engine.dialect.name]
            await connection.execute(
                text(sql.format(prefix=prefix, numbers=numbers).replace(":", r"\:"))
            )
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("ANALYZE"))
    await engine.dispose()
    await store.aclose()
    return store


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled(request, tmp_path_factory):
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('plans') / 'store.db'}"
    else:
        url = request.getfixturevalue("postgres_server").get_uri()
    return asyncio.run(fill(url, "plans_"))


def parts_of(statements, verb):
    made = getattr(statements, verb)()
    return made if isinstance(made, list) else [made]


async def plans_of(store):
    """Explain every statement as the driver gets it: its name, and the plan's steps."""
    dialect = store._database.dialect
    statements = Statements(store._schema, dialect)
    engine = create_async_engine(store._database.url)
    sent = []

    @event.listens_for(engine.sync_engine, "before_cursor_execute")
    def note(connection, cursor, sql, parameters, *_):
        sent.append((sql, parameters))

    plans = defaultdict(list)
    async with engine.connect() as connection:
        for verb, values in VALUES.items():
            for number, statement in enumerate(parts_of(statements, verb)):
                await connection.execute(statement, values)
                sql, parameters = sent[-1]
                for steps in await explain(connection, sql, parameters):
                    plans[f"{verb} {number}"].append(steps)
        await connection.rollback()
    await engine.dispose()
    return plans


async def test_no_statement_walks_over_a_table_or_sorts(filled):
    plans = await plans_of(filled)
    assert len(plans) == len(VALUES) + 3  # A sweep has four.
    each = [(name, plan) for name in plans for plan in plans[name]]
    for name, plan in each:
        for step in plan:
            if (name, step) == ("settled 0", "SCAN plans_revocations"):
                # From the newest row backwards, to the first one that is old enough.
                continue
            # SQLite: "SCAN t" without an index. PostgreSQL: "Seq Scan on t".
            assert not re.search(r"SCAN plans_(?!.*USING)", step), (name, plan)
            assert "Seq Scan" not in step, (name, plan)
            # The sessions of one subject, which are few, may be sorted.
            if name != "surplus 0":
                assert "TEMP B-TREE" not in step, (name, plan)


# ------------------------------------------------------------- the stores of one table

# A planner that has seen so many rows does not read them all for a few.
FEW = 5000
OTHERS = [name for name in STORES_OF_TABLES if name != "sessions"]


@pytest.mark.parametrize("name", OTHERS)
async def test_no_other_store_walks_over_its_table(database_url, table_prefix, name):
    engine = create_async_engine(SQLStore(database_url)._database.url)
    prefix = f"asgi_auth_{table_prefix}"
    plans = await plans_of_store(engine, name, FEW, prefix=prefix)
    await engine.dispose()
    assert {plan.verb for plan in plans} == set(STORES_OF_TABLES[name].verbs)
    assert [(plan, walks(plan)) for plan in plans if walks(plan)] == []


@pytest.mark.parametrize(
    ("sql", "steps"),
    [
        ("SELECT 1", ["SCAN asgi_auth_keys"]),
        ("SELECT 1", ["SEARCH x", "SCAN asgi_auth_keys USING INDEX i"]),
        ("SELECT 1 LIMIT 5", ["Seq Scan on asgi_auth_keys"]),
        ("SELECT 1", ["Index Scan using asgi_auth_keys_pkey on x", "Filter: y"]),
    ],
)
def test_a_walk_over_a_table_is_seen(sql, steps):
    assert walks(Plan("keys", "find", sql, tuple(steps)))
