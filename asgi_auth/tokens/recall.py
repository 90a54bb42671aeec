"""The fast lane: recognise a token that was admitted before, without waiting.

Time, the keys and the revocations are looked at each time. What does not hold any more
is left to the long way, which finds out what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

from asgi_auth._clock import Clock
from asgi_auth.credentials import Credential
from asgi_auth.keys import KeySet
from asgi_auth.principal import Principal
from asgi_auth.revocation import RevocationList, uptime
from asgi_auth.tokens.cache import VerifiedCache
from asgi_auth.tokens.verified import VerifiedToken

__all__ = ["Recall", "make_recall"]

Recall = Callable[[Credential], Principal | None]
"""Returns the principal of a known credential, or ``None``: find out.

It raises :class:`~asgi_auth.errors.RevokedTokenError` if the token was revoked.
"""


def make_recall(
    cache: VerifiedCache[VerifiedToken] | None,
    keys: KeySet,
    revocations: RevocationList | None,
    *,
    clock: Clock,
    backend: str,
) -> Recall:
    """Return the fast lane of one verifier, for one backend.

    A closure, because every attribute of ``self`` and every call would show in the
    time that a request takes.
    """
    if cache is None:
        return _remember_nothing

    find = cache.table.get

    def recall(credential: Credential) -> Principal | None:
        token = find(sha256(credential.token).digest())
        if (
            token is None
            or not token.starts_at <= clock() < token.expires_at
            or token.generation != keys.generation
        ):
            return None

        if revocations is not None:
            if uptime() > revocations.fresh_until:
                return None

            if token.cleared_at != revocations.version:
                token.clear(revocations)

        token.visited = True
        cache.hits += 1
        principal = token.first
        if principal.source == credential.source and principal.backend == backend:
            return principal

        return token.principal(credential.source, backend)

    return recall


def _remember_nothing(_: Credential) -> None:
    return None
