"""What log-ins do to everybody else on the event loop: the hasher against inline."""

from __future__ import annotations

import asyncio
from typing import Any

from benchmarks import bench_passwords
from benchmarks.report import number, table

__all__ = ["delay_ratio", "run", "show"]


def run(rounds: int) -> dict[str, Any]:
    """Let 16 users log in at once; a round takes some seconds."""
    rounds = max(1, rounds // 8)
    found = asyncio.run(bench_passwords.measure(rounds))
    return {"rounds": rounds, "log_ins": bench_passwords.LOG_INS, **found}


def show(result: dict[str, Any]) -> str:
    """Lay out the delays that a ticker on the loop has seen."""
    names = {"idle": "no log-in", "ours": "PasswordHasher", "inline": "on the loop"}
    rows = [
        [
            title,
            number(result[f"{name}_p99_ms"]),
            number(result[f"{name}_max_ms"]),
            number(result.get(f"{name}_all_ms")),
        ]
        for name, title in names.items()
    ]
    head = [
        f"{result['log_ins']} log-ins at once",
        "loop delay p99 ms",
        "max",
        "all ms",
    ]
    return f"{table(head, rows)}\np99, inline over ours: {number(result['ratio'])}"


def delay_ratio(rounds: int) -> float:
    """Return the p99 of the loop's delay, as a part of that of hashing inline."""
    result = run(rounds)
    ratio: float = result["ours_p99_ms"] / result["inline_p99_ms"]
    return ratio
