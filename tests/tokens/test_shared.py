"""Tokens share what they say alike, and a verdict on it; nothing that differs."""

from __future__ import annotations

import contextlib
import gc
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_auth import ExpiredTokenError, InvalidTokenError, KeySet, TokenService
from asgi_auth._frozen import FrozenDict, parse_members
from asgi_auth.testing import FakeClock
from asgi_auth.tokens import shared
from asgi_auth.tokens.claims import COMMON, ClaimsRules
from asgi_auth.tokens.shared import share
from tests import forge

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
    text = b'{"iss": "https://x.example", "aud": ["a", "b"], "n": 1}'
    (one, group), (two, other) = (share(parse_members(text)) for _ in range(2))
    assert group is other
    assert one["iss"] is two["iss"]
    assert one["aud"] is two["aud"]
    assert [*map(id, one)] == [*map(id, two)]
    assert one == two == {"iss": "https://x.example", "aud": ("a", "b"), "n": 1}
    assert type(one) is FrozenDict


def test_what_only_seems_equal_stays_what_it_is():
    share({"aud": (1,), "iss": 1, "roles": ()})
    truths, group = share({"aud": (True,), "iss": True, "roles": ()})
    assert truths["aud"][0] is True
    assert truths["iss"] is True
    assert group is None


def test_what_cannot_be_a_key_stays_as_it_is():
    claims, group = share({"iss": "https://x.example", "aud": (FrozenDict(a=1),)})
    assert claims == {"iss": "https://x.example", "aud": ({"a": 1},)}
    assert type(claims) is FrozenDict
    assert group is None


def test_what_is_absent_stays_absent_and_null_stays_null():
    (absent, one), (null, two) = share({"iss": "a"}), share({"iss": "a", "aud": None})
    assert absent == {"iss": "a"}
    assert null == {"iss": "a", "aud": None}
    assert one is not two


@pytest.mark.parametrize(
    "claims",
    [{}, {"sub": "x"}, {"iss": "y"}, {"odd": 1, "sub": "x", "iss": "y", "": ()}],
)
def test_names_and_their_order_are_those_that_came(claims):
    for _ in range(2):
        frozen, _ = share(dict(claims))
        assert [*frozen.items()] == [*claims.items()]


def test_nothing_of_one_user_is_kept_for_others():
    _, group = share({"iss": "a", "sub": "ada", "jti": "her-token", "exp": 5})
    assert group.common == {"iss": "a"}
    assert set(group.blank.values()) == {None}


def test_the_tables_of_what_is_shared_have_a_bound(monkeypatch):
    monkeypatch.setattr(shared, "_MOST", 10)
    for table in ("_values", "_groups", "_shapes"):
        monkeypatch.setattr(shared, table, {})
    for number in range(100):
        share({"iss": f"https://{number}.example", str(number): 1})
        share({"iss": f"https://{number}.example"})
        assert len(shared._values) <= 10
        assert len(shared._groups) <= 10
        assert len(shared._shapes) <= 10


# ---------------------------------------------------------------------- the verdict


class Watched(dict):
    """Claims that note which of them are looked at."""

    def __init__(self, claims):
        super().__init__(claims)
        self.seen = set()

    def __getitem__(self, name):
        self.seen.add(name)
        return super().__getitem__(name)

    def __contains__(self, name):
        self.seen.add(name)
        return super().__contains__(name)

    def get(self, name, default=None):
        self.seen.add(name)
        return super().get(name, default)


@pytest.mark.parametrize("kind", ["access", "other"])
def test_the_verdict_on_what_is_common_depends_on_nothing_else(kind):
    every = dict.fromkeys(COMMON, "access")
    for claims in (every, {**every, "iss": "a", "aud": "b"}, {"iss": "a", "aud": "b"}):
        watched = Watched(claims)
        rules = ClaimsRules(issuer="a", audience=frozenset({"b"}), kind=kind)
        for check in (rules._check_parties, rules._check_kind):
            with contextlib.suppress(InvalidTokenError):
                check(watched)
        assert watched.seen
        assert watched.seen <= {*COMMON}


