"""Find the quickest way in which a backend can tell who is calling.

Nothing is decided here, and no backend is asked before the middleware does.
"""

from __future__ import annotations

from collections.abc import Callable

from asgi_auth._asgi import Scope
from asgi_auth.credentials.reader import Credential
from asgi_auth.credentials.sources import Cookie
from asgi_auth.errors import ConfigurationError
from asgi_auth.principal import Principal, is_user
from asgi_auth.typing import Backend, DecidesAtOnce, Remembers, is_own

__all__ = ["Tell", "TellBearer", "fast_lane", "is_known", "issuers_of", "know_nobody"]

Tell = Callable[[Credential, Scope], Principal | None]
"""Returns who sent a credential, or ``None`` where the backend must be awaited."""

TellBearer = Callable[[bytes], Principal | None]
"""Returns the same for a plain token of the Authorization header."""


def fast_lane(backend: Backend, check_origin: Callable[[Scope], None]) -> Tell:
    """Return what tells who is calling, where nobody has to be waited for.

    Args:
        backend: Who decides.
        check_origin: Raises where a page must not send cookies along.
    """
    decide = _decider(backend)
    ambient = any(isinstance(source, Cookie) for source in backend.sources)
    own = is_own(backend, "decide_at_once")
    if own and isinstance(backend, DecidesAtOnce) and not ambient:
        return decide

    def tell(credential: Credential, scope: Scope) -> Principal | None:
        if credential.error is not None:
            return None

        principal = decide(credential, scope)
        if principal is not None and not credential.explicit:
            check_origin(scope)

        return principal

    return tell


def issuers_of(backend: Backend) -> frozenset[str | None]:
    """Return whose tokens *backend* takes, as far as it says so by ``issuers``."""
    return frozenset(getattr(backend, "issuers", ()))


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


def know_nobody(_: object) -> None:
    """Return ``None``, as a backend that remembers nobody would."""
    return


def _decider(backend: Backend) -> Tell:
    if isinstance(backend, DecidesAtOnce) and is_own(backend, "decide_at_once"):
        return backend.decide_at_once

    own = is_own(backend, "recall")
    recall = backend.recall if own and isinstance(backend, Remembers) else know_nobody
    return lambda credential, _: recall(credential)
