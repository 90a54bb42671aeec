"""Ask several backends in turn.

The first that claims a credential decides; no other is asked after it, so that a
forged token cannot look for a more lenient judge.
"""

from __future__ import annotations

from typing import NamedTuple

from asgi_auth._asgi import Scope
from asgi_auth._contract import (
    Claim,
    Recognise,
    asks_always,
    claimant_of,
    claims_of,
    is_known,
    issuers_of,
    lane_of,
    ready_of,
)
from asgi_auth.credentials.reader import Credential, unfold
from asgi_auth.credentials.sources import Source, WholeScope
from asgi_auth.errors import ConfigurationError, InvalidTokenError
from asgi_auth.principal import Principal
from asgi_auth.responses.challenge import Challenge
from asgi_auth.typing import Backend

__all__ = ["BackendChain"]


class BackendChain:
    """Several backends as one.

    A backend is asked about what came from its own sources only, and each must have
    ``claims(credential) -> bool``: it is passed over where a credential that it finds
    bad was not of its shape. One that looks at the whole scope is asked about all, and
    what it finds bad is refused.

    Attributes:
        backends: As they were given.

    Args:
        backends: At least one; the order is that of asking.

    Raises:
        ConfigurationError: There is none, two share a name, or one has no ``claims``.
    """

    __slots__ = (
        "_members",
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

        self.backends: tuple[Backend, ...] = backends
        self._members = [_Member.of(backend) for backend in backends]
        self.name: str = "+".join(names)
        sources: dict[Source, None] = {}
        challenges: dict[str, Challenge] = {}
        for backend in backends:
            sources.update(dict.fromkeys(backend.sources or (WholeScope(),)))
            for challenge in backend.challenges:
                challenges.setdefault(challenge.scheme, challenge)

        self.sources: tuple[Source, ...] = tuple(sources)
        self.challenges: tuple[Challenge, ...] = tuple(challenges.values())
        self.issuers: frozenset[str | None] = frozenset(
            issuer
            for backend in backends
            for issuer in issuers_of(backend) or (backend.name,)
        )

    async def authenticate(
        self, credential: Credential | None, scope: Scope
    ) -> Principal | None:
        """Return the first answer, or let the first claimed fault out.

        Raises:
            AuthError: As the backend that claimed the credential raised it.
        """
        for member in self._members:
            if not member.is_concerned(credential):
                continue

            try:
                principal = await member.backend.authenticate(credential, scope)
            except InvalidTokenError:
                if member.has_claimed(credential):
                    raise
            else:
                if is_known(principal, member.backend):
                    return principal

        return None

    def recognise(self, token: bytes, source: str) -> Principal | None:
        """Return what a backend knows of a bearer token without waiting.

        Only a token in the Authorization header shows which backend it belongs to.

        Raises:
            AuthError: The backend that claims the token finds it bad.
        """
        credential = unfold(token) if source == "header" else None
        for member in self._members if credential else ():
            if not member.is_concerned(credential):
                continue

            # A backend that must be waited for keeps its turn: none is asked before it.
            if member.recognise is None:
                return None

            try:
                principal = member.recognise(token, source)
            except InvalidTokenError:
                if member.has_claimed(credential):
                    raise
            else:
                if principal or member.has_claimed(credential):
                    return principal

        return None

    async def ready(self) -> bool:
        """Report whether all backends are ready that can say so."""
        probes = filter(None, map(ready_of, self.backends))
        return all([await ready() for ready in probes])

    def claims(self, credential: Credential) -> bool:
        """Say whether the credential would be one of a member's."""
        return any(
            member.is_concerned(credential)
            and member.claims is not None
            and member.claims(credential)
            for member in self._members
        )

    def claimant(self, credential: Credential) -> str | None:
        """Return the name of the backend that decides on *credential*, if any."""
        for member in self._members:
            if member.is_concerned(credential) and member.has_claimed(credential):
                return claimant_of(member.backend)(credential)

        return None


class _Member(NamedTuple):
    """A backend of a chain, and what has been found out about it.

    Attributes:
        backend: As it was given.
        ways: Of its sources.
        claims: Recognises its credentials by their shape; ``None``: all are its own.
        recognise: Its quicker way, if it has one.
        is_always_asked: It looks at the whole scope.
    """

    backend: Backend
    ways: frozenset[tuple[str, str]]
    claims: Claim | None
    recognise: Recognise | None
    is_always_asked: bool

    @classmethod
    def of(cls, backend: Backend) -> _Member:
        """Look at a backend.

        Raises:
            ConfigurationError: It does not say which credentials are its own.
        """
        claims, always = claims_of(backend), asks_always(backend)
        if claims is None and not always:
            msg = (
                f"The backend {backend.name!r} has no claims(credential) -> bool: in a "
                "chain it must be known whose a bad credential is."
            )
            raise ConfigurationError(msg)

        ways = frozenset(source.way for source in backend.sources)
        return cls(backend, ways, claims, lane_of(backend), always)

    def is_concerned(self, credential: Credential | None) -> bool:
        """Say whether *credential* came in a way that this backend has asked for."""
        if credential is None or credential.source == "message":
            return True

        return self.is_always_asked or credential.way in self.ways

    def has_claimed(self, credential: Credential | None) -> bool:
        """Say whether what is wrong with *credential* is for this one to say."""
        if self.claims is None or credential is None:
            return True

        return bool(self.claims(credential))
