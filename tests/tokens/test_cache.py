from __future__ import annotations

import threading
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asgi_auth import ConfigurationError
from asgi_auth.tokens.cache import CacheStats, Entry, VerifiedCache
from tests.examples import some_of


class Named(Entry):
    def __init__(self, name):
        self.name = name


def key(name: object) -> bytes:
    return sha256(str(name).encode()).digest()


def put(cache, *names):
    for name in names:
        cache.put(key(name), Named(name), length=100)


def got(cache, name):
    entry = cache.get(key(name))
    return None if entry is None else entry.name


def held(cache, names):
    """Name what is in the table, without marking it as used."""
    return {name for name in names if key(name) in cache.table}


class Sieve:
    """SIEVE as its paper tells it, on a plain list: slow, and easy to believe."""

    def __init__(self, size):
        self.size = size
        self.names: list[int] = []  # the oldest first
        self.visited: set[int] = set()
        self.hand: int | None = None

    def get(self, name):
        if name in self.names:
            self.visited.add(name)
            return name

        return None

    def put(self, name):
        if name in self.names:
            self.remove(name)
        elif len(self.names) == self.size:
            self.evict()

        self.names.append(name)

    def evict(self):
        at = 0 if self.hand is None else self.names.index(self.hand)
        while self.names[at] in self.visited:
            self.visited.remove(self.names[at])
            at = (at + 1) % len(self.names)

        self.hand = self.names[at]
        self.remove(self.names[at])

    def remove(self, name):
        if name not in self.names:
            return

        at = self.names.index(name)
        if self.hand == name:
            self.hand = self.names[at + 1] if at + 1 < len(self.names) else None

        self.names.remove(name)
        self.visited.discard(name)


OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["get", "put"]), st.integers(0, 9)),
    max_size=120,
)


@settings(max_examples=some_of(300))
@given(st.integers(1, 6), OPERATIONS)
def test_it_does_what_the_paper_says(size, operations):
    cache, model = VerifiedCache(size), Sieve(size)
    for verb, name in operations:
        if verb == "get":
            assert got(cache, name) == model.get(name)
        else:
            put(cache, name)
            model.put(name)

        assert held(cache, range(10)) == set(model.names)
        assert cache.stats().size == len(model.names) <= size


def test_it_never_holds_more_than_its_size():
    cache = VerifiedCache(10)
    put(cache, *range(1000))
    assert cache.stats().size == 10


def test_used_entries_survive_a_scan_of_one_shots():
    cache = VerifiedCache(10)
    regulars = ["ada", "bob", "cy"]
    put(cache, *regulars)
    for number in range(500):
        for name in regulars:
            assert got(cache, name) == name

        put(cache, number)


def test_one_shots_leave_first():
    cache = VerifiedCache(3)
    put(cache, "a", "b", "c")
    cache.get(key("a"))
    put(cache, "d")
    assert held(cache, "abcd") == {"a", "c", "d"}


def test_where_all_were_used_the_oldest_goes():
    cache = VerifiedCache(3)
    put(cache, "a", "b", "c")
    for name in "abc":
        cache.get(key(name))

    put(cache, "d")
    assert held(cache, "abcd") == {"b", "c", "d"}


def test_the_entry_under_the_hand_can_come_again():
    cache = VerifiedCache(3)
    put(cache, "a", "b", "c", "d")  # the hand is at b
    put(cache, "b")
    put(cache, "e", "f")
    assert held(cache, "abcdef") == {"b", "e", "f"}


def test_an_evicted_entry_keeps_no_neighbours_alive():
    cache = VerifiedCache(2)
    put(cache, "a", "b")
    entry = cache.table[key("a")]
    assert entry.newer is cache.table[key("b")]
    put(cache, "c")
    assert held(cache, "abc") == {"b", "c"}
    assert entry.newer is entry.older is None


def test_an_entry_that_comes_again_replaces_the_old_one():
    cache = VerifiedCache(3)
    cache.put(key("a"), Named("old"), length=10)
    cache.put(key("a"), Named("new"), length=10)
    assert got(cache, "a") == "new"
    assert cache.stats().size == 1


def test_long_tokens_are_not_kept():
    cache = VerifiedCache(3)
    cache.put(key("a"), Named("a"), length=4096)
    cache.put(key("b"), Named("b"), length=4097)
    assert held(cache, "ab") == {"a"}


def test_hits_and_misses_are_counted():
    cache = VerifiedCache(3)
    put(cache, "a")
    cache.get(key("a"))
    cache.get(key("a"))
    cache.get(key("b"))
    assert cache.stats() == CacheStats(hits=2, misses=1, size=1)
    assert cache.size == 3


@pytest.mark.parametrize("size", [0, -1])
def test_a_table_for_nothing_is_a_mistake(size):
    with pytest.raises(ConfigurationError, match="cache_size"):
        VerifiedCache(size)


def test_threads_may_share_a_table():
    cache = VerifiedCache(8)
    errors = []

    def work(seed):
        try:
            for number in range(3000):
                name = (number * seed) % 23
                put(cache, name)
                assert got(cache, (number + seed) % 23) in {None, (number + seed) % 23}
        except BaseException as error:  # noqa: BLE001 - told to the test
            errors.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in (1, 3, 7, 11)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not errors
    # The ring is whole: it holds what the table holds, in both directions.
    forwards, node = [], cache._root.newer
    while node is not cache._root:
        forwards.append(node.key)
        node = node.newer

    backwards, node = [], cache._root.older
    while node is not cache._root:
        backwards.append(node.key)
        node = node.older

    assert forwards == backwards[::-1]
    assert set(forwards) == set(cache.table)
    assert len(forwards) == len(cache.table) <= 8
