"""What is revoked, as it grows: loading, memory, sweeps, floods, and the loop.

Each line is a store with so many live revocations and a fresh list in front of it, in
one process with the event loop that is watched. The servers are real and local. A stall
is the longest time for which the loop served no one else: as the clock has it, with all
that other processes take, and as this thread's processor time has it, for one step.
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
from dataclasses import dataclass
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
_COLUMNS = (
    "first_verdict_s",
    "first_verdict_cpu_s",
    "load_stall_ms",
    "load_step_cpu_ms",
    "bytes_each",
    "sweep_stall_ms",
    "sweep_step_cpu_ms",
    "flood_s",
    "flood_stall_ms",
    "flood_step_cpu_ms",
)
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
    rows = [
        [row["store"], f"{row['entries']:,}"]
        + [number(row[key]) if key in row else "" for key in _COLUMNS]
        for row in result["rows"]
    ]
    head = ["store", "live", *(key.replace("_", " ") for key in _COLUMNS)]
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
    async with _watched() as load:
        began, cpu = time.perf_counter(), time.process_time()
        for _ in range(_TRIES):
            with suppress(UnavailableError):
                await revocations.ensure_fresh()
                break

        took, cpu = time.perf_counter() - began, time.process_time() - cpu

    size = _size_of(revocations)
    async with _watched() as sweep:
        await _sweep(revocations)

    await revocations.aclose()
    return {
        "first_verdict_s": took,
        "first_verdict_cpu_s": cpu,
        **load.ms("load"),
        "bytes_each": size,
        **sweep.ms("sweep"),
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
    async with _watched() as flood:
        for _ in range(_FLOOD // _FLOOD_BATCH):
            await backing.store.publish(_entries(_FLOOD_BATCH), ttl=_LIFE)

        await revocations.read()
        took = time.perf_counter() - began

    assert revocations.version > before
    await revocations.aclose()
    return {"flood_s": took, **flood.ms("flood")}


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


@dataclass(slots=True)
class _Longest:
    """The longest times for which an event loop was busy with one thing, in seconds."""

    stall: float = 0.0
    step: float = 0.0

    def ms(self, name: str) -> dict[str, float]:
        return {
            f"{name}_stall_ms": self.stall * 1000,
            f"{name}_step_cpu_ms": self.step * 1000,
        }


@asynccontextmanager
async def _watched() -> AsyncIterator[_Longest]:
    """Note the longest time for which the event loop served no one else.

    The objects of the application itself are frozen: a full garbage collection, which
    any work can set off, takes as long as its heap is large, and is no part of this.
    """
    longest = _Longest()
    run = asyncio.Handle._run  # noqa: SLF001  (what the loop calls, of any kind)

    def timed(handle: asyncio.Handle) -> None:
        before = time.thread_time()
        run(handle)
        longest.step = max(longest.step, time.thread_time() - before)

    async def watch() -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(_LOOK)
            now = time.perf_counter()
            longest.stall = max(longest.stall, now - last - _LOOK)
            last = now

    gc.collect()
    gc.freeze()
    watching = asyncio.get_running_loop().create_task(watch())
    asyncio.Handle._run = timed  # type: ignore[method-assign]  # noqa: SLF001
    try:
        yield longest
    finally:
        asyncio.Handle._run = run  # type: ignore[method-assign]  # noqa: SLF001
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
