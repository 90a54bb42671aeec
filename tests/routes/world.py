"""An application with log-in routes, and short ways through it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, get_args

import httpx2
from passlib.context import CryptContext

from asgi_auth import KeySet, TokenService
from asgi_auth.accounts import AccountService, MemoryAccounts, Outbox, grants_of
from asgi_auth.factors import Factors, MemoryFactors
from asgi_auth.keys import SealKeys
from asgi_auth.passwords import PasswordHasher
from asgi_auth.ratelimit import Limits
from asgi_auth.ratelimit.limiter import Limit, RateLimiter, Rule
from asgi_auth.testing import FakeClock
from tests.routes.settings import make_routes

SECRET = "0f4a9a7d3c2b1e8f6d5c4b3a29181706f5e4d3c2b1a09f8e7d6c5b4a39281706"
EMAIL = "ann@example.com"
PASSWORD = "violet-otter-42-lamp"
ORIGIN = "https://api.example"
LOOSE = {name: Limit(10_000, 60) for name in get_args(Rule)}


def cheap_hasher() -> PasswordHasher:
    context = CryptContext(
        schemes=["argon2"],
        argon2__memory_cost=64,
        argon2__time_cost=1,
        argon2__parallelism=1,
    )
    return PasswordHasher(context=context)


@dataclass
class Mailbox:
    """A sender that keeps what it is given."""

    messages: list[tuple[str, str, str | None]] = field(default_factory=list)

    async def __call__(self, kind, account, token) -> None:
        self.messages.append((kind, account.email, token))

    def token(self, kind: str) -> str:
        return [token for found, _, token in self.messages if found == kind][-1]

    def kinds(self) -> list[str]:
        return [kind for kind, _, _ in self.messages]


class World:
    """Everything around one :class:`AuthRoutes`.

    Args:
        routes: Options of the routes.
        accounts: Options of the account service.
        tokens: Options of the token service.
        factors: Options of the second factors; none by default.
        identities: Among the options of the routes it may be what makes them.
    """

    def __init__(
        self, *, accounts=None, tokens=None, keys=None, factors=None, **routes
    ) -> None:
        self.clock = FakeClock()
        self.events: list[Any] = []
        self.mailbox = Mailbox()
        self.outbox = Outbox(delay=0)
        self.store = MemoryAccounts()
        self.tokens = TokenService(
            KeySet.from_secret(SECRET) if keys is None else keys,
            **{
                "issuer": "https://api.example",
                "audience": "api",
                "claims_loader": grants_of(self.store),
                "on_event": self._hear,
                "clock": self.clock,
                **(tokens or {}),
            },
        )
        self.accounts = AccountService(
            self.store,
            self.tokens,
            **{
                "hasher": cheap_hasher(),
                "send_message": self.mailbox,
                "outbox": self.outbox,
                "clock": self.clock,
                **(accounts or {}),
            },
        )
        if factors is not None:
            routes["factors"] = self._make_factors(**factors)
        if callable(routes.get("identities")):
            routes["identities"] = routes["identities"](self.tokens, self.accounts)
        self.factors = routes.get("factors")
        routes.setdefault("limiter", RateLimiter(limits=Limits(**LOOSE)))
        self.routes = make_routes(self.tokens, self.accounts, **routes)

    def _make_factors(self, store=None, **options) -> Factors:
        return Factors(
            self.tokens,
            MemoryFactors() if store is None else store,
            SealKeys.from_secrets(SECRET),
            **{
                "name": "Shop",
                "send_message": self.mailbox,
                "outbox": self.outbox,
                "clock": self.clock,
                **options,
            },
        )

    async def _hear(self, event) -> None:
        self.events.append(event)

    def heard(self, prefix: str) -> list[str]:
        return [event.name for event in self.events if event.name.startswith(prefix)]

    async def settle(self) -> None:
        """Let the listener hear what has happened so far."""
        for _ in range(3):
            await asyncio.sleep(0)

    @asynccontextmanager
    async def client(self, *, app=None, ip="127.0.0.1", base=ORIGIN, **options):
        transport = httpx2.ASGITransport(app=app or self.routes, client=(ip, 1234))
        async with httpx2.AsyncClient(
            transport=transport, base_url=base, **options
        ) as client:
            yield client

    async def add(self, email=EMAIL, password=PASSWORD, **more):
        """Register a user with a verified address."""
        await self.accounts.register(email, password, **more)
        await self.outbox.drain()
        if "verify" in self.mailbox.kinds():
            await self.accounts.verify_email(self.mailbox.token("verify"), password)
        return await self.store.find_by_email(email)


async def log_in(client, email=EMAIL, password=PASSWORD, **more):
    answer = await client.post(
        "/login", json={"email": email, "password": password, **more}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def bearer(pair) -> dict[str, str]:
    return {"Authorization": f"Bearer {pair['access_token']}"}


def assert_problem(answer, status, code) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["code"] == code
    assert answer.json()["status"] == status


def set_cookies(answer) -> dict[str, dict[str, str]]:
    """Read the Set-Cookie fields: name to value and lower-case attributes."""
    found = {}
    for line in answer.headers.get_list("set-cookie"):
        pair, *attributes = line.split("; ")
        name, _, value = pair.partition("=")
        parts = (attribute.partition("=") for attribute in attributes)
        found[name] = {"value": value.strip('"')} | {k.lower(): v for k, _, v in parts}
    return found
