"""The shapes that cross a door: ASGI's, and the protocols that users implement.

Nothing here runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

from asgi_auth._asgi import ASGIApp, Message, Receive, Scope, Send
from asgi_auth.credentials.reader import Credential
from asgi_auth.credentials.sources import Source
from asgi_auth.principal import Principal
from asgi_auth.responses.challenge import Challenge

__all__ = [
    "ASGIApp",
    "Backend",
    "Claims",
    "DecidesAtOnce",
    "DecidesBearer",
    "Message",
    "Receive",
    "Remembers",
    "Scope",
    "Send",
    "UserLoader",
    "asks_always",
    "is_own",
]

UserLoader = Callable[[Principal], Any]
"""Returns the application's own user, or ``None`` if it is unknown; may be async."""


class Backend(Protocol):
    """Decides who is calling."""

    @property
    def name(self) -> str:
        """What ``principal.backend`` and ``requires(backend=...)`` call it."""
        ...

    @property
    def sources(self) -> Sequence[Source]:
        """Where its credentials may come from."""
        ...

    @property
    def challenges(self) -> Sequence[Challenge]:
        """What a refusal tells the client to send."""
        ...

    async def authenticate(
        self, credential: Credential | None, scope: Scope
    ) -> Principal | None:
        """Answer who sent *credential*.

        Args:
            credential: What came from one of the sources; ``None`` only for a
                backend that names no source.
            scope: For backends that look at something else, such as a client
                certificate.

        Returns:
            A principal (mine, and good), or ``None`` (nothing of mine here).

        Raises:
            AuthError: It is mine, and bad; nobody else is asked.
        """
        ...


@runtime_checkable
class Claims(Protocol):
    """A backend that tells by its shape whether a credential would be its own."""

    def claims(self, credential: Credential) -> bool:
        """Return whether the credential looks like one of this backend's.

        Nothing is verified: what is claimed may be bad, and is refused then.
        """
        ...


@runtime_checkable
class Remembers(Protocol):
    """A backend that can tell without waiting whom it knows already."""

    def recall(self, credential: Credential) -> Principal | None:
        """Return the principal, or ``None``: ask :meth:`Backend.authenticate`.

        Raises:
            AuthError: It is known, and is not good any more.
        """
        ...


@runtime_checkable
class DecidesAtOnce(Protocol):
    """A backend that seldom has to wait."""

    def decide_at_once(self, credential: Credential, scope: Scope) -> Principal | None:
        """Return the principal, or ``None``: ask :meth:`Backend.authenticate`.

        It is asked about credentials from the backend's own sources only, never within
        a chain. One with an error has no token, and the answer to it is ``None``.

        Raises:
            AuthError: The credential is bad.
        """
        ...


@runtime_checkable
class DecidesBearer(Protocol):
    """A backend that needs nothing but the token to decide, where it is a plain one."""

    def decide_bearer(self, token: bytes, /) -> Principal | None:
        """Return the principal, or ``None``: ask :meth:`Backend.authenticate`.

        It is asked about what came as ``Authorization: Bearer``, where this is one of
        the backend's own sources, never within a chain.

        Raises:
            AuthError: The token is bad.
        """
        ...


def is_own(backend: Backend, way: str) -> bool:
    """Return whether a backend's own class has a quicker way to decide.

    A wrapper that hands on the attributes of another has not: nobody would ask its
    ``authenticate``.
    """
    return any(way in vars(kind) for kind in type(backend).__mro__)


def asks_always(backend: Backend) -> bool:
    """Tell whether *backend* wants to be asked where no credential came."""
    return bool(getattr(backend, "asks_always", not backend.sources))
