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
    "Confirmation",
    "Message",
    "Receive",
    "Recognises",
    "Scope",
    "Send",
    "UserLoader",
]

UserLoader = Callable[[Principal], Any]
"""Returns the application's own user, or ``None`` if it is unknown; may be async."""


class Backend(Protocol):
    """Decides who is calling.

    Four members are all that is needed. A backend may have more: ``recognise``
    (:class:`Recognises`), which saves time; ``claims`` (:class:`Claims`), which a chain
    asks for; and ``issuers``, whose tokens it takes, so that a loader which looks at
    subjects alone is refused before the first request and not at the second issuer.
    """

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


class Confirmation(Protocol):
    """Sees to it that who sends a token has the key that it is bound to (RFC 7800).

    Backends take some as ``confirmations``; each is for one member of ``cnf``.
    """

    @property
    def member(self) -> str:
        """Of ``cnf``, for instance ``jkt``."""
        ...

    @property
    def scheme(self) -> str:
        """That such tokens have in the Authorization header."""
        ...

    @property
    def required(self) -> bool:
        """Whether tokens that are not bound in this way are refused."""
        ...

    def challenge(self, bearer: Challenge) -> Challenge:
        """Return what a refusal says, given what it would say without."""
        ...

    async def check(
        self, principal: Principal, credential: Credential, scope: Scope
    ) -> None:
        """Return if the caller has the key.

        Args:
            principal: Whom the token is for; it is good, and its ``cnf`` has *member*.
            credential: The token.
            scope: Of the request that it came with.

        Raises:
            AuthError: The caller does not have it, or that cannot be known.
        """
        ...


@runtime_checkable
class Recognises(Protocol):
    """A backend that can mostly tell without waiting who sent a token."""

    @property
    def recognise(self) -> Callable[[bytes, str], Principal | None]:
        """Return the principal, or ``None``: ask :meth:`Backend.authenticate`.

        It is called with a bearer token and the ``source`` it came from, which is one
        of the backend's own; ``header`` stands for ``Authorization: Bearer``. It must
        not wait, and it counts only where the class that has it has the
        ``authenticate`` that would be asked in its place.

        Raises:
            AuthError: The token is bad.
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
