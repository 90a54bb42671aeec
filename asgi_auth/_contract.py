"""What a backend may have beside its four members, and what it must never do.

All questions to somebody's backend are asked here. What cannot be seen fails closed: a
wrapper that hands on the attributes of another has none of its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from asgi_auth.credentials.reader import Credential
from asgi_auth.credentials.sources import WholeScope
from asgi_auth.errors import ConfigurationError
from asgi_auth.principal import Principal, is_user
from asgi_auth.typing import Backend, Claims, Recognises

__all__ = [
    "Claim",
    "Recognise",
    "asks_always",
    "claimant_of",
    "claims_of",
    "is_known",
    "issuers_of",
    "know_nobody",
    "lane_of",
    "members_of",
    "ready_of",
    "validity_in",
]

Recognise = Callable[[bytes, str], Principal | None]
Claim = Callable[[Credential], bool]


def lane_of(backend: Backend) -> Recognise | None:
    """Return ``backend.recognise``, if whoever wrote its ``authenticate`` wrote that.

    A class that overrides ``authenticate`` alone wants to be asked each time.
    """
    for kind in type(backend).__mro__:
        if "recognise" in vars(kind):
            return backend.recognise if isinstance(backend, Recognises) else None

        if "authenticate" in vars(kind):
            return None

    return None


def claims_of(backend: Backend) -> Claim | None:
    """Return ``backend.claims``, if its own class has that."""
    has = any("claims" in vars(kind) for kind in type(backend).__mro__)
    return backend.claims if has and isinstance(backend, Claims) else None


def claimant_of(backend: Backend) -> Callable[[Credential], str | None]:
    """Return what names the backend, within *backend*, whose a credential is."""
    for kind in type(backend).__mro__:
        if "claimant" in vars(kind):
            claimant: Callable[[Credential], str | None] = backend.claimant  # type: ignore[attr-defined]
            return claimant

    return lambda _: backend.name


def issuers_of(backend: Backend) -> frozenset[str | None]:
    """Return whose tokens *backend* takes, as far as it says so by ``issuers``."""
    return frozenset(getattr(backend, "issuers", ()))


def members_of(backend: Backend) -> list[Backend]:
    """Return the backends of a chain, and of chains within it; else *backend*."""
    members = getattr(backend, "backends", None)
    if members is None:
        return [backend]

    return [inner for member in members for inner in members_of(member)]


def ready_of(backend: Backend) -> Callable[[], Awaitable[bool]] | None:
    """Return ``backend.ready``, where it can say whether it is."""
    ready: Callable[[], Awaitable[bool]] | None = getattr(backend, "ready", None)
    return ready


def validity_in(backend: Backend) -> object:
    """Return ``backend.validity``: what ends its principals; ``None``: time alone."""
    return getattr(backend, "validity", None)


def asks_always(backend: Backend) -> bool:
    """Tell whether *backend* wants to be asked where no credential came."""
    sources = backend.sources
    return not sources or any(isinstance(source, WholeScope) for source in sources)


def is_known(answer: object, backend: Backend) -> bool:
    """Tell whether *backend* has said who is calling.

    Raises:
        ConfigurationError: That is no principal.
    """
    if isinstance(answer, Principal):
        return answer.is_authenticated

    if is_user(answer):
        msg = (
            f"The backend {backend.name!r} has answered with a {type(answer).__name__}:"
            " authenticate() returns a Principal, or None."
        )
        raise ConfigurationError(msg)

    return False


def know_nobody(_: bytes, __: str) -> None:
    """Return ``None``, as a backend that recognises nobody would."""
    return
