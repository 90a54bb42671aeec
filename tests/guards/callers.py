"""Callers and scopes for the tests of guards."""

from __future__ import annotations

from types import SimpleNamespace

from asgi_auth import AuthenticationMiddleware, JWTBackend, Principal
from asgi_auth.responses.state import KEY, RequestState, make_state
from tests import forge
from tests.asgi import http_scope


def known(*scopes, roles=(), backend="jwt", **more):
    return Principal(
        "ada",
        scopes=frozenset({*scopes, "authenticated"}),
        roles=frozenset(roles),
        backend=backend,
        is_authenticated=True,
        **more,
    )


def scope_of(principal, **more):
    noted = {KEY: make_state(RequestState)}
    return {**http_scope(), "auth": principal, "user": principal, **noted, **more}


def request_of(principal, **more):
    return SimpleNamespace(scope=scope_of(principal, **more))


def protected(app, **options):
    return AuthenticationMiddleware(app, JWTBackend(forge.verifier()), **options)
