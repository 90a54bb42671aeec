from __future__ import annotations

import itertools
from contextlib import suppress

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode, checks
from schemathesis.specs.openapi import checks as conformance
from starlette.applications import Starlette
from starlette.routing import Mount

from asgi_auth import KeySet
from asgi_auth.credentials.site import Site
from asgi_auth.identities import Client, Identities, MemoryIdentities, OIDCProvider
from asgi_auth.keys import Transport
from asgi_auth.passkeys import Passkeys
from asgi_auth.routes.parts import OPERATIONS
from tests.examples import some_of
from tests.routes.test_tokens import Clients
from tests.routes.world import World


async def nowhere(url, headers, body):
    raise ConnectionRefusedError


def make_identities(tokens, accounts):
    transport = Transport(nowhere)
    client = Client(id="id", secret="s")
    provider = OIDCProvider("op", "https://op.example", client, transport=transport)
    store = MemoryIdentities()
    return Identities(
        provider, tokens=tokens, accounts=accounts, store=store, callback_page="/back"
    )


def everything(**options):
    return World(
        keys=KeySet.generate("ES256"),
        introspection_backend=Clients(),
        factors={},
        passkeys=Passkeys("api.example", ["https://api.example"]),
        identities=make_identities,
        site=Site(public_url="https://api.example"),
        **options,
    )


async def test_the_document_describes_every_route_and_no_other():
    world = everything()
    async with world.client() as client:
        document = (await client.get("/openapi.json")).json()
    described = {
        (method.upper(), path)
        for path, methods in document["paths"].items()
        for method in methods
    }
    assert described == {(op.method, op.path) for op in OPERATIONS}

    few = World(include=["login", "refresh"])
    assert few.routes.openapi()["paths"].keys() == {"/login", "/refresh"}
    async with few.client() as client:
        assert (await client.get("/openapi.json")).status_code == 404
        assert (await client.post("/register")).status_code == 404


async def test_the_document_names_the_mount():
    world = everything()
    app = Starlette(routes=[Mount("/auth", world.routes)])
    async with world.client(app=app) as client:
        document = (await client.get("/auth/openapi.json")).json()
    assert document["servers"] == [{"url": "/auth"}]


def test_every_reference_leads_somewhere():
    document = everything(delivery="both").routes.openapi()
    known = document["components"]["schemas"].keys()

    def references(node):
        if isinstance(node, dict):
            for key, value in node.items():
                if key == "$ref":
                    yield value.removeprefix("#/components/schemas/")
                else:
                    yield from references(value)
        elif isinstance(node, list):
            for member in node:
                yield from references(member)

    assert set(references(document)) <= known


def test_whether_an_address_is_verified_may_be_null():
    user = World().routes.openapi()["components"]["schemas"]["UserResponse"]
    kinds = [kind["type"] for kind in user["properties"]["verified"]["anyOf"]]
    assert kinds == ["boolean", "null"]
    assert user["properties"].keys() >= {"id", "email", "username", "roles", "data"}


def test_names_are_spelled_as_they_are_written():
    plain = World().routes.openapi()["components"]["schemas"]["TokenResponse"]
    camel = World(camel_case=True).routes.openapi()["components"]["schemas"]
    assert "access_token" in plain["properties"]
    assert "accessToken" in camel["TokenResponse"]["properties"]


CHECKS = [
    checks.not_a_server_error,
    conformance.status_code_conformance,
    conformance.content_type_conformance,
    conformance.response_schema_conformance,
]


@pytest.mark.timeout(120)
# The second document differs in what it answers only: it asks for fewer examples.
@pytest.mark.parametrize(
    ("delivery", "examples"), [("body", some_of(8)), ("cookie", max(2, some_of(4)))]
)
def test_whatever_fits_or_breaks_the_document_is_answered_as_it_says(
    delivery, examples
):
    world = everything(delivery=delivery)
    schema = schemathesis.openapi.from_asgi("/openapi.json", world.routes)
    operations = [result.ok() for result in schema.get_all_operations()]
    # It leaves out the document itself.
    assert len(operations) == len(OPERATIONS) - 1
    token = world.tokens.mint("nobody")
    refused = set()

    for operation, mode in itertools.product(operations, GenerationMode):

        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode), known=st.booleans())
        def check(case, known):
            headers = {"Authorization": f"Bearer {token}"} if known else {}
            answer = case.call(headers=headers)
            case.validate_response(answer, checks=CHECKS)
            refused.add(answer.status_code)

        with suppress(Unsatisfiable):
            check()

    assert {401, 422} <= refused
    assert not any(status >= 500 for status in refused)
