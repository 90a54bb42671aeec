"""What path tricks, and visitors of the demo from elsewhere, must not get away with."""

from __future__ import annotations

import contextlib
import json

import pytest
from websockets.sync.client import connect

from asgi_auth.backends.jwt import JWTBackend
from asgi_auth.cli.demo.storage import _place
from asgi_auth.keys import KeySet
from asgi_auth.middleware import AuthenticationMiddleware
from asgi_auth.sessions import TokenService
from tests.asgi import websocket_scope
from tests.cli.demo_server import EMAIL, PASSWORD, running_demo
from tests.integrations.acceptance import client_of

pytestmark = pytest.mark.anyio

SECRET = "v8Qm2kX0r4TnWz7LpYc1Hs9GdUfJb6Ae3Ro5Ti"


def backend():
    return JWTBackend(TokenService(KeySet.from_secret(SECRET)))


def below(app, root):
    """Serve *app* as a server does that has a ``root_path`` and does not add it."""

    async def placed(scope, receive, send):
        await app({**scope, "root_path": root}, receive, send)

    return placed


async def status_of(app, path, root=""):
    async with client_of(below(app, root)) as client:
        return (await client.get(path)).status_code


# ------------------------------------------------------------------------------ Quart


def quart_app(*public, routes):
    quart = pytest.importorskip(
        "quart", reason="platform: there is no Quart for this Python"
    )
    from asgi_auth.integrations.quart import install

    app = quart.Quart("quart_app")
    install(app, backend(), required=True, public_paths=public)
    for path in routes:
        app.add_url_rule(path, endpoint=path, view_func=dict)
    return app


@pytest.mark.parametrize("root", ["/api", "/api/"])
async def test_quart_cuts_no_root_path_within_a_segment(root):
    app = quart_app("/apidocs/*", "/docs/*", routes=["/docs/x", "/private/x"])
    hole = quart_app("/apiprivate/*", routes=["/private/x"])

    assert await status_of(hole, "/apiprivate/x", root) == 401
    assert await status_of(app, "/apidocs/x", root) == 401
    assert await status_of(app, "/api/docs/x", root) == (
        401 if root == "/api/" else 200
    )
    assert await status_of(app, "/api/private/x", root) == 401


async def test_quart_cuts_no_root_path_of_a_socket_within_a_segment():
    app, served = quart_app("/apiws/*", routes=[]), []

    @app.websocket("/ws/x")
    async def private():
        served.append(True)

    inbox = [{"type": "websocket.connect"}, {"type": "websocket.disconnect"}]

    async def receive():
        return inbox.pop(0)

    async def send(message):
        served.append(message["type"] == "websocket.accept")

    scope = websocket_scope("/apiws/x", headers=[(b"host", b"x")])
    with contextlib.suppress(IndexError):
        await below(app, "/api")(scope, receive, send)
    assert not any(served)


# --------------------------------------------------------------------------- Litestar


def litestar_app(*public, routes):
    litestar = pytest.importorskip(
        "litestar", reason="platform: there is no Litestar for this Python"
    )
    from asgi_auth.integrations.litestar import install

    async def handler() -> str:
        return "served"

    app = litestar.Litestar([litestar.get(path)(handler) for path in routes])
    install(app, backend(), required=True, public_paths=public)
    return app


async def test_litestars_slash_at_the_end_opens_nothing():
    app = litestar_app("/docs/*", routes=["/docs", "/docs/x"])

    assert await status_of(app, "/docs") == 401
    assert await status_of(app, "/docs/") == 401
    assert await status_of(app, "/docs//") == 401
    assert await status_of(app, "/api/docs/", "/api") == 401
    assert await status_of(app, "/docs/x") == 200
    assert await status_of(app, "/docs/x/") == 200


async def test_litestars_slash_at_the_end_closes_nothing():
    app = litestar_app("/", "/docs/", routes=["/", "/docs"])

    for path in ("/", "/docs", "/docs/"):
        assert await status_of(app, path) == 200
        assert await status_of(app, f"/api{path}", "/api") == 200


# ------------------------------------------------------- frameworks without adapters


async def test_an_encoded_slash_makes_no_path_public():
    blacksheep = pytest.importorskip(
        "blacksheep", reason="platform: there is no BlackSheep for this Python"
    )
    inner = blacksheep.Application()

    @inner.router.get("/{tenant}/secret")
    async def secret(tenant: str):
        return "served"

    await inner.start()
    app = AuthenticationMiddleware(
        inner, backend(), required=True, public_paths=["/docs/*"]
    )
    for slash in ("%2F", "%2f"):
        assert await status_of(app, f"/docs{slash}a/secret") == 401
    assert await status_of(app, "/docs/a/b") == 404


# ------------------------------------------------------------------------ the demo


@pytest.fixture(scope="module")
def demo():
    with running_demo() as running:
        yield running


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "a@b", ""],
)
def test_the_demo_is_not_served_by_another_sites_name(demo, host):
    with demo.client() as client:
        for path in ("/", "/api/about", "/auth/client.js"):
            answer = client.get(path, headers={"host": host})
            assert answer.status_code in {400, 421}
            assert "violet" not in answer.text


def test_the_demo_opens_no_socket_by_another_sites_name(demo):
    with demo.client() as client:
        headers = {
            "host": "evil.example",
            "connection": "upgrade",
            "upgrade": "websocket",
            "sec-websocket-version": "13",
            "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        }
        assert client.get("/chat", headers=headers).status_code == 421


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8000", "demo.localhost", "[::1]:8", "192.0.2.7"]
)
def test_the_demo_is_served_by_its_own_names(demo, host):
    with demo.client() as client:
        assert client.get("/api/about", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("path", ["/auth/register", "/window/teal/auth/login"])
@pytest.mark.parametrize(
    "sent", [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}]
)
def test_a_foreign_page_drives_no_log_in_of_the_demo(demo, path, sent):
    account = {"email": "eve@example.com", "password": "otter-lamp-77-moss"}
    with demo.client() as client:
        answer = client.post(path, json=account, headers=sent)
        assert (answer.status_code, answer.json()["code"]) == (403, "cross_origin")


@pytest.mark.parametrize(
    "password", ["12/secret", "12?secret", "12#secret", "1@secret"]
)
def test_the_demo_shows_no_part_of_a_password(password):
    told = _place(f"postgresql://ann:{password}@db.example/notes")
    assert "secret" not in told
    assert "12" not in told


def test_the_demo_shows_where_its_store_is():
    assert _place("postgresql://ann:pw@db.example:5432/notes") == (
        "db.example:5432/notes"
    )
    assert _place("sqlite:////srv/a@b.db?mode=ro").endswith("srv/a@b.db")


@pytest.mark.parametrize("room", [[], {}, None, 7, "x" * 5000])
def test_a_room_that_is_none_closes_no_chat(demo, room):
    with demo.client() as client:
        body = {"email": EMAIL, "password": PASSWORD}
        token = client.post("/auth/login", json=body).json()["access_token"]
    url = demo.origin.replace("http", "ws") + "/chat"
    headers = {"Authorization": f"Bearer {token}"}
    with connect(url, additional_headers=headers, proxy=None) as socket:
        socket.send(json.dumps({"type": "join", "room": room}))
        socket.send(json.dumps({"type": "say", "text": "still here"}))
        while json.loads(socket.recv(timeout=20))["type"] != "said":
            pass
