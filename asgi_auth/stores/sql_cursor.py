"""How far a reader of the revocation table has come.

It runs no SQL. A number is taken before its row is committed, so that a lower number
may show up after a higher one: a cursor knows the holes that may still fill.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

__all__ = ["OVERLAP", "Cursor"]

OVERLAP = 30.0
"""Seconds after which a hole was a roll-back, and is not waited for."""

_HOLE = r"\d{1,19}-\d{1,19}@-?\d+\.\d+"
_TEXT = re.compile(rf"(\d{{1,19}})((?:;{_HOLE})*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Hole:
    first: int
    last: int
    seen_at: float

    def __str__(self) -> str:
        return f"{self.first}-{self.last}@{self.seen_at:f}"

    @classmethod
    def parse(cls, text: str) -> _Hole:
        numbers, _, seen_at = text.partition("@")
        first, _, last = numbers.partition("-")
        return cls(int(first), int(last), float(seen_at))


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the table. As text it serves every process.

    Attributes:
        last: The greatest number seen.
        holes: Numbers below it that were not there.
    """

    last: int
    holes: tuple[_Hole, ...] = ()

    def __str__(self) -> str:
        """Write it down, for :meth:`parse`."""
        return ";".join(map(str, (self.last, *self.holes)))

    @classmethod
    def parse(cls, text: str) -> Cursor | None:
        """Read what ``str`` wrote; ``None`` where it is something else."""
        match = _TEXT.fullmatch(text)
        if match is None:
            return None
        holes = match[2].split(";")[1:]
        return cls(int(match[1]), tuple(map(_Hole.parse, holes)))

    @property
    def low(self) -> int:
        """The number after which a read has to begin."""
        return min((hole.first - 1 for hole in self.holes), default=self.last)

    def is_new(self, number: int) -> bool:
        """Tell whether this reader has not seen *number* yet."""
        if number > self.last:
            return True
        return any(hole.first <= number <= hole.last for hole in self.holes)

    def advance(self, numbers: Iterable[int], *, now: float) -> Cursor:
        """Go on over what was read.

        Args:
            numbers: All the numbers above :attr:`low` that were there.
            now: The store's time when they were read.
        """
        seen = sorted(filter(self.is_new, numbers))
        last = max([self.last, *seen])
        young = [hole for hole in self.holes if now - hole.seen_at <= OVERLAP]
        candidates = [*young, _Hole(self.last + 1, last, now)]
        holes = (hole for whole in candidates for hole in _without(whole, seen))
        return Cursor(last, tuple(holes))


def _without(hole: _Hole, numbers: Iterable[int]) -> Iterator[_Hole]:
    """Cut a hole at the numbers that have shown up."""
    first = hole.first
    for number in numbers:
        if first <= number <= hole.last:
            if first < number:
                yield _Hole(first, number - 1, hole.seen_at)
            first = number + 1
    if first <= hole.last:
        yield _Hole(first, hole.last, hole.seen_at)
