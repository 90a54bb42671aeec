"""Stores full of rows, and every verb as it meets them.

Half of the sessions are live ones of one subject, a quarter are revoked ones of the
same, and the rest belong to as many others. There are as many live revocations. Rows
are put in past the verbs, which would take hours; what is measured are the verbs.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from asgi_auth.stores import NewSession
from asgi_auth.stores.records import Place, Revocation, once_name, subject_tag
from benchmarks.material import ISSUER

__all__ = ["VERBS", "Rows"]

SUBJECT = "crowd"
CAPPED = "capped"
KEEP = 100
DAY = 86400.0
_BATCH = 2000
_SPACE = "ticket"
# As a service ends sessions.
_PIECE = 100


@dataclass
class Rows:
    """What a store holds, and which of it no verb has touched yet.

    Attributes:
        store: The store.
        count: How many sessions, how many revocations, and how many used keys.
        sids: Live ones of the crowd, the oldest first.
        cursor: Behind all revocations.
        mark: Begins its used keys.
    """

    store: Any
    count: int = 0
    sids: list[str] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    cursor: str = ""
    mark: str = field(default_factory=lambda: secrets.token_hex(4))

    async def begin(self) -> None:
        """Give one subject as many sessions as it may have."""
        for _ in range(KEEP):
            await self.store.create(NewSession(**_session(CAPPED)))

    async def fill(self, count: int) -> None:
        """Bring sessions, revocations and used keys to *count*."""
        await self.fill_sessions(count)
        await self.fill_revocations(count)
        await self.fill_used(count)
        self.count = count

    async def fill_sessions(self, count: int) -> None:
        """Bring the sessions to *count*."""
        began = time.time() - 3600
        facts, revoked = [], []
        for number in range(self.count, count):
            subject = f"user-{number}" if number % 4 == 3 else SUBJECT
            facts.append(fact := _session(subject))
            fact["now"] = began + number / 1e6
            if number % 4 == 1:
                revoked.append(fact["sid"])
            elif subject == SUBJECT:
                self.sids.append(fact["sid"])
                self.places.append(Place(fact["now"], fact["sid"]))

        for start in range(0, len(facts), _BATCH):
            await _insert(self.store, facts[start : start + _BATCH])

        if type(self.store).__name__ == "SQLStore":
            await _analyse(self.store)

        for start in range(0, len(revoked), _PIECE):
            await self.store.close(revoked[start : start + _PIECE])

    async def fill_revocations(self, count: int) -> None:
        """Bring the revocations to *count*."""
        is_sql = type(self.store).__name__ == "SQLStore"
        for start in range(self.count, count, _BATCH):
            entries = [_entry() for _ in range(min(_BATCH, count - start))]
            if is_sql:
                await _revoke_in_sql(self.store, entries)
            else:
                await self.store.publish(entries, ttl=DAY)

    async def fill_used(self, count: int) -> None:
        """Bring the keys that were used to *count*."""
        keys = [f"{self.mark}-{number}" for number in range(self.count, count)]
        use = _USES.get(type(self.store).__name__, _use_by_verb)
        for start in range(0, len(keys), _BATCH):
            await use(self.store, keys[start : start + _BATCH])

    async def settle(self) -> None:
        """Read all that was published, as every process does."""
        page = await self.store.feed(self.cursor or None, wait=0)
        while page.more:
            page = await self.store.feed(page.cursor, wait=0)

        self.cursor = page.cursor

    def take(self) -> str:
        """Return a session of the crowd that no verb has touched."""
        # From the middle, where a search begins and a removal moves most.
        self.places.pop(len(self.places) // 2)
        return self.sids.pop(len(self.sids) // 2)


async def _create(rows: Rows) -> AsyncIterator[None]:
    fact = _session(SUBJECT)
    yield
    await rows.store.create(NewSession(**fact))


async def _rotate(rows: Rows) -> AsyncIterator[None]:
    sid = rows.take()
    yield
    await rows.store.rotate(sid, 0, idle_ttl=DAY, grace=30)


async def _retry(rows: Rows) -> AsyncIterator[None]:
    sid = rows.take()
    await rows.store.rotate(sid, 0, idle_ttl=DAY, grace=30)
    yield
    await rows.store.rotate(sid, 0, idle_ttl=DAY, grace=30)


async def _find(rows: Rows) -> AsyncIterator[None]:
    yield
    await rows.store.find(rows.sids[-1])


async def _first_page(rows: Rows) -> AsyncIterator[None]:
    yield
    await rows.store.sessions(ISSUER, SUBJECT)


async def _later_page(rows: Rows) -> AsyncIterator[None]:
    place = rows.places[len(rows.places) // 2]
    yield
    await rows.store.sessions(ISSUER, SUBJECT, after=place)


async def _surplus(rows: Rows) -> AsyncIterator[None]:
    yield
    await rows.store.surplus(ISSUER, CAPPED, keep=KEEP - 1)


async def _close(rows: Rows) -> AsyncIterator[None]:
    sid = rows.take()
    yield
    await rows.store.close([sid])


async def _publish(rows: Rows) -> AsyncIterator[None]:
    entry = _entry()
    yield
    await rows.store.publish([entry], ttl=DAY)


async def _window(rows: Rows) -> AsyncIterator[None]:
    yield
    await rows.store.feed(None, wait=0)


async def _news(rows: Rows) -> AsyncIterator[None]:
    await rows.settle()
    yield
    await rows.store.feed(rows.cursor, wait=0)


async def _use(rows: Rows) -> AsyncIterator[None]:
    key = secrets.token_urlsafe(16)
    yield
    await rows.store.once(_SPACE, key, ttl=DAY)


async def _use_again(rows: Rows) -> AsyncIterator[None]:
    key = f"{rows.mark}-{rows.count // 2}"
    yield
    await rows.store.once(_SPACE, key, ttl=DAY)


async def _sweep(rows: Rows) -> AsyncIterator[None]:
    yield
    if hasattr(rows.store, "sweep"):
        await rows.store.sweep()


VERBS: dict[str, Callable[[Rows], AsyncIterator[None]]] = {
    "create": _create,
    "rotate": _rotate,
    "rotate, a retry": _retry,
    "find": _find,
    "sessions, first page": _first_page,
    "sessions, later page": _later_page,
    "surplus": _surplus,
    "close": _close,
    "publish": _publish,
    "feed, first page": _window,
    "feed, news": _news,
    "once, new": _use,
    "once, again": _use_again,
    "sweep, nothing to do": _sweep,
}
"""Each prepares what it needs, yields, and then does its one thing."""


def _session(subject: str) -> dict[str, Any]:
    return {
        "sid": f"{subject_tag(ISSUER, subject)}.{secrets.token_urlsafe(16)}",
        "issuer": ISSUER,
        "subject": subject,
        "idle_ttl": 7 * DAY,
        "ttl": 30 * DAY,
        "claims": {"scope": "read write", "roles": ["editor"]},
    }


def _entry() -> Revocation:
    return Revocation(kind="sid", issuer=ISSUER, value=secrets.token_urlsafe(24))


async def _insert(store: Any, facts: list[dict[str, Any]]) -> None:
    insert = _INSERTS.get(type(store).__name__, _by_verb)
    await insert(store, facts)


async def _by_verb(store: Any, facts: list[dict[str, Any]]) -> None:
    for fact in facts:
        now = fact.pop("now")
        await store.create(NewSession(**fact), now=now)


async def _into_sql(store: Any, facts: list[dict[str, Any]]) -> None:
    from sqlalchemy import insert

    rows = [
        {
            **{name: fact[name] for name in ("sid", "issuer", "subject")},
            "seq": 0,
            "created_at": fact["now"],
            "rotated_at": fact["now"],
            "idle_expires_at": fact["now"] + fact["idle_ttl"],
            "expires_at": fact["now"] + fact["ttl"],
            "auth_time": fact["now"],
            "amr": "[]",
            "claims": json.dumps(fact["claims"]),
            "device": json.dumps({"label": None, "ip": None, "user_agent": None}),
        }
        for fact in facts
    ]
    await _execute(store, insert(store._schema.sessions), rows)  # noqa: SLF001  (past the verbs)


async def _revoke_in_sql(store: Any, entries: list[Revocation]) -> None:
    """Store entries that are older than any transaction that may still commit."""
    from sqlalchemy import insert

    now = time.time()
    times = {"at": now, "expires_at": now + DAY, "stored_at": now - 3600}
    rows = [
        {"kind": entry.kind, "issuer": entry.issuer, "value": entry.value, **times}
        for entry in entries
    ]
    await _execute(store, insert(store._schema.revocations), rows)  # noqa: SLF001  (likewise)


async def _use_by_verb(store: Any, keys: list[str]) -> None:
    for key in keys:
        await store.once(_SPACE, key, ttl=DAY)


async def _use_in_sql(store: Any, keys: list[str]) -> None:
    from sqlalchemy import insert

    until = time.time() + DAY
    rows = [{"name": once_name(_SPACE, key), "expires_at": until} for key in keys]
    await _execute(store, insert(store._schema.once), rows)  # noqa: SLF001  (likewise)


async def _execute(store: Any, statement: Any, rows: list[dict[str, Any]]) -> None:
    engine = (await store._database._lives.get()).engine  # noqa: SLF001  (past the verbs)
    async with engine.connect() as connection:
        # It commits by itself, unless it is told.
        await connection.exec_driver_sql("BEGIN")
        await connection.execute(statement, rows)
        await connection.exec_driver_sql("COMMIT")


async def _analyse(store: Any) -> None:
    """Do what a database does by itself in the minute after such a load."""
    from sqlalchemy import text

    await store._database.fetch(text("ANALYZE"), write=True)  # noqa: SLF001  (past the verbs)


async def _into_redis(store: Any, facts: list[dict[str, Any]]) -> None:
    async def create() -> None:
        for fact in facts:
            now = fact.pop("now")
            await store.create(NewSession(**fact), now=now)

    await _at_once(store, create, lambda args: f"0 0 0 0 0 - 0 {args[4]}")


async def _use_in_redis(store: Any, keys: list[str]) -> None:
    async def use() -> None:
        await _use_by_verb(store, keys)

    await _at_once(store, use, lambda _: 1)


async def _at_once(
    store: Any, verbs: Callable[[], Awaitable[None]], answer: Callable[[Any], Any]
) -> None:
    """Send what verbs would send, all at once."""
    link = store._link  # noqa: SLF001  (past the verbs)
    run, calls = link.run, []

    async def note(script: str, keys: Any, args: Any, **_: Any) -> Any:
        calls.append((script, len(keys), *keys, *args))
        return answer(args)

    link.run = note
    try:
        await verbs()
    finally:
        link.run = run

    client = await link.client()
    sha = await client.script_load(calls[0][0])
    pipe = client.pipeline(transaction=False)
    for _, *arguments in calls:
        pipe.execute_command("EVALSHA", sha, *arguments)

    await pipe.execute()


_INSERTS = {"SQLStore": _into_sql, "RedisStore": _into_redis}
_USES = {"SQLStore": _use_in_sql, "RedisStore": _use_in_redis}
