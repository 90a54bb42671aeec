from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_auth import KeySet, TokenService
from asgi_auth.client import is_expired, seconds_left
from asgi_auth.client.clock import steady_clock
from asgi_auth.testing import FakeClock


def forge(**claims):
    segments = ({"alg": "HS256"}, claims)
    head, body = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
        for part in segments
    )
    return f"{head}.{body}.c2lnbmF0dXJl"


async def test_a_real_token_tells_when_it_ends():
    clock = FakeClock()
    tokens = TokenService(KeySet.generate("ES256"), issuer="https://a", clock=clock)
    token = (await tokens.issue("ann")).access_token
    assert seconds_left(token, now=clock()) == 900
    assert not is_expired(token, now=clock() + 899)
    assert is_expired(token, now=clock() + 900)
    assert is_expired(token, skew=30, now=clock() + 870)
    assert not is_expired(token, skew=30, now=clock() + 869)


def test_the_local_clock_is_asked_where_no_time_is_given():
    assert is_expired(forge(exp=1))
    assert not is_expired(forge(exp=4_000_000_000))
    assert seconds_left(forge(exp=1)) < -1_000_000_000


@pytest.mark.parametrize(
    "token",
    [
        "opaque",
        "",
        "a.b.c",
        "a.b.c.d.e",
        forge(),
        forge(exp=None),
        forge(exp=True),
        forge(exp="soon"),
        forge(exp="1700000000"),
        forge(exp=-1),
        forge(exp=1_700_000_000_000),  # milliseconds
        forge(exp=10**400),
        forge(exp=float("nan")),
        forge(exp=float("inf")),
        forge(exp=[1]),
        forge(exp=1) + "." + "x",
        "x" * 100_000,
        "\xff\u20ac\ud800",
    ],
)
def test_what_says_nothing_is_not_called_expired(token):
    assert seconds_left(token) is None
    assert not is_expired(token)


@given(st.text() | st.text(".{}e\"':1", max_size=40))
def test_any_text_gets_an_answer(token):
    assert seconds_left(token) is None


def test_the_clock_counts_on_when_the_wall_clock_is_set_back():
    wall, monotonic = FakeClock(1000), FakeClock(5)
    clock = steady_clock(wall, monotonic)
    assert clock() == 1000
    monotonic.advance(10)
    wall.set(400)
    assert clock() == 1010


def test_the_clock_counts_the_sleep_of_the_machine():
    wall, monotonic = FakeClock(1000), FakeClock(5)
    clock = steady_clock(wall, monotonic)
    wall.advance(3600)
    assert clock() == 4600
