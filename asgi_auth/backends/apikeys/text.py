"""The text of an API key: ``prefix_id_secret``, with a checksum at the end.

Nothing is looked up here. The checksum is no proof of anything: typing errors and
false finds of secret scanners are recognised by it, without asking a store.
"""

from __future__ import annotations

import re
import secrets
import string
import zlib
from hashlib import sha256
from typing import NamedTuple

from asgi_auth.errors import ConfigurationError, InvalidTokenError

__all__ = ["KeyText", "check_prefix", "digest_of", "make_text", "read_text"]

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_ID = 16
_SECRET = 32  # 190 bits: no need for a slow hash.
_CHECKSUM = 6
_PREFIX = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_LONGEST_PREFIX = 24
_FORM = re.compile(rf"([0-9A-Za-z]{{{_ID}}})_([0-9A-Za-z]{{{_SECRET + _CHECKSUM}}})")


class KeyText(NamedTuple):
    """A key's text that is well formed; whether there is such a key is not known.

    Attributes:
        key_id: The public part.
        digest: The SHA-256 of the whole text, in hex.
    """

    key_id: str
    digest: str


def check_prefix(prefix: str) -> str:
    """Return *prefix* if keys can begin with it.

    Raises:
        ConfigurationError: They cannot.
    """
    if len(prefix) <= _LONGEST_PREFIX and _PREFIX.fullmatch(prefix) is not None:
        return prefix

    msg = f"prefix must be like shop_live: at most {_LONGEST_PREFIX} of a-z, 0-9 and _."
    raise ConfigurationError(msg)


def make_text(prefix: str) -> tuple[str, str]:
    """Make a new key from the system's random source; return its text and its id."""
    key_id, secret = _random(_ID), _random(_SECRET)
    body = f"{prefix}_{key_id}_{secret}"
    return body + _checksum(body), key_id


def read_text(prefix: str, text: bytes) -> KeyText:
    """Take a key's text apart.

    Raises:
        InvalidTokenError: It has another form, or the checksum is wrong.
    """
    try:
        key = text.decode("ascii")
    except UnicodeDecodeError:
        key = ""

    match = _FORM.fullmatch(key.removeprefix(f"{prefix}_"))
    if not key.startswith(f"{prefix}_") or match is None:
        msg = "the API key is malformed"
        raise InvalidTokenError(msg)

    if _checksum(key[:-_CHECKSUM]) != key[-_CHECKSUM:]:
        msg = "the checksum of the API key is wrong"
        raise InvalidTokenError(msg)

    return KeyText(match[1], digest_of(key))


def digest_of(text: str) -> str:
    """Return what is kept of a key."""
    return sha256(text.encode("ascii")).hexdigest()


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _checksum(body: str) -> str:
    number, letters = zlib.crc32(body.encode("ascii")), ""
    for _ in range(_CHECKSUM):
        number, index = divmod(number, len(_ALPHABET))
        letters = _ALPHABET[index] + letters

    return letters
