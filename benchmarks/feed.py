"""What is revoked, as it grows: loading, memory, sweeps, floods, and the loop.

Each line is a store with so many live revocations and a fresh list in front of it, in
one process with the event loop that is watched. The servers are real and local.
"""

from __future__ import annotations

import asyncio
import gc
import math
import secrets
import statistics
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from asgi_auth import MissingExtraError, RevocationList, UnavailableError
from asgi_auth.revocation import register
from asgi_auth.revocation.table import RevokedTable
from asgi_auth.stores.records import Revocation, subject_tag
from benchmarks.backing import STORES, Backing
from benchmarks.material import ISSUER
from benchmarks.report import number, table

__all__ = ["run", "show"]

SIZES = {
    "SQLite": (1_000, 10_000, 100_000),
    "PostgreSQL": (1_000, 10_000, 100_000),
    "Valkey": (1_000, 10_000, 100_000, 1_000_000),
}
_BATCH = 1000
# As long as the access tokens of a service with the usual settings, and a minute.
_LIFE = 960.0
_FLOOD = 10_000
_FLOOD_BATCH = 100
# An outage and back-offs between tries are no part of what is measured.
_TRIES = 100
_LOOK = 0.002


def run(rounds: int) -> dict[str, Any]:
    """Fill each store, and put fresh lists in front of it: at most 3 for a size."""
    rows: list[dict[str, Any]] = []
    skipped = []
    for name, sizes in SIZES.items():
        try:
            rows += asyncio.run(_measure(name, sizes, min(rounds, 3)))
        except (ImportError, MissingExtraError) as error:
            skipped.append(f"{name}: {error}")

    return {"skipped": skipped, "rows": rows, "exponents": _exponents(rows)}


def show(result: dict[str, Any]) -> str:
    """Lay out a line for each store and size."""
    head = ["store", "live", "first verdict s", "stall ms", "bytes each"]
    head += ["sweep stall ms", "flood s", "flood stall ms"]
    rows = [
        [
            row["store"],
            f"{row['entries']:,}",
            number(row["first_verdict_s"]),
            number(row["load_stall_ms"]),
            number(row["bytes_each"]),
            number(row["sweep_stall_ms"]),
            number(row["flood_s"]) if "flood_s" in row else "",
            number(row["flood_stall_ms"]) if "flood_s" in row else "",
        ]
        for row in result["rows"]
    ]
    exponents = [[store, number(value)] for store, value in result["exponents"].items()]
    growth = table(["store", "exponent of the first verdict"], exponents)
    return f"{table(head, rows)}\n\n{growth}"


async def _measure(
    name: str, sizes: Sequence[int], rounds: int
) -> list[dict[str, Any]]:
    rows = []
    async with STORES[name]() as backing:
        filled = 0
        for size in sizes:
            await _fill(backing.store, size - filled)
            filled = size
            rounds_of_it = [await _one(backing) for _ in range(rounds)]
            medians = {
                key: statistics.median(one[key] for one in rounds_of_it)
                for key in rounds_of_it[0]
            }
            rows.append({"store": name, "entries": size, **medians})

        rows[-1].update(await _flood(backing))

    return rows


async def _one(backing: Backing) -> dict[str, float]:
    revocations = RevocationList(backing.store)
    async with _watched() as stall:
        began = time.perf_counter()
        for _ in range(_TRIES):
            with suppress(UnavailableError):
                await revocations.ensure_fresh()
                break

        took = time.perf_counter() - began

    load_stall = stall[0]
    size = _size_of(revocations)
    async with _watched() as stall:
        await _sweep(revocations)

    await revocations.aclose()
    return {
        "first_verdict_s": took,
        "load_stall_ms": load_stall * 1000,
        "bytes_each": size,
        "sweep_stall_ms": stall[0] * 1000,
    }


async def _flood(backing: Backing) -> dict[str, float]:
    """Let one caller publish as fast as it can, in front of a list that reads along."""
    revocations = RevocationList(backing.store)
    for _ in range(_TRIES):
        with suppress(UnavailableError):
            await revocations.ensure_fresh()
            break

    began = time.perf_counter()
    before = revocations.version
    async with _watched() as stall:
        for _ in range(_FLOOD // _FLOOD_BATCH):
            await backing.store.publish(_entries(_FLOOD_BATCH), ttl=_LIFE)

        await revocations.read()
        took = time.perf_counter() - began

    assert revocations.version > before
    await revocations.aclose()
    return {"flood_s": took, "flood_stall_ms": stall[0] * 1000}


async def _sweep(revocations: RevocationList) -> None:
    """Let everything end, and be swept as it is in a minute."""
    known = register.uptime
    register.uptime = lambda: known() + 2 * _LIFE
    held = revocations._register  # noqa: SLF001  (what it is about)
    try:
        while held.size:
            held._next_sweep = 0.0  # noqa: SLF001  (nobody waits a minute)
            held.sweep()
            await asyncio.sleep(0)
    finally:
        register.uptime = known


@asynccontextmanager
async def _watched() -> AsyncIterator[list[float]]:
    """Note the longest time for which the event loop served no one else.

    The objects of the application itself are frozen: a full garbage collection, which
    any work can set off, takes as long as its heap is large, and is no part of this.
    """
    longest = [0.0]

    async def watch() -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(_LOOK)
            now = time.perf_counter()
            longest[0] = max(longest[0], now - last - _LOOK)
            last = now

    gc.collect()
    gc.freeze()
    watching = asyncio.get_running_loop().create_task(watch())
    try:
        yield longest
    finally:
        watching.cancel()
        await asyncio.wait([watching])
        gc.unfreeze()


async def _fill(store: Any, count: int) -> None:
    for start in range(0, count, _BATCH):
        entries = _entries(min(_BATCH, count - start))
        await store.publish(entries, ttl=_LIFE)


def _entries(count: int) -> list[Revocation]:
    tag = subject_tag(ISSUER, secrets.token_hex(4))
    return [
        Revocation(
            kind="sid", issuer=ISSUER, value=f"{tag}.{secrets.token_urlsafe(16)}"
        )
        for _ in range(count)
    ]


def _size_of(revocations: RevocationList) -> float:
    tables: list[RevokedTable] = [*revocations._tables.values()]  # noqa: SLF001  (to measure)
    shards = [shard for one in tables for shard in one._ends]  # noqa: SLF001  (likewise)
    size = sum(map(sys.getsizeof, shards))
    size += sum(sys.getsizeof(name) for shard in shards for name in shard)
    return size / max(sum(map(len, shards)), 1)


def _exponents(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Fit the power of the number of entries with which the first verdict grows."""
    exponents = {}
    for store in {row["store"]: None for row in rows}:
        points = [
            (math.log(row["entries"]), math.log(row["first_verdict_s"]))
            for row in rows
            if row["store"] == store
        ]
        exponents[store] = statistics.linear_regression(*zip(*points, strict=True))[0]

    return exponents
