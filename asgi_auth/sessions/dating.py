"""Date tokens by the clock that dates their revocations.

It signs nothing, and asks no store.
"""

from __future__ import annotations

from asgi_auth._clock import Clock, system_clock
from asgi_auth.revocation import RevocationList

__all__ = ["dated"]


def dated(
    ttl: float, clock: Clock | None, revocations: RevocationList
) -> dict[str, float]:
    """Return the ``now`` and ``ttl`` of a token to be signed.

    Revocations are dated by the store: a token of its future would outlive them, so
    that one whose clock is ahead is dated back, and ends when it should.

    Args:
        ttl: Seconds from now on.
        clock: The service's own, or ``None``.
        revocations: Report how far the store's clock is behind.
    """
    now = (clock or system_clock)()
    ahead = 0.0 if clock else revocations.ahead(now)
    return {"now": now - ahead, "ttl": ttl + ahead}
