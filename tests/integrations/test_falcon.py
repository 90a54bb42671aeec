"""Falcon without an adapter: the middleware keeps the promises as well."""

from __future__ import annotations

import anyio
import pytest

pytest.importorskip("falcon", reason="platform: there is no Falcon for this Python")

import falcon.asgi

from asgi_auth import AuthenticationMiddleware, AuthError, requires
from tests.integrations.acceptance import AcceptanceSuite, OwnHandlers, client_of
from tests.integrations.apps.falcon import create_app


class TestFalcon(AcceptanceSuite, OwnHandlers):
    create_app = staticmethod(create_app)

    async def test_a_stream_that_is_refused_half_way_breaks_off(self, services):
        class Stream:
            async def on_get(self, req, resp):
                async def chunks():
                    yield b"begun"
                    requires().check(req)

                resp.stream = chunks()

        app = falcon.asgi.App()
        app.add_route("/stream", Stream())
        async with client_of(AuthenticationMiddleware(app, services.backend)) as client:
            with pytest.raises(AuthError):
                await client.get("/stream")

            good = await client.get("/stream", headers=services.caller())
            assert good.text == "begun"

    async def test_a_task_after_the_answer_knows_the_caller(self, services):
        done = []

        class Later:
            @requires()
            async def on_get(self, req, resp):
                async def note():
                    done.append(requires().check(req).subject)

                resp.schedule(note)

        app = falcon.asgi.App()
        app.add_route("/later", Later())
        app.add_error_handler(AuthError, refuse)
        async with client_of(AuthenticationMiddleware(app, services.backend)) as client:
            assert (await client.get("/later")).status_code == 401
            await client.get("/later", headers=services.caller())

        with anyio.fail_after(30):
            while not done:
                await anyio.sleep(0.01)
        assert done == ["ann"]


async def refuse(req, resp, error, params):
    resp.status = error.status
