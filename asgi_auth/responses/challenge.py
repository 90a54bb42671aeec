"""Say what a refused caller would need: the ``WWW-Authenticate`` header.

This module formats; it neither decides nor sends. RFC 6750 section 3, RFC 9110
section 11.6.1, RFC 9470 section 3, RFC 9728 section 5.1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from asgi_auth.errors import (
    AuthError,
    ConfigurationError,
    InsufficientScopeError,
    StepUpRequiredError,
)
from asgi_auth.principal import AUTHENTICATED

__all__ = ["BEARER", "Challenge", "format_challenge"]

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_QUOTABLE = re.compile(r"[\x20\x21\x23-\x5b\x5d-\x7e]*")


@dataclass(frozen=True, slots=True, eq=False)
class Challenge:
    """One authentication scheme that the application accepts.

    Args:
        scheme: For instance ``Bearer``.
        params: Constant parameters, for instance ``{"realm": "orders"}``.

    Raises:
        ConfigurationError: A name is not a token, or a value has a character that
            a quoted-string cannot hold without escapes (RFC 6750, section 3).
    """

    scheme: str = "Bearer"
    params: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what would break the header."""
        for name in (self.scheme, *self.params):
            if _TOKEN.fullmatch(name) is None:
                msg = f"{name!r} is no scheme or parameter name (RFC 9110, 5.6.2)."
                raise ConfigurationError(msg)

        for name, value in self.params.items():
            if _QUOTABLE.fullmatch(value) is None:
                msg = (
                    f"The challenge's {name!r} may hold printable ASCII only, no quote."
                )
                raise ConfigurationError(msg)


BEARER = Challenge()

_WITH_ERRORS = frozenset({"Bearer", "DPoP"})
"""The schemes whose challenges say what is wrong (RFC 6750, 3; RFC 9449, 7.1)."""


def format_challenge(challenge: Challenge, error: AuthError) -> bytes:
    """Write one challenge for *error*; values that cannot be quoted are left out."""
    is_named = challenge.scheme in _WITH_ERRORS and error.oauth_error is not None
    if not is_named or error.scheme not in {None, challenge.scheme}:
        return _format(challenge, ())

    params = {
        "error": str(error.oauth_error),
        "error_description": error.public_message,
    }
    return _format(challenge, (*params.items(), *_demands(error).items()))


# Refusals come in floods, and are few: each text is made once.
@lru_cache(maxsize=256)
def _format(challenge: Challenge, more: tuple[tuple[str, str], ...]) -> bytes:
    params = {**challenge.params, **dict(more)}
    quoted = ", ".join(
        f'{name}="{value}"'
        for name, value in params.items()
        if _QUOTABLE.fullmatch(value) is not None
    )
    return f"{challenge.scheme} {quoted}".rstrip().encode("ascii")


def _demands(error: AuthError) -> dict[str, str]:
    """Return what would have been enough: all of it at once, not piece by piece."""
    demands = {}
    if isinstance(error, InsufficientScopeError):
        demands["scope"] = " ".join(s for s in error.scopes if s != AUTHENTICATED)

    if isinstance(error, StepUpRequiredError):
        demands["acr_values"] = " ".join(error.acr)
        demands["max_age"] = "" if error.max_age is None else str(error.max_age)

    return {name: value for name, value in demands.items() if value}
