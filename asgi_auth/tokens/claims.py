"""Judge what a signed token says: RFC 7519 section 4, RFC 9068 section 4, RFC 8725.

Only rules live here. Signatures are checked before, revocation after. Every rule is
at least as strict as PyJWT's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from asgi_auth.errors import ConfigurationError, ExpiredTokenError, InvalidTokenError

__all__ = ["DAY", "ClaimsRules", "is_plain_text", "names_of", "number"]

DAY = 86400
_LONGEST = 255
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

# Members that name a token's kind in one issuer's dialect or another's; what an
# access token may say there. Anything else is another kind of token.
_KINDS = {
    "type": {"access"},
    "token_use": {"access"},
    "token_type": {"access", "Bearer", "bearer"},
    "typ": {"access", "Bearer", "bearer", "at+jwt", "JWT"},
}
# ID tokens (OpenID Connect Core, section 2) and log-out tokens (Back-Channel, 2.4).
_FOREIGN = ("nonce", "at_hash", "c_hash", "events")


@dataclass(frozen=True, slots=True)
class ClaimsRules:
    """What must hold for the claims of a token.

    Attributes:
        issuer: The exact ``iss``, or ``None``: tokens must then have none.
        audience: ``aud`` must name one of these; empty: tokens must have none.
        kind: ``access``, or the exact value of ``type``.
        leeway: Seconds that ``exp`` is stretched by, 0 to 300.
        skew: Seconds that ``nbf`` and ``iat`` may lie ahead, 0 to 300.
        max_lifetime: Seconds that ``exp`` may lie ahead, so that an issuer that
            counts milliseconds is noticed.
    """

    issuer: str | None = None
    audience: frozenset[str] = frozenset()
    kind: str = "access"
    leeway: float = 0
    skew: float = 5
    max_lifetime: float = 366 * DAY

    def __post_init__(self) -> None:
        """Refuse tolerances that would switch a check off."""
        for name in ("leeway", "skew"):
            if not 0 <= getattr(self, name) <= 300:  # noqa: PLR2004
                msg = f"{name} must be 0 to 300 seconds."
                raise ConfigurationError(msg)

    def check(self, claims: Mapping[str, Any], now: float) -> None:
        """Pass, or raise.

        Args:
            claims: The payload of a token whose signature is good.
            now: The present, in Unix seconds.

        Raises:
            ExpiredTokenError: ``exp`` has passed, and all else is good.
            InvalidTokenError: Anything else.
        """
        self._check_parties(claims)
        self._check_kind(claims)
        _check_text(claims.get("sub"), "sub")
        for name in ("jti", "sid", "acr", "client_id"):
            if name in claims:
                _check_text(claims[name], name)

        self._check_times(claims, now)

    def _check_parties(self, claims: Mapping[str, Any]) -> None:
        if claims.get("iss") != self.issuer:
            msg = "the issuer is another"
            raise InvalidTokenError(msg)

        audience = names_of(claims, "aud", split=False)
        if not (audience & self.audience if self.audience else "aud" not in claims):
            msg = "the audience is another"
            raise InvalidTokenError(msg)

    def _check_kind(self, claims: Mapping[str, Any]) -> None:
        if self.kind != "access":
            wrong = claims.get("type") != self.kind
        else:
            wrong = any(name in claims for name in _FOREIGN) or any(
                name in claims and not _is_one_of(claims[name], allowed)
                for name, allowed in _KINDS.items()
            )

        if wrong:
            msg = "the token is of another kind"
            raise InvalidTokenError(msg)

    def _check_times(self, claims: Mapping[str, Any], now: float) -> None:
        expires_at = number(claims, "exp")
        if expires_at is None or expires_at > now + self.max_lifetime:
            msg = "exp is missing, or too far ahead"
            raise InvalidTokenError(msg)

        for name in ("nbf", "iat"):
            start = number(claims, name)
            if start is not None and start > now + self.skew:
                msg = f"{name} lies ahead"
                raise InvalidTokenError(msg)

        number(claims, "auth_time")
        if expires_at + self.leeway <= now:
            raise ExpiredTokenError


def number(claims: Mapping[str, Any], name: str) -> int | None:
    """Return a NumericDate (RFC 7519, section 2) in whole seconds, rounded down.

    Raises:
        InvalidTokenError: It is no number.
    """
    value = claims.get(name)
    if type(value) is int:
        return value

    if type(value) is float:
        return int(value // 1)

    if name in claims:
        msg = f"{name} is no number"
        raise InvalidTokenError(msg)

    return None


def names_of(
    claims: Mapping[str, Any], name: str, *, split: bool = True
) -> frozenset[str]:
    """Return a claim that is a text or a list of texts, as a set.

    Args:
        claims: The payload.
        name: For instance ``scope``.
        split: A text is a list with spaces in between (RFC 8693, section 4.2).

    Raises:
        InvalidTokenError: It is of another shape.
    """
    value = claims.get(name)
    if type(value) is str:
        return frozenset(value.split() if split else (value,))

    if type(value) is tuple and all(type(member) is str for member in value):
        return frozenset(value)

    if name in claims:
        msg = f"{name} is no text and no list of texts"
        raise InvalidTokenError(msg)

    return frozenset()


def _is_one_of(value: object, allowed: set[str]) -> bool:
    return type(value) is str and value in allowed


def is_plain_text(value: object) -> bool:
    """Tell a non-empty text of at most 255 characters, none of them for control."""
    return (
        type(value) is str
        and 0 < len(value) <= _LONGEST
        and _CONTROL.search(value) is None
    )


def _check_text(value: object, name: str) -> None:
    if not is_plain_text(value):
        msg = f"{name} is no short, plain text"
        raise InvalidTokenError(msg)
