"""What may end a principal before its credential does; it travels with the principal.

Sockets ask the principal, and never the backend that knew it: so a backend that wraps
another loses nothing. It identifies no one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from asgi_auth._clock import Clock, system_clock
from asgi_auth.principal import Principal
from asgi_auth.revocation.revocation_list import RevocationList

__all__ = ["Renew", "Validity", "validity_of"]

Renew = Callable[[Principal], Awaitable[tuple[Principal, float]]]
"""Returns who a principal is by now, and until when, in Unix seconds.

It raises :class:`~asgi_auth.errors.AuthError` where it is no one any more."""


@dataclass(frozen=True, slots=True, eq=False)
class Validity:
    """By what the life of a principal is measured. One serves many principals.

    Attributes:
        clock: That of whoever verified its credential.
        revocations: What is revoked, or ``None``: nothing can be.
        renew: Asks whether its session or its key goes on, or ``None``.
        interval: Seconds after which to ask in any case; ``None``: when the credential
            has ended.
    """

    clock: Clock = system_clock
    revocations: RevocationList | None = None
    renew: Renew | None = None
    interval: float | None = None

    def check(self, principal: Principal) -> None:
        """Check that nothing that *principal* hangs on was revoked.

        Raises:
            RevokedTokenError: What *principal* hangs on was revoked.
        """
        if self.revocations is None:
            return

        issued_at: Any = principal.claims.get("iat", 0)
        self.revocations.check(
            principal.issuer,
            session_id=principal.session_id,
            token_id=principal.token_id,
            subject=principal.subject,
            issued_at=issued_at,
            act=principal.claims.get("act"),
        )


def validity_of(principal: Principal) -> Validity:
    """Return what was handed in with *principal*; else it ends at ``expires_at``."""
    validity = principal._validity  # noqa: SLF001  (it has no name for others)
    return validity if isinstance(validity, Validity) else _BY_TIME


_BY_TIME = Validity()
