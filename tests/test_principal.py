from __future__ import annotations

import copy
import json
import pickle
from dataclasses import FrozenInstanceError, replace

import pytest

from asgi_auth import (
    ANONYMOUS,
    ConfigurationError,
    ExpiredTokenError,
    Principal,
    get_principal,
    get_user,
)
from tests import forge


def known(**more):
    token = forge.verifier().verify(forge.token(**more))
    return token.principal("header", "jwt")


def test_without_the_middleware_asking_for_the_caller_is_a_mistake():
    for scope in ({}, {"auth": None}, {"auth": "ada", "user": "ada"}):
        with pytest.raises(ConfigurationError, match="AuthenticationMiddleware"):
            get_principal(scope)
        with pytest.raises(ConfigurationError, match="AuthenticationMiddleware"):
            get_user(scope)


def test_caller_and_user_are_read_from_the_scope():
    scope = {"auth": ANONYMOUS, "user": "whoever the loader gave"}
    assert get_principal(scope) is ANONYMOUS
    assert get_user(scope) == "whoever the loader gave"


def test_nobody_has_no_identity_and_no_scopes():
    assert not ANONYMOUS.is_authenticated
    assert ANONYMOUS.identity == ANONYMOUS.display_name == ""
    assert ANONYMOUS.scopes == ANONYMOUS.roles == frozenset()


def test_nobody_can_be_serialised_and_copied_like_anybody():
    assert json.dumps(ANONYMOUS.claims) == "{}"
    assert copy.deepcopy(ANONYMOUS) == ANONYMOUS
    assert pickle.loads(pickle.dumps(ANONYMOUS)) == ANONYMOUS
    with pytest.raises(TypeError):
        ANONYMOUS.claims["role"] = "admin"


def test_a_known_caller_survives_pickle_and_copies():
    principal = known(roles=["editor"], address={"city": "London"})
    assert pickle.loads(pickle.dumps(principal)) == principal
    assert copy.deepcopy(principal) == principal
    assert hash(copy.copy(principal)) == hash(principal)


def test_a_principal_cannot_be_promoted():
    principal = known()
    with pytest.raises(FrozenInstanceError):
        principal.scopes = frozenset({"admin"})
    with pytest.raises((TypeError, AttributeError)):
        principal.anything = 1


def test_its_repr_shows_no_claims_and_no_identifiers_of_tokens():
    shown = repr(known(sid="the-session", jti="the-token", email="ada@example.com"))
    assert "ada" in shown
    for secret in ("the-session", "the-token", "ada@example.com"):
        assert secret not in shown


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"name": "Ada Lovelace", "preferred_username": "al"}, "Ada Lovelace"),
        ({"name": 5, "preferred_username": "al"}, "al"),
        ({"name": None}, "ada"),
        ({}, "ada"),
    ],
)
def test_the_display_name_is_the_first_that_is_a_text(claims, name):
    assert Principal("ada", claims=claims).display_name == name


def test_products_know_users_apart_by_the_subject_and_by_nothing_that_changes_hands():
    principal = Principal("ada", claims={"preferred_username": "root", "username": "r"})
    assert principal.username == principal.identity == "ada"
    assert ANONYMOUS.username == ""


def test_equality_does_not_ask_why_somebody_is_nobody():
    assert replace(ANONYMOUS, error=ExpiredTokenError()) == ANONYMOUS
