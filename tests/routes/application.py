"""The application that the whole life of an account is lived in, on a real server.

Servers import this file in processes of their own; what it is made of stands in the
environment, and messages go to a file.
"""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from asgi_auth import (
    AuthenticationMiddleware,
    JWTBackend,
    KeySet,
    TokenService,
    requires,
)
from asgi_auth.accounts import AccountService, Outbox, grants_of
from asgi_auth.accounts.sql import SQLAccounts
from asgi_auth.ratelimit import Limits
from asgi_auth.ratelimit.limiter import RateLimiter
from asgi_auth.routes import AuthRoutes, Cookies
from asgi_auth.stores.redis import RedisStore
from asgi_auth.stores.sql import SQLStore
from tests.routes.world import LOOSE, SECRET, cheap_hasher

settings = json.loads(os.environ["LIFE_SETTINGS"])
mail = Path(settings["mail"])
redis_url = settings["redis"]

accounts = SQLAccounts(settings["database"])
store = RedisStore(redis_url) if redis_url else SQLStore(settings["database"])
tokens = TokenService(
    KeySet.from_secret(SECRET),
    store=store,
    issuer="https://api.example",
    audience="api",
    claims_loader=grants_of(accounts),
)


def keep(line):
    with mail.open("a", encoding="utf-8") as file:
        file.write(line + "\n")


async def send(kind, account, token):
    await asyncio.to_thread(keep, json.dumps([kind, account.email, token]))


service = AccountService(
    accounts,
    tokens,
    hasher=cheap_hasher(),
    send_message=send,
    outbox=Outbox(delay=0),
)
DELIVERY = {"body": "body", "cookie": Cookies(insecure_for_localhost=True)}
routes = AuthRoutes(
    tokens,
    service,
    delivery=DELIVERY[settings["delivery"]],
    limiter=RateLimiter(redis_url or "memory://", limits=Limits(**LOOSE)),
)


@requires()
async def notes(request):
    return JSONResponse({"of": request.user.subject})


@asynccontextmanager
async def lifespan(app):
    await accounts.create_schema()
    if isinstance(store, SQLStore):
        await store.create_schema()
    yield


app = AuthenticationMiddleware(
    Starlette(
        routes=[Route("/notes", notes), Mount("/auth", routes)], lifespan=lifespan
    ),
    JWTBackend(tokens, sources=routes.sources),
    required=True,
    public_paths=routes.public_paths("/auth"),
)
