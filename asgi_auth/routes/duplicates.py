"""Choose between several refresh cookies of one name, before any of them is used.

What they say is only compared here, and verified by whoever uses one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from asgi_auth.tokens.codec import peek

__all__ = ["newest_first"]

_MOST: Final = 8


def newest_first(texts: Sequence[bytes]) -> tuple[str, ...]:
    """Return one token of each session, the newest first; none of several users.

    Args:
        texts: The values of the cookies, as they came.
    """
    newest: dict[str, tuple[tuple[float, float], bytes]] = {}
    subjects = set()
    for text in texts[:_MOST]:
        parts = peek(text)
        if parts is None:
            continue

        claims: Any = parts[1]
        sid, subject = claims.get("sid"), claims.get("sub")
        if not isinstance(sid, str) or not isinstance(subject, str):
            continue

        subjects.add(subject)
        age = (_number(claims.get("iat")), _number(claims.get("seq")))
        if sid not in newest or age > newest[sid][0]:
            newest[sid] = age, text

    if len(subjects) > 1 or len(texts) > _MOST:
        return ()

    ordered = sorted(newest.values(), key=lambda entry: entry[0], reverse=True)
    return tuple(text.decode("latin-1") for _, text in ordered)


def _number(value: object) -> float:
    return float(value) if type(value) is int and abs(value) < 2**53 else 0.0
