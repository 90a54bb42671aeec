from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_auth import (
    ConfigurationError,
    ExpiredTokenError,
    InvalidTokenError,
    KeySet,
    TokenService,
    TokenVerifier,
    Verification,
)
from asgi_auth._frozen import freeze
from asgi_auth._misfit import MisfitError
from asgi_auth.accounts.basic import BasicBackend
from asgi_auth.backends.apikey import APIKeyBackend
from asgi_auth.backends.apikeys.memory import MemoryAPIKeys
from asgi_auth.backends.apikeys.service import APIKeys
from asgi_auth.tokens.claims import DAY, ClaimsRules, is_plain_text, names_of
from tests.forge import AUDIENCE, ISSUER, NOW, claims

RULES = ClaimsRules(issuer=ISSUER, audience=frozenset({AUDIENCE}))


def check(now=NOW, rules=RULES, **more):
    return rules.check(freeze(claims(**more)), now)


def raw(now=NOW, rules=RULES, **more):
    """Check claims in which ``None`` stands for a JSON null."""
    return rules.check(freeze({**claims(), **more}), now)


def refused(**more):
    with pytest.raises(InvalidTokenError) as caught:
        check(**more)
    assert caught.type in {InvalidTokenError, MisfitError}


HUGE = 10**4000
LARGE = {
    "huge": HUGE,
    "-huge": -HUGE,
    "1e308": 1e308,
    "-1e308": -1e308,
    "2**63": 2**63,
    "-2**63": -(2**63),
}
NO_NUMBERS = ["", "1700000600", True, False, None, [1], {"a": 1}, []]


def test_good_claims_pass():
    window = check()
    assert window.issued_at == NOW
    assert window.expires_at == NOW + 600
    assert window.starts_at == NOW - 5


# --------------------------------------------------------------------------- exp


def test_exp_is_required():
    refused(exp=None)


@pytest.mark.parametrize("value", NO_NUMBERS, ids=repr)
@pytest.mark.parametrize("name", ["exp", "nbf", "iat", "auth_time"])
def test_a_time_is_a_number(name, value):
    with pytest.raises(InvalidTokenError):
        raw(**{name: value})


@pytest.mark.parametrize("value", LARGE.values(), ids=LARGE)
@pytest.mark.parametrize("name", ["exp", "nbf", "iat", "auth_time"])
@pytest.mark.parametrize("exact", [True, False])
def test_no_number_breaks_the_arithmetic(name, value, exact):
    rules = ClaimsRules(
        issuer=ISSUER,
        audience=frozenset({AUDIENCE}),
        tolerance=Verification(
            leeway=1 if exact else 0.5,
            skew=5 if exact else 5.5,
            max_lifetime=366 * DAY if exact else 366.5 * DAY,
        ),
    )
    try:
        window = check(rules=rules, **{name: value})
    except InvalidTokenError:
        return

    # Whatever is let through must be good for the arithmetic of those who follow.
    assert float(window.starts_at) <= NOW < float(window.expires_at)
    assert name != "exp"


@pytest.mark.parametrize("name", ["exp", "iat"])
def test_no_pair_of_numbers_breaks_the_arithmetic(name):
    rules = ClaimsRules(
        issuer=ISSUER,
        audience=frozenset({AUDIENCE}),
        tolerance=Verification(leeway=0.5, skew=5.5),
    )
    with pytest.raises(InvalidTokenError):
        check(rules=rules, nbf=-HUGE, **{name: -HUGE})


@pytest.mark.parametrize("exp", [0, -1, -NOW, NOW - 1, NOW, NOW + 0.9, -0.5])
def test_a_token_ends_with_the_second_that_it_names(exp):
    with pytest.raises(ExpiredTokenError):
        check(exp=exp)


def test_until_then_it_lives():
    assert check(now=NOW + 0.999, exp=NOW + 1).expires_at == NOW + 1
    assert check(exp=NOW + 1.999).expires_at == NOW + 1


