"""Settings, checked when they are made.

Secrets that are too weak are refused here, before a single token is signed. Nothing
is read from the environment unless :meth:`AuthConfig.from_env` is called.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Self

from asgi_auth.errors import ConfigurationError
from asgi_auth.keys import KeySet

__all__ = ["AuthConfig"]

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthConfig:
    """What an application with one secret has to say about its tokens.

    Attributes:
        secret_key: Signs tokens; at least as long as the hash, never shown.
        algorithm: ``HS256``, ``HS384`` or ``HS512`` (RFC 7518, section 3.2).
        access_token_expire_minutes: Lifetime of access tokens.
        refresh_token_expire_days: Lifetime of a session nobody refreshes.
        issuer: The ``iss``.
        audience: The ``aud`` of access tokens.
        cookie_name: Name of the refresh token's cookie.
        cookie_secure: Send cookies over https only.
        cookie_httponly: Hide cookies from scripts.
        cookie_samesite: SameSite policy of cookies.

    Raises:
        ConfigurationError: A value is weak or out of bounds; the text says how to
            make a good one.
    """

    secret_key: str = field(repr=False)
    algorithm: str = "HS256"
    access_token_expire_minutes: int = 15
    refresh_token_expire_days: int = 7
    issuer: str | None = None
    audience: str | None = None
    cookie_name: str = "refresh_token"
    cookie_secure: bool = True
    cookie_httponly: bool = True
    cookie_samesite: Literal["strict", "lax", "none"] = "strict"

    def __post_init__(self) -> None:
        """Refuse what is weak."""
        self.key_set()
        _between("access_token_expire_minutes", self.access_token_expire_minutes, 1440)
        _between("refresh_token_expire_days", self.refresh_token_expire_days, 366)
        if self.cookie_samesite not in {"strict", "lax", "none"}:
            msg = "cookie_samesite must be strict, lax or none."
            raise ConfigurationError(msg)

        if self.cookie_samesite == "none" and not self.cookie_secure:
            msg = "cookie_samesite='none' needs cookie_secure (RFC 6265bis, 5.7)."
            raise ConfigurationError(msg)

    def key_set(self) -> KeySet:
        """Return the secret as a set of one key."""
        return KeySet.from_secret(self.secret_key, self.algorithm)

    @property
    def access_ttl(self) -> int:
        """Seconds that an access token lives."""
        return self.access_token_expire_minutes * 60

    @property
    def refresh_ttl(self) -> int:
        """Seconds that a session lives without a refresh."""
        return self.refresh_token_expire_days * 86400

    @classmethod
    def from_env(
        cls, prefix: str = "ASGI_AUTH_", *, environ: Mapping[str, str] | None = None
    ) -> Self:
        """Read settings from variables such as ``ASGI_AUTH_SECRET_KEY``.

        Args:
            prefix: Of each variable's name; the rest is the field's, in capitals.
            environ: By default the process's environment.

        Raises:
            ConfigurationError: The secret is missing, or a value does not parse.
        """
        variables = os.environ if environ is None else environ
        values: dict[str, Any] = {}
        for setting in fields(cls):
            name = prefix + setting.name.upper()
            if name in variables:
                parse = _PARSERS.get(str(setting.type), str)
                values[setting.name] = _parsed(parse, name, variables[name])

        if "secret_key" not in values:
            msg = f"Set {prefix}SECRET_KEY to a long random text."
            raise ConfigurationError(msg)

        return cls(**values)


def _between(name: str, value: int, greatest: int) -> None:
    if type(value) is not int or not 1 <= value <= greatest:
        msg = f"{name} must be a whole number from 1 to {greatest}."
        raise ConfigurationError(msg)


def _boolean(text: str) -> bool:
    word = text.strip().lower()
    if word not in _TRUE | _FALSE:
        raise ValueError

    return word in _TRUE


_PARSERS: dict[str, Callable[[str], Any]] = {"int": int, "bool": _boolean}


def _parsed(parse: Callable[[str], Any], name: str, text: str) -> Any:
    try:
        return parse(text)
    except ValueError:
        msg = f"{name} does not parse."
        raise ConfigurationError(msg) from None
