"""Remember tokens that were verified, so that they are not verified again.

A bounded table with SIEVE eviction (Zhang et al., NSDI 2024): a hit only marks its
entry, so it needs no lock and no reordering, and one-shot tokens leave first. The key
is the SHA-256 of the whole token and nothing else, so no live token stays in memory
and no two tokens can share an entry. Nothing is decided here: time, keys and
revocation are checked at every hit by :mod:`asgi_auth.tokens.fast_path`.
"""

from __future__ import annotations

from threading import Lock
from typing import Any, Generic, NamedTuple, TypeVar

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
    newer: Any
    older: Any
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

    __slots__ = ("_hand", "_lock", "_root", "hits", "misses", "size", "table")

    def __init__(self, size: int = 4096) -> None:
        if size < 1:
            msg = "cache_size must be at least 0, which turns the cache off."
            raise ConfigurationError(msg)

        self.size: int = size
        self.table: dict[bytes, E] = {}
        # The entries are a ring, closed by one that is never found: no end to look for.
        self._root = root = Entry()
        self._hand: Any = root
        root.newer = root.older = root
        root.visited = True
        self.hits: int = 0
        self.misses: int = 0
        self._lock = Lock()

    def get(self, key: bytes) -> E | None:
        """Return the entry of *key* and mark it as used.

        :mod:`asgi_auth.tokens.fast_path` does the same in place, to save the call.
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

        # In one piece, because calls would show in the time of each new token.
        table, root = self.table, self._root
        with self._lock:
            old = None
            if key in table:
                old = table[key]
            elif len(table) >= self.size:
                # From old to new: spare what was used since, take the first other.
                old = self._hand
                while old.visited:
                    old.visited = old is root  # Which is passed over each time.
                    old = old.newer

                self._hand = old

            if old is not None:
                newer, older = old.newer, old.older
                newer.older, older.newer = older, newer
                if self._hand is old:
                    self._hand = newer

                del table[old.key]
                # Who still holds it must not keep its neighbours alive.
                old.newer = old.older = None

            entry.key = key
            entry.visited = False
            entry.newer = root
            entry.older = newest = root.older
            newest.newer = root.older = table[key] = entry

    def stats(self) -> CacheStats:
        """Return the counters and the number of entries."""
        return CacheStats(self.hits, self.misses, len(self.table))