def test_leeway_stretches_exp_and_nothing_more():
    rules = ClaimsRules(
        issuer=ISSUER,
        audience=frozenset({AUDIENCE}),
        tolerance=Verification(leeway=10, skew=0),
    )
    assert check(now=NOW + 609.9, rules=rules).expires_at == NOW + 610
    with pytest.raises(ExpiredTokenError):
        check(now=NOW + 610, rules=rules)
    with pytest.raises(InvalidTokenError):
        check(now=NOW - 1, rules=rules)


def test_an_issuer_that_counts_milliseconds_is_noticed():
    refused(exp=(NOW + 600) * 1000)
    refused(exp=NOW + 367 * DAY)
    assert check(exp=NOW + 365 * DAY)


def test_expiry_is_only_told_when_all_else_is_good():
    for wrong in ({"aud": "other"}, {"iss": "other"}, {"sub": ""}, {"type": "refresh"}):
        refused(exp=NOW - 1, **wrong)


# --------------------------------------------------------------------- nbf and iat


@pytest.mark.parametrize("name", ["nbf", "iat"])
def test_a_start_may_lie_ahead_by_the_skew_and_no_more(name):
    assert check(**{name: NOW + 5}).starts_at <= NOW
    refused(**{name: NOW + 6})
    assert check(**{name: NOW - 10 * DAY})
    assert check(**{name: -5})


def test_times_that_may_be_missing_may_be_missing():
    window = check(iat=None, jti=None)
    assert window.issued_at == 0
    assert window.starts_at <= NOW


@pytest.mark.parametrize("value", [-1, 301, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["leeway", "skew"])
def test_a_tolerance_that_switches_a_check_off_is_refused(name, value):
    with pytest.raises(ConfigurationError, match=name):
        Verification(**{name: value})


# ----------------------------------------------------------------------------- sub


@pytest.mark.parametrize(
    "sub",
    [
        "",
        1,
        1.5,
        True,
        None,
        ["ada"],
        {"id": "ada"},
        "a\x00b",
        "a\nb",
        "a\x1b[31m",
        "a\x7f",
        "a\x9fb",
        "x" * 256,
    ],
    ids=repr,
)
def test_a_subject_is_a_short_plain_text(sub):
    with pytest.raises(InvalidTokenError):
        raw(sub=sub)


def test_a_subject_is_required():
    refused(sub=None)


@pytest.mark.parametrize("sub", ["x" * 255, "ada lovelace", "ädä☃", "' OR 1=1 --", "0"])
def test_any_other_text_is_a_subject(sub):
    assert check(sub=sub)


@pytest.mark.parametrize("name", ["jti", "sid", "acr", "client_id"])
@pytest.mark.parametrize("value", ["", 5, ["x"], None, "x" * 256, "a\x00"])
def test_other_identifiers_are_short_plain_texts_too(name, value):
    with pytest.raises(InvalidTokenError):
        raw(**{name: value})


# ------------------------------------------------------------------- iss and aud


@pytest.mark.parametrize(
    "iss", [ISSUER + "/", ISSUER.upper(), "", 5, True, [ISSUER], {"a": 1}]
)
def test_the_issuer_is_compared_exactly(iss):
    refused(iss=iss)
    refused(iss=None)


def test_null_is_not_a_missing_issuer():
    rules = ClaimsRules(audience=frozenset({AUDIENCE}))
    assert check(rules=rules, iss=None)
    with pytest.raises(InvalidTokenError):
        raw(rules=rules, iss=None)
    with pytest.raises(InvalidTokenError):
        check(rules=rules)


@pytest.mark.parametrize("aud", [AUDIENCE, [AUDIENCE], ["other", AUDIENCE]])
def test_the_audience_may_be_one_of_several(aud):
    assert check(aud=aud)


@pytest.mark.parametrize(
    "aud",
    [
        "",
        "API",
        "api other",
        "ap",
        [],
        ["other"],
        5,
        True,
        {"api": 1},
        [AUDIENCE, 5],
        [[]],
    ],
    ids=repr,
)
def test_an_audience_that_does_not_name_us_is_refused(aud):
    refused(aud=aud)
    refused(aud=None)


def test_null_is_no_audience():
    with pytest.raises(InvalidTokenError):
        raw(aud=None)


def test_a_service_without_an_audience_takes_no_tokens_for_others():
    rules = ClaimsRules(issuer=ISSUER)
    assert check(rules=rules, aud=None)
    for aud in ("api", [], "", ["api"]):
        with pytest.raises(InvalidTokenError):
            check(rules=rules, aud=aud)
    with pytest.raises(InvalidTokenError):
        raw(rules=rules, aud=None)


# -------------------------------------------------------------------------- kinds


@pytest.mark.parametrize(
    "told",
    [
        {"type": "refresh"},
        {"type": "Access"},
        {"type": ["access"]},
        {"type": ""},
        {"token_use": "id"},
        {"token_use": ["access"]},
        {"token_type": "refresh"},
        {"token_type": {"a": 1}},
        {"typ": "Refresh"},
        {"typ": "ID"},
        {"typ": "Logout"},
        {"nonce": "n-0S6"},
        {"nonce": ""},
        {"at_hash": "x"},
        {"c_hash": "x"},
        {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}},
        {"events": {}},
        {"type": "access", "nonce": "x"},
        {"type": "access", "token_use": "id"},
    ],
    ids=str,
)
def test_a_token_of_another_kind_is_no_access_token(told):
    refused(**told)


