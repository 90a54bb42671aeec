"""The example in Starlette."""

from __future__ import annotations

from typing import Annotated

from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocketDisconnect

from asgi_auth import AuthError, Principal
from asgi_auth.integrations.starlette import (
    Depends,
    current_principal,
    current_user,
    inject,
    install,
    optional_user,
    requires,
)
from tests.integrations.services import HIERARCHY, User


async def public(request):
    user = await optional_user(request)
    return JSONResponse({"user": None if user is None else user.id})


async def private(request):
    user = await current_user(request)
    return JSONResponse({"user": user.id})


class Admin(HTTPEndpoint):
    @requires(roles="admin", hierarchy=HIERARCHY)
    @inject
    def get(self, request, caller: Annotated[Principal, Depends(current_principal)]):
        return JSONResponse({"user": caller.subject})


@requires("orders:read", wildcards="jwt")
@inject
async def orders(request, user: User = Depends(current_user)):  # noqa: B008
    return JSONResponse({"user": user.id})


@requires("orders:read")
@requires(roles="admin")
async def transfer(request):
    return JSONResponse({"user": request.user.id})


@requires(roles="admin")
@inject
@requires("orders:read")
def transfer_reversed(request, user: Annotated[User, Depends(current_user)]):
    return JSONResponse({"user": user.id})


async def crash(request):
    raise ValueError("a bug of the application")


async def chat(websocket):
    user = await current_user(websocket)
    await websocket.accept()
    await websocket.send_json({"user": user.id})
    try:
        while True:
            await websocket.send_text(await websocket.receive_text())
    except WebSocketDisconnect:
        return


async def say_what_it_is(request, error):
    return JSONResponse({"own": error.code}, status_code=418)


def create_app(services, *, own_handler=False, installed=True, **options):
    app = Starlette(
        routes=[
            Route("/public", public),
            Route("/private", private),
            Route("/admin", Admin),
            Route("/orders", orders),
            Route("/transfer", transfer),
            Route("/transfer/reversed", transfer_reversed),
            Route("/crash", crash),
            WebSocketRoute("/ws", chat),
            Mount("/auth", services.routes),
        ],
        exception_handlers={AuthError: say_what_it_is} if own_handler else None,
        **options,
    )
    if installed:
        install(
            app,
            services.backend,
            load_user=services.load_user,
            public_paths=services.public_paths,
        )
    return app
