"""Reads the password hashes of Werkzeug and Django, so that their users need no reset.

It makes no such hash: who logs in gets one of today's. What is weaker than PBKDF2
(Django's ``md5``, Werkzeug's ``sha256$``) is not read.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode
from hmac import compare_digest
from typing import Any, ClassVar, NoReturn

from passlib.hash import argon2
from passlib.utils.handlers import MinimalHandler, PrefixWrapper

from asgi_auth.errors import ConfigurationError

__all__ = ["FOREIGN_SCHEMES"]

# Most work that one stored hash may ask for: a minute, or a gigabyte.
_MOST_ROUNDS = 10_000_000
_MOST_MEMORY = 2**30


class _ReadOnly(MinimalHandler):  # type: ignore[misc]  # passlib has no types
    """A scheme of which hashes are compared, and none is made."""

    name: ClassVar[str]
    setting_kwds = ()
    context_kwds = ()
    pattern: ClassVar[re.Pattern[str]]

    @classmethod
    def identify(cls, hash: str | bytes) -> bool:  # noqa: A002  (passlib's name)
        """Say whether a stored hash is of this scheme."""
        return cls.pattern.fullmatch(_text(hash)) is not None

    @classmethod
    def hash(cls, secret: str | bytes, **_: Any) -> NoReturn:  # noqa: ARG003
        """Make no new hash."""
        msg = f"{cls.name} is only read: let another scheme come first."
        raise ConfigurationError(msg)

    @classmethod
    def verify(
        cls,
        secret: str | bytes,
        hash: str | bytes,  # noqa: A002  (passlib's name)
        **_: Any,
    ) -> bool:
        """Say whether *secret* is the password of a stored hash."""
        match = cls.pattern.fullmatch(_text(hash))
        if match is None:
            return False

        password = secret.encode() if isinstance(secret, str) else secret
        digest = cls.derive(password, match)
        return compare_digest(digest, cls.stored(match))

    @classmethod
    def derive(cls, password: bytes, match: re.Match[str]) -> bytes:
        """Compute what the stored hash must hold."""
        return _scrypt(password, match)

    @classmethod
    def stored(cls, match: re.Match[str]) -> bytes:
        """Return what the stored hash holds."""
        return bytes.fromhex(match["hash"])


class _WerkzeugScrypt(_ReadOnly):
    """``scrypt:32768:8:1$salt$hex``: what Werkzeug makes since version 2.3."""

    name = "werkzeug_scrypt"
    pattern = re.compile(
        r"scrypt:(?P<n>\d{1,8}):(?P<r>\d{1,4}):(?P<p>\d{1,4})"
        r"\$(?P<salt>[^$]+)\$(?P<hash>[0-9a-f]{128})"
    )


class _WerkzeugPBKDF2(_ReadOnly):
    """``pbkdf2:sha256:260000$salt$hex``: what Werkzeug made before."""

    name = "werkzeug_pbkdf2"
    pattern = re.compile(
        r"pbkdf2:(?P<digest>sha1|sha256|sha512):(?P<rounds>\d{1,8})"
        r"\$(?P<salt>[^$]+)\$(?P<hash>[0-9a-f]{40,128})"
    )

    @classmethod
    def derive(cls, password: bytes, match: re.Match[str]) -> bytes:
        """Compute what the stored hash must hold."""
        rounds = int(match["rounds"])
        if not 0 < rounds <= _MOST_ROUNDS:
            raise ValueError

        salt = match["salt"].encode()
        return hashlib.pbkdf2_hmac(match["digest"], password, salt, rounds)


class _DjangoScrypt(_ReadOnly):
    """``scrypt$16384$salt$8$5$base64``: Django's ``ScryptPasswordHasher``."""

    name = "django_scrypt"
    pattern = re.compile(
        r"scrypt\$(?P<n>\d{1,8})\$(?P<salt>[^$]+)\$(?P<r>\d{1,4})\$(?P<p>\d{1,4})"
        r"\$(?P<hash>[A-Za-z0-9+/]{86}==)"
    )

    @classmethod
    def stored(cls, match: re.Match[str]) -> bytes:
        """Return what the stored hash holds."""
        return b64decode(match["hash"])


FOREIGN_SCHEMES: tuple[Any, ...] = (
    _WerkzeugScrypt,
    _WerkzeugPBKDF2,
    "django_pbkdf2_sha256",
    "django_pbkdf2_sha1",
    _DjangoScrypt,
    "django_bcrypt_sha256",
    "django_bcrypt",
    PrefixWrapper("django_argon2id", argon2, prefix="argon2", ident="argon2$argon2id$"),
)
"""For a ``CryptContext`` of your own, behind the scheme that makes new hashes."""


def _scrypt(password: bytes, match: re.Match[str]) -> bytes:
    n, r, p = (int(match[name]) for name in "nrp")
    memory = 132 * n * r * p
    if memory > _MOST_MEMORY:
        raise ValueError

    salt = match["salt"].encode()
    return hashlib.scrypt(password, salt=salt, n=n, r=r, p=p, maxmem=memory, dklen=64)


def _text(stored: str | bytes) -> str:
    return stored.decode("utf-8", "replace") if isinstance(stored, bytes) else stored
