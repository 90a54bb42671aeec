"""Tickets: tokens for an address, good once (RFC 9700, section 4.3.2).

A ticket stands for the access token that it was asked for with, and says all that it
says. Nothing is kept but that it was used.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import unquote

from asgi_auth._asgi import Scope
from asgi_auth._clock import Clock, system_clock
from asgi_auth._frozen import FrozenDict
from asgi_auth.credentials.root_path import public_path
from asgi_auth.errors import ConfigurationError, InvalidTokenError
from asgi_auth.principal import Principal
from asgi_auth.revocation import RevocationList
from asgi_auth.sessions.dating import dated
from asgi_auth.sessions.verifiers import Verifiers
from asgi_auth.stores.base import OnceStore
from asgi_auth.tokens.issuer import KINDS, TokenIssuer

__all__ = ["TICKET_TTL", "Tickets"]

TICKET_TTL: Final = 30
"""Seconds in which a ticket must be used."""

_LONGEST_PATH: Final = 1024
# Clocks differ: what is used must count as used for longer than a ticket lives.
_MARGIN: Final = 60.0


class Tickets:
    """Writes tickets, and takes each of them once.

    Args:
        issuer: Signs them.
        verifiers: Know tickets, and the tokens that they stand for.
        store: Knows which were used, in all processes.
        revocations: Reports how far the store's clock is behind.
        clock: The service's own, or ``None``.
    """

    __slots__ = ("_clock", "_issuer", "_revocations", "_store", "_verifiers")

    def __init__(
        self,
        issuer: TokenIssuer,
        verifiers: Verifiers,
        store: OnceStore,
        revocations: RevocationList,
        clock: Clock | None,
    ) -> None:
        self._issuer = issuer
        self._verifiers = verifiers
        self._store = store
        self._revocations = revocations
        self._clock = clock

    def write(self, caller: Principal, path: str, *, origin: str | None = None) -> str:
        """Sign a ticket that stands for the access token of *caller*.

        Args:
            caller: Who was identified by an access token of this service.
            path: Where the ticket is good, as it stands in the address.
            origin: The page that asks; then no other page may use it.

        Raises:
            ConfigurationError: The path is none, or the caller is not of this service.
        """
        if not path.startswith("/") or len(path) > _LONGEST_PATH:
            msg = f"A path begins with / and has at most {_LONGEST_PATH} characters."
            raise ConfigurationError(msg)

        if caller.issuer != self._verifiers["access"].issuer or not caller.claims:
            msg = "A ticket stands for an access token of the service that writes it."
            raise ConfigurationError(msg)

        claims = {"path": unquote(path), "origin": origin, "for": caller.claims}
        return self._issuer.write(
            KINDS["ticket"],
            caller.subject,
            claims=claims,
            **dated(TICKET_TTL, self._clock, self._revocations),
        )

    async def spend(self, ticket: bytes, scope: Scope, backend: str) -> Principal:
        """Return who a ticket stands for, and let no caller use it again.

        Args:
            ticket: As it came.
            scope: Of the request or socket that it came with.
            backend: The name of the backend that asks.

        Raises:
            ExpiredTokenError: It, or the token that it stands for, was good once.
            RevokedTokenError: That token, its session or its subject was revoked.
            InvalidTokenError: It is forged, for elsewhere, or was used before.
            UnavailableError: It cannot be known whether it was used.
        """
        verified = self._verifiers["ticket"].verify(ticket)
        claims: Any = verified.claims
        _check_place(claims, scope)
        access_claims = claims.get("for")
        if not isinstance(access_claims, FrozenDict):
            msg = "the ticket stands for no token"
            raise InvalidTokenError(msg)

        access = self._verifiers["access"]
        token = await access.admit_claims(access_claims, "ticket", backend)
        # Last, so that no ticket is lost to a request that could not have used it.
        await self._use(str(verified.token_id), verified.expires_at)
        return token.first

    async def _use(self, name: str, expires_at: float) -> None:
        now = (self._clock or system_clock)()
        space = f"ticket {self._verifiers['access'].issuer or ''}"
        ttl = max(expires_at - now, 0.0) + _MARGIN
        own = None if self._clock is None else now
        if not await self._store.once(space, name, ttl=ttl, now=own):
            msg = "the ticket was used before"
            raise InvalidTokenError(msg)


def _check_place(claims: Any, scope: Scope) -> None:
    """Check that a ticket is used where it was meant to be.

    Raises:
        InvalidTokenError: It is not.
    """
    if scope["type"] == "http" and scope["method"] not in {"GET", "HEAD"}:
        msg = "a ticket is for reading"
        raise InvalidTokenError(msg)

    if claims.get("path") != public_path(scope):
        msg = f"the ticket is for the path {claims.get('path')!r}"
        raise InvalidTokenError(msg)

    # Pages of others say where they come from; programs and own pages need not.
    origins = [value for name, value in scope["headers"] if name.lower() == b"origin"]
    origin = claims.get("origin")
    if any(value.decode("latin-1") != origin for value in origins):
        msg = "the ticket is for another page"
        raise InvalidTokenError(msg)
