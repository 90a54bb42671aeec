from __future__ import annotations

import copy

import pytest

from asgi_auth import ConfigurationError, Grant


def test_scopes_and_roles_keep_their_order_and_lose_their_doubles():
    grant = Grant(["b", "a", "b"], iter(["y", "x", "y"]))
    assert grant.to_claims() == {"scope": "b a", "roles": ["y", "x"]}


def test_nothing_granted_says_nothing():
    assert Grant().to_claims() == {}


@pytest.mark.parametrize(
    "scope", ["", "a b", 'a"b', "a\\b", "a\nb", "a\x00", "ä", "authenticated"]
)
def test_what_cannot_be_a_scope_is_refused(scope):
    with pytest.raises(ConfigurationError, match="scope"):
        Grant([scope])


@pytest.mark.parametrize("names", ["admin", "a b", ""])
def test_one_text_is_no_list(names):
    with pytest.raises(ConfigurationError, match="scopes"):
        Grant(names)
    with pytest.raises(ConfigurationError, match="roles"):
        Grant(roles=names)


@pytest.mark.parametrize("name", [5, None, b"admin", ("a",)])
def test_names_are_texts(name):
    with pytest.raises(ConfigurationError, match="scopes"):
        Grant([name])
    with pytest.raises(ConfigurationError, match="roles"):
        Grant(roles=[name])


@pytest.mark.parametrize(
    "name",
    [
        "iss",
        "sub",
        "aud",
        "exp",
        "nbf",
        "iat",
        "jti",
        "sid",
        "seq",
        "scope",
        "roles",
        "type",
        "typ",
        "nonce",
        "at_hash",
        "events",
        "token_use",
        "token_type",
        "acr",
        "amr",
        "auth_time",
        "client_id",
        "cnf",
        "act",
        "c_hash",
    ],
)
def test_what_the_service_says_an_application_cannot(name):
    with pytest.raises(ConfigurationError, match=name):
        Grant(claims={name: "x"})


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), object(), {1, 2}, b"x", "\ud800"],
    ids=["NaN", "infinity", "object", "set", "bytes", "surrogate"],
)
def test_claims_that_have_no_json_form_are_refused(value):
    for claims in ({"x": value}, {"x": [{"y": value}]}):
        with pytest.raises(ConfigurationError, match="JSON"):
            Grant(claims=claims)


def test_claims_that_hold_themselves_are_refused():
    loop = []
    loop.append(loop)
    with pytest.raises(ConfigurationError, match="JSON"):
        Grant(claims={"x": loop})


def test_a_grant_does_not_change_with_what_it_was_made_of():
    claims = {"teams": ["red"]}
    grant = Grant(claims=claims)
    claims["teams"].append("blue")
    claims["admin"] = True
    assert grant.to_claims() == {"teams": ("red",)}
    said = grant.to_claims()
    said["admin"] = True
    assert grant.to_claims() == {"teams": ("red",)}
    assert copy.deepcopy(grant) == grant


def test_custom_claims_do_not_show():
    assert "secret plan" not in repr(Grant(claims={"x": "secret plan"}))
