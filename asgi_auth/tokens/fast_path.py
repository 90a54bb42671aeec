"""The fast lane: decide on a token without waiting, wherever that is possible.

Time, the keys and the revocations are looked at each time. What does not hold any more
is verified anew, here or on the long way, which finds out what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Protocol

from asgi_auth._clock import Clock
from asgi_auth.keys import KeySet
from asgi_auth.principal import Principal
from asgi_auth.revocation import RevocationList
from asgi_auth.revocation.uptime import uptime
from asgi_auth.tokens.cache import VerifiedCache
from asgi_auth.tokens.verified import VerifiedToken

__all__ = ["Recall", "Verify", "make_recall"]


class Recall(Protocol):
    """Returns the principal of a token, or ``None``: find out, ready to wait.

    It raises :class:`~asgi_auth.errors.InvalidTokenError` if the token is bad.
    """

    def __call__(self, token: bytes, source: str = "header", /) -> Principal | None:
        """Decide on *token*, which is empty where its credential has an error."""
        ...


Verify = Callable[[bytes, bytes | None, str, str], VerifiedToken]
"""Verifies a token, whose SHA-256 may be given, for a source and a backend."""

_ALWAYS = float("inf")


def make_recall(
    cache: VerifiedCache[VerifiedToken] | None,
    keys: KeySet,
    revocations: RevocationList | None,
    *,
    clock: Clock,
    backend: str,
    verify: Verify | None,
    confirmed: bool = False,
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
        confirmed: Its callers prove next that they have the key of a bound token.
    """
    if cache is None:
        return _make_anew(verify, revocations, backend, confirmed=confirmed)

    find = cache.table.get
    # To copy a hash takes less time than to make one.
    fresh = sha256().copy
    # A store in this process is never behind, and no clock is read for it.
    feed = revocations
    if revocations is not None and revocations.fresh_until == _ALWAYS:
        feed = None

    def recall(raw: bytes, source: str = "header", /) -> Principal | None:
        if feed is not None and uptime() > feed.fresh_until:
            return None

        state = fresh()
        state.update(raw)
        digest = state.digest()
        token = find(digest)
        if (
            token is not None
            and token.starts_at <= clock() < token.expires_at
            and token.generation == keys.generation
        ):
            token.visited = True
            cache.hits += 1
        elif verify is None or not raw:
            return None  # What is empty has an error instead.
        else:
            token = verify(raw, digest, source, backend)

        if revocations is not None and token.cleared_at != revocations.version:
            token.clear(revocations)

        principal = token.first
        # The same texts, nearly always; equal ones are compared by what follows.
        if principal.source is source and principal.backend is backend:
            return principal

        if confirmed:
            return token.confirmed(source, backend)

        return token.principal(source, backend)

    return recall


def _make_anew(
    verify: Verify | None,
    revocations: RevocationList | None,
    backend: str,
    *,
    confirmed: bool,
) -> Recall:
    """Return the fast lane of a verifier that remembers nothing."""
    if verify is None:
        return _remember_nothing

    def anew(raw: bytes, source: str = "header", /) -> Principal | None:
        if revocations is not None and uptime() > revocations.fresh_until:
            return None

        if not raw:
            return None  # It has an error instead.

        token = verify(raw, None, source, backend)
        if revocations is not None:
            token.clear(revocations)

        if confirmed:
            return token.confirmed(source, backend)

        return token.principal(source, backend)

    return anew


def _remember_nothing(_: bytes, __: str = "header", /) -> None:
    return None
