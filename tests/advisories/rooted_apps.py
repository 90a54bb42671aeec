"""Apps of each framework that catch all, and say which path they have routed."""

from __future__ import annotations

import asyncio
import json
import os
from functools import cache

from asgi_auth.middleware import AuthenticationMiddleware

SECRET = "v8Qm2kX0r4TnWz7LpYc1Hs9GdUfJb6Ae3Ro5Ti"


def call(coroutine):
    """Run *coroutine* in a loop of its own, from within a synchronous test."""
    with asyncio.Runner() as runner:
        return runner.run(coroutine)


async def plain(scope, receive, send):
    """Route as an app does that takes ``root_path`` out at a segment."""
    root, path = scope.get("root_path") or "", scope["path"]
    routed = path.removeprefix(root)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    body = json.dumps({"routed": routed}).encode()
    await send({"type": "http.response.body", "body": body})


def make_plain(backend, **options):
    return AuthenticationMiddleware(plain, backend, **options)


def make_starlette(backend, **options):
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    from asgi_auth.integrations.starlette import install

    async def handler(request):
        return JSONResponse({"routed": "/" + request.path_params["path"]})

    app = Starlette(routes=[Route("/{path:path}", handler)])
    install(app, backend, **options)
    return app


def make_fastapi(backend, **options):
    from fastapi import FastAPI

    from asgi_auth.integrations.fastapi import install

    app = FastAPI(openapi_url=None)

    @app.get("/{path:path}")
    async def handler(path: str):
        return {"routed": "/" + path}

    install(app, backend, **options)
    return app


def make_litestar(backend, **options):
    from litestar import Litestar, Request, get

    from asgi_auth.integrations.litestar import install

    async def handler(request):
        return {"routed": str(request.path_params["path"])}

    handler.__annotations__ = {"request": Request, "return": dict[str, str]}
    app = Litestar([get("/{path:path}")(handler)], logging_config=None)
    install(app, backend, **options)
    return app


def make_nexios(backend, **options):
    from nexios import NexiosApp

    from asgi_auth.integrations.nexios import install

    app = NexiosApp()
    install(app, backend, **options)

    @app.get("/{path:path}")
    async def handler(request, response, path):
        return response.json({"routed": "/" + str(path)})

    return app


def make_quart(backend, **options):
    from quart import Quart

    from asgi_auth.integrations.quart import install

    app = Quart("rooted")

    @app.get("/")
    @app.get("/<path:path>")
    async def handler(path=""):
        return {"routed": "/" + path}

    install(app, backend, **options)
    return app


def make_django(backend, **options):
    from django.core.handlers.asgi import ASGIHandler

    from asgi_auth.integrations.channels import install

    set_django_up()
    return install(ASGIHandler(), backend, **options)


def set_django_up():
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.websocket.django_settings")
    import django

    django.setup()


def nested_channels(install):
    """Put the middleware between two routers of Channels."""
    set_django_up()
    from channels.routing import URLRouter
    from django.urls import re_path

    async def accept(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})

    inner = URLRouter([re_path(r"^(?P<rest>.*)$", accept)])
    # Not path(): that matches to the end where what follows is no router.
    return URLRouter([re_path(r"^(docs/)?outer/", install(inner))])


def make_channels(backend, **options):
    """Serve sockets whatever their path, with the middleware outermost."""
    from channels.routing import URLRouter
    from django.urls import re_path

    from asgi_auth.integrations.channels import install

    set_django_up()

    async def accept(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})

    return install(URLRouter([re_path(r".*", accept)]), backend, **options)


def routed_django(install):
    """Put Django's own application behind a router of Channels."""
    from channels.routing import URLRouter
    from django.core.handlers.asgi import ASGIHandler
    from django.urls import re_path

    set_django_up()
    inner = install(ASGIHandler())
    return URLRouter([re_path(r"^files/", inner), re_path(r"", inner)])


async def whole(scope, receive, send):
    """Route by the whole path, as Falcon and BlackSheep do."""
    await plain({**scope, "root_path": ""}, receive, send)


def make_whole(backend, **options):
    return AuthenticationMiddleware(whole, backend, **options)


APPS = {
    "django": make_django,
    "fastapi": make_fastapi,
    "litestar": make_litestar,
    "nexios": make_nexios,
    "plain": make_plain,
    "quart": make_quart,
    "starlette": make_starlette,
}


async def served(scope, receive, send):
    """Serve on Daphne the app that a header names; sockets are for Channels."""
    app = made("channels" if scope["type"] == "websocket" else named(scope))
    await app(scope, receive, send)


def make_all():
    """Make what requests would make one after another."""
    for name in (*APPS, "channels"):
        made(name)


def named(scope):
    return dict(scope["headers"]).get(b"x-app", b"plain").decode()


@cache
def made(name):
    from asgi_auth.backends.jwt import JWTBackend
    from asgi_auth.keys import KeySet
    from asgi_auth.sessions import TokenService

    make = {**APPS, "channels": make_channels, "whole": make_whole}[name]
    backend = JWTBackend(TokenService(KeySet.from_secret(SECRET)))
    if name == "django":
        from django.conf import settings

        app = make(backend, required=True, public_paths=["/docs/*"])
        settings.ROOT_URLCONF = "tests.advisories.rooted_urls"
        return app

    return make(backend, required=True, public_paths=["/docs/*"])
