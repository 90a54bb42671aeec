"""The example in Litestar."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from litestar import Litestar, Request, Response, WebSocket, asgi, get, websocket
from litestar.exceptions import WebSocketDisconnect

from asgi_auth import AuthError
from asgi_auth.integrations.litestar import install, optional_user, requires
from tests.integrations.services import HIERARCHY, User

reader = requires("orders:read")
admin = requires(roles="admin")


def show(user: User | None) -> dict[str, Any]:
    return {"user": None if user is None else user.id}


@get("/public")
async def public(request: Request) -> dict[str, Any]:
    return show(optional_user(request.scope))


@get("/private", guards=[requires()])
async def private(request: Request) -> dict[str, Any]:
    return show(request.user)


@get("/admin", guards=[requires(roles="admin", hierarchy=HIERARCHY)])
async def only_admins(request: Request) -> dict[str, Any]:
    return show(request.user)


@get("/orders", guards=[requires("orders:read", wildcards="jwt")], sync_to_thread=True)
def orders(request: Request) -> dict[str, Any]:
    return show(request.user)


@get("/transfer", guards=[reader, admin])
async def transfer(request: Request) -> dict[str, Any]:
    return show(request.user)


@get("/transfer/reversed", guards=[admin, reader])
async def reversed_transfer(request: Request) -> dict[str, Any]:
    return show(request.user)


@get("/crash")
async def crash() -> None:
    raise ValueError("a bug of the application")


@websocket("/ws", guards=[requires()])
async def chat(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_json(show(socket.user))
    with suppress(WebSocketDisconnect):
        while True:
            await socket.send_text(await socket.receive_text())


HANDLERS = [
    public,
    private,
    only_admins,
    orders,
    transfer,
    reversed_transfer,
    crash,
    chat,
]


def answer(_: Request, error: AuthError) -> Response:
    return Response({"own": error.code}, status_code=418)


def create_app(
    services, *, own_handler=False, installed=True, handlers=(), **options
) -> Litestar:
    log_in = asgi("/auth", is_mount=True, copy_scope=True)(services.routes)
    app = Litestar(
        [*HANDLERS, *handlers, log_in],
        exception_handlers={AuthError: answer} if own_handler else {},
        **options,
    )
    if installed:
        install(
            app,
            services.backend,
            token_url="/auth/login",
            load_user=services.load_user,
            public_paths=services.public_paths,
        )
    return app
