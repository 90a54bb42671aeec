"""GraphQL: both libraries show the code of a refusal by themselves."""

from __future__ import annotations

import json

import pytest
import strawberry
from ariadne import QueryType, make_executable_schema
from ariadne.asgi import GraphQL as Ariadne
from strawberry.asgi import GraphQL as Strawberry

from asgi_auth import AuthenticationMiddleware, JWTBackend, requires
from tests import forge
from tests.asgi import bearer, run

JSON = (b"content-type", b"application/json")
guard = requires("a")


@strawberry.type
class Query:
    @strawberry.field
    async def me(self, info: strawberry.Info) -> str:
        return guard.check(info.context["request"]).subject


def ariadne():
    query = QueryType()

    @query.field("me")
    async def me(_, info):
        return guard.check(info.context["request"]).subject

    return Ariadne(make_executable_schema("type Query { me: String }", query))


@pytest.fixture(params=["strawberry", "ariadne"])
def app(request):
    inner = (
        Strawberry(strawberry.Schema(Query))
        if request.param == "strawberry"
        else ariadne()
    )
    return AuthenticationMiddleware(inner, JWTBackend(forge.verifier()))


async def ask(app, *headers):
    body = json.dumps({"query": "{ me }"}).encode()
    answer = await run(app, method="POST", headers=[JSON, *headers], body=body)
    return answer.json()


async def test_a_resolver_tells_the_code_of_its_refusal(app):
    for headers, code in (
        ([], "unauthenticated"),
        ([bearer(forge.token(scope="b"))], "insufficient_scope"),
    ):
        (error,) = (await ask(app, *headers))["errors"]
        assert error["extensions"]["code"] == code
        assert error["path"] == ["me"]


async def test_a_known_caller_is_answered(app):
    answer = await ask(app, bearer(forge.token(scope="a")))
    assert answer["data"] == {"me": "ada"}


async def test_a_bad_token_is_refused_before_graphql(app):
    assert (await ask(app, bearer(b"bad")))["code"] == "invalid_token"
