"""Remembered tokens share what they say alike, and nothing that differs."""

from __future__ import annotations

import gc
import tracemalloc

import pytest

from asgi_auth import KeySet, TokenService
from asgi_auth._frozen import FrozenDict, parse_object
from asgi_auth.testing import FakeClock
from asgi_auth.tokens import shared
from asgi_auth.tokens.shared import share

ISSUER = "https://api.example"
TOKENS = 2000
BUDGET = 1024


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.mark.anyio
async def test_a_remembered_token_takes_a_kilobyte_at_most():
    clock = FakeClock()
    service = TokenService(
        KeySet.generate("HS256"), issuer=ISSUER, audience="api", clock=clock
    )

    def mint(number):
        return service.mint(
            f"user-{number:06}", scopes=["read", "write"], roles=["editor", "admin"]
        )

    tokens = [mint(number) for number in range(TOKENS + 1)]
    await service.verify(tokens.pop())
    gc.collect()
    tracemalloc.start()
    try:
        for token in tokens:
            await service.verify(token)
        gc.collect()
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()

    assert taken / TOKENS <= BUDGET
    stats = service.verifier.cache_stats()
    assert stats.size == TOKENS + 1
    # Each says what it said.
    for number in (0, 1, TOKENS - 1):
        claims = await service.verify(tokens[number])
        assert claims["sub"] == f"user-{number:06}"
        assert claims["roles"] == ("editor", "admin")


def test_equal_values_become_one_object():
    one, two = (
        parse_object(b'{"iss": "https://x.example", "aud": ["a", "b"], "n": 1}')
        for _ in range(2)
    )
    assert one["iss"] is not two["iss"]
    for claims in (one, two):
        share(claims)
    assert one["iss"] is two["iss"]
    assert one["aud"] is two["aud"]
    assert one == two == {"iss": "https://x.example", "aud": ("a", "b"), "n": 1}


def test_what_only_seems_equal_stays_what_it_is():
    numbers = FrozenDict(aud=(1,), iss=1, roles=())
    share(numbers)
    truths = FrozenDict(aud=(True,), iss=True, roles=())
    share(truths)
    assert truths["aud"][0] is True
    assert truths["iss"] is True


def test_what_cannot_be_a_key_stays_where_it_is():
    claims = FrozenDict(iss="https://x.example", aud=(FrozenDict(a=1),))
    share(claims)
    assert claims == {"iss": "https://x.example", "aud": ({"a": 1},)}


def test_what_is_absent_stays_absent_and_null_stays_null():
    absent, null = FrozenDict(iss="a"), FrozenDict(iss="a", aud=None)
    for claims in (absent, null):
        share(claims)
    assert absent == {"iss": "a"}
    assert null == {"iss": "a", "aud": None}


def test_the_tables_of_what_is_shared_have_a_bound(monkeypatch):
    monkeypatch.setattr(shared, "_MOST", 10)
    for table in ("_values", "_groups"):
        monkeypatch.setattr(shared, table, {})
    for number in range(100):
        share(FrozenDict(iss=f"https://{number}.example"))
        assert len(shared._values) <= 10
        assert len(shared._groups) <= 10


def test_names_are_those_that_came():
    text = b'{"sub": "x", "odd": 1, "iss": "y", "": 2}'
    assert list(parse_object(text)) == ["sub", "odd", "iss", ""]
