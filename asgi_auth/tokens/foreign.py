"""Read what other people's tokens say beside what makes them safe.

A claim that this package does without never refuses a token: what is empty is absent,
what has an odd shape is dropped, and whatever needs it then finds nothing. It decides
on no claim that a token depends on; :mod:`asgi_auth.tokens.claims` does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from asgi_auth._frozen import FrozenDict
from asgi_auth.tokens.claims import is_plain_text

__all__ = ["Path", "as_text", "is_empty", "names_at", "tidy", "without_marks"]

Path = str | tuple[str, ...]
"""The exact name of a claim, or the names that lead to one within others."""

_EMPTY = (None, "", ())
_TEXTS = ("jti", "sid", "acr", "client_id")
_TIMES = ("auth_time", "iat")
_OPTIONAL = (
    *_TEXTS,
    *_TIMES,
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "nonce",
    "at_hash",
    "c_hash",
    "events",
    "type",
    "typ",
    "token_use",
    "token_type",
)
# Larger numbers are no times: see asgi_auth.tokens.claims.
_FARTHEST = 2**53

# How others spell that a token is an access token. OAuth compares token types without
# regard to case (RFC 6749, section 5.1); RFC 8693, section 3, has URNs for them.
_URN = "urn:ietf:params:oauth:token-type:access_token"
_ACCESS = {
    "type": {"access", "access_token", "access-token"},
    "token_use": {"access", "access_token", "access-token"},
    "token_type": {"access", "access_token", "access-token", "bearer", _URN},
    "typ": {"access", "access_token", "bearer", "at+jwt", "jwt"},
}

# Words of those who write tokens of several kinds under one key, and say which in
# "type". Without such a word it says something about the user, as "normal-user" does.
_KINDS = re.compile(
    r"refresh|access|bearer|token|jwt|reset|recover|forgot|verif|confirm|activat|invit"
    r"|regist|sign.?up|log.?out|magic|pass|mail|phone|sms|code|otp|mfa|2fa|factor"
    r"|challenge|device|state|csrf|download|upload|unsubscribe|^id$|offline|temp|ticket"
    r"|pre.?auth|partial|pending|one.?time|single|link|consent|delet|share|enrol|setup",
    re.IGNORECASE,
)


def tidy(claims: Mapping[str, Any]) -> dict[str, Any]:
    """Return *claims* without what is empty or odd among the optional ones.

    Numbers become texts where a text is wanted. ``nbf`` stays if it is no time, since
    the issuer has limited the token in a way that is not understood.
    """
    result = dict(claims)
    for name in _OPTIONAL:
        if name in result and is_empty(result[name]):
            del result[name]

    for name in result.keys() & _TEXTS:
        result[name] = as_text(result[name])
        if not is_plain_text(result[name]):
            del result[name]

    for name in result.keys() & _TIMES:
        if not _is_time(result[name]):
            del result[name]

    for name in result.keys() & _ACCESS.keys():
        value = result[name]
        if isinstance(value, str) and value.lower() in _ACCESS[name]:
            del result[name]

    # A token that has to come with a proof is known by what it is bound to.
    kind = result.get("token_type")
    if (
        isinstance(kind, str)
        and kind.lower() == "dpop"
        and result.get("cnf") is not None
    ):
        del result["token_type"]

    return result


def without_marks(claims: FrozenDict, says: Mapping[str, str]) -> FrozenDict:
    """Return *claims* without a ``type`` that is not about tokens.

    Only for tokens that cannot have been written for another purpose of this service:
    those of an issuer with a name, for an audience.

    Args:
        claims: Those of the token.
        says: What they have been found to say; a ``type`` that was demanded is good.
    """
    value = claims.get("type")
    is_kind = isinstance(value, str) and _KINDS.search(value) is not None
    if value is None or (is_kind and value != says.get("type")):
        return claims

    return FrozenDict((name, claims[name]) for name in claims if name != "type")


def is_empty(value: object) -> bool:
    """Say whether *value* stands for nothing: null, an empty text, an empty list."""
    return value in _EMPTY


def as_text(value: object) -> object:
    """Write a whole number, as ids of databases are, as a text; leave all else."""
    return str(value) if type(value) is int else value


def names_at(
    claims: Mapping[str, Any],
    paths: tuple[Path, ...],
    *,
    separator: str | None = None,
    keys: bool = False,
) -> tuple[str, ...]:
    """Collect the names at *paths*; what has another shape names nothing.

    Args:
        claims: Where the paths begin. One leads into each object of a list.
        paths: Of texts, or lists of texts and numbers.
        separator: What stands between names in a text; ``None``: it is one name.
        keys: Whether the keys of an object are names: those whose value says yes.
    """
    names: set[str] = set()
    for path in paths:
        for value in _values(claims, (path,) if isinstance(path, str) else path):
            names.update(_names_in(value, separator, keys=keys))

    return tuple(sorted(names - {""}))


def _values(place: object, path: tuple[str, ...]) -> Iterator[object]:
    if not path:
        yield place
    elif isinstance(place, Mapping):
        if path[0] in place:
            yield from _values(place[path[0]], path[1:])
    elif isinstance(place, tuple):
        for member in place:
            yield from _values(member, path)


def _names_in(value: object, separator: str | None, *, keys: bool) -> Iterator[str]:
    if isinstance(value, str):
        parts = [value] if separator is None else value.split(separator)
        yield from (part if separator is None else part.strip() for part in parts)
    elif isinstance(value, tuple):
        texts = map(as_text, value)
        yield from (text for text in texts if isinstance(text, str))
    elif keys and isinstance(value, Mapping):
        yield from (name for name, member in value.items() if member)


def _is_time(value: Any) -> bool:
    return type(value) in {int, float} and -_FARTHEST < value < _FARTHEST
