"""Judge what a signed token says: RFC 7519 section 4, RFC 9068 section 4, RFC 8725.

Only rules live here. Signatures are checked before, revocation after. Every rule is
at least as strict as PyJWT's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from asgi_auth._misfit import MisfitError, Misfits
from asgi_auth.errors import ConfigurationError, ExpiredTokenError, InvalidTokenError
from asgi_auth.tokens.tolerance import Tolerance

__all__ = [
    "COMMON",
    "DAY",
    "TEXTS",
    "ClaimsRules",
    "UserId",
    "Window",
    "audience_names",
    "check_issuer",
    "is_plain_text",
    "names_of",
    "subject_of",
]

DAY = 86400

UserId = str | int | UUID
"""What names a user; :func:`subject_of` makes a subject of it."""

_LONGEST = 255
_PAST = "exp was %.0f seconds ago"

_LONGEST_SHOWN = 200
_LONGEST_NUMBER = 20
_MOST_BYTES = 1000
# Lone surrogates have no UTF-8 form: the next encode would fail.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

# Members that name a token's kind in one issuer's words or another's, and what an
# access token may say there. Anything else is another kind of token.
_KINDS = {
    "token_use": {"access"},
    "token_type": {"access", "Bearer", "bearer"},
    "typ": {"access", "Bearer", "bearer", "at+jwt", "JWT"},
}
# ID tokens (OpenID Connect Core, section 2) and log-out tokens (Back-Channel, 2.4).
_FOREIGN = frozenset({"nonce", "at_hash", "c_hash", "events"})
_HINTS = _FOREIGN | _KINDS.keys()
_NUMBERS = (int, float)
# Larger numbers are no times, and would break the arithmetic with floats.
_FARTHEST = 2**53

COMMON = ("iss", "aud", "type", *sorted(_HINTS))
"""All that the verdict on parties and kind depends on: of many tokens it is one."""

TEXTS = ("sub", "jti", "sid", "acr", "client_id")
"""Claims that are short, plain texts where they are."""


class Window(NamedTuple):
    """When a token may be used.

    Attributes:
        starts_at: Unix seconds before which it must not be used.
        expires_at: Unix seconds from which on it must not be used.
        issued_at: The ``iat``, or 0.
    """

    starts_at: float
    expires_at: float
    issued_at: int


@dataclass(frozen=True, slots=True)
class ClaimsRules:
    """What must hold for the claims of a token.

    Attributes:
        issuer: The exact ``iss``, or ``None``: tokens must then have none.
        audience: ``aud`` must name one of these; empty: tokens must have none.
        kind: ``access``, or the exact value of ``type``.
        tolerance: How far times may be off.
        is_addressed: Whether something beside ``aud`` says for whom tokens are.
        misfits: What the operator was warned of.
    """

    issuer: str | None = None
    audience: frozenset[str] = frozenset()
    kind: str = "access"
    tolerance: Tolerance = Tolerance()
    is_addressed: bool = False
    misfits: Misfits = field(default_factory=Misfits, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse what would switch a check off."""
        check_issuer(self.issuer)

    def check(self, claims: Mapping[str, Any], now: float) -> Window:
        """Return when the token may be used, or raise.

        Args:
            claims: The payload of a token whose signature is good.
            now: The present, in Unix seconds.

        Raises:
            ExpiredTokenError: ``exp`` has passed, and all else is good.
            MisfitError: It is another issuer's, for another service, or too early.
            InvalidTokenError: Anything else.
        """
        self._check_parties(claims)
        if claims.get("type", "access") != self.kind or not _HINTS.isdisjoint(claims):
            self._check_kind(claims)

        if "sub" not in claims:
            msg = "there is no sub"
            raise InvalidTokenError(msg)

        texts = [name for name in TEXTS if name in claims]
        return Window(*self.check_own(claims, texts, now))

    def check_own(
        self, claims: Mapping[str, Any], texts: Iterable[str], now: float
    ) -> tuple[float, float, int]:
        """Do the rest of :meth:`check`, where a good token had the :data:`COMMON`.

        Args:
            claims: The payload of a token whose signature is good.
            texts: The names of those :data:`TEXTS` that are not common to both.
            now: The present, in Unix seconds.

        Returns:
            The members of a :class:`Window`.

        Raises:
            ExpiredTokenError: As there.
            MisfitError: It is too early for the token.
            InvalidTokenError: As there.
        """
        for name in texts:
            # Nearly every text passes the first look, which spares it a call.
            value = claims[name]
            short = type(value) is str and 0 < len(value) <= _LONGEST
            if not (short and value.isprintable()) and not is_plain_text(value):
                msg = f"{name} is no short, plain text"
                raise InvalidTokenError(msg)

        return self._check_times(claims, now)

    def _check_parties(self, claims: Mapping[str, Any]) -> None:
        issuer = claims.get("iss")
        if issuer != self.issuer or (issuer is None and "iss" in claims):
            msg = "the issuer is another"
            raise self._misfit(msg, "iss", issuer, self.issuer)

        audience = claims.get("aud")
        if type(audience) is str:
            ours = audience in self.audience
        elif "aud" in claims:
            ours = not self.audience.isdisjoint(names_of(audience))
        else:
            ours = not self.audience

        if not ours:
            ours_are = sorted(self.audience) or None
            msg = "the audience is another"
            raise self._misfit(msg, "aud", audience, ours_are)

    def _misfit(
        self, msg: str, name: str, value: object, expected: object
    ) -> MisfitError:
        """Say what a claim is and what it should be, in a text of some length."""
        actual, required = (repr(each)[:_LONGEST_SHOWN] for each in (value, expected))
        msg = f"{msg}: {name} is {actual}, expected {required}"
        return MisfitError(msg, kind=name, issuer=self.issuer, misfits=self.misfits)

    def _too_early(self, start: int, now: float) -> MisfitError:
        skew = self.tolerance.skew
        msg = f"nbf or iat lies ahead: {_digits(start)}, and now it is {now:.0f}"
        msg = f"{msg}; that is more than {skew:.0f} seconds, so that a clock is off"
        return MisfitError(
            msg, kind="time", fault="ahead", issuer=self.issuer, misfits=self.misfits
        )

    def _check_kind(self, claims: Mapping[str, Any]) -> None:
        wrong = claims.get("type", "access") != self.kind
        if self.kind == "access":
            hints = _HINTS & claims.keys()
            wrong |= not all(_speaks_of_access(name, claims[name]) for name in hints)

        if wrong:
            names = _FOREIGN | _KINDS.keys() | {"type"}
            marks = {name: claims[name] for name in sorted(names & claims.keys())}
            raise InvalidTokenError(_another_kind(marks, self.kind))

    def _check_times(
        self, claims: Mapping[str, Any], now: float
    ) -> tuple[float, float, int]:
        tolerance = self.tolerance
        exp: Any = claims.get("exp")
        issued_at: Any = claims.get("iat", 0)
        # Nearly all times are integers, which are looked at here to spare a call. Too
        # large ones fail below, before anything is computed with them.
        if (
            type(exp) is not int
            or type(issued_at) is not int
            or exp <= 0
            or issued_at < 0
        ):
            exp, issued_at = _number(claims, "exp"), _number(claims, "iat") or 0

        if exp is None or exp > now + tolerance.max_lifetime:
            msg = f"exp is missing, or too far ahead: {_digits(exp)}, now {now:.0f}"
            raise InvalidTokenError(msg)

        start = issued_at
        if "nbf" in claims:
            start = max(_number(claims, "nbf") or 0, start)

        if start > now + tolerance.skew:
            raise self._too_early(start, now)

        if "auth_time" in claims:
            _number(claims, "auth_time")

        expires_at = exp + tolerance.leeway
        if expires_at <= now:
            raise ExpiredTokenError(_PAST, now - exp)

        starts_at = start - tolerance.skew
        earliest = exp - tolerance.max_lifetime
        if starts_at < earliest:  # noqa: PLR1730  (a call takes longer)
            starts_at = earliest

        return starts_at, expires_at, issued_at


