"""A token that was good when it was looked at, and the callers that it speaks for.

It does not judge itself: that is for the verifier and the list of what is revoked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from functools import lru_cache
from typing import Any

from asgi_auth._frozen import FrozenDict
from asgi_auth._logs import package_logger
from asgi_auth.errors import InvalidTokenError
from asgi_auth.principal import AUTHENTICATED, Principal
from asgi_auth.revocation import RevocationList
from asgi_auth.revocation.validity import Validity
from asgi_auth.tokens.cache import Entry
from asgi_auth.tokens.claims import names_of

__all__ = [
    "BoundToken",
    "VerifiedToken",
    "kind_of",
    "roles_of",
    "scopes_of",
    "warn_of_unconfirmed",
]


_logger = package_logger(__name__)


class _Draft:
    """A principal while it is written: of the same shape, and not frozen yet.

    To fill one in and then set its ``__class__`` to :class:`Principal` takes a seventh
    of the time of calling that: a frozen class looks ``object.__setattr__`` up for each
    field.
    """

    __slots__ = tuple(field.name for field in fields(Principal))


class VerifiedToken(Entry):
    """A token that was good when it was looked at.

    Args:
        claims: What counts: the payload, or what it was translated to.
        window: When it may be used.
        payload: What the principal has as its claims; by default the same.
        generation: The key set's when its signature was checked.
        validity: What may end its principals.
        source: Where the token has come from; nowhere, if a service looks at it.
        backend: The name of who asks.

    Attributes:
        starts_at: Unix seconds before which it must not be used.
        expires_at: Unix seconds from which on it must not be used.
        issued_at: The ``iat``, or 0.
        generation: The key set's when its signature was checked.
        first: The principal of the first source and backend that asked; of none, as
            long as only a service has.
        cleared_at: The version of the revocations at which it was not among them.

    Raises:
        InvalidTokenError: A claim has a shape that it must not have.
    """

    __slots__ = (
        "_others",
        "cleared_at",
        "expires_at",
        "first",
        "generation",
        "issued_at",
        "starts_at",
    )

    def __init__(  # noqa: PLR0917  (keywords take longer)
        self,
        claims: Mapping[str, Any],
        window: tuple[float, float, int],
        payload: FrozenDict | None = None,
        generation: int = 0,
        validity: Validity | None = None,
        source: str | None = None,
        backend: str | None = None,
    ) -> None:
        self.starts_at: float
        self.issued_at: int
        self.starts_at, expires_at, self.issued_at = window
        self.expires_at: float = expires_at
        self.generation: int = generation
        self.cleared_at: int = 0  # Nothing was revoked at the version 0.
        self._others: tuple[Principal, ...] = ()
        draft: Any = _Draft()
        try:
            draft.scopes = (
                scopes_of(claims["scope"]) if "scope" in claims else _NO_SCOPES
            )
            draft.roles = roles_of(claims["roles"]) if "roles" in claims else _NO_ROLES
        except TypeError:
            # Nothing that can be a key can be hidden in a list of names.
            msg = "scope or roles is no text and no list of texts"
            raise InvalidTokenError(msg) from None

        draft.subject = claims["sub"]
        draft.issuer = claims.get("iss")
        draft.claims = claims if payload is None else payload
        draft.source = source
        draft.backend = backend
        draft.session_id = claims.get("sid")
        draft.token_id = claims.get("jti")
        draft.auth_time = claims.get("auth_time")
        draft.acr = claims.get("acr")
        draft.expires_at = expires_at
        draft.error = None
        draft.is_authenticated = True
        draft._validity = validity  # noqa: SLF001  (it has no name for others)
        draft.__class__ = Principal
        self.first: Principal = draft

    def __repr__(self) -> str:
        """Leave out what identifies the token."""
        return f"VerifiedToken(subject={self.subject!r}, issuer={self.issuer!r})"

    @property
    def claims(self) -> Mapping[str, Any]:
        """The payload, read-only."""
        return self.first.claims

    @property
    def issuer(self) -> str | None:
        """The ``iss``, or ``None``."""
        return self.first.issuer

    @property
    def subject(self) -> str:
        """The ``sub``."""
        return self.first.subject

    @property
    def scopes(self) -> frozenset[str]:
        """The ``scope``, and ``authenticated``."""
        return self.first.scopes

    @property
    def roles(self) -> frozenset[str]:
        """The ``roles``."""
        return self.first.roles

    @property
    def session_id(self) -> str | None:
        """The ``sid``, or ``None``."""
        return self.first.session_id

    @property
    def token_id(self) -> str | None:
        """The ``jti``, or ``None``."""
        return self.first.token_id

    def principal(self, source: str, backend: str) -> Principal:
        """Return the one principal for *source* and *backend*.

        A token that was seen in a header never lends its explicitness to the same
        token in a cookie.
        """
        for principal in (self.first, *self._others):
            if principal.source == source and principal.backend == backend:
                return principal

        principal = replace(self.first, source=source, backend=backend)
        if self.first.source is None:
            # A service has looked at it before a caller came, who will come again.
            self._others += (self.first,)
            self.first = principal
        else:
            self._others += (principal,)

        return principal

    def confirmed(self, source: str, backend: str) -> Principal:
        """Return :meth:`principal` , for whoever has shown the key if one counts."""
        return self.principal(source, backend)

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
        owner = self.first
        revocations.check(
            owner.issuer,
            session_id=owner.session_id,
            token_id=owner.token_id,
            subject=owner.subject,
            issued_at=self.issued_at,
            act=owner.claims.get("act"),
        )


class BoundToken(VerifiedToken):
    """A token that is worth nothing without the key that its ``cnf`` names (RFC 7800).

    A backend that cannot check that the caller has the key gets no principal from it.
    Its ``first`` is never anybody's, so that the fast lane asks as well.
    """

    __slots__ = ()

    def __init__(  # noqa: PLR0917  (as above)
        self,
        claims: Mapping[str, Any],
        window: tuple[float, float, int],
        payload: FrozenDict | None = None,
        generation: int = 0,
        validity: Validity | None = None,
        source: str | None = None,
        backend: str | None = None,
    ) -> None:
        super().__init__(claims, window, payload, generation, validity)

    def principal(self, source: str, backend: str) -> Principal:
        """Refuse: no proof has been checked (RFC 9449, section 7.2).

        Raises:
            InvalidTokenError: Always.
        """
        msg = "the token is bound to a key (cnf), and came without a proof of it"
        raise InvalidTokenError(msg)

    def confirmed(self, source: str, backend: str) -> Principal:
        """Return the principal for a caller who has shown the key."""
        for principal in self._others:
            if principal.source == source and principal.backend == backend:
                return principal

        principal = replace(self.first, source=source, backend=backend)
        self._others += (principal,)
        return principal


def warn_of_unconfirmed(*, ignore_confirmation: bool) -> None:
    """Warn where an application takes bound tokens from whoever sends them."""
    if ignore_confirmation:
        _logger.warning(
            "insecure_ignore_confirmation: tokens that are bound to a key are taken "
            "from whoever sends them"
        )


def kind_of(
    claims: Mapping[str, Any], *, ignore_confirmation: bool
) -> type[VerifiedToken]:
    """Return what a token with these claims is, as its issuer wrote them."""
    is_bound = claims.get("cnf") is not None and not ignore_confirmation
    return BoundToken if is_bound else VerifiedToken


_NO_SCOPES = frozenset({AUTHENTICATED})
_NO_ROLES: frozenset[str] = frozenset()


# Users share few sets of names: one object for each saves time and memory.
@lru_cache(maxsize=512)
def scopes_of(value: str | tuple[str, ...]) -> frozenset[str]:
    """Return the scopes of a principal: those of the claim, and ``authenticated``."""
    return names_of(value) | {AUTHENTICATED}


@lru_cache(maxsize=512)
def roles_of(value: str | tuple[str, ...]) -> frozenset[str]:
    """Return the roles of a principal, as the claim has them."""
    # A text is one role: unlike a scope, a role may have spaces.
    return names_of((value,) if type(value) is str else value)
