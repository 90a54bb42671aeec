"""Nonces that every worker makes and knows, and no store holds (RFC 9449, section 8).

A nonce is a slot of time and its HMAC. It proves that a proof was made just now, by
the server's clock; it is no secret, and all clients share it.
"""

from __future__ import annotations

from asgi_auth._clock import Clock, system_clock
from asgi_auth._encoding import b64url_encode, constant_time_equal
from asgi_auth.errors import ConfigurationError
from asgi_auth.keys import Key

__all__ = ["Nonces"]

_SLOT = 60
_LABEL = b"asgi_auth.dpop.nonce\0"


class Nonces:
    """Makes a nonce a minute, and knows those of the minutes around.

    Args:
        secret: At least 32 random bytes, the same for all workers and services that
            are to know each other's nonces. Take no key that signs tokens.
        clock: Returns Unix seconds.

    Raises:
        ConfigurationError: The secret is weak.
    """

    __slots__ = ("_clock", "_key", "_known")

    def __init__(self, secret: str | bytes, *, clock: Clock = system_clock) -> None:
        if not secret:
            msg = "Nonces needs a secret: 32 random bytes that all workers share."
            raise ConfigurationError(msg)

        self._key = Key.from_secret(secret)
        self._clock = clock
        self._known: dict[int, str] = {}

    def current(self) -> str:
        """Return what a client should put into its next proof."""
        return self._of(self._slot())

    def knows(self, nonce: str) -> bool:
        """Say whether *nonce* is of this minute, or of one of those around it.

        The one to come counts as well: clocks of workers differ.
        """
        slot, raw = self._slot(), nonce.encode("utf-8", "replace")
        nonces = [self._of(each).encode() for each in (slot, slot - 1, slot + 1)]
        return any(constant_time_equal(each, raw) for each in nonces)

    def _slot(self) -> int:
        return int(self._clock() // _SLOT)

    def _of(self, slot: int) -> str:
        nonce = self._known.get(slot)
        if nonce is None:
            data = slot.to_bytes(8, "big")
            nonce = b64url_encode(data + self._key.mac(_LABEL + data)[:16]).decode()
            # Of threads that race, each writes the same.
            near = range(slot - 3, slot + 4)
            rest = {each: text for each, text in self._known.items() if each in near}
            self._known = {**rest, slot: nonce}

        return nonce
