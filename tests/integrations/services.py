"""What every example application is made of, whatever framework serves it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from passlib.context import CryptContext

from asgi_auth import (
    BearerHeader,
    Cookie,
    JWTBackend,
    KeySet,
    MemoryStore,
    QueryParam,
    Subprotocol,
    TokenService,
)
from asgi_auth.accounts import Account, AccountService, MemoryAccounts, grants_of
from asgi_auth.guards import RoleHierarchy
from asgi_auth.passwords import PasswordHasher
from asgi_auth.ratelimit import RateLimiter
from asgi_auth.routes import AuthRoutes
from asgi_auth.testing import FakeClock

__all__ = ["EMAIL", "HIERARCHY", "PASSWORD", "SUBJECT", "Services", "User", "bearer"]

SECRET = "Nw5tYx8Rb3Zk7vQ1mW4c9Ls2Hd6Gf0Jp-Ue_TiOyXwVqAa"
SUBJECT = "ann"
EMAIL = "ann@example.com"
PASSWORD = "violet-otter-42-lamp"
PREFIX = "/auth"

HIERARCHY = RoleHierarchy({"owner": "admin"})
"""For ``requires(roles="admin", hierarchy=HIERARCHY)``."""

# Cheap: what a password costs is not what is tested here.
HASHING = CryptContext(
    schemes=["argon2"],
    argon2__memory_cost=64,
    argon2__time_cost=1,
    argon2__parallelism=1,
)
PASSWORD_HASH = HASHING.hash(PASSWORD)


@dataclass(frozen=True, slots=True)
class User:
    """The application's own user."""

    id: str
    email: str


@dataclass
class Services:
    """Keys, tokens, accounts and routes of one application.

    Attributes:
        clock: Stands still until a test moves it.
        accounts: Has one user, ``ann``; she may read orders.
        tokens: Issues, verifies and revokes.
        backend: Takes tokens from everywhere.
        routes: To mount at ``/auth``.
    """

    clock: FakeClock = field(default_factory=lambda: FakeClock(float(int(time.time()))))

    def __post_init__(self) -> None:
        self.accounts = MemoryAccounts()
        self.tokens = TokenService(
            KeySet.from_secret(SECRET),
            store=MemoryStore(),
            issuer="https://api.example",
            audience="api",
            claims_loader=grants_of(self.accounts),
            clock=self.clock,
        )
        service = AccountService(
            self.accounts,
            self.tokens,
            hasher=PasswordHasher(context=HASHING),
            require_verified=False,
            clock=self.clock,
        )
        self.routes = AuthRoutes(
            self.tokens,
            service,
            prefix=PREFIX,
            limiter=RateLimiter(insecure_unlimited=True),
        )
        self.public_paths = self.routes.public_paths(PREFIX)
        sources = (BearerHeader(), Cookie("access"), QueryParam("token"), Subprotocol())
        self.backend = JWTBackend(self.tokens, sources=sources)

    async def add_user(self, subject=SUBJECT, email=EMAIL) -> None:
        account = Account(
            id=subject,
            email=email,
            password_hash=PASSWORD_HASH,
            scopes=("orders:read",),
        )
        await self.accounts.add(account)

    async def load_user(self, principal) -> User | None:
        account = await self.accounts.find_by_id(principal.subject)
        return None if account is None else User(account.id, account.email)

    def token(self, *scopes, roles=(), subject=SUBJECT) -> str:
        return self.tokens.mint(subject, scopes=scopes, roles=roles)

    def expired_token(self) -> str:
        token = self.tokens.mint(SUBJECT, ttl=60)
        self.clock.advance(120)
        return token

    def forged_token(self) -> str:
        keys = KeySet.from_secret(SECRET[::-1])
        stranger = TokenService(
            keys, issuer="https://api.example", audience="api", clock=self.clock
        )
        return stranger.mint(SUBJECT, roles=["admin"], scopes=["orders:read"])

    def caller(self, *scopes, roles=()) -> dict[str, str]:
        """Return the headers of somebody who holds these."""
        return bearer(self.token(*scopes, roles=roles))


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
