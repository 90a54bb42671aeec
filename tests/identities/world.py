"""An application with log-ins at a provider, below its HTTP routes."""

from __future__ import annotations

from dataclasses import fields, replace

from asgi_auth import KeySet, TokenService
from asgi_auth.accounts import AccountService, MemoryAccounts
from asgi_auth.events import Events
from asgi_auth.identities import (
    Client,
    Identities,
    IDTokenPolicy,
    MemoryIdentities,
    OIDCProvider,
)
from asgi_auth.identities.callback import ProviderAnswer
from asgi_auth.keys import Transport
from asgi_auth.principal import Principal
from asgi_auth.stores import MemoryStore
from asgi_auth.testing import FakeClock
from tests.identities.op import CLIENT, ISSUER, SECRET, FakeOP

KEY = "0f4a9a7d3c2b1e8f6d5c4b3a29181706f5e4d3c2b1a09f8e7d6c5b4a39281706"
CALLBACK = "https://api.example/auth/providers/op/callback"


class Counting:
    """A store that counts its verbs, which are round trips."""

    def __init__(self, store, counts, name) -> None:
        self._store, self._counts, self._name = store, counts, name

    # By name as well: since Python 3.12 a protocol looks at the class alone.
    def page(self, *args, **options):
        return self.__getattr__("page")(*args, **options)

    def remove(self, *args, **options):
        return self.__getattr__("remove")(*args, **options)

    def __getattr__(self, verb):
        method = getattr(self._store, verb)
        if not callable(method) or verb.startswith("_"):
            return method

        def counted(*args, **options):
            self._counts.append(f"{self._name}.{verb}")
            return method(*args, **options)

        return counted


class World:
    """Everything around one :class:`Identities`."""

    def __init__(self, *, accounts=None, provider=None, providers=None, **options):
        self.clock = FakeClock()
        self.events = []
        self.round_trips = []
        self.op = FakeOP(self.clock)
        self.store = options.pop("store", None) or MemoryIdentities()
        self.users = MemoryAccounts()

        async def hear(event):
            self.events.append(event)

        self.tokens = TokenService(
            KeySet.from_secret(KEY),
            store=Counting(MemoryStore(), self.round_trips, "sessions"),
            issuer="https://api.example",
            audience="api",
            on_event=Events(hear),
            clock=self.clock,
        )
        self.accounts = accounts or AccountService(
            Counting(self.users, self.round_trips, "accounts"),
            self.tokens,
            require_verified=False,
            clock=self.clock,
        )
        chosen = {"trust_addresses": True, **(provider or {})}
        words = [each.name for each in fields(IDTokenPolicy) if each.name in chosen]
        policy = IDTokenPolicy(**{word: chosen.pop(word) for word in words})
        self.provider = OIDCProvider(
            "op",
            ISSUER,
            Client(id=CLIENT, secret=SECRET),
            **{
                "id_token_policy": policy,
                "transport": Transport(self.op.fetch),
                "clock": self.clock,
                **chosen,
            },
        )
        self.identities = Identities(
            self.provider,
            *(providers or ()),
            tokens=self.tokens,
            accounts=self.accounts,
            store=Counting(self.store, self.round_trips, "identities"),
            clock=self.clock,
            **options,
        )

    async def begin(self, **options):
        return await self.identities.begin("op", redirect_uri=CALLBACK, **options)

    async def finish(self, start, *, provider="op", token=..., **more):
        """Go to the provider and back."""
        came = self.op.authorize(start.url) | more
        answer = ProviderAnswer(**{n: v for n, v in came.items() if v is not None})
        kept = start.token if token is ... else token
        return await self.identities.finish(provider, answer, kept)

    async def log_in(self, **options):
        return await self.finish(await self.begin(**options))

    async def caller(self, account) -> Principal:
        pair = await self.tokens.issue(account.id)
        claims = await self.tokens.verify(pair.access_token)
        return Principal(
            subject=account.id,
            session_id=claims["sid"],
            auth_time=float(claims["auth_time"]),
            is_authenticated=True,
        )

    async def add(self, email="ann@example.com", *, verified=True, password="x"):
        """Make an account that has registered by itself."""
        account = await self.accounts.create(email)
        changed = replace(
            account,
            verified_at=account.verified_at if verified else None,
            password_hash=password,
        )
        return await self.users.update(changed)

    def heard(self, prefix):
        return [
            (event.name, event.detail)
            for event in self.events
            if event.name.startswith(prefix)
        ]
