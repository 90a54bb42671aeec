from __future__ import annotations

from asgi_auth import KeySet, TokenVerifier
from asgi_auth.credentials.sources import BearerHeader
from asgi_auth.errors import InvalidTokenError
from asgi_auth.principal import Principal
from asgi_auth.responses.challenge import Challenge
from tests.routes.world import World, assert_problem, bearer, log_in


class Clients:
    """Knows one client by a secret of its own."""

    name = "clients"
    sources = (BearerHeader(scheme="Client"),)
    challenges = (Challenge("Client"),)

    async def authenticate(self, credential, scope):
        if credential is None:
            return None
        if credential.token != b"s3cret-of-the-shop":
            raise InvalidTokenError
        return Principal(subject="shop", is_authenticated=True)


KNOWN = {"Authorization": "Client s3cret-of-the-shop"}


async def test_revoking_a_refresh_token_ends_its_session():
    world = World()
    await world.add()
    async with world.client() as client:
        pair = await log_in(client)
        form = {"token": pair["refresh_token"], "token_type_hint": "refresh_token"}
        answer = await client.post("/revoke", data=form)
        assert (answer.status_code, answer.content) == (200, b"")
        me = await client.get("/me", headers=bearer(pair))
        assert_problem(me, 401, "token_revoked")


async def test_revoking_an_access_token_leaves_the_session():
    world = World()
    await world.add()
    async with world.client() as client:
        pair = await log_in(client)
        await client.post("/revoke", json={"token": pair["access_token"]})
        me = await client.get("/me", headers=bearer(pair))
        assert_problem(me, 401, "token_revoked")
        token = {"refresh_token": pair["refresh_token"]}
        assert (await client.post("/refresh", json=token)).status_code == 200


async def test_revoking_what_is_no_token_is_as_good():
    world = World()
    async with world.client() as client:
        for token in ("nonsense", "a.b.c", "\u00e9"):
            answer = await client.post("/revoke", data={"token": token})
            assert answer.status_code == 200
        assert_problem(
            await client.post("/revoke", data={"x": "y"}), 422, "invalid_body"
        )


async def test_introspection_is_there_for_known_clients_only():
    without = World()
    async with without.client() as client:
        answer = await client.post("/introspect", data={"token": "x"}, headers=KNOWN)
        assert_problem(answer, 404, "not_found")

    world = World(introspection_backend=Clients())
    account = await world.add(scopes=["notes:read"])
    async with world.client() as client:
        pair = await log_in(client)
        form = {"token": pair["access_token"]}
        nobody = await client.post("/introspect", data=form)
        assert_problem(nobody, 401, "unauthenticated")
        user = await client.post("/introspect", data=form, headers=bearer(pair))
        assert_problem(user, 401, "unauthenticated")
        twice = [("Authorization", "Client a"), ("Authorization", "Client b")]
        answer = await client.post("/introspect", data=form, headers=twice)
        assert_problem(answer, 400, "invalid_request")
        wrong = {"Authorization": "Client wrong"}
        answer = await client.post("/introspect", data=form, headers=wrong)
        assert_problem(answer, 401, "invalid_token")

        said = (await client.post("/introspect", data=form, headers=KNOWN)).json()
        claims = await world.tokens.verify(pair["access_token"])
        assert said == {
            "active": True,
            "token_type": "Bearer",
            "sub": account.id,
            "scope": "notes:read",
            "aud": "api",
            "client_id": "api",
            **{name: claims[name] for name in ("iss", "exp", "iat", "jti")},
        }
        for token in (pair["refresh_token"], "nonsense", "\u00e9"):
            answer = await client.post(
                "/introspect", data={"token": token}, headers=KNOWN
            )
            assert answer.json() == {"active": False}
        await client.post("/logout", headers=bearer(pair))
        answer = await client.post("/introspect", data=form, headers=KNOWN)
        assert answer.json() == {"active": False}


async def test_public_keys_are_published_and_secrets_are_not():
    async with World().client() as client:
        assert_problem(await client.get("/jwks.json"), 404, "not_found")

    keys = KeySet.generate("ES256")
    world = World(keys=keys)
    await world.add()
    async with world.client() as client:
        answer = await client.get("/jwks.json")
        pair = await log_in(client)
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert answer.headers["content-type"] == "application/jwk-set+json"
    assert all("d" not in key for key in answer.json()["keys"])
    elsewhere = TokenVerifier(
        KeySet.from_jwks(answer.json()),
        issuer="https://api.example",
        audience="api",
        clock=world.clock,
    )
    assert await elsewhere.admit(pair["access_token"].encode())


async def test_introspection_tells_all_the_audiences():
    world = World(
        introspection_backend=Clients(), tokens={"audience": ("orders", "notes")}
    )
    await world.add()
    async with world.client() as client:
        form = {"token": (await log_in(client))["access_token"]}
        answer = await client.post("/introspect", data=form, headers=KNOWN)
    assert answer.json()["aud"] == ["orders", "notes"]
