"""What the red team found in guards, and in guards below the adapters."""

from __future__ import annotations

import contextlib
import os

import pytest

from asgi_auth.errors import AuthenticationError, ConfigurationError
from asgi_auth.guards import requires
from asgi_auth.middleware import AuthenticationMiddleware
from asgi_auth.testing import as_user
from tests.advisories.red_team_world import backend
from tests.asgi import run

pytestmark = pytest.mark.anyio


def behind(app):
    """Put the middleware in front of *app*, which is called as a server would."""

    async def called(scope, receive, send):
        await app(scope, receive, send)

    return AuthenticationMiddleware(called, backend())


async def status_of(app, *, scopes=(), roles=(), path="/"):
    made = await run(as_user(behind(app), "ada", scopes=scopes, roles=roles), path)
    return made.status


# ----------------------------------------------------------------------------- guards


def endpoints():
    from starlette.endpoints import HTTPEndpoint
    from starlette.responses import PlainTextResponse

    @requires("a")
    class A(HTTPEndpoint):
        async def get(self, request):
            return PlainTextResponse("a")

    @requires("b")
    class B(HTTPEndpoint):
        async def get(self, request):
            return PlainTextResponse("b")

    return A, B


@pytest.mark.parametrize("turned", [False, True])
async def test_a_class_below_two_guarded_ones_has_both_guards(turned):
    first, second = endpoints()[:: -1 if turned else 1]
    both = type("Both", (first, second), {})

    assert await status_of(both, scopes=["a"]) == 403
    assert await status_of(both, scopes=["b"]) == 403
    assert await status_of(both, scopes=["a", "b"]) == 200


async def test_a_mixin_of_any_kind_does_not_take_a_guard_away():
    first, second = endpoints()

    class Mixin:
        def __new__(cls, *way):
            return super().__new__(cls, *way)

    for bases in ((Mixin, first), (first, object), (Mixin, first, second)):
        mixed = type("Mixed", bases, {})
        assert await status_of(mixed) == 403
        assert await status_of(mixed, scopes=["a", "b"]) == 200


async def test_a_guard_on_a_class_below_two_guarded_ones_is_a_third():
    three = requires("c")(type("Both", endpoints(), {}))

    for scopes in (["a", "b"], ["a", "c"], ["b", "c"]):
        assert await status_of(three, scopes=scopes) == 403
    assert await status_of(three, scopes=["a", "b", "c"]) == 200


async def test_a_class_that_inherits_in_a_diamond_is_made_once():
    made = []
    first, _ = endpoints()

    class Left(first):
        def __init__(self, *way):
            made.append(self)
            super().__init__(*way)

    class Right(first):
        pass

    diamond = type("Diamond", (Left, Right), {})
    assert await status_of(diamond) == 403
    assert made == []
    assert await status_of(diamond, scopes=["a"]) == 200
    assert len(made) == 1


# --------------------------------------------------------------------------- adapters


def django_ready():
    """Set Django up as the other tests of it do: settings are for a whole process."""
    pytest.importorskip("django")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.websocket.django_settings")
    import django

    django.setup()


def test_a_class_of_django_views_is_not_taken_for_guarded():
    django_ready()
    from django.views import View

    from asgi_auth.integrations.channels import requires as channels_requires

    class Secret(View):
        def get(self, request):
            raise AssertionError

    with pytest.raises(ConfigurationError, match="as_view"):
        channels_requires("admin")(Secret)


async def test_a_consumer_below_two_guarded_ones_has_both_guards():
    django_ready()
    from channels.generic.http import AsyncHttpConsumer

    from asgi_auth.integrations.channels import requires as channels_requires

    @channels_requires("a")
    class A(AsyncHttpConsumer):
        async def handle(self, body):
            await self.send_response(200, b"in")

    @channels_requires("b")
    class B(AsyncHttpConsumer):
        pass

    for both in (type("Both", (A, B), {}), type("Both", (B, A), {})):
        app = both.as_asgi()
        assert await status_of(app, scopes=["a"]) == 403
        assert await status_of(app, scopes=["b"]) == 403
        assert await status_of(app, scopes=["a", "b"]) == 200


def test_what_looks_at_a_proxy_of_quart_from_outside_is_not_stopped():
    from asgi_auth.integrations.quart import current_principal, current_user

    for proxy in (current_user, current_principal):
        assert not isinstance(proxy, int)
        assert not proxy
        with pytest.raises(ConfigurationError, match="Nothing is being served"):
            proxy.subject  # noqa: B018


async def test_a_proxy_of_quart_never_stands_for_somebody_where_nobody_calls():
    from quart import Quart

    from asgi_auth.integrations.quart import current_user, install

    app = Quart(__name__)
    install(app, backend())

    @app.get("/")
    async def index():
        with contextlib.suppress(AuthenticationError):
            return {"is": bool(current_user)}

        return {"is": None}

    assert (await run(app)).json() == {"is": None}


async def test_a_guard_on_a_router_of_nexios_is_kept_by_routers_around_it():
    from nexios import NexiosApp
    from nexios.routing import Router

    from asgi_auth.integrations.nexios import install
    from asgi_auth.integrations.nexios import requires as nexios_requires

    app, outer, inner = NexiosApp(), Router(prefix="/a"), Router(prefix="/b")

    @inner.get("/c")
    async def secret(request, response):
        return response.text("secret")

    nexios_requires("admin")(inner)
    outer.mount_router(inner)
    app.mount_router(outer)
    install(app, backend())

    assert (await run(app, "/a/b/c")).status == 401
    app = as_user(app, "ada", scopes=["admin"])
    assert (await run(app, "/a/b/c")).body == b"secret"
