"""Write the last results into the pages that show them, between two marks.

A figure on a page is never typed by hand: what stands there is what was measured.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.asgi import CASES
from benchmarks.report import RESULTS, number

__all__ = ["PAGES", "fill", "run", "show"]

_ROOT = Path(__file__).parent.parent
PAGES = (
    _ROOT / "README.md",
    _ROOT / "docs" / "explanation" / "benchmarks.md",
    _ROOT / "docs" / "explanation" / "comparison.md",
    _ROOT / "docs" / "explanation" / "growth.md",
)

Results = Mapping[str, Any]


def run(rounds: int) -> dict[str, Any]:
    """Rewrite the pages; *rounds* is not needed, since nothing is measured."""
    changed = []
    for page in PAGES:
        text = page.read_text("utf-8")
        filled = fill(text)
        if filled != text:
            page.write_text(filled, "utf-8")
            changed.append(page.relative_to(_ROOT).as_posix())

    return {"changed": changed}


def show(result: Results) -> str:
    """Name the pages that were rewritten."""
    return "\n".join(result["changed"]) or "All pages show the last results already."


def fill(text: str) -> str:
    """Put each table between its marks."""
    for name, (suite, make) in _TABLES.items():
        begin, end = f"<!-- table: {name} -->\n", f"<!-- end: {name} -->\n"
        if begin not in text:
            continue

        head, _, rest = text.partition(begin)
        tail = rest.partition(end)[2]
        results = json.loads((RESULTS / f"{suite}.json").read_text("utf-8"))
        text = f"{head}{begin}\n{make(results)}\n\n{end}{tail}"

    return text


def _speed(results: Results) -> str:
    cases = [case for case in CASES if case != "garbage"]
    head = [f"µs added to a request (`jwt.decode`: {_decode(results)})", *cases]
    return _markdown(head, _rows(results, cases))


def _speed_in_short(results: Results) -> str:
    cases = {"repeated": "known token", "unique": "new token", "forged": "forged"}
    cases |= {"100 KB": "100 KB of junk", "websocket": "WebSocket"}
    return _markdown(["µs added", *cases.values()], _rows(results, [*cases]))


def _behaviour(results: Results) -> str:
    answers = results["answers"]
    rows = (
        [question["text"], *(answers[name][question["key"]] for name in answers)]
        for question in results["questions"]
    )
    return _markdown(["", *answers], rows)


def _right(results: Results) -> str:
    told = (f"{q['text']}\n: {q['right']}" for q in results["questions"])
    return "\n\n".join(told)


def _goals(results: Results) -> str:
    head = ["goal", "", "limit", "run 1", "run 2", "reached"]
    return _markdown(head, map(_goal, results["rows"]))


def _goal(row: Mapping[str, Any]) -> list[str]:
    limit = f"{'≥' if row['least'] else '≤'} {number(row['limit'])}"
    measured = [number(value) for value in row["runs"]]
    return [row["case"], row["unit"], limit, *measured, "yes" if row["met"] else "no"]


def _adapters(results: Results) -> str:
    head = ["adapter", "by hand, µs a request", "adapter, µs", "added, µs"]
    rows = (
        [
            row["adapter"],
            number(row["by_hand"]),
            number(row["installed"]),
            f"{row['added']:+.1f}",
        ]
        for row in results["rows"]
    )
    return _markdown(head, rows)


def _dpop(results: Results) -> str:
    head = ["request", "µs", "of one ES256 verification"]
    rows = (
        [row["name"], number(row["us"]), f"{row['signatures']:.2f}"]
        for row in results["rows"]
    )
    return _markdown(head, rows)


def _growth(results: Results) -> str:
    stores = results["exponents"]
    largest = {store: _largest(results, store) for store in stores}
    head = [
        "µs of a verb, and the exponent",
        *(f"{store}, {row['count']:,}" for store, row in largest.items()),
    ]
    verbs = next(iter(stores.values()))
    rows = (
        [
            verb,
            *(
                f"{number(row['us'][verb])} ({stores[store][verb]:+.2f})"
                for store, row in largest.items()
            ),
        ]
        for verb in verbs
    )
    return _markdown(head, rows)


def _at_rest(results: Results) -> str:
    stores = [*results["exponents"]]
    rows = (
        [
            what,
            *(number(_largest(results, store)[f"{what}_bytes"]) for store in stores),
        ]
        for what in ("session", "revocation")
    )
    return _markdown(["bytes of a", *stores], rows)


def _rows_at_rest(results: Results) -> str:
    databases = results["bytes"]
    names = next(iter(databases.values()))
    rows = ([n, *(number(sizes[n]) for sizes in databases.values())] for n in names)
    return _markdown(["bytes of a row, with its indexes", *databases], rows)


def _largest(results: Results, store: str) -> Mapping[str, Any]:
    rows = [row for row in results["rows"] if row["store"] == store]
    largest: Mapping[str, Any] = max(rows, key=lambda row: row["count"])
    return largest


def _load(results: Results) -> str:
    head = [
        "2 000 users, four workers",
        "answers a second",
        "half within, s",
        "99 % within, s",
        "503",
        "logged out with a cause",
        "wronged",
        "let in after a log-out, s",
        "a socket outlived its token, s",
    ]
    rows = (
        [
            _STORES[row["store"]],
            *(number(row[key]) for key in ("answers_a_second", "p50_s", "p99_s")),
            *(str(count) for count in (_counted(row, " 503"), _logged_out(row))),
            str(row["wrongs"]),
            *(number(row["latest_s"].get(key, 0.0)) for key in _LATEST),
        ]
        for name, row in results.items()
        if name.endswith(_QUIET)
    )
    return _markdown(head, rows)


def _faults(results: Results) -> str:
    head = [
        "what happens",
        "answers",
        "503",
        "lost",
        "logged out with a cause",
        "wronged",
        "as before after, s",
    ]
    rows = (
        [
            f"{_STORES[row['store']]}, {name.partition(', ')[2]}",
            str(_counted(row, "")),
            str(_counted(row, " 503")),
            str(_counted(row, " lost") + _counted(row, " given up")),
            str(_logged_out(row)),
            str(row["wrongs"]),
            number(row["recovery_s"]),
        ]
        for name, row in results.items()
        if "recovery_s" in row
    )
    return _markdown(head, rows)


_QUIET = ", no fault"
_STORES = {
    "sqlite": "SQLite",
    "postgres": "PostgreSQL",
    "redis": "Redis",
    "cluster": "three of Valkey",
}
_LATEST = ("let in after a log-out", "a socket ended after its token")


def _counted(row: Mapping[str, Any], end: str) -> int:
    """Count the answers of a run whose name ends like this."""
    answers = row["answers"].items()
    return sum(n for name, n in answers if name[0] == "/" and name.endswith(end))


def _logged_out(row: Mapping[str, Any]) -> int:
    causes = row["causes"].items()
    return sum(n for name, n in causes if name.startswith("logged out"))


_TABLES: dict[str, tuple[str, Callable[[Results], str]]] = {
    "speed": ("asgi", _speed),
    "speed in short": ("asgi", _speed_in_short),
    "behaviour": ("behaviour", _behaviour),
    "right": ("behaviour", _right),
    "goals": ("goals", _goals),
    "adapters": ("adapters", _adapters),
    "dpop": ("dpop", _dpop),
    "growth": ("growth", _growth),
    "at rest": ("growth", _at_rest),
    "rows at rest": ("at_rest", _rows_at_rest),
    "load": ("load", _load),
    "faults": ("load", _faults),
}


def _decode(results: Results) -> str:
    return number(results["decode_us"]["HS256"])


def _rows(results: Results, cases: Sequence[str]) -> Iterable[list[str]]:
    rows = [row for row in results["rows"] if row["algorithm"] == "HS256"]
    found = {(row["contestant"], row["case"]): row["added_us"] for row in rows}
    for name in dict.fromkeys(row["contestant"] for row in rows):
        yield [name, *(number(found.get((name, case))) for case in cases)]


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
