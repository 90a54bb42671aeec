"""The compact form of what is revoked: exact, and small."""

from __future__ import annotations

import gc
import secrets
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_auth import RevokedTokenError
from asgi_auth.revocation.table import RevokedTable
from asgi_auth.stores.records import Revocation, subject_tag

ISSUER = "https://api.example"
NAMES = st.one_of(
    st.text(max_size=50),
    st.from_regex(r"[0-9a-fA-F ]{16}\.[!-~]{0,30}", fullmatch=True),
    st.sampled_from(["", "\ud800", "0123456789abcdef.", "0123456789ABCDEF.x", "s"]),
)
KINDS = st.sampled_from(["jti", "sid", "subject", "whole_subject"])


def entry(kind, value, at=0.0):
    return Revocation(kind=kind, issuer=ISSUER, value=value, at=at)


@given(st.sets(st.tuples(KINDS, NAMES)), st.tuples(KINDS, NAMES))
def test_a_name_is_held_if_it_was_added_and_not_otherwise(added, asked):
    table = RevokedTable()
    for kind, value in added:
        assert table.add(entry(kind, value, at=1.0), 10)
        assert not table.add(entry(kind, value, at=1.0), 10)
    kind, value = asked
    assert (table.end_of(entry(kind, value)) == 10) is (asked in added)
    assert table.size == len(added)
    named = {(one.kind, one.value) for one, _ in table.entries(ISSUER, tick=0)}
    assert named == added


def test_of_two_the_longer_life_and_the_later_time_count():
    table = RevokedTable()
    assert table.add(entry("subject", "42", at=5.0), 10)
    assert not table.add(entry("subject", "42", at=4.0), 20)
    assert table.subject_at("42") == 5.0
    assert table.add(entry("subject", "42", at=6.0), 5)
    assert (table.subject_at("42"), table.end_of(entry("subject", "42"))) == (6.0, 20)


def test_a_subject_and_the_whole_of_it_are_two_entries():
    table = RevokedTable()
    assert table.add(entry("subject", "42", at=6.0), 10)
    assert table.whole_subject_at("42") == float("-inf")
    assert table.add(entry("whole_subject", "42", at=5.0), 10)
    assert (table.subject_at("42"), table.whole_subject_at("42")) == (6.0, 5.0)
    table.check("s", None, "42", 6.0, None)
    for session, issued_at in ((None, 6.0), ("s", 5.0)):
        with pytest.raises(RevokedTokenError):
            table.check(session, None, "42", issued_at, None)
    with pytest.raises(RevokedTokenError):
        table.check("s", None, "7", 5.0, {"sub": "42"})
    assert {one for one, _ in table.entries(ISSUER, tick=0)} == {
        entry("subject", "42", at=6.0),
        entry("whole_subject", "42", at=5.0),
    }


@pytest.mark.parametrize("share", [0.1, 0.9])
@pytest.mark.parametrize("kind", ["subject", "whole_subject"])
def test_a_sweep_takes_what_has_ended_and_gives_back_its_room(kind, share):
    table = RevokedTable()
    for number in range(2000):
        end = 5 if number < 2000 * share else 50
        table.add(entry(kind, str(number), at=1.0), end)
    assert sum(table.sweep(part, 5) for part in table.parts) == 2000
    times = {**table._times, **table._whole_times}
    assert table.size == len(times) == 2000 - 2000 * share
    assert table.subject_at("0") == float("-inf")
    assert table.subject_at("1999") == 1.0
    for part in table.parts:
        table.sweep(part, 50)
    assert table.is_empty


def session_id(number):
    return f"{subject_tag(ISSUER, str(number))}.{secrets.token_urlsafe(16)}"


@pytest.mark.parametrize("kind", ["sid", "jti"])
def test_an_entry_takes_at_most_120_bytes(kind):
    make = session_id if kind == "sid" else lambda _: secrets.token_urlsafe(16)
    names = [make(number) for number in range(100_000)]
    sizes = {}
    gc.collect()
    tracemalloc.start()
    try:
        table, end = RevokedTable(), 123_456
        for number, name in enumerate(names, start=1):
            table.add(entry(kind, name), end)
            # Before and after tables grow.
            if number in {20_000, 30_000, 44_000, 100_000}:
                sizes[number] = tracemalloc.get_traced_memory()[0] / number
    finally:
        tracemalloc.stop()
    assert table.size == 100_000
    assert len(sizes) == 4
    assert max(sizes.values()) <= 120, sizes
