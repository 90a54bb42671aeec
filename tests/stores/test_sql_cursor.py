"""The cursor of SQL feeds: whatever the order of commits, all is seen once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_auth.stores.sql_cursor import OVERLAP, Cursor


@given(
    order=st.permutations(range(1, 16)),
    lost=st.sets(st.integers(1, 15)),
    reads=st.sets(st.integers(0, 15)),
)
def test_every_number_is_seen_once_in_whatever_order_it_commits(order, lost, reads):
    cursor, there, seen = Cursor(0), set(), []
    for step, number in enumerate([*order, None]):
        if step in reads or number is None:
            above = {one for one in there if one > cursor.low}
            seen += [one for one in above if cursor.is_new(one)]
            cursor = cursor.advance(above, now=float(step))
            assert Cursor.parse(str(cursor)) == cursor
        if number is not None and number not in lost:
            there.add(number)
    assert sorted(seen) == sorted(there)


def test_a_hole_is_given_up_after_the_overlap():
    cursor = Cursor(0).advance([5], now=100.0)
    assert cursor.low == 0
    assert cursor.is_new(3)
    assert cursor.advance([5], now=100.0 + OVERLAP) == cursor
    late = cursor.advance([5], now=100.1 + OVERLAP)
    assert late == Cursor(5)
    assert not late.is_new(3)


def test_a_cursor_without_holes_reads_only_what_is_above():
    assert Cursor(7).low == 7
    assert Cursor(7).advance([8, 9], now=0.0) == Cursor(9)


@pytest.mark.parametrize(
    "text", ["", " 1", "1 ", "1;", "1;1-2", "1;1-2@", "1;1-2@x", "a", "-1", "1\n", "٣"]
)
def test_what_is_no_cursor_is_none(text):
    assert Cursor.parse(text) is None
