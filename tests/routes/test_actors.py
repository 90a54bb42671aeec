"""What nobody may do in the name of a user."""

from __future__ import annotations

import pytest

from asgi_auth import Principal
from tests.routes.world import PASSWORD, World, assert_problem, bearer, log_in

ADMIN = Principal(subject="root", issuer="https://idp", is_authenticated=True)


class Clients:
    """Every service is known."""

    name, sources, challenges = "clients", (), ()

    async def authenticate(self, credential, scope):
        return Principal(subject="orders", is_authenticated=True)


async def test_a_resource_server_learns_who_acts_and_not_in_which_session():
    world = World(introspection_backend=Clients())
    account = await world.add()
    actor = Principal(
        subject="root",
        issuer=world.tokens.issuer,
        session_id="secret-sid",
        is_authenticated=True,
    )
    token = await world.tokens.impersonate(account.id, actor=actor)
    async with world.client() as client:
        answer = await client.post("/introspect", data={"token": token})
        assert answer.json()["act"] == {"sub": "root"}
        own = (await log_in(client))["access_token"]
        answer = await client.post("/introspect", data={"token": own})
        assert "act" not in answer.json()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/password/change", {"current_password": PASSWORD}),
        ("POST", "/email/change", {"email": "x@example.com", "password": PASSWORD}),
        ("POST", "/reauthenticate", {"password": PASSWORD}),
        ("POST", "/logout-all", None),
        ("DELETE", "/sessions/x", None),
        ("DELETE", "/me", None),
        ("POST", "/factors/totp", None),
        ("DELETE", "/factors/totp", None),
    ],
)
async def test_an_actor_is_refused(method, path, body):
    world = World(factors={})
    account = await world.add()
    token = await world.tokens.impersonate(account.id, actor=ADMIN)
    headers = bearer({"access_token": token})
    async with world.client() as client:
        await log_in(client)
        answer = await client.request(method, path, json=body, headers=headers)
        assert_problem(answer, 403, "actor_refused")
        me = await client.get("/me", headers=headers)
        assert me.json()["id"] == account.id
        out = await client.post("/logout", headers=headers)
        assert out.status_code == 204
        me = await client.get("/me", headers=headers)
        assert_problem(me, 401, "token_revoked")
    assert len(await world.tokens.sessions(account.id)) == 1
