"""Read off an access token when it ends, as far as it says so.

This verifies nothing: it serves a client that holds the token anyway and wants to know
whether sending it is worth the while. A server must never decide by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asgi_auth._clock import system_clock
from asgi_auth.tokens.codec import peek

__all__ = ["is_expired", "seconds_left", "stated_times"]

# Dates beyond the year 9999 are in milliseconds, or no dates at all.
_LATEST = 253_402_300_800


def seconds_left(token: str, *, now: float | None = None) -> float | None:
    """Return how long a token lives by its own ``exp``, which is not verified.

    The issuer's clock made the claim, and the local one is compared with it: the
    result is as wrong as the two are apart.

    Args:
        token: An access token.
        now: Seconds since the Unix epoch; ``None`` asks the local clock.

    Returns:
        Seconds, negative for an expired token; ``None`` where the token says nothing
        (it is opaque, encrypted or malformed, or has no ``exp`` that is a date).
    """
    _, ends = stated_times(token)
    if ends is None:
        return None

    return ends - (system_clock() if now is None else now)


def is_expired(token: str, *, skew: float = 0.0, now: float | None = None) -> bool:
    """Say whether a token has ended by its own ``exp``, which is not verified.

    Args:
        token: An access token.
        skew: Seconds before its end from which on it counts as expired.
        now: Seconds since the Unix epoch; ``None`` asks the local clock.

    Returns:
        ``False`` also for a token that says nothing about it, see
        :func:`seconds_left`: only the server knows.
    """
    seconds = seconds_left(token, now=now)
    return seconds is not None and seconds <= skew


def stated_times(token: str) -> tuple[float | None, float | None]:
    """Return ``iat`` and ``exp`` unverified, each ``None`` where it is no date."""
    parts = peek(token.encode()) if token.isascii() else None
    if parts is None:
        return None, None

    return _date(parts[1], "iat"), _date(parts[1], "exp")


def _date(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None

    return float(value) if 0 <= value < _LATEST else None
