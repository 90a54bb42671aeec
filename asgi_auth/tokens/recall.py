"""The fast lane: decide on a token without waiting, wherever that is possible.

Time, the keys and the revocations are looked at each time. What does not hold any more
is verified anew, here or on the long way, which finds out what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Protocol

from asgi_auth._asgi import Scope
from asgi_auth._clock import Clock
from asgi_auth.credentials import Credential
from asgi_auth.keys import KeySet
from asgi_auth.principal import Principal
from asgi_auth.revocation import RevocationList, uptime
from asgi_auth.tokens.cache import VerifiedCache
from asgi_auth.tokens.verified import VerifiedToken

__all__ = ["Recall", "Verify", "make_recall"]


class Recall(Protocol):
    """Returns the principal of a credential, or ``None``: find out, ready to wait.

    It raises :class:`~asgi_auth.errors.InvalidTokenError` if the token is bad.
    """

    def __call__(
        self, credential: Credential, scope: Scope | None = None, /
    ) -> Principal | None:
        """Decide on *credential*."""
        ...


Verify = Callable[[bytes, bytes | None], VerifiedToken]
"""Verifies a token, whose SHA-256 may be told."""

_ALWAYS = float("inf")


def make_recall(
    cache: VerifiedCache[VerifiedToken] | None,
    keys: KeySet,
    revocations: RevocationList | None,
    *,
    clock: Clock,
    backend: str,
    verify: Verify | None,
) -> Recall:
    """Return the fast lane of one verifier, for one backend.

    A closure, because every attribute of ``self`` and every call would show in the
    time that a request takes.

    Args:
        cache: The tokens that were verified before.
        keys: What they were verified with.
        revocations: What is revoked since.
        clock: Returns Unix seconds.
        backend: The name of the backend.
        verify: Verifies what is not in *cache*; ``None`` leaves that to the long way.
    """
    if cache is None:
        return _make_anew(verify, revocations, backend)

    find = cache.table.get

    def recall(credential: Credential, _: Scope | None = None, /) -> Principal | None:
        # A store in this process is never behind, and no clock is read for it.
        if (
            revocations is not None
            and (fresh_until := revocations.fresh_until) != _ALWAYS
            and uptime() > fresh_until
        ):
            return None

        raw = credential.token
        if not raw:
            return None  # It has an error instead.

        digest = sha256(raw).digest()
        token = find(digest)
        if (
            token is not None
            and token.starts_at <= clock() < token.expires_at
            and token.generation == keys.generation
        ):
            token.visited = True
            cache.hits += 1
        elif verify is not None:
            token = verify(raw, digest)
        else:
            return None

        if revocations is not None and token.cleared_at != revocations.version:
            token.clear(revocations)

        principal = token.first
        if principal.source == credential.source and principal.backend == backend:
            return principal

        return token.principal(credential.source, backend)

    return recall


def _make_anew(
    verify: Verify | None, revocations: RevocationList | None, backend: str
) -> Recall:
    """Return the fast lane of a verifier that remembers nothing."""
    if verify is None:
        return _remember_nothing

    def anew(credential: Credential, _: Scope | None = None, /) -> Principal | None:
        if revocations is not None and uptime() > revocations.fresh_until:
            return None

        if not credential.token:
            return None  # It has an error instead.

        token = verify(credential.token, None)
        if revocations is not None:
            token.clear(revocations)

        return token.principal(credential.source, backend)

    return anew


def _remember_nothing(_: Credential, __: Scope | None = None, /) -> None:
    return None
