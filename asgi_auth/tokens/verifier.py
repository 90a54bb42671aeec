"""Verify tokens: form, signature, kind and claims, in this order.

Revocation is asked last, of a local copy. The application's own users come after.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import lru_cache
from hashlib import sha256
from typing import Literal

from asgi_auth._clock import Clock, system_clock
from asgi_auth.errors import ConfigurationError, InvalidTokenError
from asgi_auth.keys import KeySet
from asgi_auth.principal import AUTHENTICATED, Principal
from asgi_auth.revocation import RevocationList, uptime
from asgi_auth.tokens.cache import CacheStats, VerifiedCache
from asgi_auth.tokens.claims import ClaimsRules, Window, names_of
from asgi_auth.tokens.codec import Codec, Decoded

__all__ = ["TokenVerifier", "VerifiedToken"]

ACCESS_TYPES = ("at+jwt",)
"""The media type of an access token (RFC 9068, section 2.1)."""


class VerifiedToken:
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
        cleared_at: The version of the revocations at which it was not among them.

    Raises:
        InvalidTokenError: A claim has a shape that it must not have.
    """

    __slots__ = (
        "_principals",
        "claims",
        "cleared_at",
        "expires_at",
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

    def __init__(self, decoded: Decoded, window: Window) -> None:
        claims = self.claims = decoded.claims
        self.generation = decoded.generation
        self.starts_at, self.expires_at, self.issued_at = window
        self.issuer: str | None = claims.get("iss")
        self.subject: str = claims["sub"]
        self.session_id: str | None = claims.get("sid")
        self.token_id: str | None = claims.get("jti")
        self.scopes = _with_authenticated(names_of(claims, "scope"))
        self.roles = _shared(names_of(claims, "roles"))
        self.cleared_at = -1
        self._principals: tuple[Principal, ...] = ()

    def __repr__(self) -> str:
        """Leave out what identifies the token."""
        return f"VerifiedToken(subject={self.subject!r}, issuer={self.issuer!r})"

    def principal(self, source: str, backend: str) -> Principal:
        """Return the one principal for *source* and *backend*.

        A token that was seen in a header never lends its explicitness to the same
        token in a cookie.
        """
        for known in self._principals:
            if known.source == source and known.backend == backend:
                return known

        principal = self._make_principal(source, backend)
        self._principals += (principal,)
        return principal

    def _make_principal(self, source: str, backend: str) -> Principal:
        claims = self.claims
        return Principal(
            self.subject,
            self.issuer,
            claims,
            self.scopes,
            self.roles,
            source,
            backend,
            self.session_id,
            self.token_id,
            claims.get("auth_time"),
            claims.get("acr"),
            self.expires_at,
            is_authenticated=True,
        )


class TokenVerifier:
    """Verifies tokens of one issuer, of one kind.

    Args:
        keys: The keys of the issuer.
        issuer: The exact ``iss``; ``None``: tokens must not have one.
        audience: This service; ``aud`` must name one of these. ``None``: tokens must
            not have one.
        types: Accepted ``typ`` headers, lower-case, without ``application/``.
        kind: ``access``, or the exact value of the ``type`` claim.
        algorithms: The only ones accepted, or ``None`` for all that the keys have.
        leeway: Seconds that ``exp`` is stretched by, 0 to 300.
        skew: Seconds that ``nbf`` and ``iat`` may lie ahead, 0 to 300.
        max_lifetime: Seconds that ``exp`` may lie ahead.
        cache: ``None`` verifies the same token again each time.
        cache_size: Greatest number of verified tokens to remember.
        revocations: What is revoked, or ``None``: nobody can revoke these tokens.
        clock: Returns Unix seconds.

    Raises:
        ConfigurationError: A tolerance or the cache size is out of bounds.
    """

    __slots__ = (
        "_cache",
        "_clock",
        "_codec",
        "_keys",
        "_revocations",
        "_rules",
        "_types",
    )

    def __init__(
        self,
        keys: KeySet,
        *,
        issuer: str | None = None,
        audience: str | Iterable[str] | None = None,
        types: Collection[str] = ACCESS_TYPES,
        kind: str = "access",
        algorithms: Collection[str] | None = None,
        leeway: float = 0,
        skew: float = 5,
        max_lifetime: float = 366 * 86400,
        cache: Literal["memory"] | None = "memory",
        cache_size: int = 4096,
        revocations: RevocationList | None = None,
        clock: Clock = system_clock,
    ) -> None:
        self._keys = keys
        self._clock = clock
        self._revocations = revocations
        self._types = frozenset(types)
        self._codec = Codec(keys, algorithms=algorithms)
        self._rules = ClaimsRules(
            issuer=issuer,
            audience=_names(audience),
            kind=kind,
            leeway=leeway,
            skew=skew,
            max_lifetime=max_lifetime,
        )
        self._cache = (
            None if cache is None else VerifiedCache[VerifiedToken](cache_size)
        )

    @property
    def issuer(self) -> str | None:
        """Whose tokens are accepted."""
        return self._rules.issuer

    @property
    def keys(self) -> KeySet:
        """What signatures are checked with."""
        return self._keys

    async def admit(self, token: bytes) -> VerifiedToken:
        """Verify one compact JWS, and see that it is not revoked.

        No I/O happens here as long as the copy of the revocations is fresh.

        Raises:
            ExpiredTokenError: It was good once.
            RevokedTokenError: It, its session or its subject was revoked.
            InvalidTokenError: It is forged, malformed, of another kind or party.
            UnavailableError: It cannot be known whether it is revoked.
        """
        verified = self.verify(token)
        revocations = self._revocations
        if revocations is not None:
            if uptime() > revocations.fresh_until:
                await revocations.ensure_fresh()

            _clear(verified, revocations)

        return verified

    def recall(self, token: bytes) -> VerifiedToken | None:
        """Return a token that was admitted before, if nothing has changed since.

        Time, the keys and the revocations are looked at each time; ``None`` means
        that :meth:`admit` has to find out, not that the token is bad.

        Raises:
            RevokedTokenError: It, its session or its subject was revoked.
        """
        cache = self._cache
        if cache is None:
            return None

        known = cache.get(sha256(token).digest())
        if (
            known is None
            or not known.starts_at <= self._clock() < known.expires_at
            or known.generation != self._keys.generation
        ):
            return None

        revocations = self._revocations
        if revocations is not None:
            if uptime() > revocations.fresh_until:
                return None

            if known.cleared_at != revocations.version:
                _clear(known, revocations)

        return known

    def verify(self, token: bytes) -> VerifiedToken:
        """Verify one compact JWS anew, without asking whether it is revoked.

        Raises:
            ExpiredTokenError: It was good once.
            InvalidTokenError: It is forged, malformed, of another kind or party.
        """
        decoded = self._codec.decode(token)
        if decoded.typ not in self._types:
            msg = "the token is of another type"
            raise InvalidTokenError(msg)

        window = self._rules.check(decoded.claims, self._clock())
        verified = VerifiedToken(decoded, window)
        if self._cache is not None:
            self._cache.put(sha256(token).digest(), verified, length=len(token))

        return verified

    def cache_stats(self) -> CacheStats:
        """Return hits, misses and size of the table of verified tokens."""
        return CacheStats(0, 0, 0) if self._cache is None else self._cache.stats()


def _clear(token: VerifiedToken, revocations: RevocationList) -> None:
    """Look *token* up among what is revoked."""
    version = revocations.version
    revocations.check(
        token.issuer,
        session_id=token.session_id,
        token_id=token.token_id,
        subject=token.subject,
        issued_at=token.issued_at,
    )
    token.cleared_at = version


def _names(audience: str | Iterable[str] | None) -> frozenset[str]:
    if audience is None:
        return frozenset()

    names = frozenset((audience,) if isinstance(audience, str) else audience)
    if not names or "" in names:
        msg = "audience must not be empty; None means that tokens have no aud."
        raise ConfigurationError(msg)

    return names


# Users share few sets of scopes: one object for each saves memory in the cache.
@lru_cache(maxsize=512)
def _with_authenticated(scopes: frozenset[str]) -> frozenset[str]:
    return scopes | {AUTHENTICATED}


@lru_cache(maxsize=512)
def _shared(names: frozenset[str]) -> frozenset[str]:
    return names