def _digits(number: int | None) -> str:
    """Write a number, of which strangers may have sent thousands of digits."""
    return str(number)[:_LONGEST_NUMBER]


def _another_kind(marks: Mapping[str, Any], kind: str) -> str:
    """Say what a token says of its kind."""
    text = repr(marks)[:_LONGEST_SHOWN]
    return f"the token is of another kind: expected {kind!r}, and it says {text}"


def _speaks_of_access(name: str, value: object) -> bool:
    return type(value) is str and value in _KINDS.get(name, ())


def _number(claims: Mapping[str, Any], name: str) -> int | None:
    """Return a NumericDate (RFC 7519, section 2) in whole seconds, rounded down."""
    value: Any = claims.get(name)
    if type(value) in _NUMBERS and -_FARTHEST < value < _FARTHEST:
        return int(value // 1)

    if name in claims:
        msg = f"{name} is no time"
        raise InvalidTokenError(msg)

    return None


def names_of(value: object) -> frozenset[str]:
    """Return a text with spaces or a list of texts as a set (RFC 8693, section 4.2).

    Raises:
        InvalidTokenError: It is of another shape.
    """
    if type(value) is str:
        return frozenset(filter(None, value.split(" ")))

    if type(value) is tuple and all(type(member) is str for member in value):
        return frozenset(value)

    msg = "neither a text nor a list of texts"
    raise InvalidTokenError(msg)


def check_issuer(issuer: object) -> None:
    """Check the name of an issuer, or ``None`` for tokens without ``iss``.

    Raises:
        ConfigurationError: It is no text, or an empty one.
    """
    if issuer is not None and not (isinstance(issuer, str) and issuer.strip()):
        msg = 'issuer is no text: name it, or leave it out for tokens without "iss".'
        raise ConfigurationError(msg)


def is_plain_text(value: object) -> bool:
    """Say whether *value* is a text of 1 to 255 characters, none for control."""
    if type(value) is not str or not 0 < len(value) <= _LONGEST:
        return False

    if value.isascii() and value.isprintable():
        return True

    # No store keeps more than 1000 bytes, which is less than 255 rare characters.
    return _CONTROL.search(value) is None and len(value.encode()) <= _MOST_BYTES


def subject_of(user_id: object) -> str:
    """Return the ``sub`` of a user: an id that is an int or a UUID becomes its text.

    Raises:
        ConfigurationError: It is anything else, or no short, plain text.
    """
    if type(user_id) is int or isinstance(user_id, UUID):
        return str(user_id)

    if isinstance(user_id, str) and is_plain_text(user_id):
        return user_id

    msg = (
        "A subject must be 1 to 255 characters without control characters, an int or "
        f"a UUID; this is a {type(user_id).__name__}."
    )
    raise ConfigurationError(msg)


def audience_names(audience: str | Iterable[str] | None) -> frozenset[str]:
    """Return the names of a service, none of which is empty.

    Raises:
        ConfigurationError: There is none, and that was not said by ``None``.
    """
    if audience is None:
        return frozenset()

    names = frozenset((audience,) if isinstance(audience, str) else audience)
    if not names or "" in names:
        msg = "audience must not be empty; None means that tokens have no aud."
        raise ConfigurationError(msg)

    return names
