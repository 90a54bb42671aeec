"""Credentials in headers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_auth import (
    BearerHeader,
    ConfigurationError,
    Cookie,
    InvalidTokenError,
)
from asgi_auth.credentials.reader import MAX_TOKEN, CredentialReader, unfold
from asgi_auth.credentials.sources import Header
from tests.asgi import http_scope, websocket_scope
from tests.credentials.reader_world import (
    EVERYWHERE,
    LONG_WAY,
    READ,
    from_header,
    is_refused,
    token_of,
)

# ----------------------------------------------------------- the Authorization header


@pytest.mark.parametrize(
    "value",
    [
        b"Bearer tok.en",
        b"bearer tok.en",
        b"BEARER tok.en",
        b"bEaReR tok.en",
        b"Bearer  tok.en",
        b"bearer    tok.en",
    ],
)
@pytest.mark.parametrize("name", [b"authorization", b"Authorization", b"AUTHORIZATION"])
def test_scheme_and_header_are_read_without_regard_to_case(value, name):
    credential = from_header(value, name=name)
    assert token_of(credential) == b"tok.en"
    assert (credential.source, credential.scheme) == ("header", "bearer")
    assert credential.explicit


@pytest.mark.parametrize(
    "value",
    [
        b"Bearer",
        b"bearer",
        b"Bearer ",
        b"Bearer    ",
        b"Bearer\ttok",
        b"bearer\ttok",
        b"Bearer\x0btok",
        b"bearer tok en",
        b"bearer a, bearer b",
    ],
)
def test_a_bearer_header_without_exactly_one_token_is_malformed(value):
    assert is_refused(from_header(value))


@pytest.mark.parametrize(
    "value", [b"Bearer a b", b"Bearer a,b", b"Bearer a, Bearer b", b"Bearer a\tb"]
)
def test_a_joined_header_gives_nothing_that_could_be_a_token(value):
    credential = from_header(value)
    assert credential.error or set(credential.token) & set(b" \t,")


@pytest.mark.parametrize(
    "value",
    [
        b"Basic dXNlcjpwYXNz",
        b"Basic tok.en.x",
        b"Bearertok",
        b"Bearer,tok",
        b"Negotiate " + b"x" * 100_000,
        b"tok.en.x",
        b"",
        b" ",
        b"\xff\xfe",
        b"\x00",
        b"Bearer\xa0tok",
        b"B\xe9arer tok",
    ],
)
def test_another_scheme_is_not_ours(value):
    assert from_header(value) is None


@pytest.mark.parametrize(
    "token", [b"\xff", b"\x00", b"a\x00b", b"\xc3\xa9", b"%41", b'"a"']
)
def test_bytes_of_a_header_come_through_as_they_are(token):
    assert token_of(from_header(b"Bearer " + token)) == token


@pytest.mark.parametrize(
    "values",
    [
        (b"Bearer a", b"Bearer a"),
        (b"Bearer a", b"Basic b"),
        (b"Basic b", b"Bearer a"),
        (b"Basic b", b"Basic c"),
        (b"", b"Bearer a"),
        (b"Bearer a", b"Basic b", b"Bearer a"),
    ],
)
def test_two_authorization_headers_are_one_too_many(values):
    assert is_refused(from_header(*values))


def test_a_second_header_is_seen_behind_any_number_of_others():
    noise = [(b"x-%d" % number, b"y") for number in range(100)]
    headers = [(b"authorization", b"Bearer a"), *noise, (b"AuthorizatioN", b"Bearer b")]
    assert is_refused(READ(http_scope(headers=headers)))


@pytest.mark.parametrize("name", [b"cache-control", b"Cache-Control", b"authorisation"])
def test_another_header_with_a_name_as_long_is_left_alone(name):
    other = (name, b"Bearer other")
    assert READ(http_scope(headers=[other])) is None
    for headers in (
        [other, (b"authorization", b"Bearer tok.en")],
        [(b"authorization", b"Bearer tok.en"), other],
    ):
        assert token_of(READ(http_scope(headers=headers))) == b"tok.en"


@given(
    st.lists(
        st.sampled_from([b"Bearer ", b"bearer ", b"Basic ", b""]).flatmap(
            lambda scheme: st.binary(max_size=8).map(
                lambda raw: scheme + b"ey" * (len(raw) % 2) + raw
            )
        ),
        max_size=3,
    )
)
def test_the_short_cut_for_plain_tokens_reads_what_the_long_way_does(values):
    headers = [(b"authorization", value) for value in values]
    short = CredentialReader([BearerHeader()])
    found = short.read(http_scope(headers=headers))
    same = CredentialReader([BearerHeader(), LONG_WAY]).read(
        http_scope(headers=headers)
    )
    if any(b" " in value[7:] for value in values if value.startswith(b"Bearer ey")):
        return  # Both are bad, for a reason that differs.

    assert (found is None) is (same is None)
    if found is not None:
        assert found[:4] == same[:4]
        assert type(found.error) is type(same.error)

    came = short.looker("http")(http_scope(headers=headers))
    assert unfold(came) == found or found.error is not None


def test_only_one_plain_token_is_left_as_its_bytes():
    look = CredentialReader([BearerHeader(), Cookie("access")]).looker("http")

    def came(*values):
        return look(http_scope(headers=[(b"authorization", v) for v in values]))

    assert came(b"Bearer eyJ.a.b") == b"eyJ.a.b"
    assert came(b"Bearer opaque").token == b"opaque"
    assert came(b"bearer eyJ.a.b").token == b"eyJ.a.b"
    assert is_refused(came(b"Bearer eyJ.a.b", b"Bearer eyJ.a.b"))
    assert is_refused(came(b"Bearer ey" + b"a" * MAX_TOKEN), InvalidTokenError)


def test_a_scheme_of_ones_own_is_told_apart():
    read = CredentialReader([BearerHeader(), BearerHeader("ApiKey")]).read
    credential = read(http_scope(headers=[(b"authorization", b"APIKEY secret")]))
    assert (token_of(credential), credential.scheme) == (b"secret", "apikey")
    only = CredentialReader([BearerHeader("ApiKey")]).read
    assert only(http_scope(headers=[(b"authorization", b"Bearer tok")])) is None


@pytest.mark.parametrize(
    "scheme", ["", "two words", "Bearer ", "ünder", "a,b", "x" * 65]
)
def test_a_scheme_that_no_client_could_send_is_a_mistake(scheme):
    with pytest.raises(ConfigurationError, match="scheme"):
        BearerHeader(scheme)


# -------------------------------------------------------------- a header of its own


READ_KEY = CredentialReader([BearerHeader(), Header("X-API-Key")]).read


def with_key(*values, name=b"x-api-key"):
    return READ_KEY(http_scope(headers=[(name, value) for value in values]))


@pytest.mark.parametrize("name", [b"x-api-key", b"X-Api-Key"])
def test_a_key_in_a_header_of_its_own_is_found(name):
    credential = with_key(b" s3cret\t", name=name)
    assert token_of(credential) == b"s3cret"
    assert (credential.source, credential.scheme) == ("header", "x-api-key")
    assert credential.explicit


@pytest.mark.parametrize(
    "values", [(b"",), (b"  ",), (b"a b",), (b"a", b"b"), (b"a", b"a")]
)
def test_anything_but_one_key_is_malformed(values):
    assert is_refused(with_key(*values))


def test_a_long_key_is_refused():
    assert is_refused(with_key(b"a" * 9000), InvalidTokenError)


def test_a_key_beside_a_token_is_one_too_many():
    headers = [(b"authorization", b"Bearer a"), (b"x-api-key", b"b")]
    assert is_refused(READ_KEY(http_scope(headers=headers)))
    assert READ_KEY(http_scope(headers=[(b"x-key", b"b")])) is None


@pytest.mark.parametrize(
    "name", ["", "Authorization", "COOKIE", "a b", "ä", "a:", "a\n"]
)
def test_a_header_that_cannot_hold_a_key_is_a_mistake(name):
    with pytest.raises(ConfigurationError, match="header"):
        Header(name)


def test_every_source_says_how_its_credentials_show():
    sources = [*EVERYWHERE, BearerHeader("ApiKey"), Header("X-Key")]
    scopes = [
        http_scope(headers=[(b"authorization", b"Bearer a")]),
        http_scope(headers=[(b"cookie", b"access=a")]),
        http_scope(query=b"token=a"),
        websocket_scope(subprotocols=["bearer", "a"]),
        http_scope(headers=[(b"authorization", b"ApiKey a")]),
        http_scope(headers=[(b"x-key", b"a")]),
    ]
    for source, scope in zip(sources, scopes, strict=True):
        credential = CredentialReader([source]).read(scope)
        assert credential.way == source.way
