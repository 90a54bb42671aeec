"""Write results for people and for programs.

Results go to the standard output, remarks to the standard error, so that the output of
a command can go on into the next.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["remark", "say", "say_json", "times_of"]


def say(text: str) -> None:
    """Print a line of the result."""
    sys.stdout.write(f"{text}\n")


def say_json(value: object) -> None:
    """Print the result as JSON, in ASCII: a claim must not steer the terminal."""
    say(json.dumps(value, indent=2))


def remark(text: str) -> None:
    """Print something that is no part of the result."""
    sys.stderr.write(f"{text}\n")


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
