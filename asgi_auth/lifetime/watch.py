"""The open sockets of one event loop, found by what a revocation names.

It decides nothing: each socket that an entry names looks for itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Protocol

from asgi_auth.principal import Principal
from asgi_auth.revocation import RevocationList
from asgi_auth.stores.records import Revocation

__all__ = ["Watch", "Watched", "names_of"]

_Name = tuple[str, str, str]


class Watched(Protocol):
    """What is told of revocations that may concern it."""

    def look(self) -> None:
        """See whether it is revoked."""
        ...


class Watch:
    """Tells sockets of the revocations that name them: one entry costs its hits.

    Args:
        revocations: Which are listened to while there is an open socket.
        loop: Where the sockets live; entries may come from other threads.
    """

    __slots__ = ("_loop", "_named", "_revocations", "_unsubscribe")

    def __init__(
        self, revocations: RevocationList, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._revocations = revocations
        self._loop = loop
        self._named: dict[_Name, set[Watched]] = {}
        self._unsubscribe: Callable[[], None] | None = None

    def __len__(self) -> int:
        """Count the names that are watched for."""
        return len(self._named)

    def add(self, socket: Watched, names: Iterable[_Name]) -> None:
        """Tell *socket* of revocations with one of these names."""
        if self._unsubscribe is None:
            self._unsubscribe = self._revocations.subscribe(self._hear)

        # Sockets live long and may be idle: no request would keep the feed running.
        self._revocations.keep_fresh()
        for name in names:
            self._named.setdefault(name, set()).add(socket)

    def discard(self, socket: Watched, names: Iterable[_Name]) -> None:
        """Forget *socket*; it is no error if it is not known."""
        for name in names:
            sockets = self._named.get(name)
            if sockets is not None:
                sockets.discard(socket)
                if not sockets:
                    del self._named[name]

        if not self._named and self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None

    def _hear(self, entry: Revocation) -> None:
        # A loop that was closed has no open sockets.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._tell, entry)

    def _tell(self, entry: Revocation) -> None:
        name = (entry.kind, entry.issuer, entry.value)
        for socket in tuple(self._named.get(name, ())):
            socket.look()


def names_of(principal: Principal) -> tuple[_Name, ...]:
    """Return what a revocation that hits *principal* may be called."""
    issuer = principal.issuer or ""
    names = [("all", issuer, ""), ("subject", issuer, principal.subject)]
    if principal.token_id is not None:
        names.append(("jti", issuer, principal.token_id))

    if principal.session_id is not None:
        names.append(("sid", issuer, principal.session_id))

    return tuple(names)
