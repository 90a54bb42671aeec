"""An application that the doctor finds nothing in."""

from __future__ import annotations

import os

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Mount

from asgi_auth import (
    AuthenticationMiddleware,
    BearerHeader,
    Cookie,
    JWTBackend,
    KeySet,
    QueryParam,
    TokenService,
)
from asgi_auth.accounts import AccountService
from asgi_auth.accounts.sql import SQLAccounts
from asgi_auth.ratelimit.limiter import RateLimiter
from asgi_auth.routes import AuthRoutes
from asgi_auth.stores.sql import SQLStore

tokens = TokenService(
    KeySet.from_secret(os.environ["DOCTOR_SECRET"]),
    store=SQLStore("sqlite:///never-opened.db"),
    issuer="https://api.example",
    audience="api",
)
accounts = SQLAccounts("sqlite:///never-opened.db")
routes = AuthRoutes(
    tokens,
    AccountService(accounts, tokens, require_verified=False),
    limiter=RateLimiter("redis://127.0.0.1:1"),
    delivery="cookie",
)
sources = (BearerHeader(), Cookie("__Host-access"), QueryParam("token"))
origins = Middleware(
    CORSMiddleware, allow_origins=["https://app.example"], allow_credentials=True
)
app = AuthenticationMiddleware(
    Starlette(routes=[Mount("/auth", routes)], middleware=[origins]),
    JWTBackend(tokens, sources=sources),
    public_paths=routes.public_paths("/auth"),
)


def make_app():
    return app
