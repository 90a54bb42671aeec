"""Remember tokens that were verified, so that they are not verified again.

A bounded table with SIEVE eviction (Zhang et al., NSDI 2024): a hit only marks its
entry, so it needs no lock and no reordering, and one-shot tokens leave first. The key
is the SHA-256 of the whole token and nothing else, so no live token stays in memory
and no two tokens can share an entry. Nothing is decided here: time, keys and
revocation are checked at every hit by :mod:`asgi_auth.tokens.recall`.
"""

from __future__ import annotations

from threading import Lock
from typing import Generic, NamedTuple, Self, TypeVar

from asgi_auth.errors import ConfigurationError

__all__ = ["CacheStats", "Entry", "VerifiedCache"]

_LONGEST = 4096


class CacheStats(NamedTuple):
    """How the table does, for metrics.

    Attributes:
        hits: Tokens that were known.
        misses: Good tokens that were not; bad ones are not counted.
        size: Entries held.
    """

    hits: int
    misses: int
    size: int


class Entry:
    """What the table holds: a base, because each object less is time and memory.

    Attributes:
        key: The digest that it stands under.
        visited: It was used since the hand last passed.
        newer: Its neighbour, put in later.
        older: Its neighbour, put in earlier.
    """

    __slots__ = ("key", "newer", "older", "visited")

    key: bytes
    newer: Self | None
    older: Self | None
    visited: bool


E = TypeVar("E", bound=Entry)


class VerifiedCache(Generic[E]):
    """A table of at most *size* verified tokens.

    Counters may lose a beat when threads race; the table itself does not.

    Args:
        size: Greatest number of entries, at least 1.

    Attributes:
        size: Greatest number of entries.
        table: Digest to entry; the same dictionary for as long as the cache lives.
        hits: Tokens that were known.
        misses: Good tokens that were not.
    """

    __slots__ = (
        "_hand",
        "_lock",
        "_newest",
        "_oldest",
        "hits",
        "misses",
        "size",
        "table",
    )

    def __init__(self, size: int = 4096) -> None:
        if size < 1:
            msg = "cache_size must be at least 1; cache=None turns the cache off."
            raise ConfigurationError(msg)

        self.size = size
        self.table: dict[bytes, E] = {}
        self._newest: E | None = None
        self._oldest: E | None = None
        self._hand: E | None = None
        self.hits = self.misses = 0
        self._lock = Lock()

    def get(self, key: bytes) -> E | None:
        """Return the entry of *key* and mark it as used.

        :mod:`asgi_auth.tokens.recall` does the same in place, to save the call.
        """
        entry = self.table.get(key)
        if entry is None:
            return None

        self.hits += 1
        entry.visited = True
        return entry

    def put(self, key: bytes, entry: E, length: int) -> None:
        """Add *entry*, which is in no table, unless its token has over 4096 bytes.

        Args:
            key: The SHA-256 of the whole token.
            entry: What is known of the token.
            length: The token's length in bytes.
        """
        self.misses += 1
        if length > _LONGEST:
            return

        table = self.table
        with self._lock:
            if key in table:
                self._unlink(table.pop(key))
            elif self._oldest is not None and len(table) >= self.size:
                self._evict(self._oldest)

            entry.key = key
            entry.visited = False
            entry.newer = None
            entry.older = newest = self._newest
            if newest is not None:
                newest.newer = entry
            else:
                self._oldest = entry

            self._newest = table[key] = entry

    def stats(self) -> CacheStats:
        """Return the counters and the number of entries."""
        return CacheStats(self.hits, self.misses, len(self.table))

    def _unlink(self, entry: E) -> None:
        newer, older = entry.newer, entry.older
        if self._hand is entry:
            self._hand = newer

        if newer is not None:
            newer.older = older
        else:
            self._newest = older

        if older is not None:
            older.newer = newer
        else:
            self._oldest = newer

        # Who still holds it must not keep its neighbours alive.
        entry.newer = entry.older = None

    def _evict(self, oldest: E) -> None:
        """Walk from old to new, spare what was used since, drop the first other."""
        entry = self._hand or oldest
        while entry.visited:
            entry.visited = False
            entry = entry.newer or oldest

        self._hand = entry
        del self.table[entry.key]
        self._unlink(entry)
