"""Time-based one-time passwords, as authenticator apps make them (RFC 6238).

Pure functions: what was used is for the caller to keep. Six digits, steps of 30
seconds and SHA-1 are what all apps have; HMAC needs no better hash (RFC 4226, B.2).
"""

from __future__ import annotations

import hmac
import secrets
from base64 import b32encode
from hashlib import sha1
from typing import Final
from urllib.parse import quote, urlencode

from asgi_auth._encoding import constant_time_equal

__all__ = ["STEP", "code_at", "new_secret", "spell", "step_of", "uri_of"]

STEP: Final = 30
"""Seconds that a code is shown."""

_DIGITS: Final = 6
_SECRET: Final = 20  # RFC 4226, section 4: 160 bits.
_DRIFT: Final = 1  # RFC 6238, section 5.2: one step, for clocks and slow fingers.


def new_secret() -> bytes:
    """Make a secret."""
    return secrets.token_bytes(_SECRET)


def code_at(secret: bytes, step: int, *, digits: int = _DIGITS) -> str:
    """Return the code of a step (RFC 4226, section 5.3)."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), sha1)
    offset = digest[-1] & 0xF
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return str(number % 10**digits).zfill(digits)


def step_of(secret: bytes, code: str, *, now: float, after: int) -> int | None:
    """Return the step that a code is of; ``None`` where it is of none that counts.

    Args:
        secret: Of the user.
        code: Six ASCII digits.
        now: Unix seconds.
        after: The step that was used last: this one and those before are over.
    """
    present = int(now // STEP)
    fitting = [
        step
        for step in range(max(present - _DRIFT, 0), present + _DRIFT + 1)
        # All of them are looked at: the time says nothing about which it was.
        if constant_time_equal(code_at(secret, step).encode(), code.encode())
        and step > after
    ]
    return fitting[0] if fitting else None


def spell(secret: bytes) -> str:
    """Return a secret as people type it into an app: base32 without padding."""
    return b32encode(secret).decode().rstrip("=")


def uri_of(secret: bytes, *, issuer: str, name: str) -> str:
    """Return what the QR code of a secret says: the ``otpauth`` URI of all apps.

    Args:
        secret: Of the user.
        issuer: The application, as the app is to show it.
        name: The user, as the app is to show it.
    """
    label = f"{quote(issuer, safe='')}:{quote(name, safe='@')}"
    query = {"secret": spell(secret), "issuer": issuer}
    return f"otpauth://totp/{label}?{urlencode(query, quote_via=quote)}"
