"""Credentials in queries and in offers of subprotocols."""

from __future__ import annotations

from urllib.parse import parse_qsl, quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_auth import (
    ConfigurationError,
    QueryParam,
)
from asgi_auth.credentials.reader import CredentialReader
from tests.asgi import http_scope, websocket_scope
from tests.credentials.reader_world import (
    KUBERNETES,
    LONG_WAY,
    OFFERS,
    READ,
    from_offer,
    from_query,
    is_refused,
    token_of,
)
from tests.forge import b64

TOKEN_TEXT = st.text("abcXYZ019-_.~+/=", min_size=1, max_size=40)


# ----------------------------------------------------------------------------- query


@pytest.mark.parametrize(
    ("query", "blanked"),
    [
        (b"token=tok.en", b"token="),
        (b"a=1&token=tok.en&b=2", b"a=1&token=&b=2"),
        (b"xtoken=1&token=tok.en", b"xtoken=1&token="),
        (b"token=tok%2Een", b"token="),
        (b"?token=1&token=tok.en", b"?token=1&token="),
        (b"a&&token=tok.en&", b"a&&token=&"),
        (b"TOKEN=x&token=tok.en", b"TOKEN=x&token="),
    ],
)
def test_a_query_token_is_found_and_blanked_out(query, blanked):
    scope = http_scope(query=query)
    credential = READ(scope)
    assert token_of(credential) == b"tok.en"
    assert (credential.source, credential.explicit) == ("query", True)
    assert scope["query_string"] == blanked


@pytest.mark.parametrize(
    "query", [b"", b"token", b"a=token=1", b"tokens=1", b"a;token=1"]
)
def test_other_queries_are_left_alone(query):
    scope = http_scope(query=query)
    assert READ(scope) is None
    assert scope["query_string"] == query


def test_a_missing_query_is_no_query():
    scope = http_scope()
    del scope["query_string"]
    assert READ(scope) is None


def test_an_empty_query_token_is_what_an_outer_middleware_has_left_of_its_own():
    assert from_query(b"token=") is None


def test_a_repeated_query_token_is_malformed_and_blanked_out():
    scope = http_scope(query=b"token=a&x=1&token=b")
    assert is_refused(READ(scope))
    assert scope["query_string"] == b"token=&x=1&token="


@pytest.mark.parametrize("value", [b"%FF", b"%00", b"\xff", b"%", b"%zz", b"a+b"])
def test_bytes_of_a_query_token_come_through_decoded(value):
    expected = {b"%FF": b"\xff", b"%00": b"\x00"}.get(value, value)
    assert token_of(from_query(b"token=" + value)) == expected


def test_a_query_token_is_for_websockets_unless_asked_for():
    read = CredentialReader([QueryParam("token")]).read
    assert read(http_scope(query=b"token=a")) is None
    assert token_of(read(websocket_scope(query=b"token=a"))) == b"a"


@pytest.mark.parametrize("name", ["", "a b", "a&b", "a=b", "ä", "a%20", "a\n"])
def test_a_query_parameter_that_needs_encoding_is_a_mistake(name):
    with pytest.raises(ConfigurationError, match="query"):
        QueryParam(name)


@given(
    st.lists(st.tuples(st.sampled_from(["token", "to", "x"]), TOKEN_TEXT), max_size=5)
)
def test_queries_are_read_as_the_standard_library_reads_them(pairs):
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs)
    scope = http_scope(query=query.encode())
    credential = READ(scope)
    expected = [value for name, value in parse_qsl(query) if name == "token"]
    left = parse_qsl(scope["query_string"].decode(), keep_blank_values=True)
    assert left == [(n, "" if n == "token" else v) for n, v in pairs]
    if len(expected) == 1:
        assert token_of(credential).decode() == expected[0]
    else:
        assert is_refused(credential) if expected else credential is None


# ---------------------------------------------------------------------- subprotocols


def test_the_pair_of_bearer_and_token_is_taken_out_of_the_offer():
    credential = from_offer("chat", "bearer", "tok.en", "v2")
    assert token_of(credential) == b"tok.en"
    assert (credential.source, credential.explicit) == ("subprotocol", True)
    assert credential.offer == (["chat", "v2"], "bearer")
    assert from_offer("BEARER", "tok.en").offer == ([], "BEARER")


