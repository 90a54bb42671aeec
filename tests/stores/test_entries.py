"""A page of entries reads as any sequence, and holds plain values only."""

from __future__ import annotations

import gc

import pytest

from asgi_auth.stores.entries import Entries
from asgi_auth.stores.records import Revocation

ROWS = [("sid", "i", str(number), 1.5, 2.5 + number) for number in range(7)]
ALL = tuple(
    Revocation(kind=kind, issuer=issuer, value=value, at=at, expires_at=end)
    for kind, issuer, value, at, end in ROWS
)


def test_it_is_the_sequence_of_its_entries():
    entries = Entries(ROWS)
    assert (len(entries), tuple(entries)) == (7, ALL)
    assert entries == ALL
    assert entries == Entries(iter(ROWS))
    assert entries != ALL[1:]
    assert entries != {*"ab"}
    assert (entries[0], entries[-1]) == (ALL[0], ALL[-1])
    assert ALL[3] in entries
    assert repr(entries) == "Entries(7)"
    with pytest.raises(IndexError):
        entries[7]


@pytest.mark.parametrize(
    "part",
    [slice(2, 5), slice(None, None, -2), slice(5, 99), slice(-2, None), slice(0)],
)
def test_a_part_of_it_is_one_as_well(part):
    assert isinstance(Entries(ROWS)[part], Entries)
    assert Entries(ROWS)[part] == ALL[part]


def test_an_empty_one_is_as_good_as_none():
    assert not Entries(())
    assert Entries(()) == ()


def test_it_holds_nothing_that_the_collector_has_to_walk_over():
    assert not any(map(gc.is_tracked, Entries(ROWS)._values))
