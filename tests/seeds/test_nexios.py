"""The lesson on JWT for Nexios, with its exercise: registration, log-in, reset,
refresh, roles, hashing, a blacklist and limits.

The names are ours; the framework is the lesson's.
"""

from __future__ import annotations

from dataclasses import replace

import httpx2
import pytest
from nexios import NexiosApp
from nexios.routing import Router

from asgi_auth import (
    AuthenticationMiddleware,
    JWTBackend,
    KeySet,
    TokenService,
    get_user,
    requires,
)
from asgi_auth.accounts import AccountService, MemoryAccounts, Outbox, grants_of
from asgi_auth.ratelimit import Limits
from asgi_auth.ratelimit.limiter import Limit, RateLimiter
from asgi_auth.routes import AuthRoutes
from tests.routes.world import Mailbox, cheap_hasher

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

EMAIL = "ann@example.com"
PASSWORD = "violet-otter-42-lamp"


class Lesson:
    """The application of the lesson, and a client for it."""

    def __init__(self) -> None:
        self.accounts = MemoryAccounts()
        self.mailbox = Mailbox()
        self.outbox = Outbox(delay=0)
        self.tokens = TokenService(
            KeySet.generate("ES256"),
            issuer="https://lesson.example",
            audience="lesson",
            claims_loader=grants_of(self.accounts),
        )
        self.service = AccountService(
            self.accounts,
            self.tokens,
            hasher=cheap_hasher(),
            send_message=self.mailbox,
            outbox=self.outbox,
        )
        limiter = RateLimiter(limits=Limits(log_in=Limit(3, 60)))
        self.routes = AuthRoutes(self.tokens, self.service, limiter=limiter)
        self.app = self.make_app()

    def make_app(self):
        app = NexiosApp()

        @app.get("/protected")
        @requires(backend="jwt")
        async def protected_route(request, response):
            user = get_user(request.scope)
            return {"message": f"Hello, {user.email}!", "user_id": user.id}

        group = Router(prefix="/api")

        @group.get("/profile")
        @requires()
        async def get_profile(request, response):
            user = get_user(request.scope)
            return {"id": user.id, "email": user.email}

        @group.get("/admin")
        @requires(roles="admin")
        async def admin(request, response):
            return {"secret": True}

        app.mount_router(group)
        app.register(self.routes, "/auth")
        return AuthenticationMiddleware(
            app,
            JWTBackend(self.tokens, sources=self.routes.sources),
            load_user=lambda principal: self.service.find(principal.subject),
            public_paths=self.routes.public_paths("/auth"),
        )

    def client(self):
        transport = httpx2.ASGITransport(app=self.app)
        return httpx2.AsyncClient(transport=transport, base_url="http://lesson")

    async def registered(self, client):
        body = {"email": EMAIL, "password": PASSWORD}
        await client.post("/auth/register", json=body)
        await self.outbox.drain()
        token = self.mailbox.token("verify")
        confirmation = {"token": token, "password": PASSWORD}
        return (await client.post("/auth/verify", json=confirmation)).json()


async def log_in(client, password=PASSWORD):
    body = {"email": EMAIL, "password": password}
    answer = await client.post("/auth/login", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def bearer(pair):
    return {"Authorization": f"Bearer {pair['access_token']}"}


async def test_the_middleware_and_guards_of_the_lesson():
    lesson = Lesson()
    async with lesson.client() as client:
        user = await lesson.registered(client)
        pair = await log_in(client)
        for path, shown in (
            ("/protected", {"message": f"Hello, {EMAIL}!", "user_id": user["id"]}),
            ("/api/profile", {"id": user["id"], "email": EMAIL}),
        ):
            answer = await client.get(path, headers=bearer(pair))
            assert (answer.status_code, answer.json()) == (200, shown)
            nobody = await client.get(path)
            assert nobody.status_code == 401
            assert nobody.headers["www-authenticate"] == "Bearer"


async def test_a_token_with_claims_of_ones_own_is_made_and_verified():
    lesson = Lesson()
    token = lesson.tokens.mint("42", roles=["admin"], claims={"username": "ann"})
    claims = await lesson.tokens.verify(token)
    assert (claims["sub"], claims["username"], claims["roles"]) == (
        "42",
        "ann",
        ("admin",),
    )


async def test_roles_are_checked_and_reach_the_token_at_the_next_refresh():
    lesson = Lesson()
    async with lesson.client() as client:
        await lesson.registered(client)
        pair = await log_in(client)
        refused = await client.get("/api/admin", headers=bearer(pair))
        assert (refused.status_code, refused.json()["roles"]) == (403, ["admin"])

        account = await lesson.accounts.find_by_email(EMAIL)
        await lesson.accounts.update(replace(account, roles=("admin",)))
        token = {"refresh_token": pair["refresh_token"]}
        pair = (await client.post("/auth/refresh", json=token)).json()
        allowed = await client.get("/api/admin", headers=bearer(pair))
        assert allowed.json() == {"secret": True}


async def test_a_forgotten_password_is_reset():
    lesson = Lesson()
    async with lesson.client() as client:
        await lesson.registered(client)
        await client.post("/auth/password/forgot", json={"email": EMAIL})
        await lesson.outbox.drain()
        body = {"token": lesson.mailbox.token("reset"), "password": "new-copper-lamp-7"}
        answer = await client.post("/auth/password/reset", json=body)
        assert answer.status_code == 204
        assert await log_in(client, "new-copper-lamp-7")


async def test_a_token_on_the_blacklist_is_refused_everywhere():
    lesson = Lesson()
    async with lesson.client() as client:
        await lesson.registered(client)
        pair = await log_in(client)
        await client.post("/auth/revoke", data={"token": pair["access_token"]})
        for path in ("/protected", "/api/profile", "/auth/me"):
            answer = await client.get(path, headers=bearer(pair))
            assert (answer.status_code, answer.json()["code"]) == (401, "token_revoked")


async def test_guessing_is_limited():
    lesson = Lesson()
    async with lesson.client() as client:
        await lesson.registered(client)
        body = {"email": EMAIL, "password": "wrong-one"}
        seen = []
        for _ in range(4):
            answer = await client.post("/auth/login", json=body)
            seen.append(answer.status_code)
        assert seen == [401] * 3 + [429]
        assert int(answer.headers["retry-after"]) > 0
