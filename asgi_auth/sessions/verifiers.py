"""One verifier for each kind of token, so that none is taken for another (RFC 8725)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from asgi_auth.errors import InvalidTokenError
from asgi_auth.keys import KeySet
from asgi_auth.tokens.codec import as_bytes
from asgi_auth.tokens.form import TokenForm
from asgi_auth.tokens.issuer import KINDS
from asgi_auth.tokens.verification import Verification
from asgi_auth.tokens.verified import VerifiedToken
from asgi_auth.tokens.verifier import TokenVerifier

__all__ = ["Verifiers"]


class Verifiers:
    """The verifiers of a service's own tokens.

    Args:
        keys: Of access tokens.
        refresh_keys: Of all other tokens.
        audience: Of access tokens; the other kinds have their own.
        verification: How. Access tokens alone are remembered, since the others come
            once and are not worth a place, and alone may be taken from anybody.
        options: What all verifiers share.
    """

    __slots__ = ("_recalls", "_verifiers")

    def __init__(
        self,
        keys: KeySet,
        refresh_keys: KeySet,
        *,
        audience: str | tuple[str, ...] | None,
        verification: Verification,
        **options: Any,
    ) -> None:
        once = replace(verification, cache_size=0, insecure_ignore_confirmation=False)
        self._verifiers = {
            kind.name: TokenVerifier(
                keys if kind.name == "access" else refresh_keys,
                audience=kind.audience or audience,
                types=(kind.typ,),
                form=TokenForm(kind=kind.name),
                verification=verification if kind.name == "access" else once,
                **options,
            )
            for kind in KINDS.values()
        }
        self._recalls = {
            kind: verifier.recaller("service")
            for kind, verifier in self._verifiers.items()
        }

    def __getitem__(self, kind: str) -> TokenVerifier:
        """Return the verifier of *kind*."""
        return self._verifiers[kind]

    def verify(self, kind: str, token: str) -> VerifiedToken:
        """Verify a token of *kind*, without asking whether it is revoked.

        Raises:
            ExpiredTokenError: It was good once.
            InvalidTokenError: It is forged, malformed, or of another kind.
        """
        return self._verifiers[kind].verify(as_bytes(token))

    def verify_refresh(self, token: str, client_id: str | None) -> VerifiedToken:
        """Verify a refresh token of this service, as :meth:`verify` does.

        Two services may share issuer, keys and store: each renews its own only.

        Args:
            token: What may be one.
            client_id: Of this service.
        """
        verified = self.verify("refresh", token)
        if verified.claims.get("client_id") != client_id:
            msg = "the refresh token is of another service"
            raise InvalidTokenError(msg)

        return verified

    async def admit(
        self, kind: str, token: str, *, ignore_confirmation: bool = False
    ) -> Mapping[str, Any]:
        """Return the claims of a token of *kind* that is good and not revoked.

        Args:
            kind: What it must be.
            token: The token.
            ignore_confirmation: One that is bound to a key counts by itself.

        Raises:
            ExpiredTokenError: It was good once.
            RevokedTokenError: It, its session or its subject was revoked.
            InvalidTokenError: It is forged, malformed, or of another kind.
            UnavailableError: It cannot be known whether it is revoked.
        """
        raw = as_bytes(token)
        if ignore_confirmation:
            return (await self._verifiers[kind].admit(raw)).claims

        principal = self._recalls[kind](raw, "message")
        if principal is not None:
            return principal.claims

        verified = await self._verifiers[kind].admit(raw, "message", "service")
        return verified.principal("message", "service").claims
