"""BlackSheep without an adapter: the middleware keeps the promises as well."""

from __future__ import annotations

import pytest

pytest.importorskip(
    "blacksheep", reason="platform: there is no BlackSheep for this Python"
)

from blacksheep import Application, Request, Response, Router, StreamedContent, json
from blacksheep.server.controllers import Controller
from blacksheep.server.routing import RoutesRegistry

from asgi_auth import AuthenticationMiddleware, AuthError, get_principal, requires
from tests.integrations.acceptance import AcceptanceSuite, OwnHandlers, client_of
from tests.integrations.apps.blacksheep import create_app


class TestBlackSheep(AcceptanceSuite, OwnHandlers):
    create_app = staticmethod(create_app)

    async def test_a_stream_that_is_refused_half_way_breaks_off(self, services):
        app = Application(router=Router())

        @app.router.get("/stream")
        async def stream(request: Request):
            async def chunks():
                yield b"begun"
                requires().check(request)

            return Response(200, content=StreamedContent(b"text/plain", chunks))

        await app.start()
        async with client_of(AuthenticationMiddleware(app, services.backend)) as client:
            with pytest.raises(AuthError):
                await client.get("/stream")

            good = await client.get("/stream", headers=services.caller())
            assert good.text == "begun"

    async def test_methods_of_a_controller_are_guarded(self, services):
        app = Application(router=Router())
        app.controllers_router = RoutesRegistry()

        class Orders(Controller):
            @app.controllers_router.get("/mine")
            @requires("orders:read")
            async def mine(self, request: Request):
                return json({"user": get_principal(request.scope).subject})

        @app.exception_handler(AuthError)
        async def refuse(self, request: Request, error: AuthError):
            return json({}, status=error.status)

        await app.start()
        async with client_of(AuthenticationMiddleware(app, services.backend)) as client:
            assert (await client.get("/mine")).status_code == 401
            lacking = await client.get("/mine", headers=services.caller())
            assert lacking.status_code == 403
            headers = services.caller("orders:read")
            assert (await client.get("/mine", headers=headers)).json() == {
                "user": "ann"
            }
