"""Sample sessions and entries for the contract of stores, none of them twice.

It tests nothing itself.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from asgi_auth.stores.base import Store
from asgi_auth.stores.records import Feed, NewSession, Revocation, Session, subject_tag

__all__ = [
    "GRACE",
    "HOSTILE",
    "IDLE",
    "TTL",
    "T",
    "entry",
    "open_session",
    "read_feed",
    "unique",
    "words",
]

T = 1_700_000_000.0
"""The caller's clock, in each test that is about time."""

IDLE = 600.0
TTL = 3600.0
GRACE = 30.0

HOSTILE = [
    "",
    "a\0b",
    "\ud800",
    "'; DROP TABLE sessions; --",
    '"}{:*[]\\\r\n',
    "%s %(now)s :now $1 {0}",
    "\U0001f510" * 50,
    "x" * 5000,
]


def unique(word: str) -> str:
    """Make a string that no other test uses, should they share the store."""
    return f"{word}-{secrets.token_hex(8)}"


async def open_session(store: Store, **changes: Any) -> Session:
    """Create a session of a subject of its own."""
    values: dict[str, Any] = {
        "issuer": "https://issuer.example",
        "subject": unique("subject"),
        "idle_ttl": IDLE,
        "ttl": TTL,
    } | changes
    now = values.pop("now", T)
    # A sid names its subject's tag, by which a store may find its place.
    tag = subject_tag(values["issuer"], values["subject"])
    new = NewSession(**{"sid": f"{tag}.{unique('sid')}"} | values)
    return await store.create(new, now=now)


def entry(kind: Any = "sid", value: str = "") -> Revocation:
    """Make an entry with a value that no other test uses."""
    return Revocation(
        kind=kind, issuer="https://issuer.example", value=value or unique(kind)
    )


async def read_feed(
    store: Store, cursor: str | None, *, now: float | None = None
) -> Feed:
    """Read all pages, and return them as one."""
    entries: list[Revocation] = []
    restarted = False
    while True:
        page = await store.feed(cursor, wait=0, now=now)
        entries += page.entries
        restarted |= page.restarted
        cursor = page.cursor
        if not page.more:
            return replace(page, entries=tuple(entries), restarted=restarted)


def words(entries: Iterable[Revocation]) -> set[tuple[str, str, str]]:
    """Say what the entries say, without their times."""
    return {(entry.kind, entry.issuer, entry.value) for entry in entries}
