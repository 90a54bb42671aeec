"""Base64url, compact JSON and constant-time comparison, each written once.

Nothing here is lenient: what is not canonical is a :class:`ValueError`.
"""

from __future__ import annotations

import hmac
import json
from binascii import a2b_base64, b2a_base64
from typing import Any

__all__ = [
    "ALPHABET",
    "b64url_decode",
    "b64url_encode",
    "compact_json",
    "constant_time_equal",
]

ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
"""The 64 characters of RFC 4648, section 5."""

_TO_URL = bytes.maketrans(b"+/", b"-_")
# The characters of the other alphabet become one that is in none.
_FROM_URL = bytes.maketrans(b"-_+/", b"+/!!")

# The last character of a segment carries unused bits, which must be zero: else
# many texts would stand for one value (RFC 4648, section 3.5).
_LAST: tuple[frozenset[int], ...] = (
    frozenset(ALPHABET),
    frozenset(),
    frozenset(ALPHABET[::16]),
    frozenset(ALPHABET[::4]),
)


def b64url_encode(data: bytes) -> bytes:
    """Encode without padding (RFC 7515, section 2)."""
    return b2a_base64(data).rstrip(b"=\n").translate(_TO_URL)


def b64url_decode(segment: bytes) -> bytes:
    """Decode canonical, unpadded base64url (RFC 7515, section 2).

    Raises:
        ValueError: The text is not what :func:`b64url_encode` would have made.
    """
    if not segment:
        return b""

    if segment[-1] not in _LAST[len(segment) % 4]:
        msg = "not canonical base64url"
        raise ValueError(msg)

    # "-", "_", "+" and "/": integers are found many times faster than bytes.
    if 45 in segment or 95 in segment or 43 in segment or 47 in segment:  # noqa: PLR2004
        segment = segment.translate(_FROM_URL)

    data = a2b_base64(segment + b"==")
    # What is outside of the alphabet is skipped, and then bytes are missing. This is
    # many times faster than a look at each character.
    if len(data) != len(segment) * 3 // 4:
        msg = "a character outside the base64url alphabet"
        raise ValueError(msg)

    return data


def compact_json(value: Any) -> bytes:
    """Serialise without white space, as UTF-8; NaN and infinity are refused.

    Raises:
        ValueError: A number is not finite, or a text has a lone surrogate.
        TypeError: A value has no JSON form.
    """
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8")


def constant_time_equal(left: bytes, right: bytes) -> bool:
    """Compare secrets in time that does not depend on where they differ."""
    return hmac.compare_digest(left, right)
