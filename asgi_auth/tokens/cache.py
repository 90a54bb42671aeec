"""Remember tokens that were verified, so that they are not verified again.

A bounded table with SIEVE eviction (Zhang et al., NSDI 2024): a hit only marks its
entry, so it needs no lock and no reordering, and one-shot tokens leave first. The key
is the SHA-256 of the whole token and nothing else, so no live token stays in memory
and no two tokens can share an entry. Nothing is decided here: time, keys and
revocation are checked at every hit by :mod:`asgi_auth.tokens.verifier`.
"""

from __future__ import annotations

from threading import Lock
from typing import Generic, NamedTuple, TypeVar

from asgi_auth.errors import ConfigurationError

__all__ = ["CacheStats", "VerifiedCache"]

_LONGEST = 4096

V = TypeVar("V")


class CacheStats(NamedTuple):
    """How the table does, for metrics.

    Attributes:
        hits: Look-ups that found an entry.
        misses: Look-ups that did not.
        size: Entries held.
    """

    hits: int
    misses: int
    size: int


class _Node(Generic[V]):
    __slots__ = ("key", "newer", "older", "value", "visited")

    def __init__(self, key: bytes, value: V) -> None:
        self.key = key
        self.value = value
        self.visited = False
        self.newer: _Node[V] | None = None
        self.older: _Node[V] | None = None


class VerifiedCache(Generic[V]):
    """A table of at most *size* verified tokens.

    Counters may lose a beat when threads race; the table itself does not.

    Args:
        size: Greatest number of entries, at least 1.
    """

    __slots__ = (
        "_hand",
        "_hits",
        "_lock",
        "_misses",
        "_newest",
        "_oldest",
        "_table",
        "size",
    )

    def __init__(self, size: int = 4096) -> None:
        if size < 1:
            msg = "cache_size must be at least 1; cache=None turns the cache off."
            raise ConfigurationError(msg)

        self.size = size
        self._table: dict[bytes, _Node[V]] = {}
        self._newest: _Node[V] | None = None
        self._oldest: _Node[V] | None = None
        self._hand: _Node[V] | None = None
        self._hits = self._misses = 0
        self._lock = Lock()

    def get(self, key: bytes) -> V | None:
        """Return the entry of *key* and mark it as used."""
        node = self._table.get(key)
        if node is None:
            self._misses += 1
            return None

        self._hits += 1
        node.visited = True
        return node.value

    def put(self, key: bytes, value: V, *, length: int) -> None:
        """Add an entry, unless its token has more than 4096 bytes.

        Args:
            key: The SHA-256 of the whole token.
            value: What is known of the token.
            length: The token's length in bytes.
        """
        if length > _LONGEST:
            return

        node = _Node(key, value)
        with self._lock:
            known = self._table.pop(key, None)
            if known is not None:
                self._unlink(known)
            elif len(self._table) >= self.size:
                self._evict()

            self._link(node)

    def drop(self, key: bytes) -> None:
        """Forget an entry; an unknown key is passed over."""
        with self._lock:
            node = self._table.pop(key, None)
            if node is not None:
                self._unlink(node)

    def stats(self) -> CacheStats:
        """Return the counters and the number of entries."""
        return CacheStats(self._hits, self._misses, len(self._table))

    def _link(self, node: _Node[V]) -> None:
        self._table[node.key] = node
        node.older = self._newest
        if self._newest is not None:
            self._newest.newer = node

        self._newest = node
        if self._oldest is None:
            self._oldest = node

    def _unlink(self, node: _Node[V]) -> None:
        if self._hand is node:
            self._hand = node.newer

        if node.newer is not None:
            node.newer.older = node.older
        else:
            self._newest = node.older

        if node.older is not None:
            node.older.newer = node.newer
        else:
            self._oldest = node.newer

        node.newer = node.older = None

    def _evict(self) -> None:
        """Walk from old to new, spare what was used since, drop the first other."""
        node = self._hand or self._oldest
        while node is not None and node.visited:
            node.visited = False
            node = node.newer or self._oldest

        if node is not None:
            self._hand = node
            del self._table[node.key]
            self._unlink(node)
