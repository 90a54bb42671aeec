from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from passlib.context import CryptContext

from asgi_auth.accounts import (
    Account,
    AccountService,
    MemoryAccounts,
    Outbox,
    grants_of,
)
from asgi_auth.keys import KeySet
from asgi_auth.passwords import PasswordHasher
from asgi_auth.sessions import TokenService
from asgi_auth.testing import FakeClock
from tests.postgres import postgres

SECRET = "0f4a9a7d3c2b1e8f6d5c4b3a29181706f5e4d3c2b1a09f8e7d6c5b4a39281706"


class CountingContext:
    """A context that counts verifications, each of them the work of one log-in."""

    def __init__(self) -> None:
        self.context = CryptContext(
            schemes=["argon2", "bcrypt"],
            deprecated="auto",
            argon2__memory_cost=64,
            argon2__time_cost=1,
            argon2__parallelism=1,
            bcrypt__rounds=4,
        )
        self.verified = 0
        self.hashed = 0

    def __getattr__(self, name: str):
        return getattr(self.context, name)

    def verify(self, secret: str, stored: str) -> bool:
        self.verified += 1
        return self.context.verify(secret, stored)

    def hash(self, secret: str) -> str:
        self.hashed += 1
        return self.context.hash(secret)


@dataclass
class Mailbox:
    """A sender that keeps what it is given."""

    messages: list[tuple[str, Account, str | None]] = field(default_factory=list)

    async def __call__(self, kind, account, token) -> None:
        self.messages.append((kind, account, token))

    def kinds(self) -> list[str]:
        return [kind for kind, _, _ in self.messages]

    def token(self, kind: str) -> str:
        return [token for found, _, token in self.messages if found == kind][-1]

    def last(self) -> tuple[str, str]:
        kind, account, _ = self.messages[-1]
        return kind, account.email


@dataclass
class World:
    """An account service with everything around it, and short ways through it."""

    accounts: object
    clock: FakeClock
    context: CountingContext
    mailbox: Mailbox
    outbox: Outbox
    tokens: TokenService
    hasher: PasswordHasher

    def service(self, **options) -> AccountService:
        options = {
            "hasher": self.hasher,
            "send_message": self.mailbox,
            "outbox": self.outbox,
            "clock": self.clock,
            **options,
        }
        return AccountService(self.accounts, self.tokens, **options)

    async def verified(self, service, email: str, password: str) -> Account:
        await service.register(email, password)
        await self.outbox.drain()
        return await service.verify_email(self.mailbox.token("verify"), password)

    async def forgot(self, service, email: str) -> str:
        await service.forgot_password(email)
        await self.outbox.drain()
        return self.mailbox.token("reset")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def world(clock) -> World:
    context = CountingContext()
    accounts = MemoryAccounts()
    tokens = TokenService(
        KeySet.from_secret(SECRET),
        issuer="https://api.example",
        audience="api",
        claims_loader=grants_of(accounts),
        clock=clock,
    )
    return World(
        accounts=accounts,
        clock=clock,
        context=context,
        mailbox=Mailbox(),
        outbox=Outbox(delay=0),
        tokens=tokens,
        hasher=PasswordHasher(context=context),
    )


@pytest.fixture(scope="session")
def postgres_url():
    """A PostgreSQL server of its own, in a new folder."""
    with postgres() as url:
        yield url
