from __future__ import annotations

import pytest

from asgi_auth import AuthenticationMiddleware, JWTBackend, Ticket, get_principal
from tests.asgi import run
from tests.routes.world import World, assert_problem, bearer, log_in


async def whoami(scope, receive, send):
    body = get_principal(scope).subject.encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


async def test_who_is_logged_in_gets_a_ticket_for_a_path():
    world = World()
    account = await world.add()
    async with world.client() as client:
        pair = await log_in(client)
        answer = await client.post(
            "/ticket", json={"path": "/events"}, headers=bearer(pair)
        )

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["expires_in"] == 30
    app = AuthenticationMiddleware(
        whoami, JWTBackend(world.tokens, sources=[Ticket()]), required=True
    )
    query = b"ticket=" + answer.json()["ticket"].encode()
    assert (await run(app, "/events", query=query)).body.decode() == account.id
    assert (await run(app, "/events", query=query)).status == 401


async def test_nobody_gets_none():
    world = World()
    async with world.client() as client:
        answer = await client.post("/ticket", json={"path": "/events"})

    assert_problem(answer, 401, "unauthenticated")


@pytest.mark.parametrize(
    "body",
    [{}, {"path": ""}, {"path": "events"}, {"path": 1}, {"path": "/" + "x" * 2000}]
    + [{"path": path} for path in ("/a?b", "/a#b", "/a\n", "https://evil.example/")],
)
async def test_a_ticket_needs_a_path(body):
    world = World()
    await world.add()
    async with world.client() as client:
        pair = await log_in(client)
        answer = await client.post("/ticket", json=body, headers=bearer(pair))

    assert answer.status_code == 422
