"""What is known of one request or socket while it is being answered.

The middleware makes it and leaves it in the scope; guards below record in it what
they refuse. It holds state and does nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, Self

from asgi_auth._asgi import Receive
from asgi_auth.credentials.reader import Credential
from asgi_auth.errors import AuthError
from asgi_auth.principal import Principal
from asgi_auth.responses.body import RequestBody
from asgi_auth.responses.challenge import BEARER, Challenge
from asgi_auth.responses.watch import UNWATCHED, Watch

__all__ = ["KEY", "MOUNT", "Guard", "MountPoint", "RequestState", "state_of"]

KEY = "asgi_auth"
"""The scope's key under which the exchange stands."""


MOUNT = "asgi_auth.mount"
"""The scope's key under which stands where the log-in routes are mounted."""


class MountPoint(NamedTuple):
    """Where the log-in routes are.

    Attributes:
        routes: The routes themselves.
        path: From the root of the origin.
    """

    routes: object
    path: str


class Guard(Protocol):
    """Lets a caller pass, or raises."""

    async def verify(self, connection: Mapping[str, Any], /) -> object:
        """Raise an ``AuthError`` if the caller in a scope must not pass."""
        ...


Passed = tuple[Guard, Mapping[str, Any], Any] | None


class RequestState:
    """State that the middleware and the guards of one request share.

    Attributes:
        challenges: The schemes that the application accepts.
        refusal: What a guard has raised, or ``None``.
        started: The response has begun, or the socket is accepted.
        guards: Those that let a socket in; asked again when its caller changes.
        issuers: Whose tokens the backend takes, as far as it says.
        body: What the request brings, where it may have to be read to its end.
        credential: What the caller was identified by; ``None`` also for a plain token
            in the Authorization header, of which nothing need be known here.
        watch: Sees what is refused.
        caller: Whom a guard has refused, or ``None``.
        noted: The refusal that is known already.
        served: Who gets the response, and the server's ``receive``, where that may
            become a stream.
        passed: The guards that have let a request in: the last one, what it was asked
            about, and the ones before.
        lifetime: What ends the stream, once it is one.
    """

    # No slots: what most requests never change stays with the class, and each request
    # spares the time to set it.
    refusal: AuthError | None = None
    started: bool = False
    guards: tuple[Guard, ...] = ()
    issuers: frozenset[str | None] = frozenset()
    body: RequestBody | None = None
    credential: Credential | None = None
    watch: Watch = UNWATCHED
    caller: Principal | None = None
    noted: AuthError | None = None
    served: tuple[Principal, Receive] | None = None
    passed: Passed = None
    lifetime: object = None

    def __init__(self, challenges: tuple[Challenge, ...] = (BEARER,)) -> None:
        self.challenges = challenges

    def note(self, error: AuthError, scope: Mapping[str, Any]) -> None:
        """Have it known, once, that *error* is the answer."""
        if self.noted is not error:
            self.noted = error
            self.watch.refuse(error, scope, self.credential, self.caller)

    def __copy__(self) -> Self:
        """Return this: a copy of the scope is of the same request."""
        return self

    def __deepcopy__(self, _: object) -> Self:
        """Return this: a copy of the scope is of the same request."""
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without the way to a client, which ends with this process."""
        return RequestState, (self.challenges,)


def state_of(scope: Mapping[str, Any]) -> RequestState:
    """Return the exchange of *scope*, or a new one where no middleware ran."""
    state = scope.get(KEY)
    return state if isinstance(state, RequestState) else RequestState()
