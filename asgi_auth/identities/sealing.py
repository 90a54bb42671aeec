"""Seal what is kept in a store and must not be read there: AES-256-GCM.

Each sealed text names its key, so that keys can be replaced one after the other, and
fits the row that it was made for alone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from asgi_auth._encoding import b64url_decode, b64url_encode
from asgi_auth.errors import ConfigurationError

__all__ = ["TokenSeal"]

_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_KEY_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")


class TokenSeal:
    """Seals with one key, and opens with all.

    Args:
        keys: The keys by their ids, as :meth:`generate_key` makes them. The first
            seals; the others open what they have sealed before.

    Raises:
        ConfigurationError: There is no key, or one is malformed.
    """

    __slots__ = ("_ciphers", "_first")

    def __init__(self, keys: Mapping[str, str]) -> None:
        if not keys:
            msg = "TokenSeal needs a key: make one with TokenSeal.generate_key()."
            raise ConfigurationError(msg)

        self._ciphers = {key_id: _cipher(key_id, key) for key_id, key in keys.items()}
        self._first = next(iter(keys))

    @staticmethod
    def generate_key() -> str:
        """Return a new key, as a text to keep with the other secrets."""
        return b64url_encode(os.urandom(_KEY_BYTES)).decode()

    def __repr__(self) -> str:
        """Name the keys, and show none."""
        return f"TokenSeal({', '.join(self._ciphers)})"

    def seal(self, content: bytes, *, place: bytes) -> str:
        """Return *content* so that only :meth:`open` reads it.

        Args:
            content: What is secret.
            place: Where it is kept; it cannot be opened for another place.
        """
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._ciphers[self._first].encrypt(nonce, content, place)
        return f"{self._first}.{b64url_encode(nonce + sealed).decode()}"

    def open(self, text: str, *, place: bytes) -> bytes:
        """Return what was sealed.

        Raises:
            ConfigurationError: Its key is not there any more, or it was changed.
        """
        key_id, _, data = text.partition(".")
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            msg = f"What was sealed with the key {key_id[:32]!r} cannot be opened."
            raise ConfigurationError(msg)

        try:
            sealed = b64url_decode(data.encode("ascii"))
            return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], place)
        except (ValueError, InvalidTag):
            msg = "What was sealed is not what it was, or of another place."

        raise ConfigurationError(msg)


def _cipher(key_id: str, key: str) -> AESGCM:
    try:
        material = b64url_decode(key.encode("ascii"))
    except ValueError:
        material = b""

    if len(material) != _KEY_BYTES or _KEY_ID.fullmatch(key_id) is None:
        msg = (
            "TokenSeal needs ids of letters and digits, and keys from "
            "TokenSeal.generate_key()."
        )
        raise ConfigurationError(msg)

    return AESGCM(material)