@pytest.mark.parametrize("infix", ["", "k8s.io."])
def test_the_form_of_kubernetes_is_understood_beside_another_protocol(infix):
    name = f"{KUBERNETES}{infix}{b64(b'tok.en').decode()}"
    for names in ((name, "chat", "v2"), ("chat", name, "v2")):
        credential = from_offer(*names)
        assert token_of(credential) == b"tok.en"
        assert credential.offer == (["chat", "v2"], "chat")


@pytest.mark.parametrize("infix", ["", "k8s.io."])
def test_the_form_of_kubernetes_alone_is_malformed_and_never_shown(infix):
    credential = from_offer(f"{KUBERNETES}{infix}{b64(b'tok.en').decode()}")
    assert is_refused(credential)
    assert credential.offer == ([], None)


@pytest.mark.parametrize(
    "names",
    [
        ("bearer",),
        ("chat", "bearer"),
        ("bearer", ""),
        ("bearer", "tök"),
        ("bearer", "\udcff"),
        ("chat", KUBERNETES),
        ("chat", KUBERNETES + "!!"),
        ("chat", KUBERNETES + "QUJ="),
        ("chat", KUBERNETES + "A"),
        ("chat", KUBERNETES + "\xff"),
        ("chat", KUBERNETES + "\udcff"),
    ],
)
def test_an_offer_without_a_token_is_malformed(names):
    credential = from_offer(*names)
    assert is_refused(credential)
    assert not any("bearer" in name for name in credential.offer.names)


def test_two_tokens_in_one_offer_are_one_too_many():
    kubernetes = KUBERNETES + b64(b"b").decode()
    for names in (("bearer", "a", "bearer", "b"), ("bearer", "a", kubernetes)):
        credential = from_offer("chat", *names)
        assert is_refused(credential)
        assert credential.offer.names == ["chat"]


@pytest.mark.parametrize(
    "names", [None, [], ["chat"], ["bearers", "tok"], ["\xff", "\x00"]]
)
def test_an_offer_without_our_names_is_left_alone(names):
    assert READ({**websocket_scope(), "subprotocols": names}) is None


def test_bytes_that_are_no_text_come_through_the_form_of_kubernetes():
    name = KUBERNETES + b64(b"\xff\x00").decode()
    assert token_of(from_offer(name, "chat")) == b"\xff\x00"


@pytest.mark.parametrize("last", [("chat",), ("bearer", "tok.en")])
def test_an_offer_that_is_too_long_to_be_read_is_malformed_and_never_shown(last):
    credential = from_offer(*["chat"] * 64, *last)
    assert is_refused(credential)
    assert credential.offer == ([], None)
    assert from_offer(*["chat"] * 64) is None


@given(OFFERS)
def test_no_offer_breaks_the_reader_and_what_held_a_token_is_never_left(names):
    credential = from_offer(*names)
    ours = [n for n in names if n.lower() == "bearer" or n.startswith(KUBERNETES)]
    if not ours:
        assert credential is None
        return

    assert credential.error or credential.token
    left = credential.offer.names
    assert not [n for n in left if n.lower() == "bearer" or n.startswith(KUBERNETES)]
    assert credential.offer.answer in {None, *left} or (
        credential.offer.answer.lower() == "bearer"
    )


# --------------------------------------------------------------------- what is too long


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"token", b"Token", b"other", b"tok"]),
            st.sampled_from([b"=", b"", b"==", b"%3D"]),
            st.binary(max_size=6) | st.sampled_from([b"%61", b"a.b", b""]),
        ).map(b"".join),
        max_size=3,
    )
)
def test_the_short_cut_for_queries_reads_what_the_long_way_does(parts):
    query = b"&".join(parts)
    short, long = websocket_scope(query=query), websocket_scope(query=query)
    found = CredentialReader([QueryParam("token")]).read(short)
    same = CredentialReader([QueryParam("token"), LONG_WAY]).read(long)
    assert short["query_string"] == long["query_string"]
    assert (found is None) is (same is None)
    if found is not None:
        assert found[:4] == same[:4]
        assert type(found.error) is type(same.error)
        assert found.name == same.name
