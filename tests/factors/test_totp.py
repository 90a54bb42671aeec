"""One-time passwords by the vectors of the RFC, and against pyotp."""

from __future__ import annotations

from base64 import b32decode
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_auth.factors.totp import code_at, new_secret, spell, step_of, uri_of

SECRET = b"12345678901234567890"

# RFC 6238, appendix B, the rows for SHA-1: Unix seconds, and 8 digits.
VECTORS = [
    (59, "94287082"),
    (1111111109, "07081804"),
    (1111111111, "14050471"),
    (1234567890, "89005924"),
    (2000000000, "69279037"),
    (20000000000, "65353130"),
]

# RFC 4226, appendix D: the first ten counters.
COUNTERS = "755224 287082 359152 969429 338314 254676 287922 162583 399871 520489"


@pytest.mark.parametrize(("time", "code"), VECTORS)
def test_codes_are_those_of_rfc_6238(time, code):
    assert code_at(SECRET, time // 30, digits=8) == code
    assert code_at(SECRET, time // 30) == code[2:]


def test_codes_are_those_of_rfc_4226():
    assert [code_at(SECRET, n) for n in range(10)] == COUNTERS.split()


@given(st.binary(min_size=16, max_size=64), st.integers(0, 2**37))
def test_pyotp_shows_the_same_codes(secret, time):
    app = pyotp.TOTP(spell(secret))
    assert code_at(secret, time // 30) == app.at(time)


def test_a_uri_sets_pyotp_up():
    secret = new_secret()
    uri = uri_of(secret, issuer="Käse & Co: shop", name="ann+x@example.com")
    app = pyotp.parse_uri(uri)
    assert (app.issuer, app.name) == ("Käse & Co: shop", "ann+x@example.com")
    assert app.at(10**9) == code_at(secret, 10**9 // 30)
    query = parse_qs(urlsplit(uri).query)
    assert b32decode(query["secret"][0]) == secret
    assert "+" not in urlsplit(uri).query


@pytest.mark.parametrize(
    ("shift", "fits"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)]
)
def test_one_step_before_and_behind_counts_and_no_more(shift, fits):
    now = 1_800_000_015.5
    code = code_at(SECRET, int(now // 30) + shift)
    step = step_of(SECRET, code, now=now, after=-1)
    assert step == (int(now // 30) + shift if fits else None)


def test_a_step_that_was_used_and_those_before_count_no_more():
    now, step = 1_800_000_000.0, 60_000_000
    for after, expected in [(step - 1, step), (step, None), (step + 1, None)]:
        assert step_of(SECRET, code_at(SECRET, step), now=now, after=after) == expected


def test_the_first_seconds_of_the_epoch_break_nothing():
    assert step_of(SECRET, code_at(SECRET, 0), now=0.0, after=-1) == 0
