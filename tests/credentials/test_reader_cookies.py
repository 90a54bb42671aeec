"""Credentials in cookies."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_auth import (
    ConfigurationError,
    Cookie,
)
from asgi_auth.credentials.reader import CredentialReader
from tests.asgi import http_scope
from tests.credentials.reader_world import from_cookies, is_refused, token_of

# --------------------------------------------------------------------------- cookies


@pytest.mark.parametrize(
    "value",
    [
        b"access=tok.en",
        b"a=1; access=tok.en; b=2",
        b"a=1;access=tok.en;b=2",
        b"a=x=y==; access=tok.en",
        b"a; access=tok.en",
        b"=; ; ;;access=tok.en",
        b" access = tok.en ",
        b'access="tok.en"',
        b"Access=other; access=tok.en; ACCESS=other",
        b"xaccess=other; access=tok.en; accessx=other; access.x=other",
        b"access=; access=tok.en",
        b"a=\xff\x00; access=tok.en; b=\xfe",
        b'a="; access=tok.en',
    ],
)
def test_a_cookie_is_found_among_others(value):
    credential = from_cookies(value)
    assert token_of(credential) == b"tok.en"
    assert credential.source == "cookie"
    assert not credential.explicit


@pytest.mark.parametrize(
    "value",
    [b"", b"access", b"access=", b'access=""', b"accesstok=1", b"x=access=tok", b";"],
)
def test_without_a_value_there_is_no_cookie(value):
    assert from_cookies(value) is None


@pytest.mark.parametrize(
    "values",
    [
        (b"access=a; access=b",),
        (b"access=a;access=a",),
        (b"access=a", b"access=b"),
        (b"access=a; x=1", b"y=2; access=b"),
    ],
)
def test_two_cookies_of_one_name_are_bad_and_stay_ambient(values):
    credential = from_cookies(*values)
    assert is_refused(credential)
    assert not credential.explicit


def test_cookies_may_be_split_over_fields():
    assert token_of(from_cookies(b"a=1", b"access=tok.en", b"b=2")) == b"tok.en"
    assert from_cookies(b"acc", b"ess=tok.en") is None


def test_the_first_cookie_source_that_has_a_value_counts():
    read = CredentialReader([Cookie("new"), Cookie("old")]).read
    both = read(http_scope(headers=[(b"cookie", b"old=b; new=a")]))
    assert token_of(both) == b"a"
    old = read(http_scope(headers=[(b"cookie", b"old=b")]))
    assert token_of(old) == b"b"


@pytest.mark.parametrize("name", ["", "a b", "a=b", "a;b", 'a"', "ä", "a\n", "a,b"])
def test_a_cookie_that_no_client_could_send_is_a_mistake(name):
    with pytest.raises(ConfigurationError, match="cookie name"):
        Cookie(name)


NAMES = st.text("abc", min_size=1, max_size=2)
VALUES = st.text("xyz019=.-_", max_size=8)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=6), st.sampled_from(["; ", ";"]))
def test_well_formed_cookies_are_read_as_the_standard_library_reads_them(pairs, joint):
    text = joint.join(f"{name}={value}" for name, value in pairs)
    read = CredentialReader([Cookie("a")]).read
    credential = read(http_scope(headers=[(b"cookie", text.encode())]))
    ours = [value for name, value in pairs if name == "a" and value]
    if len(ours) > 1:
        assert is_refused(credential)
    elif not ours:
        assert credential is None
    else:
        theirs = SimpleCookie()
        try:
            theirs.load(text)
        except CookieError:
            return

        assert token_of(credential).decode() == ours[0]
        if [name for name, _ in pairs].count("a") == 1 and "a" in theirs:
            assert theirs["a"].value == ours[0]


def naive_cookies(header: bytes, name: bytes) -> list[bytes]:
    values = []
    for part in header.split(b";"):
        key, equals, value = part.partition(b"=")
        if equals and key.strip(b" \t") == name:
            value = value.strip(b" \t")
            quoted = len(value) > 1 and value.startswith(b'"') and value.endswith(b'"')
            values.append(value[1:-1] if quoted else value)

    return [value for value in values if value]


@given(
    st.lists(
        st.sampled_from(
            [b"access", b"=", b";", b" ", b"\t", b'"', b"a", b"\xff", b"\x00"]
        ),
        max_size=25,
    )
)
def test_any_cookie_header_is_read_as_a_naive_parser_reads_it(parts):
    header = b"".join(parts)
    credential = from_cookies(header)
    expected = naive_cookies(header, b"access")
    if len(expected) == 1:
        assert token_of(credential) == expected[0]
    else:
        assert is_refused(credential) if expected else credential is None
