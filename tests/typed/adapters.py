"""What type checkers must understand, and what they must refuse; mypy reads this.

Nothing here runs. An ignored error that does not occur is an error (strict mode).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, assert_type

from fastapi import Depends, FastAPI, Security
from litestar import Litestar
from nexios import NexiosApp
from quart import Quart
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

import asgi_auth
from asgi_auth import (
    ConnectionPolicy,
    JWTBackend,
    KeySet,
    Principal,
    RefusalPolicy,
    ScopePolicy,
    TokenService,
    issuer_aware,
)
from asgi_auth.integrations import channels, fastapi, litestar, nexios, quart, starlette

tokens = TokenService(KeySet.generate("ES256"), issuer="https://api.example")
backend = JWTBackend(tokens)


@dataclass
class User:
    id: str


async def app(scope: Any, receive: Any, send: Any) -> None: ...


# ------------------------------------------------------------------------- FastAPI

shop = FastAPI()
fastapi.install(shop, backend, required=True, token_url="auth/login")
fastapi.install(shop, backend, reqired=True)  # type: ignore[call-arg]


@issuer_aware
async def user_of(principal: Principal) -> User | None:
    return User(principal.subject)


class Users:
    @issuer_aware
    def load(self, principal: Principal) -> User:
        return User(principal.subject)


fastapi.install(shop, backend, load_user=user_of)
fastapi.install(shop, backend, load_user=Users().load)
fastapi.install(shop, backend, load_user=issuer_aware(7))  # type: ignore[arg-type]


@shop.get("/me")
async def me(user: Annotated[User, Depends(fastapi.current_user)]) -> str:
    assert_type(user, User)
    return user.id


@shop.get("/")
async def index(user: Annotated[User | None, Depends(fastapi.optional_user)]) -> str:
    assert_type(user, User | None)
    return "nobody" if user is None else user.id


@shop.get("/orders", dependencies=[Depends(fastapi.requires(roles="clerk"))])
def orders(
    caller: Annotated[Principal, Depends(fastapi.requires("orders:read"))],
    same: Annotated[Principal, Security(fastapi.current_principal, scopes=["x"])],
) -> bool:
    assert_type(caller, Principal)
    return caller == same


fastapi.requires(role="clerk")  # type: ignore[call-arg]


# ----------------------------------------------------------------------- Starlette


@asgi_auth.requires("orders:read")
async def show(request: Request, page: int = 1) -> Response:
    return JSONResponse(page)


@starlette.requires("orders:read", roles="clerk")
def show_in_a_thread(request: Request) -> Response:
    return JSONResponse(None)


@starlette.inject
async def hello(
    request: Request,
    user: User = starlette.Depends(starlette.current_user),  # noqa: B008
) -> Response:
    assert_type(user, User)
    return JSONResponse(user.id)


async def keeps_its_signature(request: Request) -> None:
    assert_type(await show(request, page=2), Response)
    assert_type(show_in_a_thread(request), Response)
    await show(request, size=2)  # type: ignore[call-arg]


starlette.install(Starlette(), backend, public_paths=["/"])
asgi_auth.requires(maxage=300)  # type: ignore[call-arg]


# ----------------------------------------------------- Litestar, Nexios, Quart, Django

litestar.install(Litestar([]), backend, token_url="/auth/login")
nexios.install(NexiosApp(), backend, scope_policy=ScopePolicy(share=True))
quart.install(Quart("shop"), backend, refusal_policy=RefusalPolicy(invalid="anonymous"))
quart.install(Quart("shop"), backend, refusal_policy=RefusalPolicy(invalid="never"))  # type: ignore[arg-type]
channels.install(app, backend, connection_policy=ConnectionPolicy(websockets="session"))

litestar.requires("orders:read", roles="clerk", max_age=300)
litestar.requires(role="clerk")  # type: ignore[call-arg]
nexios.requires(roles=["clerk", "admin"], any=True)
nexios.requires(role="clerk")  # type: ignore[call-arg]
quart.requires("orders:read", backend="jwt")
quart.requires(backends="jwt")  # type: ignore[call-arg]
channels.requires(acr="mfa")
channels.requires(acl="mfa")  # type: ignore[call-arg]


@quart.requires("orders:read")
async def listing(page: int) -> str:
    assert_type(quart.current_principal, Principal)
    return str(page)


@nexios.auth(["jwt"])
async def protected(request: Any, response: Any) -> int:
    return 1


async def keep_their_signatures() -> None:
    assert_type(await listing(1), str)
    assert_type(await protected(None, None), int)