def signed(claims):
    """Sign the usual claims with others in their place; nulls stay, as in JSON."""
    key = forge.family("HS256").key
    return forge.sign(forge.header(), {**forge.claims(), **claims}, key)


@pytest.mark.parametrize(
    "bad",
    [
        {"sub": ""},
        {"sub": 5},
        {"jti": "\x00"},
        {"jti": ["a"]},
        {"sid": "x" * 256},
        {"acr": 1},
        {"exp": None},
        {"exp": "soon"},
        {"exp": forge.NOW - 1},
        {"nbf": forge.NOW + 100},
        {"iat": forge.NOW + 100},
        {"auth_time": "once"},
        {"cnf": {"jkt": "x"}},
        {"iss": "https://other.example"},
        {"aud": "web"},
        {"aud": ["web"]},
        {"type": "refresh"},
        {"type": None},
        {"token_use": "id"},
        {"typ": "ID"},
        {"nonce": "n"},
        {"client_id": ""},
        {"client_id": 5},
        {"scope": 5},
        {"roles": [5]},
    ],
    ids=str,
)
def test_a_good_token_vouches_for_no_other(bad):
    good = {
        "sid": "s",
        "acr": "a",
        "nbf": forge.NOW,
        "auth_time": 5,
        "cnf": None,
        "token_use": "access",
        "typ": "Bearer",
        "client_id": "c",
        "scope": "read",
        "roles": ["editor"],
    }
    verifier, token = forge.verifier(), signed(good)
    for _ in range(3):
        verifier.verify(token)

    # The same claims by name, in the same order, of which one is bad.
    spoilt = signed(good | bad)
    for _ in range(2):
        if "cnf" in bad:
            verified = verifier.verify(spoilt)
            with pytest.raises(InvalidTokenError, match="bound"):
                verified.principal("header", "jwt")
            continue

        with pytest.raises(InvalidTokenError):
            verifier.verify(spoilt)

    assert verifier.verify(token).subject == "ada"


def test_a_verifier_does_not_rely_on_the_verdict_of_another():
    token = forge.token()
    lenient, strict = forge.verifier(), forge.verifier(audience="web")
    for _ in range(2):
        assert lenient.verify(token).subject == "ada"
        with pytest.raises(InvalidTokenError, match="audience"):
            strict.verify(token)


def test_a_token_that_has_expired_vouches_for_none():
    expired, refused = forge.token(exp=forge.NOW - 1), forge.token(aud="web")
    verifier = forge.verifier()
    with pytest.raises(ExpiredTokenError):
        verifier.verify(expired)
    with pytest.raises(InvalidTokenError, match="audience"):
        verifier.verify(refused)
    assert verifier.verify(forge.token()).subject == "ada"


SHORT = st.sampled_from(["", "a", "b", "access", forge.ISSUER, forge.AUDIENCE])
ANY = (
    SHORT
    | st.lists(SHORT, max_size=2)
    | st.sampled_from([None, True, 1, 0, 0.5, -1, forge.NOW, forge.NOW + 5, {"a": 1}])
)
NAMES = st.sampled_from([*COMMON, "sub", "jti", "sid", "exp", "nbf", "iat", "x", "cnf"])
CHANGES = st.dictionaries(NAMES, ANY, max_size=2)


@given(st.lists(CHANGES, min_size=2, max_size=5))
def test_the_verdict_does_not_depend_on_what_was_verified_before(changes):
    seasoned = forge.verifier()
    for change in changes:
        token = signed(change)
        shared._groups.clear()
        expected = verdict(forge.verifier(), token)
        shared._groups.clear()
        verdict(seasoned, forge.token())
        for _ in range(2):
            assert verdict(seasoned, token) == expected


def verdict(verifier, token):
    try:
        verified = verifier.verify(token)
    except InvalidTokenError as error:
        return type(error), str(error)

    window = verified.starts_at, verified.expires_at, verified.issued_at
    return type(verified), window, verified.first
