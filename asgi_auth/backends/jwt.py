"""Recognise callers by a JWT (RFC 7519), wherever it came from.

Whether a caller may do something is for guards to say.
"""

from __future__ import annotations

from collections.abc import Sequence

from asgi_auth._asgi import Scope
from asgi_auth._contract import Recognise
from asgi_auth.backends._confirmations import Confirmations
from asgi_auth.credentials.reader import Credential
from asgi_auth.credentials.sources import BearerHeader, Source, Ticket
from asgi_auth.errors import ConfigurationError
from asgi_auth.principal import Principal
from asgi_auth.responses.challenge import BEARER, Challenge
from asgi_auth.revocation.validity import Validity
from asgi_auth.sessions import TokenService
from asgi_auth.sessions.tickets import Tickets
from asgi_auth.tokens.codec import peek
from asgi_auth.tokens.verifier import TokenVerifier
from asgi_auth.typing import Confirmation

__all__ = ["JWTBackend"]


class JWTBackend:
    """Knows callers by the access tokens of one issuer.

    Args:
        tokens: The service that issues them, or a verifier for another issuer's.
        sources: Where tokens may come from.
        name: What ``principal.backend`` and ``requires(backend=...)`` call it.
        challenge: What a refusal asks the client to send.
        confirmations: See to it that who sends a token bound to a key has that key, for
            instance :class:`~asgi_auth.dpop.DPoP`. Without any such tokens are refused.

    Raises:
        ConfigurationError: There is no source, or no service that knows its tickets.
    """

    __slots__ = (
        "_confirmations",
        "_recall",
        "_schemes",
        "_tickets",
        "_verifier",
        "challenges",
        "issuers",
        "name",
        "recognise",
        "sources",
        "tokens",
    )

    def __init__(
        self,
        tokens: TokenService | TokenVerifier,
        *,
        sources: Sequence[Source] = (BearerHeader(),),
        name: str = "jwt",
        challenge: Challenge = BEARER,
        confirmations: Sequence[Confirmation] = (),
    ) -> None:
        if not sources:
            msg = "JWTBackend needs a source, for instance BearerHeader()."
            raise ConfigurationError(msg)

        verifier = tokens if isinstance(tokens, TokenVerifier) else tokens.verifier
        self._verifier = verifier
        self.tokens: TokenService | TokenVerifier | None = (
            None if tokens is verifier else tokens
        )
        self.name: str = name
        self._confirmations = confirmed = Confirmations(confirmations)
        self._recall = verifier.recaller(
            name, decides=True, confirmed=bool(confirmations)
        )
        plain = verifier.recaller(name, decides=True)
        self.recognise: Recognise = confirmed.lane(self._recall, plain)
        self.sources: tuple[Source, ...] = confirmed.sources(sources)
        self._schemes = {"bearer", *(source.way[1] for source in self.sources)}
        self.challenges: tuple[Challenge, ...] = confirmed.challenges(challenge)
        self._tickets: Tickets | None = None
        if any(isinstance(source, Ticket) for source in sources):
            self._tickets = _tickets_of(tokens)

        self.issuers: frozenset[str | None] = frozenset({verifier.issuer})

    @property
    def verifier(self) -> TokenVerifier:
        """Verifies what callers bring."""
        return self._verifier

    @property
    def validity(self) -> Validity:
        """What may end its principals."""
        return self._verifier.validity

    async def authenticate(
        self, credential: Credential | None, scope: Scope
    ) -> Principal | None:
        """Verify a bearer token, or one that is bound; another scheme is not ours.

        Raises:
            ExpiredTokenError: It was good once.
            RevokedTokenError: It, its session or its subject was revoked.
            InvalidTokenError: It is forged, malformed, of another kind or party.
            AuthError: The caller does not have the key that it is bound to.
        """
        if credential is None:
            return None

        if credential.source == "ticket":
            return await self._spend(credential, scope)

        if credential.scheme not in self._schemes:
            return None

        source, confirmations = credential.source, self._confirmations
        principal = self._recall(credential.token, source) if confirmations else None
        if principal is None:
            token = await self._verifier.admit(credential.token, source, self.name)
            if not confirmations:
                return token.principal(source, self.name)

            principal = token.confirmed(source, self.name)

        await confirmations.check(principal, credential, scope)
        return principal

    async def ready(self) -> bool:
        """Report whether tokens can be judged: it is known what is revoked."""
        return await self._verifier.ready()

    async def _spend(self, ticket: Credential, scope: Scope) -> Principal | None:
        if self._tickets is None:
            return None

        principal = await self._tickets.spend(ticket.token, scope, self.name)
        # Its proof has come with the request for the ticket.
        self._confirmations.check_bound(principal)
        return principal

    def claims(self, credential: Credential) -> bool:
        """Say by its shape alone whether the token would be one of ours.

        That is a compact JWS with our ``iss``; where ours have none, with our ``kid``.
        """
        parts = peek(credential.token)
        if parts is None:
            return False

        header, payload = parts
        if self._verifier.issuer is not None or "iss" in payload:
            return payload.get("iss") == self._verifier.issuer

        # Compared, not looked up: a kid may be anything, a list for one.
        return any(header.get("kid") == key.kid for key in self._verifier.keys)


def _tickets_of(tokens: TokenService | TokenVerifier) -> Tickets:
    if isinstance(tokens, TokenService):
        return tokens.tickets

    msg = "Ticket() needs the TokenService that writes the tickets, and its store."
    raise ConfigurationError(msg)
