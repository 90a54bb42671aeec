"""Write results for people and for programs.

Results go to the standard output, remarks to the standard error, so that the output of
a command can go on into the next. In a terminal, tables and verdicts are drawn with
rich where it is installed; what a pipe gets is plain text in any case.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

try:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text
except ImportError:  # pragma: no cover - the tests have it, and try without
    Console = None  # type: ignore[assignment,misc]

__all__ = ["remark", "say", "say_json", "say_table", "say_verdict", "times_of"]


def say(text: str) -> None:
    """Print a line of the result."""
    sys.stdout.write(f"{text}\n")


def say_json(value: object) -> None:
    """Print the result as JSON, in ASCII: a claim must not steer the terminal."""
    say(json.dumps(value, indent=2))


def remark(text: str) -> None:
    """Print something that is no part of the result, below what was said before."""
    sys.stdout.flush()
    sys.stderr.write(f"{text}\n")


def say_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows below their heads.

    What callers chose is shown in ASCII: it must not steer the terminal.
    """
    lines = [tuple(ascii(cell)[1:-1] for cell in row) for row in rows]
    screen = _screen()
    if screen is not None:
        screen.print(_drawn(head, lines))
        return

    columns = zip(*[head, *lines], strict=True)
    widths = [max(map(len, column)) for column in columns]
    for line in [head, *lines]:
        cells = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        say("  ".join(cells).rstrip())


def say_verdict(text: str, *, is_good: bool) -> None:
    """Print ``ok`` or ``FAIL`` before a line, in green or red where there is colour."""
    mark = "ok  " if is_good else "FAIL"
    screen = _screen()
    if screen is None:
        say(f"{mark}  {text}")
        return

    style = "green" if is_good else "bold red"
    screen.print(Text.assemble((mark, style), f"  {text}"), soft_wrap=True)


def _screen() -> Console | None:
    """Return the terminal, or ``None`` where plain text is right.

    Rich heeds ``NO_COLOR``, ``FORCE_COLOR`` and ``TERM=dumb``.
    """
    if Console is None:
        return None

    screen = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
    return screen if screen.is_terminal and not screen.is_dumb_terminal else None


def _drawn(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in head:
        # An id is folded rather than cut: it is there to be copied.
        table.add_column(name, overflow="fold")

    for row in rows:
        table.add_row(*map(Text, row))

    return table


def times_of(
    values: Mapping[str, Any], names: Iterable[str], now: float
) -> dict[str, str]:
    """Say how far each time lies from *now*, for instance ``in 14 min``.

    Args:
        values: Claims, or what else has times in Unix seconds.
        names: Which of them are times.
        now: Unix seconds.
    """
    return {
        name: _distance(values[name] - now)
        for name in names
        if isinstance(values.get(name), int | float)
    }


_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def _distance(seconds: float) -> str:
    size, unit = next((unit for unit in _UNITS if abs(seconds) >= unit[0]), _UNITS[-1])
    count = abs(seconds) // size
    return f"{count:.0f} {unit} ago" if seconds < 0 else f"in {count:.0f} {unit}"
