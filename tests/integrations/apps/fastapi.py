"""The example in FastAPI."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Security, WebSocket
from fastapi.responses import JSONResponse
from starlette.websockets import WebSocketDisconnect

from asgi_auth import AuthError, Principal
from asgi_auth.integrations.fastapi import (
    current_principal,
    current_user,
    install,
    optional_user,
    requires,
)
from tests.integrations.services import HIERARCHY, User

CurrentUser = Annotated[User, Depends(current_user)]
CurrentPrincipal = Annotated[Principal, Depends(current_principal)]

router = APIRouter()
admins = APIRouter(dependencies=[Depends(requires(roles="admin", hierarchy=HIERARCHY))])


@router.get("/public")
def public(user: Annotated[User | None, Depends(optional_user)]):
    return {"user": None if user is None else user.id}


@router.get("/private")
async def private(user: CurrentUser):
    return {"user": user.id}


@admins.get("/admin")
def admin(user: CurrentUser):
    return {"user": user.id}


@router.get("/orders")
async def orders(
    caller: Annotated[Principal, Security(requires("orders:read", wildcards="jwt"))],
):
    return {"user": caller.subject}


@router.get("/transfer", dependencies=[Depends(requires("orders:read"))])
async def transfer(caller: Annotated[Principal, Depends(requires(roles="admin"))]):
    return {"user": caller.subject}


@router.get("/transfer/reversed", dependencies=[Depends(requires(roles="admin"))])
def transfer_reversed(
    user: Annotated[User, Security(current_user, scopes=["orders:read"])],
):
    return {"user": user.id}


@router.get("/crash")
async def crash(caller: CurrentPrincipal):
    raise ValueError("a bug of the application")


@router.websocket("/ws")
async def chat(websocket: WebSocket, user: CurrentUser):
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
    app = FastAPI(**options)
    app.include_router(router)
    if installed:
        install(
            app,
            services.backend,
            token_url="auth/login",
            load_user=services.load_user,
            public_paths=services.public_paths,
        )
    # What comes after install works as well.
    app.include_router(admins)
    app.mount("/auth", services.routes)
    if own_handler:
        app.add_exception_handler(AuthError, say_what_it_is)
    return app
