"""How databases run every statement of every SQL store, with many rows in each table.

The stores' own verbs run on an engine that notes what they send; each statement is
then explained. None may walk over a table. What costs as much as there is stored would
show nowhere else before a service is large.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from asgi_auth.accounts import Account
from asgi_auth.backends.apikeys import APIKey
from asgi_auth.errors import UnavailableError
from asgi_auth.events import Event
from asgi_auth.factors.records import FactorRecord
from asgi_auth.identities import Identity
from asgi_auth.passkeys.records import Passkey
from asgi_auth.stores import NewSession, Revocation
from asgi_auth.stores.records import Place
from benchmarks.backing import STORES
from benchmarks.report import table

__all__ = [
    "STORES_OF_TABLES",
    "Plan",
    "Table",
    "engine_of",
    "explain",
    "fill",
    "filled",
    "plans_of",
    "run",
    "show",
    "walks",
]

SIZES = {"SQLite": (100_000, 1_000_000), "PostgreSQL": (100_000, 1_000_000)}
_PREFIX = "asgi_auth_"
# What is said to cost as much as there is: see the page about growth.
_EXPECTED = {("accounts", "a search")}
# It goes along an index from one of its ends, and stops early.
_STOPS = re.compile(r"ORDER BY .+\s+LIMIT ", re.DOTALL)
_PLACE = re.compile(r"\$\d+")
_SCAN = re.compile(r"SCAN asgi_auth_|Index (Only )?Scan .*asgi_auth_")

_Verb = Callable[[Any], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Plan:
    """How one statement is run.

    Attributes:
        table: Which store sent it.
        verb: Which verb of it.
        sql: The statement.
        steps: What the database says that it does, from the top down.
    """

    table: str
    verb: str
    sql: str
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A store, what fills its tables, and its verbs.

    Attributes:
        make: Makes the store on an engine, with tables whose names begin so.
        verbs: Each does one thing to rows that are there, or adds one.
        values: What is in a column of row ``n``, as SQL; by table and column.
    """

    make: Callable[[Any, str], Any]
    verbs: Mapping[str, _Verb]
    values: Mapping[str, str] = field(default_factory=dict)


def walks(plan: Plan) -> list[str]:
    """Return the steps of a plan that walk over a whole table, or an index of it."""
    if (plan.table, plan.verb) in _EXPECTED:
        return []

    whole = [step for step in plan.steps if "Seq Scan" in step]
    # PostgreSQL finds a maximum with a limit of its own.
    if not _STOPS.search(plan.sql) and not any("Limit" in each for each in plan.steps):
        # PostgreSQL says in the next line what it looks for.
        pairs = zip(plan.steps, (*plan.steps[1:], ""), strict=False)
        whole += [
            step
            for step, detail in pairs
            if _SCAN.search(step) and "Index Cond" not in detail
        ]

    return whole


async def filled(engine: Any, name: str, rows: int, *, prefix: str = _PREFIX) -> Any:
    """Make a store of :data:`STORES_OF_TABLES` with so many rows in each table."""
    made = STORES_OF_TABLES[name]
    store = made.make(engine, prefix)
    await store.create_schema()
    await fill(engine, store.metadata, made.values, rows)
    return store


async def plans_of(
    engine: Any, name: str, rows: int, *, prefix: str = _PREFIX
) -> list[Plan]:
    """Fill the tables of a store, run its verbs, and explain what they have sent.

    Args:
        engine: Leads to the database.
        name: Which of :data:`STORES_OF_TABLES`.
        rows: How many there are to be in each table.
        prefix: What the names of the tables begin with: ``asgi_auth_`` and more.
    """
    from sqlalchemy import event

    store = await filled(engine, name, rows, prefix=prefix)
    sent: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, sql: str, parameters: Any, *___: Any) -> None:
        sent.append((sql, parameters))

    plans = []
    for verb, work in STORES_OF_TABLES[name].verbs.items():
        sent.clear()
        event.listen(engine.sync_engine, "before_cursor_execute", note)
        try:
            await work(store)
        finally:
            event.remove(engine.sync_engine, "before_cursor_execute", note)

        # What is done piece by piece sends one statement many times.
        for sql, parameters in dict(sent).items():
            async with engine.connect() as connection:
                both = await explain(connection, sql, parameters)
                plans += [Plan(name, verb, sql, steps) for steps in both]
                await connection.rollback()

    await store.aclose()
    return plans


