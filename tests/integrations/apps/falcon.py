"""The example in Falcon, which needs no adapter."""

from __future__ import annotations

import json

import falcon
import falcon.asgi

from asgi_auth import (
    AuthenticationMiddleware,
    AuthError,
    get_principal,
    get_user,
    requires,
)
from asgi_auth.responses.deny import response_to
from tests.integrations.services import HIERARCHY


class Public:
    async def on_get(self, req, resp):
        known = get_principal(req.scope).is_authenticated
        resp.media = {"user": get_user(req.scope).id if known else None}


class Crash:
    async def on_get(self, req, resp):
        raise ValueError("a bug of the application")


class Chat:
    @requires()
    async def on_websocket(self, req, ws):
        await ws.accept()
        await ws.send_text(json.dumps({"user": get_user(req.scope).id}))
        await ws.send_text(await ws.receive_text())


def behind(*guards):
    """Make a resource that tells who its caller is, under guards."""

    async def on_get(self, req, resp):
        resp.media = {"user": get_user(req.scope).id}

    for guard in reversed(guards):
        on_get = guard(on_get)

    return type("Resource", (), {"on_get": on_get})()


def create_app(services, *, own_handler=False, installed=True):
    app = falcon.asgi.App()
    reader, admin = requires("orders:read"), requires(roles="admin")
    owner = requires(roles="admin", hierarchy=HIERARCHY)
    any_reader = requires("orders:read", wildcards="jwt")
    for path, resource in {
        "/public": Public(),
        "/private": behind(requires()),
        "/admin": behind(owner),
        "/orders": behind(any_reader),
        "/transfer": behind(reader, admin),
        "/transfer/reversed": behind(admin, reader),
        "/crash": Crash(),
        "/ws": Chat(),
    }.items():
        app.add_route(path, resource)

    async def answer(req, resp, error, params, ws=None):
        if ws is not None:
            await ws.close()  # The middleware makes the refusal of it.
        elif own_handler:
            resp.status, resp.media = 418, {"own": error.code}
        else:
            resp.status, headers, resp.data = response_to(error, req.scope)
            for name, value in headers:
                resp.set_header(name.decode(), value.decode())

    app.add_error_handler(AuthError, answer)

    async def dispatch(scope, receive, send):
        log_in = scope.get("path", "").startswith("/auth/")
        await (services.routes if log_in else app)(scope, receive, send)

    if not installed:
        return dispatch

    return AuthenticationMiddleware(
        dispatch,
        services.backend,
        load_user=services.load_user,
        public_paths=services.public_paths,
    )
