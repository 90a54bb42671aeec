"""What a refresh token's counter means for its session.

It decides and does nothing: the store that asks makes its answer atomic.
"""

from __future__ import annotations

from typing import Final, Literal

from asgi_auth.stores.records import Session

__all__ = ["GREATEST_SEQ", "judge"]

GREATEST_SEQ: Final = 2**53 - 2
"""Of a counter that a token may bring, since Lua counts no further without rounding."""


def judge(
    session: Session, seq: int, *, grace: float, client: str | None, now: float
) -> Literal["rotated", "restored", "retried", "reused", "refused"]:
    """Say what :class:`~asgi_auth.stores.records.Rotation` calls the outcome.

    Args:
        session: The session as it is.
        seq: The counter that came.
        grace: Seconds for which the last counter counts as a client's repeat.
        client: Who refreshes, or ``None`` where that is not known.
        now: The time that the store goes by.
    """
    if session.revoked_at is not None:
        return "refused"

    if now >= min(session.idle_expires_at, session.expires_at):
        return "refused"

    if seq == session.seq:
        return "rotated"

    if not 0 <= seq <= GREATEST_SEQ:
        return "refused"

    if seq > session.seq:
        return "restored"

    # A clock that was set back by more than grace makes no retry of a replay.
    is_last = seq == session.seq - 1 and abs(now - session.rotated_at) <= grace
    is_other = None not in {client, session.rotated_by} and client != session.rotated_by
    return "retried" if is_last and not is_other else "reused"
