"""Recognise callers by the tokens of other issuers, one or many.

The unverified ``iss`` only picks the judge from a fixed list; the judge believes
nothing. Whether a caller may do something is for guards to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from asgi_auth._asgi import Scope
from asgi_auth.backends._confirmations import Confirmations
from asgi_auth.backends.trusted import TrustedIssuer
from asgi_auth.credentials.reader import Credential
from asgi_auth.credentials.sources import BearerHeader, Header, Source
from asgi_auth.errors import ConfigurationError
from asgi_auth.principal import Principal
from asgi_auth.responses.challenge import BEARER, Challenge
from asgi_auth.tokens.codec import peek
from asgi_auth.tokens.verifier import TokenVerifier
from asgi_auth.typing import Confirmation

__all__ = ["IssuersBackend"]


class IssuersBackend:
    """Knows callers by the access tokens of trusted issuers.

    Args:
        trusted: At least one, each with an ``iss`` of its own.
        sources: Where tokens may come from.
        name: What ``principal.backend`` and ``requires(backend=...)`` call it.
        challenge: What a refusal asks the client to send.
        confirmations: See to it that who sends a token bound to a key has that key, for
            instance :class:`~asgi_auth.dpop.DPoP`. Without any such tokens are refused.

    Raises:
        ConfigurationError: There is no issuer, one is there twice, or no source.
    """

    __slots__ = (
        "_confirmations",
        "_confirmed",
        "_recalls",
        "_schemes",
        "_trusted",
        "challenges",
        "issuers",
        "name",
        "sources",
    )

    def __init__(
        self,
        *trusted: TrustedIssuer,
        sources: Sequence[Source] = (BearerHeader(),),
        name: str = "jwt",
        challenge: Challenge = BEARER,
        confirmations: Sequence[Confirmation] = (),
    ) -> None:
        self._trusted = {issuer.issuer: issuer for issuer in trusted}
        if not trusted or len(self._trusted) != len(trusted):
            msg = "IssuersBackend needs issuers, each with an iss of its own."
            raise ConfigurationError(msg)

        if not sources:
            msg = "IssuersBackend needs a source, for instance BearerHeader()."
            raise ConfigurationError(msg)

        self._confirmations = confirmed = Confirmations(confirmations)
        self._confirmed = {
            issuer: each.recaller(name, confirmed=True)
            for issuer, each in self._trusted.items()
        }
        self._recalls = [
            confirmed.lane(self._confirmed[each.issuer], each.recaller(name))
            for each in trusted
        ]
        self.name: str = name
        longest = max(issuer.form.max_token for issuer in trusted)
        self.sources: tuple[Source, ...] = confirmed.sources(
            [_allow(each, longest) for each in sources]
        )
        self._schemes = {"bearer", *(source.way[1] for source in self.sources)}
        self.challenges: tuple[Challenge, ...] = confirmed.challenges(challenge)
        self.issuers: frozenset[str | None] = frozenset(self._trusted)

    async def authenticate(
        self, credential: Credential | None, scope: Scope
    ) -> Principal | None:
        """Verify a token of one of the issuers; any other is not ours.

        Raises:
            ExpiredTokenError: It was good once.
            RevokedTokenError: It, its session or its subject was revoked.
            InvalidTokenError: It is forged, malformed, of another kind or party.
            UnavailableError: It cannot be known at the moment.
            AuthError: The caller does not have the key that it is bound to.
        """
        if credential is None or credential.scheme not in self._schemes:
            return None

        issuer = self._issuer_of(credential)
        if issuer is None:
            return None

        source, confirmations = credential.source, self._confirmations
        if not confirmations:
            token = await issuer.admit(credential.token, source, self.name)
            return token.principal(source, self.name)

        principal = self._confirmed[issuer.issuer](credential.token, source)
        if principal is None:
            token = await issuer.admit(credential.token, source, self.name)
            principal = token.confirmed(source, self.name)

        await confirmations.check(principal, credential, scope)
        return principal

    def recognise(self, token: bytes, source: str) -> Principal | None:
        """Return the principal of a token that was good before and still is.

        Raises:
            RevokedTokenError: It, its session or its subject was revoked.
        """
        for recall in self._recalls:
            principal = recall(token, source)
            if principal is not None:
                return principal

        return None

    def claims(self, credential: Credential) -> bool:
        """Say by its shape alone whether the token would be one of ours."""
        return self._issuer_of(credential) is not None

    def verifier_for(self, issuer: str | None) -> TokenVerifier | None:
        """Return what verifies the tokens of *issuer*, once its keys are known."""
        trusted = self._trusted.get(issuer)
        return None if trusted is None else trusted.verifier

    async def ready(self) -> bool:
        """Report whether the tokens of all issuers can be judged."""
        return all([await issuer.ready() for issuer in self._trusted.values()])

    async def warm_up(self) -> None:
        """Fetch the keys of all issuers now, for instance when the app starts.

        Raises:
            UnavailableError: Those of one cannot be had.
        """
        for issuer in self._trusted.values():
            await issuer.warm_up()

    def _issuer_of(self, credential: Credential) -> TrustedIssuer | None:
        parts = peek(credential.token)
        if parts is None:
            return None

        issuer = parts[1].get("iss")
        if not isinstance(issuer, str) and "iss" in parts[1]:
            return None

        return self._trusted.get(issuer)


def _allow(source: Source, max_token: int) -> Source:
    """Return *source* for tokens as long as those of the issuers."""
    if not isinstance(source, BearerHeader | Header) or source.max_token >= max_token:
        return source

    return replace(source, max_token=max_token)
