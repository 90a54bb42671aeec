"""What a row of each SQL store takes on the disk, with its indexes.

The texts in them are as long as those of a service: ids as UUIDs, hashes of Argon2,
keys of passkeys, addresses. Nothing is timed.
"""

from __future__ import annotations

import asyncio
from typing import Any

from benchmarks.backing import STORES
from benchmarks.plans import STORES_OF_TABLES, engine_of, fill
from benchmarks.report import number, table

__all__ = ["run", "show"]

ROWS = 50_000
_RANDOM = {"sqlite": "lower(hex(randomblob(16)))", "postgresql": "md5(random()::text)"}
# {r} is 32 letters by chance.
_SUBJECT = "{r} || '-abc'"
_VALUES: dict[str, dict[str, str]] = {
    "accounts": {
        "id": _SUBJECT,
        "email": "substr({r}, 1, 12) || '@example.com'",
        "password_hash": "'$argon2id$v=19$m=65536,t=3,p=4$' || {r} || {r}",
        "roles": "'[\"editor\"]'",
        "scopes": "'[]'",
        "verified_at": "1.8e9 + n",
        "data": "'{{}}'",
    },
    "api keys": {
        "id": "substr({r}, 1, 16)",
        "digest": "{r} || {r}",
        "subject": _SUBJECT,
        "label": "'laptop'",
        "scopes": "'[]'",
        "roles": "'[]'",
        "last_used_at": "1.8e9 + n",
        "data": "'{{}}'",
    },
    "factors": {
        "subject": _SUBJECT,
        "kind": "'totp'",
        "data": '\'{{"secret": "\' || {r} || {r} || \'", "step": 59000000}}\'',
    },
    "identities": {
        "issuer": "'https://accounts.google.com'",
        "subject": "substr({r}, 1, 21)",
        "account_id": _SUBJECT,
        "email": "substr({r}, 1, 12) || '@example.com'",
    },
    "passkeys": {
        "id": "{r} || substr({r}, 1, 11)",
        "subject": _SUBJECT,
        "handle": "{r} || substr({r}, 1, 11)",
        "public_key": "{r} || {r} || {r} || 'abcdefg'",
        "name": "'\"Passkey\"'",
        "aaguid": "{r} || '----'",
        "transports": '\'["internal", "hybrid"]\'',
    },
    "audit log": {
        "name": "'session.created'",
        "issuer": "'https://api.example'",
        "subject": _SUBJECT,
        "session_id": "substr({r}, 1, 16) || '.' || substr({r}, 1, 22)",
        "detail": "'{{}}'",
    },
}


def run(rounds: int) -> dict[str, Any]:
    """Fill each table, and ask the database how large it is."""
    bytes_each: dict[str, dict[str, float]] = {}
    skipped = []
    for name in ("SQLite", "PostgreSQL"):
        try:
            bytes_each[name] = asyncio.run(_measure(name))
        except ImportError as error:
            skipped.append(f"{name}: {error}")

    return {"skipped": skipped, "rows": ROWS, "bytes": bytes_each}


def show(result: dict[str, Any]) -> str:
    """Lay out the bytes of a row, by store and database."""
    databases = result["bytes"]
    rows = [
        [name, *(number(sizes[name]) for sizes in databases.values())]
        for name in _VALUES
    ]
    return table(["bytes of a row", *databases], rows)


async def _measure(name: str) -> dict[str, float]:
    sizes = {}
    async with STORES[name]() as backing, engine_of(backing) as engine:
        for each, values in _VALUES.items():
            store = STORES_OF_TABLES[each].make(engine, "rest_")
            await store.create_schema()
            chance = _RANDOM[engine.dialect.name]
            texts = {column: sql.format(r=chance) for column, sql in values.items()}
            before = await _size_of(engine)
            await fill(engine, store.metadata, texts, ROWS)
            sizes[each] = (await _size_of(engine) - before) / ROWS

    return sizes


async def _size_of(engine: Any) -> float:
    question = (
        "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
        if engine.dialect.name == "sqlite"
        else "SELECT pg_database_size(current_database())"
    )
    async with engine.connect() as connection:
        return float((await connection.exec_driver_sql(question)).scalar_one())
