"""Guards where nothing has a scope: they take the one that is tracked."""

from __future__ import annotations

import json

import pytest
import strawberry
from a2wsgi import WSGIMiddleware
from strawberry.asgi import GraphQL

from asgi_auth import (
    AuthenticationMiddleware,
    AuthError,
    ConfigurationError,
    JWTBackend,
    ScopePolicy,
    current_principal,
    policy,
    requires,
)
from asgi_auth.tracking import track
from tests import forge
from tests.asgi import Echo, bearer, converse, run

A = [bearer(forge.token(scope="a"))]
B = [bearer(forge.token(scope="b"))]
CALLERS = [(), B, A]
JSON = (b"content-type", b"application/json")

guard = requires("a")


@policy
async def later(principal):
    return "a" in principal.scopes


def tracked(app, *, track_current=True):
    backend = JWTBackend(forge.verifier())
    policy = ScopePolicy(track_current=track_current)
    return AuthenticationMiddleware(app, backend, scope_policy=policy)


# ---------------------------------------------------------------------------- products


def wsgi():
    def app(environ, start):
        guard.check()
        start("200 OK", [("content-type", "text/plain")])
        return [current_principal().subject.encode()]

    return WSGIMiddleware(app)


@requires("a")
async def pets(number):
    return current_principal().subject


@requires("a")
def sync_pets(number):
    return current_principal().subject


def connexion(handler, tmp_path):
    from connexion import AsyncApp

    parameter = {"name": "number", "in": "path", "required": True}
    parameter["schema"] = {"type": "integer"}
    operation = {
        "operationId": "handler",
        "parameters": [parameter],
        "responses": {"200": {"description": "a name"}},
    }
    document = {
        "openapi": "3.0.0",
        "info": {"title": "pets", "version": "1"},
        "paths": {"/{number}": {"get": operation}},
    }
    (tmp_path / "pets.json").write_text(json.dumps(document), "utf-8")
    app = AsyncApp("pets", specification_dir=tmp_path)
    app.add_api("pets.json", resolver=lambda _: handler)
    return app


@pytest.mark.filterwarnings("ignore:.*jsonschema.*:DeprecationWarning")
@pytest.mark.parametrize("product", ["a2wsgi", "connexion", "connexion, not async"])
async def test_a_handler_without_a_request_is_guarded(product, tmp_path):
    if product == "a2wsgi":
        app = tracked(wsgi())
    else:
        handler = sync_pets if "not" in product else pets
        app = tracked(connexion(handler, tmp_path))

    answers = [await run(app, "/3", headers=headers) for headers in CALLERS]
    assert [answer.status for answer in answers] == [401, 403, 200]
    assert b"ada" in answers[-1].body


@strawberry.type
class Query:
    @strawberry.field
    @requires("a")
    async def me(self) -> str:
        return current_principal().subject


async def test_a_resolver_without_a_request_is_guarded():
    app = tracked(GraphQL(strawberry.Schema(Query)))
    ask = {"method": "POST", "body": b'{"query": "{me}"}'}
    answers = [
        (await run(app, headers=[*headers, JSON], **ask)).json() for headers in CALLERS
    ]
    assert [answer["data"] for answer in answers] == [None, None, {"me": "ada"}]
    assert [answer["errors"][0]["message"] for answer in answers[:2]] == [
        "Authentication is required.",
        "The credentials do not allow this.",
    ]


# ------------------------------------------------------------------------- in any app


@pytest.mark.parametrize("headers", CALLERS)
async def test_every_verb_of_a_guard_knows_whom_it_serves(headers):
    may = headers is A
    slow = requires(policy=later)

    async def app(scope, receive, send):
        assert guard.allows() is await slow.permits() is may
        if not may:
            with pytest.raises(AuthError):
                guard.check()
            with pytest.raises(AuthError):
                await slow.verify()
        else:
            assert guard.check() is await slow.verify() is scope["auth"]

        await Echo()(scope, receive, send)

    assert (await run(tracked(app), headers=headers)).status == 200


async def test_a_socket_is_known_too():
    seen = []

    @requires("a")
    async def greet(text):
        seen.append(text)

    async def app(scope, receive, send):
        await greet("hello")
        await Echo()(scope, receive, send)

    assert [m["code"] for m in await converse(tracked(app), headers=B)] == [3003]
    await converse(tracked(app), headers=A)
    assert seen == ["hello"]


async def test_a_body_that_looks_like_a_scope_is_not_asked_for_the_caller():
    @requires("a")
    async def handler(body):
        return body

    async def app(scope, receive, send):
        await handler({"type": "http", "auth": {"subject": "root"}})
        await Echo()(scope, receive, send)

    assert (await run(tracked(app), headers=B)).status == 403
    assert (await run(tracked(app), headers=A)).status == 200
    with pytest.raises(ConfigurationError, match="no principal"):
        await run(tracked(app, track_current=False), headers=A)


async def test_the_scope_that_is_handed_over_beats_the_tracked_one():
    other = forge.verifier().verify(forge.token(scope="b", sub="bob"))
    bob = {"type": "http", "auth": other.principal("header", "jwt")}
    ada = {"type": "http", "auth": None}
    with track(ada), pytest.raises(AuthError):
        guard.check(bob)


async def test_where_nothing_is_tracked_the_error_says_what_to_do():
    async def app(scope, receive, send):
        await pets(3)

    with pytest.raises(ConfigurationError, match=r"parameters.*track_current=True"):
        await run(tracked(app, track_current=False), headers=A)


async def test_a_task_of_nobody_has_no_scope():
    async def app(scope, receive, send):
        await pets(3)

    with pytest.raises(ConfigurationError, match="serves no request"):
        await tracked(app)({"type": "lifespan"}, None, None)
