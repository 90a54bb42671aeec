"""All that one process holds of revocations, of every issuer, up to a bound.

It forgets by a clock that only goes forward, whatever is done to the time of day. It
reads no store, and knows no token.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from threading import Lock

from asgi_auth._logs import package_logger
from asgi_auth.errors import ConfigurationError
from asgi_auth.revocation.table import RevokedTable
from asgi_auth.revocation.uptime import uptime
from asgi_auth.stores.records import Revocation

__all__ = ["Register"]

_logger = package_logger(__name__)

_NEVER = float("-inf")

_KINDS = frozenset({"jti", "sid", "subject", "whole_subject", "all"})
_BY_NAME = frozenset({"jti", "sid"})

# Seconds.
_SWEEP_EVERY = 60.0
_TICK = 10.0
# In so many steps a sweep goes over all entries, and looks at so many at least.
_SWEEPS = 128
_SMALLEST_STEP = 250


class Register:
    """Tables of what is revoked, by issuer. Threads may share it.

    Attributes:
        tables: By issuer.
        size: How many names there are in all of them.

    Args:
        max_entries: How many names may be held. Instead of a further one, all access
            tokens of its issuer from before it are refused.

    Raises:
        ConfigurationError: *max_entries* is not positive.
    """

    def __init__(self, max_entries: int) -> None:
        if max_entries < 1:
            msg = "max_entries must be 1 or more"
            raise ConfigurationError(msg)

        self.tables: dict[str, RevokedTable] = {}
        self.size: int = 0
        self._max_entries = max_entries
        self._lock = Lock()
        self._ends: dict[int, int] = {}
        self._sweeping: Iterator[int] = iter(())
        self._next_sweep = _NEVER

    def add(
        self,
        entries: Iterable[Revocation],
        now: float,
        *,
        note: Callable[[Revocation], object] | None = None,
    ) -> int:
        """Hold *entries*, and return how many of them say anything new.

        A newer version of this package may share the store: what it revokes in ways
        that are unknown here is passed over.

        Args:
            entries: Of which the times are by the store's clock.
            now: The store's time.
            note: Called with each that says anything new; nothing else keeps them.
        """
        shift, count, unknown = uptime() - now, 0, False
        with self._lock:
            for entry in entries:
                if entry.kind not in _KINDS:
                    unknown = True
                elif self._add(entry, math.ceil((entry.expires_at + shift) / _TICK)):
                    count += 1
                    if note is not None:
                        note(entry)

        if unknown:
            _logger.warning("revocations of an unknown kind are passed over")

        return count

    def _add(self, entry: Revocation, end: int) -> bool:
        table = self.tables.get(entry.issuer)
        if table is None:
            table = self.tables[entry.issuer] = RevokedTable()

        if self.size >= self._max_entries and not table.holds(entry):
            return self._overflow(table, entry, end)

        size = table.size
        # Equal numbers are one object: many entries share their end.
        is_news = table.add(entry, self._ends.setdefault(end, end))
        self.size += table.size - size
        return is_news

    def holds(self, entry: Revocation, life: float) -> bool:
        """Report whether a token or session is held for so many seconds yet.

        A subject or an issuer never is: of these the time counts, so that each of
        their revocations is of use.
        """
        if entry.kind not in _BY_NAME:
            return False

        table = self.tables.get(entry.issuer)
        end = None if table is None else table.end_of(entry)
        return end is not None and end >= _tick(life)

    def sweep(self) -> None:
        """Forget some of what has ended: little at a time, and all within minutes."""
        now = uptime()
        if now < self._next_sweep:
            return

        self._next_sweep = now + _SWEEP_EVERY / _SWEEPS
        budget = max(self.size // _SWEEPS, _SMALLEST_STEP)
        with self._lock:
            while budget > 0:
                step = next(self._sweeping, None)
                if step is None:
                    self._sweeping = self._steps()
                    return

                budget -= step

    def entries(self) -> Iterator[tuple[Revocation, float]]:
        """Name all that is held, each with the seconds that are left of its life."""
        tick = math.floor(uptime() / _TICK)
        for issuer, table in [*self.tables.items()]:
            for entry, ticks in table.entries(issuer, tick=tick):
                yield entry, ticks * _TICK

    def _overflow(self, table: RevokedTable, entry: Revocation, end: int) -> bool:
        if table.full_at == _NEVER:
            _logger.warning(
                "%d revocations are held: instead of further ones, all access tokens "
                "of their issuer are refused up to now, and have to be refreshed",
                self._max_entries,
            )

        table.add_to_all(entry, end)
        return True

    def _steps(self) -> Iterator[int]:
        tick = math.floor(uptime() / _TICK)
        for issuer, table in [*self.tables.items()]:
            for number in table.parts:
                size = table.size
                looked_at = table.sweep(number, tick)
                self.size += table.size - size
                yield looked_at + 1

            if table.is_empty:
                del self.tables[issuer]

        self._ends = {end: end for end in self._ends if end > tick}


def _tick(life: float) -> int:
    return math.ceil((uptime() + life) / _TICK)
