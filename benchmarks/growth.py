"""Every verb of every store, as what is stored grows.

Each line is a verb with so many sessions and as many revocations beside: half of the
sessions are of the one subject that it asks about. The exponent says with which power
of their number the time grows: 0 is what it should be, 1 is in proportion. The servers
are real and local; the time is that of the caller.
"""

from __future__ import annotations

import asyncio
import gc
import math
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from asgi_auth import MemoryStore, MissingExtraError
from benchmarks.backing import STORES, Backing
from benchmarks.crowd_rows import VERBS, Rows
from benchmarks.report import RESULTS, number, table

__all__ = ["run", "show"]

SIZES = {
    "memory": (1_000, 10_000, 100_000, 1_000_000),
    "SQLite": (1_000, 10_000, 100_000),
    "PostgreSQL": (1_000, 10_000, 100_000),
    "Valkey": (1_000, 10_000, 100_000, 1_000_000),
}
_INKS = {
    "light": ("#1f2328", "#d1d9e0", ("#0969da", "#bf8700", "#8250df", "#1a7f37")),
    "dark": ("#e6edf3", "#3d444d", ("#4493f8", "#d29922", "#ab7df8", "#3fb950")),
}


def run(rounds: int) -> dict[str, Any]:
    """Fill each store, and run each verb so many times at each size."""
    rows: list[dict[str, Any]] = []
    skipped = []
    for name, sizes in SIZES.items():
        try:
            rows += asyncio.run(_measure(name, sizes, rounds))
        except (ImportError, MissingExtraError) as error:
            skipped.append(f"{name}: {error}")

    result = {"skipped": skipped, "rows": rows, "exponents": _exponents(rows)}
    skipped += _draw_all(result)
    return result


def show(result: dict[str, Any]) -> str:
    """Lay out a table for each store."""
    tables = []
    for store, exponents in result["exponents"].items():
        rows = [row for row in result["rows"] if row["store"] == store]
        head = [f"{store}, µs with", *(f"{row['count']:,}" for row in rows), "exponent"]
        lines = [
            [verb, *(number(row["us"][verb]) for row in rows), f"{exponent:+.2f}"]
            for verb, exponent in exponents.items()
        ]
        lines += [
            [what.replace("_", " "), *(number(row[what]) for row in rows), ""]
            for what in ("session_bytes", "revocation_bytes")
        ]
        tables.append(table(head, lines))

    return "\n\n".join(tables)


async def _measure(
    name: str, sizes: Sequence[int], rounds: int
) -> list[dict[str, Any]]:
    measured = []
    async with STORES[name]() as given:
        roomy = Backing(MemoryStore(max_sessions=2 * sizes[-1]))
        backing = roomy if name == "memory" else given
        rows = Rows(backing.store)
        await rows.begin()
        for size in sizes:
            sizes_each = await _fill(rows, backing, size)
            await rows.settle()
            times = {verb: await _time(verb, rows, rounds) for verb in VERBS}
            measured.append({"store": name, "count": size, "us": times, **sizes_each})

    return measured


async def _fill(rows: Rows, backing: Backing, count: int) -> dict[str, float]:
    added = count - rows.count
    before = await _bytes_of(backing)
    await rows.fill_sessions(count)
    between = await _bytes_of(backing)
    await rows.fill_revocations(count)
    after = await _bytes_of(backing)
    rows.count = count
    return {
        "session_bytes": (between - before) / added,
        "revocation_bytes": (after - between) / added,
    }


async def _time(verb: str, rows: Rows, rounds: int) -> float:
    took = []
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            steps = VERBS[verb](rows)
            await anext(steps)
            began = time.perf_counter()
            await anext(steps, None)
            took.append((time.perf_counter() - began) * 1e6)
    finally:
        gc.enable()

    return statistics.median(took)


async def _bytes_of(backing: Backing) -> float:
    """Return what the store takes: memory, a file, tables with indexes, or a server."""
    if not backing.url:
        gc.collect()
        return _resident()

    if backing.url.startswith("redis"):
        client = await backing.store._link.client()  # noqa: SLF001  (what it is about)
        return float((await client.info("memory"))["used_memory"])

    from sqlalchemy import text

    database = backing.store._database  # noqa: SLF001  (likewise)
    question = (
        "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
        if database.dialect == "sqlite"
        else "SELECT pg_database_size(current_database())"
    )
    ((size,),) = await database.fetch(text(question))
    return float(size)


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * 4096.0


def _exponents(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Fit the power of the number of rows with which each time grows."""
    exponents: dict[str, dict[str, float]] = {}
    for store in {row["store"]: None for row in rows}:
        of_store = [row for row in rows if row["store"] == store]
        counts = [math.log(row["count"]) for row in of_store]
        exponents[store] = {
            verb: statistics.linear_regression(
                counts, [math.log(row["us"][verb]) for row in of_store]
            )[0]
            for verb in VERBS
        }

    return exponents


def _draw_all(result: dict[str, Any]) -> list[str]:
    try:
        import matplotlib as mpl
    except ImportError as error:
        return [f"picture: {error}"]

    mpl.use("svg")
    for theme in _INKS:
        _draw(result, theme)

    return []


def _draw(result: dict[str, Any], theme: str) -> None:
    """Draw all verbs of a store as thin lines, each in proportion to its first time."""
    import matplotlib.pyplot as plt

    text, faint, colors = _INKS[theme]
    settings = {"svg.hashsalt": "asgi-auth", "font.family": "sans-serif"}
    with plt.rc_context({**settings, "svg.fonttype": "none"}):
        figure, axes = plt.subplots(figsize=(8, 3.6))
        for store, color in zip(result["exponents"], colors, strict=False):
            rows = [row for row in result["rows"] if row["store"] == store]
            counts = [row["count"] for row in rows]
            for number_of_it, verb in enumerate(VERBS):
                times = [row["us"][verb] for row in rows]
                label = None if number_of_it else store
                axes.plot(counts, times, color=color, linewidth=1, label=label)

        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("sessions and revocations that are stored", color=text)
        axes.set_ylabel("microseconds of one verb", color=text)
        axes.tick_params(which="both", colors=text, color=faint)
        axes.grid(color=faint, linewidth=0.6)
        for spine in axes.spines.values():
            spine.set_color(faint)

        axes.legend(frameon=False, labelcolor=text, ncols=4, loc="upper left")
        axes.margins(y=0.15)
        figure.tight_layout()
        metadata = {"Date": None, "Creator": None, "Title": "Each verb, as stores grow"}
        target = RESULTS / f"growth-{theme}.svg"
        figure.savefig(target, transparent=True, metadata=metadata)
        plt.close(figure)
