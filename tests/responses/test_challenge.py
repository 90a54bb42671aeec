from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_auth import (
    AuthenticationError,
    Challenge,
    ConfigurationError,
    ExpiredTokenError,
    InsufficientScopeError,
    InvalidRequestError,
    StepUpRequiredError,
)
from asgi_auth.responses.challenge import BEARER, format_challenge

# RFC 9110, section 11.6.1, of which we use quoted-string alone.
PARAM = rb'[a-z_]+="[^"\\\x00-\x1f\x7f-\xff]*"'
SYNTAX = re.compile(rb"[A-Za-z]+(?: " + PARAM + rb"(?:, " + PARAM + rb")*)?")


def test_without_a_credential_there_is_no_error_code():
    assert format_challenge(BEARER, AuthenticationError()) == b"Bearer"
    realm = Challenge(params={"realm": "orders"})
    assert format_challenge(realm, AuthenticationError()) == b'Bearer realm="orders"'


def test_a_bad_token_is_named_as_such():
    assert format_challenge(BEARER, ExpiredTokenError()) == (
        b'Bearer error="invalid_token", error_description="The token has expired."'
    )


def test_a_malformed_request_is_told_apart_from_a_bad_token():
    written = format_challenge(BEARER, InvalidRequestError())
    assert b'error="invalid_request"' in written


def test_all_needed_scopes_are_named_at_once():
    error = InsufficientScopeError(scopes=["orders:read", "orders:write"])
    written = format_challenge(BEARER, error)
    assert b'error="insufficient_scope"' in written
    assert b'scope="orders:read orders:write"' in written


def test_authenticated_is_no_scope_that_a_client_could_ask_for():
    error = InsufficientScopeError(scopes=["authenticated"])
    assert b"scope=" not in format_challenge(BEARER, error).replace(b"_scope", b"")


def test_step_up_says_what_log_in_would_do():
    error = StepUpRequiredError(acr=["mfa", "hwk"], max_age=0)
    written = format_challenge(BEARER, error)
    assert b'error="insufficient_user_authentication"' in written
    assert b'acr_values="mfa hwk"' in written
    assert b'max_age="0"' in written
    assert b"acr_values" not in format_challenge(BEARER, StepUpRequiredError())


def test_another_scheme_gets_no_parameters_of_bearer():
    challenge = Challenge("ApiKey", {"realm": "orders"})
    written = format_challenge(challenge, ExpiredTokenError())
    assert written == b'ApiKey realm="orders"'


def test_the_inner_message_stays_inside():
    written = format_challenge(BEARER, ExpiredTokenError("exp was 17"))
    assert b"17" not in written


@pytest.mark.parametrize(
    "value",
    ['say "hi"', "back\\slash", "two\r\nlines", "tab\t", "ümlaut", "\x00", "\x7f"],
)
def test_a_value_that_would_break_the_header_is_refused_at_construction(value):
    with pytest.raises(ConfigurationError, match="realm"):
        Challenge(params={"realm": value})


@pytest.mark.parametrize("name", ["", "two words", "Bearer\r\n", "a=b", 'a"', "ä"])
def test_a_scheme_or_name_that_is_no_token_is_refused(name):
    with pytest.raises(ConfigurationError):
        Challenge(name)
    with pytest.raises(ConfigurationError):
        Challenge(params={name: "x"})


@pytest.mark.parametrize("scope", ['a"b', "a\\b", "a\r\nSet-Cookie: x=1", "ä"])
def test_a_scope_that_cannot_be_quoted_is_left_out(scope):
    written = format_challenge(BEARER, InsufficientScopeError(scopes=[scope, "ok"]))
    assert SYNTAX.fullmatch(written)
    assert b" scope=" not in written


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=3))
def test_whatever_a_guard_demands_the_header_stays_one_header(scopes, acr):
    for error in (InsufficientScopeError(scopes=scopes), StepUpRequiredError(acr=acr)):
        assert SYNTAX.fullmatch(format_challenge(BEARER, error))
