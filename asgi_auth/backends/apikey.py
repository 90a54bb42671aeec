"""Recognise programs by their API keys.

Keys come in headers only: in a URL they would end up in logs and histories, and in a
cookie any page could make a browser send them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from asgi_auth._asgi import Scope
from asgi_auth._frozen import freeze
from asgi_auth.backends.apikeys.records import APIKey
from asgi_auth.backends.apikeys.service import APIKeys
from asgi_auth.credentials.reader import Credential
from asgi_auth.credentials.sources import BearerHeader, Header, Source
from asgi_auth.errors import ConfigurationError, RevokedTokenError, UnavailableError
from asgi_auth.principal import AUTHENTICATED, Principal
from asgi_auth.responses.challenge import Challenge
from asgi_auth.revocation.validity import Validity
from asgi_auth.tokens.claims import check_issuer

__all__ = ["APIKeyBackend"]

_ASKED_EVERY: Final = 5.0
"""Seconds after which a socket of a revoked key is closed at the latest."""


class APIKeyBackend:
    """Knows programs by their API keys.

    An open socket asks the store every 5 seconds whether its key is still good.

    Args:
        keys: Makes and judges them.
        sources: ``BearerHeader("ApiKey")`` for ``Authorization: ApiKey <key>``,
            ``Header("X-API-Key")`` for a field of its own, ``BearerHeader()`` to have
            them beside tokens; any number of these.
        issuer: What ``principal.issuer`` says.
        name: What ``principal.backend`` and ``requires(backend=...)`` call it.
        challenge: What a refusal asks the client to send.

    Raises:
        ConfigurationError: There is no source, or one that is no header.
    """

    def __init__(
        self,
        keys: APIKeys,
        *,
        sources: Sequence[Source] = (BearerHeader("ApiKey"),),
        issuer: str | None = None,
        name: str = "apikey",
        challenge: Challenge | None = None,
    ) -> None:
        self._schemes = frozenset(_scheme(source) for source in sources)
        if not sources:
            msg = 'APIKeyBackend needs a source, for instance BearerHeader("ApiKey").'
            raise ConfigurationError(msg)

        check_issuer(issuer)
        self._keys = keys
        self._prefix = f"{keys.prefix}_".encode("ascii")
        self._issuer = issuer
        self._validity = Validity(keys.clock, renew=self._renew, interval=_ASKED_EVERY)
        self.name = name
        self.sources: tuple[Source, ...] = tuple(sources)
        self.challenges: tuple[Challenge, ...] = (challenge or _challenge(sources[0]),)
        self.issuers: frozenset[str | None] = frozenset({issuer})

    async def authenticate(
        self, credential: Credential | None, scope: Scope
    ) -> Principal | None:
        """Look an API key up; what does not begin like one is not ours.

        Raises:
            ExpiredTokenError: Its time is over.
            RevokedTokenError: It was revoked.
            InvalidTokenError: There is no such key.
            UnavailableError: The store is down.
        """
        if credential is None or not self.claims(credential):
            return None

        key = await self._keys.admit(credential.token)
        return self._principal(key, credential)

    async def ready(self) -> bool:
        """Report whether keys can be looked up."""
        try:
            await self._keys.find("ready")
        except RevokedTokenError:  # There is no such key, as the store has said.
            return True
        except (UnavailableError, ConfigurationError):
            return False

        return True

    def claims(self, credential: Credential) -> bool:
        """Say by scheme and prefix whether the credential would be one of ours."""
        ours = credential.scheme in self._schemes and credential.source == "header"
        return ours and credential.token.startswith(self._prefix)

    def _principal(self, key: APIKey, credential: Credential) -> Principal:
        claims = {**key.data, "sub": key.subject, "key_id": key.id, "label": key.label}
        return Principal(
            subject=key.subject,
            issuer=self._issuer,
            claims=freeze(claims),
            scopes=frozenset(key.scopes) | {AUTHENTICATED},
            roles=frozenset(key.roles),
            source=credential.source,
            backend=self.name,
            token_id=key.id,
            expires_at=key.expires_at,
            is_authenticated=True,
            _validity=self._validity,
        )

    async def _renew(self, principal: Principal) -> tuple[Principal, float]:
        """Find out for an open socket whether its key is still good."""
        key = await self._keys.find(principal.token_id or "")
        successor = replace(
            principal,
            scopes=frozenset(key.scopes) | {AUTHENTICATED},
            roles=frozenset(key.roles),
        )
        ends = math.inf if key.expires_at is None else key.expires_at
        until = min(ends, self._validity.clock() + _ASKED_EVERY)
        return (principal if successor == principal else successor), until


def _scheme(source: Source) -> str:
    """Return how credentials from *source* are marked."""
    if isinstance(source, BearerHeader):
        return source.scheme.lower()

    if isinstance(source, Header):
        return source.name.lower()

    msg = "API keys come in headers: use BearerHeader(scheme) or Header(name)."
    raise ConfigurationError(msg)


def _challenge(source: Source) -> Challenge:
    return Challenge(source.scheme if isinstance(source, BearerHeader) else "ApiKey")
