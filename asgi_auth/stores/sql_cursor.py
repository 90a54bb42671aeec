"""How far a reader of the revocation table has come.

It runs no SQL. A number is taken before its row is committed, so that a lower number
may show up after a higher one: a cursor knows the holes that may still fill.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

__all__ = ["OVERLAP", "Cursor"]

OVERLAP = 30.0
"""Seconds after which a hole was a roll-back, and is not waited for."""

_NUMBER = r"\d{1,18}"
_TIME = r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?"
_HOLE = rf"{_NUMBER}-{_NUMBER}@{_TIME}"
_TEXT = re.compile(
    rf"({_NUMBER})(?:=({_TIME}))?(?:>({_TIME}),({_NUMBER}))?((?:;{_HOLE})*)", re.ASCII
)


@dataclass(frozen=True, slots=True)
class _Hole:
    first: int
    last: int
    seen_at: float

    def __str__(self) -> str:
        return f"{self.first}-{self.last}@{self.seen_at!r}"

    @classmethod
    def parse(cls, text: str) -> _Hole:
        numbers, _, seen_at = text.partition("@")
        first, _, last = numbers.partition("-")
        return cls(int(first), int(last), float(seen_at))


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the table. As text it serves every process.

    Attributes:
        last: The greatest number seen; while the window is read, the one before which
            all is settled.
        stored_at: When the row of that number was stored: a table that was put back
            may give out the number once more.
        window: How far the window is read, as the end and the number of a row.
        holes: Numbers below *last* that were not there.
    """

    last: int
    stored_at: float | None = None
    window: tuple[float, int] | None = None
    holes: tuple[_Hole, ...] = ()

    def __str__(self) -> str:
        """Write it down, for :meth:`parse`."""
        text = str(self.last)
        if self.stored_at is not None:
            text += f"={self.stored_at!r}"

        if self.window is not None:
            text += f">{self.window[0]!r},{self.window[1]}"

        return ";".join((text, *map(str, self.holes)))

    @classmethod
    def parse(cls, text: str) -> Cursor | None:
        """Read what ``str`` wrote; ``None`` where it is something else."""
        match = _TEXT.fullmatch(text)
        if match is None:
            return None

        last, stored_at, end, number, holes = match.groups()
        return cls(
            int(last),
            None if stored_at is None else float(stored_at),
            None if end is None else (float(end), int(number)),
            tuple(map(_Hole.parse, holes.split(";")[1:])),
        )

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """The holes, as the first and the last number of each."""
        return [(hole.first, hole.last) for hole in self.holes]

    def in_window(self, end: float, number: int) -> Cursor:
        """Return the cursor at the row *number*, which expires at *end*."""
        return replace(self, window=(end, number))

    def past_window(self) -> Cursor:
        """Return the cursor behind what was settled when the window began."""
        return replace(self, window=None)

    def advance(
        self, rows: Iterable[tuple[int, float]], *, now: float, more: bool = False
    ) -> Cursor:
        """Return the cursor behind what was read.

        Args:
            rows: Number and time of each row that was there, among the holes and
                directly behind ``last``.
            now: The store's time when they were read.
            more: There may be further rows, also among the holes.
        """
        times = dict(rows)
        numbers = sorted(times)
        last = max([self.last, *numbers])
        open_holes = [
            hole for hole in self.holes if more or now - hole.seen_at <= OVERLAP
        ]
        candidates = [*open_holes, _Hole(self.last + 1, last, now)]
        holes = [hole for whole in candidates for hole in _without(whole, numbers)]
        return Cursor(last, times.get(last, self.stored_at), holes=tuple(holes))


def _without(hole: _Hole, numbers: list[int]) -> Iterator[_Hole]:
    """Cut a hole at the numbers that have shown up, of which the list is sorted."""
    first = hole.first
    start = bisect_left(numbers, first)
    end = bisect_right(numbers, hole.last)
    for number in numbers[start:end]:
        if first < number:
            yield _Hole(first, number - 1, hole.seen_at)

        first = number + 1

    if first <= hole.last:
        yield _Hole(first, hole.last, hole.seen_at)