async def explain(connection: Any, sql: str, parameters: Any) -> list[tuple[str, ...]]:
    """Return the plans of a statement: PostgreSQL has two, and chooses as it goes on.

    One is made for the values; the other for any, once it has seen a few.
    """
    if connection.dialect.name == "sqlite":
        rows = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", parameters)
        return [_steps_of(rows)]

    rows = await connection.exec_driver_sql(f"EXPLAIN {sql}", parameters)
    nothing = ", ".join(["NULL"] * len({*_PLACE.findall(sql)}))
    values = f"({nothing})" if nothing else ""
    driver = (await connection.get_raw_connection()).driver_connection
    await driver.execute("SET LOCAL plan_cache_mode = force_generic_plan")
    await driver.execute(f"PREPARE explained AS {sql}")
    anyhow = await driver.fetch(f"EXPLAIN EXECUTE explained{values}")
    await driver.execute("DEALLOCATE explained")
    return [_steps_of(rows), _steps_of(anyhow)]


def _steps_of(rows: Any) -> tuple[str, ...]:
    return tuple(str(row[-1]) for row in rows)


async def fill(
    engine: Any, metadata: Any, values: Mapping[str, str], rows: int
) -> None:
    """Put so many rows into each table, with SQL for the values of columns."""
    is_sqlite = engine.dialect.name == "sqlite"
    numbers = (
        "(WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < "
        f"{rows}) SELECT n FROM c)"
        if is_sqlite
        else f"generate_series(1, {rows}) AS series(n)"
    )
    async with engine.begin() as connection:
        for each in metadata.sorted_tables:
            columns = {
                column.name: values.get(column.name) or _value_of(column)
                for column in each.columns
                if not _is_number(column)
            }
            names = ", ".join(columns)
            chosen = ", ".join(columns.values())
            sql = (
                f"INSERT INTO {each.fullname} ({names}) SELECT {chosen} FROM {numbers}"
            )
            await connection.exec_driver_sql(sql)

    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        for each in metadata.sorted_tables:
            await connection.exec_driver_sql(f"ANALYZE {each.fullname}")


def _is_number(column: Any) -> bool:
    """Report whether the database counts a column up by itself."""
    return column.primary_key and "INT" in str(column.type).upper()


def _value_of(column: Any) -> str:
    """Write what row ``n`` has in a column: nothing, a number, or a text of its own."""
    kind = str(column.type).upper()
    if column.nullable:
        return "NULL"

    if kind == "BOOLEAN":
        return "(n = 0)"

    if "INT" in kind:
        return "0"

    if "DOUBLE" in kind:
        return f"{time.time():.0f} + n / 1e6"

    return f"'{column.name}' || n"


def _accounts(engine: Any, prefix: str) -> Any:
    from asgi_auth.accounts.sql import SQLAccounts

    return SQLAccounts(engine, table=f"{prefix}accounts")


def _keys(engine: Any, prefix: str) -> Any:
    from asgi_auth.backends.apikeys.sql import SQLAPIKeys

    return SQLAPIKeys(engine, table=f"{prefix}api_keys")


def _factors(engine: Any, prefix: str) -> Any:
    from asgi_auth.factors import SQLFactors

    return SQLFactors(engine, table=f"{prefix}factors")


def _identities(engine: Any, prefix: str) -> Any:
    from asgi_auth.identities.sql import SQLIdentities

    return SQLIdentities(engine, table=f"{prefix}identities")


def _passkeys(engine: Any, prefix: str) -> Any:
    from asgi_auth.passkeys.sql import SQLPasskeys

    return SQLPasskeys(engine, table=f"{prefix}passkeys")


def _audit(engine: Any, prefix: str) -> Any:
    from asgi_auth.stores import SQLAuditLog

    return SQLAuditLog(engine, table=f"{prefix}audit")


def _sessions(engine: Any, prefix: str) -> Any:
    from asgi_auth.stores.sql import SQLStore

    return SQLStore(engine, table_prefix=prefix)


