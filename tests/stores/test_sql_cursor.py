"""The cursor of SQL feeds: whatever the order of commits, all is seen once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_auth.stores.sql_cursor import OVERLAP, Cursor


def rows(*numbers):
    return [(number, number / 8) for number in numbers]


@given(
    order=st.permutations(range(1, 16)),
    lost=st.sets(st.integers(1, 15)),
    reads=st.sets(st.integers(0, 15)),
    size=st.integers(1, 20),
)
def test_every_number_is_seen_once_in_whatever_order_it_commits(
    order, lost, reads, size
):
    cursor, there, seen = Cursor(0), set(), []
    for step, number in enumerate([*order, None]):
        more = step in reads or number is None
        while more:
            filled = [n for n in there if any(a <= n <= b for a, b in cursor.ranges)]
            above = sorted(n for n in there if n > cursor.last)
            page = [*filled[:size], *above[:size]]
            more = size in {len(filled[:size]), len(above[:size])}
            seen += page
            cursor = cursor.advance(rows(*page), now=float(step), more=more)
            assert Cursor.parse(str(cursor)) == cursor
        if number is not None and number not in lost:
            there.add(number)
    assert sorted(seen) == sorted(there)


def test_a_hole_is_given_up_after_the_overlap():
    cursor = Cursor(0).advance(rows(5), now=100.0)
    assert cursor.ranges == [(1, 4)]
    assert cursor.advance([], now=100.0 + OVERLAP) == cursor
    assert cursor.advance([], now=200.0, more=True) == cursor
    assert cursor.advance([], now=100.1 + OVERLAP) == Cursor(5, 5 / 8)


def test_a_cursor_knows_when_its_row_was_stored():
    cursor = Cursor(7, 7 / 8).advance(rows(8, 9), now=0.0)
    assert cursor == Cursor(9, 9 / 8)
    assert cursor.advance([], now=0.0) == cursor


def test_a_place_in_the_window_is_written_down_as_well():
    place = Cursor(7, 1e-300, window=(-1.5, 3))
    assert Cursor.parse(str(place)) == place
    assert place.in_window(2.5, 4).past_window() == Cursor(7, 1e-300)


@pytest.mark.parametrize(
    "text",
    [
        *("", " 1", "1 ", "1;", "1;1-2", "1;1-2@", "1;1-2@x", "1=", "1=x", "1>2.0"),
        *("1>2.0,", "9" * 19, "a", "-1", "1\n", "٣"),
    ],
)
def test_what_is_no_cursor_is_none(text):
    assert Cursor.parse(text) is None
