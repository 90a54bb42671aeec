from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_auth.client.challenges import parse_challenges, says_invalid_token
from asgi_auth.errors import ExpiredTokenError, InsufficientScopeError
from asgi_auth.responses.challenge import Challenge, format_challenge

LETTERS = "!#$%&'*+-.^_`|~09AZaz"
names = st.text(LETTERS, min_size=1, max_size=8)
values = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x7E) | st.just("\t"), max_size=12
)
params = st.dictionaries(names.map(str.lower), values, max_size=3)
challenges = st.lists(st.tuples(names, params), min_size=1, max_size=4)


def read(text):
    return [(one.scheme, one.params, one.token68) for one in parse_challenges(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Bearer", [("bearer", {}, None)]),
        ('bearer realm="x"', [("bearer", {"realm": "x"}, None)]),
        ("Bearer  a=b,c = d", [("bearer", {"a": "b", "c": "d"}, None)]),
        (
            'Basic realm="a, b=\\"c\\"", Bearer error="invalid_token"',
            [
                ("basic", {"realm": 'a, b="c"'}, None),
                ("bearer", {"error": "invalid_token"}, None),
            ],
        ),
        (
            "Negotiate, Bearer ERROR=x",
            [("negotiate", {}, None), ("bearer", {"error": "x"}, None)],
        ),
        (
            "Negotiate abc==, Bearer",
            [("negotiate", {}, "abc=="), ("bearer", {}, None)],
        ),
        (
            'Newauth realm="apps", type=1, title="Login", Basic realm="simple"',
            [
                ("newauth", {"realm": "apps", "type": "1", "title": "Login"}, None),
                ("basic", {"realm": "simple"}, None),
            ],
        ),
        (', ,Bearer a="" ,, b=c,', [("bearer", {"a": "", "b": "c"}, None)]),
        ("", []),
    ],
)
def test_challenges_are_read_as_the_grammar_says(text, expected):
    assert read(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        'Bearer error="invalid_token',
        'Bearer error="invalid_token" Basic realm="x"',
        'Bearer error="invalid_token", error="insufficient_scope"',
        'Bearer error="invalid_token", ERROR="invalid_token"',
        'Bearer error=invalid token, a="b"',
        'Negotiate abc=, error="invalid_token"',
        '="invalid_token"',
        'Bearer error="a\x00b"',
        'Bearer a="b"c',
        "Bearer " + "a" * 9000,
    ],
)
def test_a_field_that_breaks_the_grammar_says_nothing(text):
    with pytest.raises(ValueError, match=r"comma|scheme|twice|long"):
        parse_challenges(text)

    assert not says_invalid_token([text])


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (['Bearer error="invalid_token"'], True),
        (["BEARER Error=invalid_token"], True),
        (['Basic realm="x", Bearer realm="y", error="invalid_token"'], True),
        (['Basic realm="x"', 'Bearer error="invalid_token"'], True),
        (['Bearer error="broken', 'Bearer error="invalid_token"'], True),
        (['DPoP error="invalid_token"'], False),
        (['Bearer realm="x", DPoP error="invalid_token"'], False),
        (['Basic realm="Bearer error=\\"invalid_token\\""'], False),
        (['Bearer error="insufficient_scope"'], False),
        (['Bearer error="INVALID_TOKEN"'], False),
        (['Bearer error_description="invalid_token"'], False),
        (["Bearer"], False),
        ([], False),
    ],
)
def test_only_a_bearer_challenge_calls_a_token_invalid(lines, expected):
    assert says_invalid_token(lines) is expected


def test_what_this_package_writes_is_read():
    written = format_challenge(Challenge(params={"realm": "x"}), ExpiredTokenError())
    assert says_invalid_token([written.decode()])
    other = format_challenge(Challenge(), InsufficientScopeError(scopes=["a", "b"]))
    assert parse_challenges(other.decode())[0].params["scope"] == "a b"


@given(challenges)
def test_what_is_written_is_read_back(given_challenges):
    text = ", ".join(
        f"{scheme} {', '.join(f'{name}={quote(value)}' for name, value in p.items())}"
        for scheme, p in given_challenges
    )
    assert read(text) == [(s.lower(), p, None) for s, p in given_challenges]


def quote(value):
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


@given(st.text(st.sampled_from('Bearer,"\\= \tx\xff\x00'), max_size=60))
def test_any_text_is_read_or_refused(text):
    try:
        found = parse_challenges(text)
    except ValueError:
        assert not says_invalid_token([text])
    else:
        assert all(challenge.scheme for challenge in found)


@pytest.mark.parametrize("piece", ['a="', "a=,", '\\"', "a ", "=", ",", 'B a="b",'])
def test_long_rubbish_is_read_in_no_time(piece):
    started = time.process_time()
    says_invalid_token([("Bearer " + piece * 8192)[:8192]])
    assert time.process_time() - started < 0.5