_USER = "'u' || (n / 4)"
_EMPTY = {"roles": "'[]'", "scopes": "'[]'", "data": "'{}'", "detail": "'{}'"}
_IDENTITY = Identity(issuer="i", subject="subject400", account_id="u100")
_FACTOR = FactorRecord(subject="u100", kind="totp", since=1.0, version=0)
_SESSION = NewSession(sid="new", issuer="i", subject="u100", idle_ttl=9.0, ttl=9.0)
_ENTRY = Revocation(kind="sid", issuer="i", value="x")


async def _read_on(store: Any) -> None:
    cursor = (await store.feed(None, wait=0)).cursor
    await store.feed(cursor, wait=0)


STORES_OF_TABLES: dict[str, Table] = {
    "sessions": Table(
        _sessions,
        {
            "create": lambda s: s.create(_SESSION),
            "rotate": lambda s: s.rotate("sid400", 0, idle_ttl=9, grace=9),
            "rotate, a retry": lambda s: s.rotate("sid400", 0, idle_ttl=9, grace=9),
            "rotate, ahead": lambda s: s.rotate("sid404", 5, idle_ttl=9, grace=9),
            "rotate, reuse": lambda s: s.rotate("sid404", 1, idle_ttl=9, grace=9),
            "find": lambda s: s.find("sid400"),
            "sessions": lambda s: s.sessions("i", "u100"),
            "sessions, a later page": lambda s: s.sessions(
                "i", "u100", after=Place(1.0, "sid401")
            ),
            "surplus": lambda s: s.surplus("i", "u100", keep=2),
            "close": lambda s: s.close(["sid400", "sid401"]),
            "publish": lambda s: s.publish([_ENTRY], ttl=60),
            "feed": lambda s: s.feed(None, wait=0),
            "feed, read on": _read_on,
            "once": lambda s: s.once("ticket", "k", ttl=60),
            "sweep": lambda s: s.sweep(),
        },
        {
            "issuer": "'i'",
            "subject": _USER,
            "kind": "'sid'",
            "amr": "'[]'",
            "claims": "'{}'",
            "device": "'{}'",
            # Half of them have ended, and wait for the next sweep.
            "idle_expires_at": "CASE WHEN n % 2 = 0 THEN 9e9 + n ELSE 1e9 + n END",
            "expires_at": "CASE WHEN n % 2 = 0 THEN 9e9 + n ELSE 1e9 + n END",
            "stored_at": "1e9 + n",
        },
    ),
    "accounts": Table(
        _accounts,
        {
            "find_by_email": lambda s: s.find_by_email("email400"),
            "find_by_id": lambda s: s.find_by_id("id400"),
            "add": lambda s: s.add(Account(id="new", email="new@example.com")),
            "update": lambda s: s.update(
                Account(id="new", email="newer@example.com", version=0)
            ),
            "a page": lambda s: s.page(search="", after="id400", limit=100),
            "a search": lambda s: s.page(search="ail400", after="", limit=100),
            "remove": lambda s: s.remove("new"),
        },
        _EMPTY,
    ),
    "api keys": Table(
        _keys,
        {
            "add": lambda s: s.add(APIKey(id="new", digest="d", subject="u100")),
            "find": lambda s: s.find("id400"),
            "list": lambda s: s.list("u100"),
            "mark, used": lambda s: s.mark("id400", used_at=1.0),
            "mark, revoked": lambda s: s.mark("id400", revoked_at=1.0),
        },
        {**_EMPTY, "subject": _USER},
    ),
    "factors": Table(
        _factors,
        {
            "find": lambda s: s.find("u100"),
            "put, new": lambda s: s.put(replace(_FACTOR, subject="new")),
            "put, again": lambda s: s.put(replace(_FACTOR, subject="new", version=1)),
            "remove, one": lambda s: s.remove("new", "totp"),
            "remove, all": lambda s: s.remove("u100"),
        },
        {
            "subject": _USER,
            "kind": "CASE n % 4 WHEN 0 THEN 'totp' WHEN 1 THEN 'email' "
            "WHEN 2 THEN 'recovery' ELSE 'other' END",
            "data": "'{\"confirmed\": true}'",
        },
    ),
    "identities": Table(
        _identities,
        {
            "find": lambda s: s.find("i", "subject400"),
            "add": lambda s: s.add(replace(_IDENTITY, subject="new")),
            "list": lambda s: s.list("u100"),
            "save_tokens": lambda s: s.save_tokens(_IDENTITY),
            "remove": lambda s: s.remove(replace(_IDENTITY, subject="new")),
            "remove, unless last": lambda s: s.remove(_IDENTITY, unless_last=True),
        },
        {"issuer": "'i'", "account_id": _USER},
    ),
    "passkeys": Table(
        _passkeys,
        {
            "add": lambda s: s.add(
                Passkey(id="new", subject="u100", handle="h", public_key=b"k")
            ),
            "find": lambda s: s.find("new"),
            "list": lambda s: s.list("new"),
            "use": lambda s: s.use("id400", sign_count=1, is_backed_up=False, at=1.0),
            "use, no counter": lambda s: s.use(
                "id400", sign_count=0, is_backed_up=False, at=1.0, any_count=True
            ),
            "rename": lambda s: s.rename("id400", "u100", "blue"),
            "remove, one": lambda s: s.remove("id400", "u100"),
            "remove, all": lambda s: s.remove(None, "u100"),
        },
        {"subject": _USER},
    ),
    "audit log": Table(
        _audit,
        {
            "write": lambda s: s(Event(name="account.created", at=1.0, subject="u1")),
            "entries": lambda s: s.entries(),
            "entries, a later page": lambda s: s.entries(before=400),
            "entries of a subject": lambda s: s.entries(subject="u100"),
            "entries of a name": lambda s: s.entries(name="n1", before=400),
            "entries of both": lambda s: s.entries(name="n1", subject="u100"),
            "prune": lambda s: s.prune(before=1e9, limit=100),
        },
        {**_EMPTY, "name": "'n' || (n % 20)", "subject": _USER},
    ),
}
"""Every store that has tables of its own."""


