"""Several credentials at once, long ones, and any bytes at all."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_auth import (
    BearerHeader,
    ConfigurationError,
    Cookie,
    InvalidTokenError,
    QueryParam,
    Subprotocol,
)
from asgi_auth.credentials.reader import MAX_TOKEN, CredentialReader
from tests.asgi import http_scope, websocket_scope
from tests.credentials.reader_world import (
    KUBERNETES,
    OFFERS,
    READ,
    from_cookies,
    from_header,
    from_offer,
    from_query,
    is_refused,
    token_of,
)
from tests.forge import b64

# ---------------------------------------------------------------------- several ways


GOOD_HEADER = (b"authorization", b"Bearer a")
GOOD_COOKIE = (b"cookie", b"access=c")


def test_explicit_beats_ambient_whichever_is_bad():
    assert token_of(READ(http_scope(headers=[GOOD_COOKIE, GOOD_HEADER]))) == b"a"
    bad_cookie = (b"cookie", b"access=c; access=d")
    assert token_of(READ(http_scope(headers=[bad_cookie, GOOD_HEADER]))) == b"a"
    bad_header = (b"authorization", b"Bearer")
    assert READ(http_scope(headers=[GOOD_COOKIE, bad_header])).source == "header"


def test_another_scheme_does_not_mask_a_good_cookie():
    basic = (b"authorization", b"Basic x")
    assert token_of(READ(http_scope(headers=[basic, GOOD_COOKIE]))) == b"c"


def test_two_explicit_credentials_are_one_too_many():
    scope = http_scope(headers=[GOOD_HEADER], query=b"token=b")
    assert is_refused(READ(scope))
    assert scope["query_string"] == b"token="
    scope = websocket_scope(headers=[GOOD_HEADER], subprotocols=["chat", "bearer", "b"])
    credential = READ(scope)
    assert is_refused(credential)
    assert credential.offer == (["chat"], "bearer")
    scope = websocket_scope(query=b"token=b", subprotocols=["bearer", "b"])
    assert is_refused(READ(scope))


def test_only_the_named_sources_are_looked_at():
    scope = websocket_scope(
        headers=[GOOD_HEADER, GOOD_COOKIE],
        query=b"token=b",
        subprotocols=["bearer", "d"],
    )
    assert CredentialReader([]).read({**scope}) is None
    assert CredentialReader([Cookie("access")]).read({**scope}).token == b"c"
    assert CredentialReader([QueryParam()]).read({**scope}).token == b"b"
    assert CredentialReader([Subprotocol()]).read({**scope}).token == b"d"
    assert CredentialReader([BearerHeader()]).read({**scope}).token == b"a"


def test_a_source_named_twice_is_a_mistake():
    with pytest.raises(ConfigurationError, match="twice"):
        CredentialReader([Cookie("a"), BearerHeader(), Cookie("a")])


def test_a_credential_does_not_show_its_token():
    for credential in (from_header(b"Bearer s3cret"), from_cookies(b"access=s3cret")):
        assert "s3cret" not in repr(credential)
        assert "s3cret" not in str(credential)


# --------------------------------------------------------------------- what is too long


def everywhere(token: bytes):
    name = KUBERNETES + b64(token).decode()
    return {
        "header": from_header(b"Bearer " + token),
        "other case": from_header(b"bearer " + token),
        "spaces": from_header(b"Bearer" + b" " * 60 + token),
        "cookie": from_cookies(b"access=" + token),
        "query": from_query(b"token=" + token),
        "encoded": from_query(b"token=" + token.replace(b"a", b"%61")),
        "pair": from_offer("bearer", token.decode()),
        "kubernetes": from_offer("chat", name),
    }


def test_a_token_of_8_kib_is_read_wherever_it_comes_from():
    for where, credential in everywhere(b"a" * MAX_TOKEN).items():
        if where != "spaces":
            assert len(token_of(credential)) == MAX_TOKEN, where


@pytest.mark.parametrize("size", [MAX_TOKEN + 1, 100 * 1024, 1024 * 1024])
def test_a_longer_one_is_refused_wherever_it_comes_from(size):
    for where, credential in everywhere(b"a" * size).items():
        assert is_refused(credential, InvalidTokenError), where
        assert credential.explicit is (where != "cookie")


@pytest.mark.parametrize("prefix", [b"Bearer ", b"bearer ", b"Bearer  ", b"Basic "])
def test_a_long_header_costs_no_memory_of_its_own_length(prefix):
    headers = [(b"authorization", prefix + b"a" * 1024 * 1024)]
    tracemalloc.start()
    CredentialReader([BearerHeader("x"), Cookie("c")]).read(http_scope(headers=headers))
    READ(http_scope(headers=headers))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64 * 1024


# -------------------------------------------------------------------------- no crash


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"authorization", b"cookie", b"Cookie", b"x"]),
            st.binary(max_size=30)
            | st.binary(max_size=10).map(lambda raw: b"Bearer " + raw)
            | st.binary(max_size=10).map(lambda raw: b"access=" + raw),
        ),
        max_size=4,
    ),
    st.binary(max_size=30) | st.binary(max_size=9).map(lambda raw: b"token=" + raw),
    OFFERS,
)
def test_no_bytes_break_the_reader(headers, query, names):
    scope = websocket_scope(headers=headers, query=query, subprotocols=names)
    credential = READ(scope)
    if credential is not None:
        assert (credential.error is None) is (credential.token != b"")
        assert len(credential.token) <= MAX_TOKEN