@pytest.mark.parametrize("name", ["type", "token_use", "token_type", "typ", "nonce"])
def test_null_says_something_too(name):
    with pytest.raises(InvalidTokenError):
        raw(**{name: None})


@pytest.mark.parametrize(
    "told",
    [
        {"type": "access"},
        {"token_use": "access"},
        {"token_type": "Bearer"},
        {"typ": "Bearer"},
        {"typ": "at+jwt"},
        {"type": "access", "token_use": "access", "typ": "JWT", "token_type": "access"},
    ],
    ids=str,
)
def test_whatever_a_dialect_calls_an_access_token_is_one(told):
    assert check(**told)


@pytest.mark.parametrize("kind", ["refresh", "verify", "reset"])
def test_other_kinds_say_so_or_are_refused(kind):
    rules = ClaimsRules(issuer=ISSUER, audience=frozenset({AUDIENCE}), kind=kind)
    assert check(rules=rules, type=kind)
    for other in {"access", "refresh", "verify", "reset", None, ""} - {kind}:
        with pytest.raises(InvalidTokenError):
            check(rules=rules, type=other)


# ------------------------------------------------------------------------- helpers


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("a b", {"a", "b"}),
        ("  a  ", {"a"}),
        ("", set()),
        (["a", "b c"], {"a", "b c"}),
        ([], set()),
    ],
)
def test_names_come_as_a_text_or_as_a_list(value, names):
    assert names_of(freeze(value)) == names


@pytest.mark.parametrize("value", [5, None, True, {"a": 1}, ["a", 5], [["a"]]])
def test_names_of_another_shape_are_refused(value):
    with pytest.raises(InvalidTokenError):
        names_of(freeze(value))


@given(st.text(min_size=1, max_size=255))
def test_plain_texts_are_those_without_control_characters(text):
    control = any(ord(c) < 32 or 127 <= ord(c) < 160 for c in text)
    assert is_plain_text(text) is not control


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
NAMES = st.sampled_from(
    [
        "iss",
        "sub",
        "aud",
        "exp",
        "nbf",
        "iat",
        "jti",
        "sid",
        "type",
        "typ",
        "token_use",
        "token_type",
        "nonce",
        "events",
        "acr",
        "auth_time",
        "client_id",
    ]
)


@given(st.dictionaries(NAMES, JSON, max_size=4))
def test_no_claims_at_all_raise_anything_but_a_refusal(changes):
    with suppress(InvalidTokenError):
        RULES.check(freeze({**claims(), **changes}), NOW)


@pytest.mark.parametrize(
    "make",
    [
        lambda: TokenService(KeySet.generate("HS256"), issuer=""),
        lambda: TokenVerifier(KeySet.generate("HS256"), issuer=""),
        lambda: APIKeyBackend(APIKeys(MemoryAPIKeys()), issuer=""),
        lambda: BasicBackend(None, issuer=""),
    ],
)
def test_an_empty_issuer_is_not_taken_for_none(make):
    with pytest.raises(ConfigurationError, match="issuer"):
        make()