def run(rounds: int) -> dict[str, Any]:
    """Explain every statement at each size."""
    rows: list[dict[str, Any]] = []
    skipped = []
    for name, sizes in SIZES.items():
        for size in sizes:
            try:
                rows += asyncio.run(_explained(name, size))
            except (ImportError, UnavailableError) as error:
                skipped.append(f"{name}: {error}")

    return {
        "skipped": skipped,
        "rows": rows,
        "failed": sum(bool(row["walks"]) for row in rows),
    }


def show(result: dict[str, Any]) -> str:
    """Lay out how many statements there are, and each that walks over a table."""
    counts: dict[tuple[str, int], list[int]] = {}
    for row in result["rows"]:
        count = counts.setdefault((row["database"], row["count"]), [0, 0])
        count[0] += 1
        count[1] += bool(row["walks"])

    head = ["database", "rows in each table", "statements", "walk over a table"]
    lines = [
        [database, f"{count:,}", str(all_of_them), str(bad)]
        for (database, count), (all_of_them, bad) in counts.items()
    ]
    faults = [
        f"{row['database']}, {row['table']}, {row['verb']}: {'; '.join(row['walks'])}"
        for row in result["rows"]
        if row["walks"]
    ]
    return "\n".join([table(head, lines), *faults])


async def _explained(name: str, size: int) -> list[dict[str, Any]]:
    rows = []
    async with STORES[name]() as backing, engine_of(backing) as engine:
        for each in STORES_OF_TABLES:
            rows += [
                {
                    "database": name,
                    "count": size,
                    "table": plan.table,
                    "verb": plan.verb,
                    # Without the estimates, which are of no interest to others.
                    "plan": [step.split("  (cost")[0] for step in plan.steps],
                    "walks": walks(plan),
                }
                for plan in await plans_of(engine, each, size)
            ]

    return rows


@asynccontextmanager
async def engine_of(backing: Any) -> AsyncIterator[Any]:
    """Yield an engine of SQLAlchemy on the database of a store."""
    from sqlalchemy.ext.asyncio import create_async_engine

    engine = create_async_engine(backing.store._database.url)  # noqa: SLF001  (where it is)
    try:
        yield engine
    finally:
        await engine.dispose()
