"""The entries of a page of a feed, as plain values until somebody looks at one.

A page has thousands. Kept as objects they would set off full collections of the garbage
collector in every process that loads, each of which stops its event loop for as long as
the application's own heap is large.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, ClassVar, overload

from asgi_auth.stores.records import Revocation

__all__ = ["Entries"]

_FIELDS = 5


class Entries(Sequence[Revocation]):
    """A sequence that makes each entry when it is asked for, and keeps none.

    Args:
        rows: Of each its kind, issuer, value, ``at`` and ``expires_at``.
    """

    __slots__ = ("_values",)

    def __init__(self, rows: Iterable[Iterable[Any]]) -> None:
        # One list for all: plain values are nothing to the garbage collector.
        self._values: list[Any] = [*chain.from_iterable(rows)]

    def __len__(self) -> int:
        """Count them."""
        return len(self._values) // _FIELDS

    def __iter__(self) -> Iterator[Revocation]:
        """Make one after the other."""
        return map(_entry, *[iter(self._values)] * _FIELDS)

    @overload
    def __getitem__(self, index: int) -> Revocation: ...

    @overload
    def __getitem__(self, index: slice) -> Entries: ...

    def __getitem__(self, index: int | slice) -> Revocation | Entries:
        """Return one of them, or some as a sequence of the same kind."""
        places = range(len(self))[index]
        if isinstance(places, range):
            return Entries(map(self._row, places))

        return _entry(*self._row(places))

    def __eq__(self, other: object) -> bool:
        """Compare them with those of any sequence."""
        return isinstance(other, Sequence) and [*self] == [*other]

    __hash__: ClassVar[None] = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Show how many there are."""
        return f"Entries({len(self)})"

    def _row(self, place: int) -> list[Any]:
        start = place * _FIELDS
        return self._values[start : start + _FIELDS]


def _entry(kind: Any, issuer: str, value: str, at: float, expires: float) -> Revocation:
    return Revocation(kind=kind, issuer=issuer, value=value, at=at, expires_at=expires)
