from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest

import asgi_auth
from asgi_auth import AuthenticationMiddleware, JWTBackend
from tests.routes.world import World, assert_problem

MODULE = Path(asgi_auth.__file__).parent / "client" / "browser" / "client.js"


async def test_the_module_is_served_as_it_is():
    async with World().client() as client:
        answer = await client.get("/client.js")
    assert answer.content == MODULE.read_bytes()
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-cache"


async def test_the_hash_is_that_of_the_module():
    digest = hashlib.sha384(MODULE.read_bytes()).digest()
    expected = f"sha384-{base64.b64encode(digest).decode()}"
    assert World().routes.client_integrity == expected


async def test_head_says_the_same_without_the_module():
    async with World().client() as client:
        whole = await client.get("/client.js")
        head = await client.head("/client.js")
    assert head.content == b""
    assert head.headers == whole.headers
    assert head.headers["content-length"] == str(len(whole.content))


@pytest.mark.parametrize(
    "known", ["{tag}", "W/{tag}", '"old", {tag}', "*", '"old",W/{tag} , "x"']
)
async def test_a_browser_that_has_it_is_not_sent_it(known):
    async with World().client() as client:
        tag = (await client.get("/client.js")).headers["etag"]
        assert tag.startswith('"sha384-')
        headers = {"if-none-match": known.format(tag=tag)}
        answer = await client.get("/client.js", headers=headers)
        head = await client.head("/client.js", headers=headers)
    assert answer.status_code == head.status_code == 304
    assert answer.content == b""
    assert answer.headers["etag"] == tag
    assert answer.headers["cache-control"] == "no-cache"
    assert "content-type" not in answer.headers


@pytest.mark.parametrize("known", ["", '"old"', "sha384", ",", "\xff"])
async def test_a_browser_that_has_another_gets_it(known):
    async with World().client() as client:
        headers = [(b"if-none-match", known.encode("latin-1"))]
        answer = await client.get("/client.js", headers=headers)
    assert answer.status_code == 200


async def test_it_is_public_and_can_be_left_out():
    world = World(prefix="/auth")
    app = AuthenticationMiddleware(
        world.routes,
        JWTBackend(world.tokens),
        required=True,
        public_paths=world.routes.public_paths("/auth"),
    )
    async with world.client(app=app) as client:
        assert (await client.get("/auth/client.js")).status_code == 200
        answer = await client.post("/auth/client.js")
        assert_problem(answer, 405, "method_not_allowed")

    async with World(include=["login"]).client() as client:
        assert_problem(await client.get("/client.js"), 404, "not_found")
