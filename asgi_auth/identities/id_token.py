"""Judge ID tokens (OpenID Connect Core 1.0, section 3.1.3.7).

A verifier of its own: no access token, no log-out token and no token of ours passes
here, and no ID token passes anywhere else. It asks for keys, and for nothing more.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256, sha384, sha512
from typing import Any, Final

from asgi_auth._clock import Clock
from asgi_auth._encoding import constant_time_equal
from asgi_auth._frozen import FrozenDict
from asgi_auth.backends.trusted import TrustedIssuer
from asgi_auth.errors import InvalidTokenError
from asgi_auth.identities.attempt import Attempt
from asgi_auth.tokens.claims import is_plain_text
from asgi_auth.tokens.codec import as_bytes, peek

__all__ = ["IDTokenVerifier"]

_TYPES: Final = frozenset({"", "jwt"})
_SKEW: Final = 60.0
# An ID token comes at once: an old one is somebody's loot.
_OLDEST: Final = 600.0
_FARTHEST: Final = 2**53
_KINDS: Final = {"token_use": ("id",), "typ": ("ID", "JWT")}
_HASHES: Final = {"256": sha256, "384": sha384, "512": sha512}


@dataclass(frozen=True, slots=True, kw_only=True)
class IDTokenVerifier:
    """Takes the ID tokens of one issuer for one client.

    Attributes:
        trusted: Knows the issuer's keys.
        issuer: The exact ``iss``.
        client_id: The client they must be for.
        says: Claims that must have this very value.
        clock: Returns Unix seconds.
    """

    trusted: TrustedIssuer
    issuer: str
    client_id: str
    says: Mapping[str, str] = field(default_factory=dict)
    clock: Clock

    async def verify(
        self, token: str, attempt: Attempt, access_token: object = None
    ) -> FrozenDict:
        """Return the claims of a good ID token.

        Args:
            token: As the token endpoint has given it.
            attempt: The log-in that it must be the answer to.
            access_token: What came beside it, to compare with ``at_hash``.

        Raises:
            InvalidTokenError: It is not good; the text says why, for the log.
            UnavailableError: The keys cannot be had.
        """
        raw = as_bytes(token)
        decoded = await self.trusted.decode(raw)
        claims = decoded.claims
        if decoded.typ not in _TYPES:
            msg = f"typ is {decoded.typ[:40]!r}, which is no ID token's"
            raise InvalidTokenError(msg)

        self._check_parties(claims)
        self._check_kind(claims)
        self._check_times(claims, attempt)
        nonce = claims.get("nonce")
        if not (isinstance(nonce, str) and _same(nonce, attempt.nonce)):
            msg = "the nonce is another log-in's"
            raise InvalidTokenError(msg)

        _check_hash(claims.get("at_hash"), access_token, _algorithm(raw))
        return claims

    def _check_parties(self, claims: Mapping[str, Any]) -> None:
        if claims.get("iss") != self.issuer:
            msg = f"iss is {str(claims.get('iss'))[:200]!r}, not {self.issuer!r}"
            raise InvalidTokenError(msg)

        audience, party = claims.get("aud"), claims.get("azp")
        names = audience if isinstance(audience, tuple) else (audience,)
        is_ours = self.client_id in names and party in (None, self.client_id)
        if not is_ours or (len(names) > 1 and party is None):
            msg = f"aud is {str(audience)[:200]!r}, azp {str(party)[:99]!r}"
            raise InvalidTokenError(msg)

        if not is_plain_text(claims.get("sub")):
            msg = "sub is no short, plain text"
            raise InvalidTokenError(msg)

        for name, value in self.says.items():
            if claims.get(name) != value:
                msg = f"{name} is {str(claims.get(name))[:99]!r}, not {value!r}"
                raise InvalidTokenError(msg)

    def _check_kind(self, claims: Mapping[str, Any]) -> None:
        """Refuse tokens of other kinds that the same keys sign."""
        if "events" in claims:
            msg = "it is a log-out token"
            raise InvalidTokenError(msg)

        for name, allowed in _KINDS.items():
            if name in claims and claims[name] not in allowed:
                msg = f"{name} is {str(claims[name])[:40]!r}, which is no ID token's"
                raise InvalidTokenError(msg)

    def _check_times(self, claims: Mapping[str, Any], attempt: Attempt) -> None:
        now = self.clock()
        issued_at, expires_at = _time(claims, "iat"), _time(claims, "exp")
        starts_at = _time(claims, "nbf") if "nbf" in claims else issued_at
        if max(issued_at, starts_at) > now + _SKEW or expires_at <= now - _SKEW:
            msg = f"iat {issued_at:.0f}, exp {expires_at:.0f}, and now it is {now:.0f}"
            raise InvalidTokenError(msg)

        if now - issued_at > _OLDEST:
            msg = f"it was issued {now - issued_at:.0f} seconds ago"
            raise InvalidTokenError(msg)

        if type(claims.get("auth_time")) in {int, float}:
            _time(claims, "auth_time")

        if not attempt.fresh:
            return

        # Section 3.1.2.1: where max_age was asked for, auth_time must be there.
        if _time(claims, "auth_time") < attempt.begun_at - _SKEW:
            msg = "the user has not logged in anew"
            raise InvalidTokenError(msg)


def _time(claims: Mapping[str, Any], name: str) -> float:
    value: Any = claims.get(name)
    if type(value) in {int, float} and -_FARTHEST < value < _FARTHEST:
        return float(value)

    msg = f"{name} is no time"
    raise InvalidTokenError(msg)


def _same(left: str, right: str) -> bool:
    return constant_time_equal(left.encode("utf-8"), right.encode("utf-8"))


def _algorithm(token: bytes) -> str:
    parts = peek(token)
    return "" if parts is None else str(parts[0].get("alg"))


def _check_hash(expected: object, token: object, algorithm: str) -> None:
    """Compare ``at_hash`` with the access token, where both came (section 3.1.3.8)."""
    if expected is None or not isinstance(token, str):
        return

    digest = _HASHES.get(algorithm[-3:], sha512)(token.encode()).digest()
    left_half = urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=")
    if not isinstance(expected, str) or not _same(expected, left_half.decode()):
        msg = "at_hash is another access token's"
        raise InvalidTokenError(msg)
