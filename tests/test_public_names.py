"""The public names are a promise: adding or losing one is a decision, made here."""

from __future__ import annotations

import inspect

import pytest

import asgi_auth

PUBLIC = [
    "ANONYMOUS",
    "AsgiAuthError",
    "AuthConfig",
    "AuthError",
    "AuthenticationError",
    "AuthenticationMiddleware",
    "AuthorizationError",
    "BackendChain",
    "BearerHeader",
    "Challenge",
    "ConfigurationError",
    "Cookie",
    "Credential",
    "CrossOriginError",
    "Device",
    "Event",
    "ExpiredTokenError",
    "Grant",
    "Header",
    "InsufficientScopeError",
    "InvalidCredentialsError",
    "InvalidRequestError",
    "InvalidTokenError",
    "JWTBackend",
    "Key",
    "KeySet",
    "MemoryStore",
    "MissingExtraError",
    "Principal",
    "QueryParam",
    "RateLimitedError",
    "RefusalMiddleware",
    "ReusedTokenError",
    "RevocationList",
    "RevokedTokenError",
    "RoleHierarchy",
    "Session",
    "SessionPolicy",
    "Site",
    "StepUpRequiredError",
    "Subprotocol",
    "TokenPair",
    "TokenService",
    "TokenVerifier",
    "Tolerance",
    "UnavailableError",
    "UnknownSubjectError",
    "current_principal",
    "deny",
    "extend",
    "get_principal",
    "get_user",
    "holds",
    "policy",
    "requires",
]


def test_public_names_are_the_promised_ones():
    assert list(asgi_auth.__all__) == PUBLIC


def test_public_names_are_sorted_and_said_once():
    assert list(asgi_auth.__all__) == sorted(set(asgi_auth.__all__))


@pytest.mark.parametrize("name", asgi_auth.__all__)
def test_public_name_exists_and_is_documented(name):
    thing = getattr(asgi_auth, name)
    documented = inspect.isclass(thing) or inspect.isroutine(thing)
    assert not documented or inspect.getdoc(thing), f"{name} has no docstring"


@pytest.mark.parametrize("name", asgi_auth.__all__)
def test_public_methods_are_documented(name):
    thing = getattr(asgi_auth, name)
    if not inspect.isclass(thing):
        return

    bare = [
        attribute
        for attribute, value in vars(thing).items()
        if not attribute.startswith("_")
        and (inspect.isroutine(value) or isinstance(value, property))
        and not inspect.getdoc(getattr(thing, attribute))
    ]
    assert not bare, f"{name} has methods without a docstring: {bare}"
