"""Held scopes that stand for many."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_auth import ConfigurationError, InsufficientScopeError, holds, requires
from asgi_auth.guards.rights import covers
from tests.guards.callers import known, scope_of


def passes(held, needed, **options):
    guard = requires(needed, **{"wildcards": "jwt", **options})
    return guard.allows(scope_of(known(*held)))


@pytest.mark.parametrize(
    ("held", "needed"),
    [
        ("orders:*", "orders:read"),
        ("orders:*", "orders:read:own"),
        ("orders:read:*", "orders:read:own"),
        ("orders:read", "orders:read"),
        ("urn:x:*", "urn:x:y"),
    ],
)
def test_a_wildcard_covers_what_is_below_it(held, needed):
    assert passes([held], needed)
    assert passes(["other", held], needed)


@pytest.mark.parametrize(
    ("held", "needed"),
    [
        ("orders:*", "orders"),
        ("orders:*", "ordersx:read"),
        ("orders:*", "xorders:read"),
        ("orders:*", "Orders:read"),
        ("orders:*", "orders:"),
        ("orders:*", "orders::read"),
        ("orders:*", ":orders:read"),
        ("orders:*", "orders.read"),
        ("orders:*", "orders/read"),
        ("orders:read:*", "orders:read"),
        ("orders:read:*", "orders:write:own"),
        ("orders:read:*", "orders:readonly:own"),
        ("ord*", "orders:read"),
        ("orders:r*", "orders:read"),
        ("orders*", "orders:read"),
        ("orders*", "orders"),
        ("orders:**", "orders:read"),
        ("orders:*:", "orders:read"),
        ("orders:*:own", "orders:read:own"),
        ("*:read", "orders:read"),
        ("*:*", "orders:read"),
        ("*", "orders:read"),
        ("*", "orders"),
        ("**", "orders"),
        (":*", ":orders"),
        (":*", "orders:read"),
        ("", "orders:read"),
        ("?rders:read", "orders:read"),
        ("orders:[a-z]*", "orders:read"),
        ("orders:.*", "orders:read"),
        ("orders: *", "orders:read"),
        ("orders:\uff0a", "orders:read"),
        ("orders:read", "orders:read:own"),
    ],
)
def test_nothing_else_is_covered(held, needed):
    assert not passes([held], needed)


def test_wildcards_count_for_the_named_backends_only():
    guard = requires("orders:read", wildcards=["own", "keys"])
    for backend in ("own", "keys"):
        assert guard.allows(scope_of(known("orders:*", backend=backend)))
    for backend in ("jwt", "partner", None):
        assert not guard.allows(scope_of(known("orders:*", backend=backend)))
        assert guard.allows(scope_of(known("orders:read", backend=backend)))


def test_wildcards_count_for_nobody_unless_asked_for():
    assert not requires("orders:read").allows(scope_of(known("orders:*")))
    assert requires("orders:*").allows(scope_of(known("orders:*")))
    assert not requires("orders:*").allows(scope_of(known("orders:read")))
    assert requires("*").allows(scope_of(known("*")))


def test_a_wildcard_is_no_role():
    guard = requires(roles="orders:read", wildcards="jwt")
    assert not guard.allows(scope_of(known("orders:*", roles=["orders:*"])))


def test_all_and_any_are_asked_as_without_wildcards():
    every = requires("orders:read", "users:read", wildcards="jwt")
    assert every.allows(scope_of(known("orders:*", "users:*")))
    assert not every.allows(scope_of(known("orders:*")))
    some = requires("orders:read", roles="x", any=True, wildcards="jwt")
    assert some.allows(scope_of(known("orders:*")))
    assert some.allows(scope_of(known(roles=["x"])))
    assert not some.allows(scope_of(known("users:*", roles=["orders:*"])))


def test_a_refusal_names_what_is_needed_and_no_wildcard():
    with pytest.raises(InsufficientScopeError) as caught:
        requires("orders:read", wildcards="jwt").check(scope_of(known("users:*")))
    assert caught.value.scopes == ("orders:read",)


@pytest.mark.parametrize("needed", ["orders:*", "*", "*:read", "orders:*:own"])
def test_a_needed_wildcard_is_a_mistake(needed):
    for make in (requires, holds):
        with pytest.raises(ConfigurationError, match="name the scope"):
            make("a", needed, wildcards="jwt")


@pytest.mark.parametrize("wrong", [True, 5, [None], "", [""]])
def test_whose_wildcards_count_is_told_by_name(wrong):
    with pytest.raises(ConfigurationError, match="wildcards"):
        requires("a", wildcards=wrong)


def test_authenticated_is_not_covered_by_any_wildcard():
    assert covers("authenticated") == frozenset()


def test_what_a_token_brings_along_does_not_slow_a_check_down():
    guard = requires("a:" * 20 + "a", wildcards="jwt")
    few = scope_of(known("b:*"))
    many = scope_of(known(*(f"{'a:' * (n % 19)}{n}:*" for n in range(20000))))

    def seconds(scope):
        begun = time.perf_counter()
        for _ in range(200):
            assert not guard.allows(scope)
        return time.perf_counter() - begun

    assert min(seconds(many) for _ in range(5)) < 20 * min(
        seconds(few) for _ in range(5)
    )


SEGMENT = st.text(
    st.characters(codec="utf-8", exclude_characters=":*").filter(
        lambda character: not character.isspace()
    ),
    min_size=1,
)
SEGMENTS = st.lists(SEGMENT, min_size=1, max_size=5)
ANYTHING = st.lists(st.sampled_from(["a", "b", "ab", "*", "", "a*"]), max_size=5).map(
    ":".join
)


@given(SEGMENTS, SEGMENTS)
def test_a_wildcard_covers_exactly_the_longer_scopes_with_its_segments(held, needed):
    wild = ":".join([*held, "*"])
    below = len(needed) > len(held) and needed[: len(held)] == held
    assert passes([wild], ":".join(needed)) is below
    assert passes([wild], ":".join([*held, *needed]))


@given(ANYTHING, ANYTHING.filter(lambda s: s and "*" not in s.split(":")))
def test_whatever_is_held_only_a_good_wildcard_covers_more_than_itself(held, needed):
    if passes([held], needed) and held != needed:
        prefix = held.removesuffix(":*")
        assert held.endswith(":*")
        assert all(prefix.split(":"))
        assert "*" not in prefix.split(":")
        assert needed.startswith(prefix + ":")
        assert len(needed) > len(prefix) + 1


@given(st.sets(ANYTHING), ANYTHING.filter(lambda s: s and "*" not in s.split(":")))
def test_wildcards_only_ever_add(held, needed):
    if requires(needed).allows(scope_of(known(*held))):
        assert passes(held, needed)
