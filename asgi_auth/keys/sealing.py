"""Seal what must be kept and be read again: AES-256-GCM under keys with ids.

Whoever reads the database learns nothing from it, and cannot move a value from one user
to another: what it is for is authenticated too. It signs no tokens.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from asgi_auth._encoding import b64url_decode, b64url_encode
from asgi_auth.errors import AsgiAuthError, ConfigurationError

__all__ = ["SealKeys", "SealedValueError"]

_KEY: Final = 32
_NONCE: Final = 12
_SHORTEST_SECRET: Final = 32
_INFO: Final = b"asgi-auth seal"


class SealedValueError(AsgiAuthError):
    """A sealed value cannot be read: its key is gone, or it was tampered with.

    It is the operator's to mend: no caller can do anything about it.
    """

    code = "sealed_value"


class SealKeys:
    """Keys that values are sealed with, the newest first.

    To rotate, put a new key in front. What is sealed with an older one is read as
    before, and sealed anew when it is next written.

    Args:
        keys: 32 random bytes each, by their ids.

    Raises:
        ConfigurationError: There is none, one is too short, or an id has a dot.
    """

    __slots__ = ("_ciphers", "_newest")

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        if not keys:
            msg = "SealKeys needs a key: SealKeys({'2026': secrets.token_bytes(32)})."
            raise ConfigurationError(msg)

        for key_id, key in keys.items():
            if len(key) != _KEY:
                msg = f"The key {key_id!r} must have {_KEY} random bytes."
                raise ConfigurationError(msg)

            if not key_id or not key_id.isascii() or not key_id.isalnum():
                msg = f"The id {key_id!r} must be of ASCII letters and digits."
                raise ConfigurationError(msg)

        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._newest = next(iter(keys))

    @classmethod
    def from_secrets(cls, *texts: str) -> SealKeys:
        """Derive keys from long secrets, the newest first (RFC 5869).

        Args:
            texts: Of 32 characters at least, as environment variables hold them.

        Raises:
            ConfigurationError: There is none, or one is too short.
        """
        keys: dict[str, bytes] = {}
        for text in texts:
            if len(text) < _SHORTEST_SECRET:
                msg = (
                    f"A secret to seal with has at least {_SHORTEST_SECRET} characters."
                )
                raise ConfigurationError(msg)

            # One derivation for both: the id says nothing about the key.
            derived = HKDF(SHA256(), _KEY + 4, salt=None, info=_INFO).derive(
                text.encode()
            )
            keys[derived[_KEY:].hex()] = derived[:_KEY]

        return cls(keys)

    def __repr__(self) -> str:
        """Show the ids, and no key."""
        return f"SealKeys({', '.join(self._ciphers)})"

    def seal(self, value: bytes, *, purpose: str) -> str:
        """Return a text that only these keys can read.

        Args:
            value: What is secret.
            purpose: What it is for, and whose: it is read with the same only.
        """
        nonce = secrets.token_bytes(_NONCE)
        sealed = self._ciphers[self._newest].encrypt(nonce, value, _bytes(purpose))
        return f"{self._newest}.{b64url_encode(nonce + sealed).decode()}"

    def unseal(self, text: str, *, purpose: str) -> bytes:
        """Return what was sealed.

        Args:
            text: What :meth:`seal` returned.
            purpose: The one that it was sealed for.

        Raises:
            SealedValueError: The key is gone, or the text is another one.
        """
        key_id, _, body = text.partition(".")
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            msg = f"there is no key to unseal with the id {key_id[:16]!r}"
            raise SealedValueError(msg)

        try:
            data = b64url_decode(body.encode())
            return cipher.decrypt(data[:_NONCE], data[_NONCE:], _bytes(purpose))
        except (InvalidTag, ValueError):
            msg = "a sealed value was tampered with, or is for something else"
            raise SealedValueError(msg) from None

    def is_current(self, text: str) -> bool:
        """Report whether a text is sealed with the newest key."""
        return text.partition(".")[0] == self._newest


def _bytes(purpose: str) -> bytes:
    return purpose.encode("utf-8", "surrogatepass")
