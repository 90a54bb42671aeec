"""Ask several backends in turn.

The first that claims a credential decides; nobody else is asked after it, so that a
forged token cannot look for a more lenient judge.
"""

from __future__ import annotations

from asgi_auth._asgi import Scope
from asgi_auth.credentials.reader import Credential
from asgi_auth.credentials.sources import Source
from asgi_auth.errors import ConfigurationError, InvalidTokenError
from asgi_auth.principal import Principal
from asgi_auth.responses.challenge import Challenge
from asgi_auth.typing import Backend, Remembers, asks_always, is_own

__all__ = ["BackendChain"]


class BackendChain:
    """Several backends as one.

    A backend is asked about what came from its own sources only. One with a method
    ``claims(credential) -> bool`` is passed over where a credential that it finds bad
    was not of its shape; every other one is final.

    Attributes:
        backends: As they were given.

    Args:
        backends: At least one; the order is that of asking.

    Raises:
        ConfigurationError: There is none, or two share a name.
    """

    __slots__ = (
        "_is_plain",
        "asks_always",
        "backends",
        "challenges",
        "issuers",
        "name",
        "sources",
    )

    def __init__(self, *backends: Backend) -> None:
        names = [backend.name for backend in backends]
        if not names or len(set(names)) != len(names):
            msg = "BackendChain needs backends, each with a name of its own."
            raise ConfigurationError(msg)

        self.backends = backends
        # Who writes an authenticate of their own wants it to be asked each time.
        self._is_plain = type(self).authenticate is BackendChain.authenticate
        self.asks_always = any(asks_always(backend) for backend in backends)
        self.name = "+".join(names)
        sources: dict[Source, None] = {}
        challenges: dict[str, Challenge] = {}
        for backend in backends:
            sources.update(dict.fromkeys(backend.sources))
            for challenge in backend.challenges:
                challenges.setdefault(challenge.scheme, challenge)

        self.sources = tuple(sources)
        self.challenges = tuple(challenges.values())
        self.issuers = frozenset(
            issuer
            for backend in backends
            for issuer in getattr(backend, "issuers", (backend.name,))
        )

    async def authenticate(
        self, credential: Credential | None, scope: Scope
    ) -> Principal | None:
        """Return the first answer, or let the first claimed fault out.

        Raises:
            AuthError: As the backend that claimed the credential raised it.
        """
        for backend in self.backends:
            if not _concerns(backend, credential):
                continue

            try:
                principal = await backend.authenticate(credential, scope)
            except InvalidTokenError:
                if _claimed(backend, credential):
                    raise
            else:
                if principal is not None:
                    return principal

        return None

    def recall(self, credential: Credential) -> Principal | None:
        """Return what a backend remembers of *credential*, if it still holds.

        Raises:
            AuthError: It does not hold any more.
        """
        for backend in self.backends if self._is_plain else ():
            if not _concerns(backend, credential):
                continue

            # Who must be waited for comes in turn: nobody is asked before it.
            if not (isinstance(backend, Remembers) and is_own(backend, "recall")):
                return None

            principal = backend.recall(credential)
            if principal is not None:
                return principal

            if _claimed(backend, credential):
                return None

        return None


def _concerns(backend: Backend, credential: Credential | None) -> bool:
    """Tell whether *credential* came in a way that *backend* has asked for."""
    if credential is None or credential.source == "message" or not backend.sources:
        return True

    return any(source.way == credential.way for source in backend.sources)


def _claimed(backend: Backend, credential: Credential | None) -> bool:
    claims = getattr(backend, "claims", None)
    return claims is None or credential is None or bool(claims(credential))
