"""A token that was good when it was looked at, and the callers that it speaks for.

It does not judge itself: that is for the verifier and the list of what is revoked.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from asgi_auth.errors import InvalidTokenError
from asgi_auth.principal import ANONYMOUS, AUTHENTICATED, Draft, Principal
from asgi_auth.revocation import RevocationList
from asgi_auth.tokens.cache import Entry
from asgi_auth.tokens.claims import Window, names_of
from asgi_auth.tokens.codec import Decoded

__all__ = ["VerifiedToken"]


class VerifiedToken(Entry):
    """A token that was good when it was looked at.

    Attributes:
        claims: The payload, read-only.
        starts_at: Unix seconds before which it must not be used.
        expires_at: Unix seconds from which on it must not be used.
        issued_at: The ``iat``, or 0.
        generation: The key set's when its signature was checked.
        issuer: The ``iss``, or ``None``.
        subject: The ``sub``.
        session_id: The ``sid``, or ``None``.
        token_id: The ``jti``, or ``None``.
        scopes: The ``scope``, and ``authenticated``.
        roles: The ``roles``.
        first: The principal of the first source and backend that asked.
        cleared_at: The version of the revocations at which it was not among them.

    Raises:
        InvalidTokenError: A claim has a shape that it must not have.
    """

    __slots__ = (
        "_others",
        "_whole_subject",
        "claims",
        "cleared_at",
        "expires_at",
        "first",
        "generation",
        "issued_at",
        "issuer",
        "roles",
        "scopes",
        "session_id",
        "starts_at",
        "subject",
        "token_id",
    )

    def __init__(
        self,
        decoded: Decoded,
        window: Window,
        whole_subject: bool = False,  # noqa: FBT001, FBT002  (keywords take longer)
    ) -> None:
        claims = self.claims = decoded.claims
        self._whole_subject = whole_subject
        self.generation = decoded.generation
        starts_at, expires_at, self.issued_at = window
        # The clock returns floats, and each hit compares: like with like is faster.
        self.starts_at = float(starts_at)
        self.expires_at = float(expires_at)
        self.issuer: str | None = claims.get("iss")
        self.subject: str = claims["sub"]
        self.session_id: str | None = claims.get("sid")
        self.token_id: str | None = claims.get("jti")
        try:
            self.scopes = _scopes(claims.get("scope", ()))
            self.roles = _roles(claims.get("roles", ()))
        except TypeError:
            # Nothing that can be a key can be hidden in a list of names.
            msg = "scope or roles is no text and no list of texts"
            raise InvalidTokenError(msg) from None

        self.cleared_at = -1
        self.first = ANONYMOUS
        self._others: tuple[Principal, ...] = ()

    def __repr__(self) -> str:
        """Leave out what identifies the token."""
        return f"VerifiedToken(subject={self.subject!r}, issuer={self.issuer!r})"

    def principal(self, source: str, backend: str) -> Principal:
        """Return the one principal for *source* and *backend*.

        A token that was seen in a header never lends its explicitness to the same
        token in a cookie.
        """
        if self.first is ANONYMOUS:
            self.first = self._make_principal(source, backend)
            return self.first

        for known in (self.first, *self._others):
            if known.source == source and known.backend == backend:
                return known

        principal = self._make_principal(source, backend)
        self._others += (principal,)
        return principal

    def _make_principal(self, source: str, backend: str) -> Principal:
        claims = self.claims
        draft: Any = Draft()
        draft.subject = self.subject
        draft.issuer = self.issuer
        draft.claims = claims
        draft.scopes = self.scopes
        draft.roles = self.roles
        draft.source = source
        draft.backend = backend
        draft.session_id = self.session_id
        draft.token_id = self.token_id
        draft.auth_time = claims.get("auth_time")
        draft.acr = claims.get("acr")
        draft.expires_at = self.expires_at
        draft.error = None
        draft.is_authenticated = True
        draft.__class__ = Principal
        principal: Principal = draft
        return principal

    def clear(self, revocations: RevocationList) -> None:
        """Look the token up among what is revoked.

        Raises:
            RevokedTokenError: It, its session or its subject was revoked.
        """
        version = revocations.version
        if version:  # Else nothing was ever revoked.
            self._check(revocations)

        self.cleared_at = version

    def _check(self, revocations: RevocationList) -> None:
        revocations.check(
            self.issuer,
            session_id=self.session_id,
            token_id=self.token_id,
            subject=self.subject,
            issued_at=self.issued_at,
        )
        if self._whole_subject and self.session_id is not None:
            revocations.check(
                self.issuer,
                session_id=None,
                token_id=None,
                subject=self.subject,
                issued_at=self.issued_at,
            )


# Users share few sets of names: one object for each saves time and memory.
@lru_cache(maxsize=512)
def _scopes(value: str | tuple[str, ...]) -> frozenset[str]:
    return names_of(value) | {AUTHENTICATED}


@lru_cache(maxsize=512)
def _roles(value: str | tuple[str, ...]) -> frozenset[str]:
    # A text is one role: unlike a scope, a role may have spaces.
    return names_of((value,) if type(value) is str else value)
