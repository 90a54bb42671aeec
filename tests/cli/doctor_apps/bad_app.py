"""An application with one fault of each kind."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Mount

from asgi_auth import (
    AuthenticationMiddleware,
    BearerHeader,
    Cookie,
    JWTBackend,
    KeySet,
    MemoryStore,
    QueryParam,
    TokenService,
    requires,
)
from asgi_auth.accounts import AccountService, MemoryAccounts
from asgi_auth.ratelimit import RateLimiter
from asgi_auth.routes import AuthRoutes, Cookies

SECRET = "pX4hQ7vN2mZ9sK1wT6yR8bC3dF5gJ0lA-uEoIiOaHt_k"

tokens = TokenService(
    KeySet.from_secret(SECRET), store=MemoryStore(), issuer="https://api.example"
)
routes = AuthRoutes(
    tokens,
    AccountService(MemoryAccounts(), tokens, require_verified=False),
    delivery=Cookies(insecure_for_localhost=True),
    limiter=RateLimiter(insecure_unlimited=True),
)
sources = (BearerHeader(), Cookie("access"), QueryParam("token", http=True))
app = Starlette(
    routes=[Mount("/auth", routes)],
    middleware=[
        Middleware(GZipMiddleware),
        Middleware(CORSMiddleware, allow_origins=["*"], allow_credentials=True),
        Middleware(
            AuthenticationMiddleware,
            backend=JWTBackend(tokens, sources=sources),
            public_paths=routes.public_paths("/auth"),
        ),
    ],
)


async def page(request):
    """What stands in the route; its guard is put around it too late."""
    raise AssertionError


app.add_route("/page", page)
page = requires("pages:read")(page)
bare = Starlette()
