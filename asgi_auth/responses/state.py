"""What is known of one request or socket while it is being answered.

The middleware makes it and leaves it in the scope; guards below record in it what
they refuse. It holds state and does nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple, Protocol, Self, TypeVar

from asgi_auth._asgi import Receive, Scope, Send
from asgi_auth.credentials.reader import Credential
from asgi_auth.errors import AuthError, without_frames
from asgi_auth.principal import ANONYMOUS, Principal
from asgi_auth.responses.body import RequestBody
from asgi_auth.responses.challenge import BEARER, Challenge
from asgi_auth.responses.streams import Stream
from asgi_auth.responses.watch import UNWATCHED, Watch

__all__ = [
    "KEY",
    "MOUNT",
    "Guard",
    "MountPoint",
    "RequestState",
    "Seen",
    "make_state",
    "state_of",
]

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
Seen = set[tuple[bytes, bytes]]


class RequestState:
    """State that the middleware and the guards of one request share.

    Attributes:
        challenges: The schemes that the application accepts.
        scope: As it came, without this in it.
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
        ordinary: Where the response may become a stream: the headers, up to a bound,
            that were seen with responses which are none. Else ``None``.
        served: Who gets the response, where that may become a stream.
        receiver: The server's ``receive``, where the response may become a stream.
        passed: The guards that have let a request in: the last one, what it was asked
            about, and the ones before.
        lifetime: What ends the stream, once it is one.
        stream: What the messages pass through, once the app waits for some or streams.
    """

    # What is looked at on each way has a slot; what few requests have is with the class
    # until it is set: that takes less time than to set all of it for each. There is no
    # __init__, and nobody calls the class: see make_state.
    __slots__ = (
        "__dict__",
        "_send",
        "credential",
        "noted",
        "ordinary",
        "passed",
        "receiver",
        "refusal",
        "scope",
        "served",
        "started",
        "stream",
    )
    body: RequestBody | None = None
    caller: Principal | None = None
    challenges: tuple[Challenge, ...] = (BEARER,)
    guards: tuple[Guard, ...] = ()
    issuers: frozenset[str | None] = frozenset()
    lifetime: object = None
    watch: Watch = UNWATCHED

    _send: Send
    credential: Credential | None
    noted: AuthError | None
    ordinary: Seen | None
    passed: Passed
    receiver: Receive
    refusal: AuthError | None
    scope: Scope
    served: Principal
    started: bool
    stream: Stream | None

    @classmethod
    def seen_by(
        cls,
        watch: Watch,
        challenges: tuple[Challenge, ...] = (BEARER,),
        issuers: frozenset[str | None] = frozenset(),
    ) -> type[Self]:
        """Return this kind, of an app: *watch* sees all, and all ask for the same."""
        members = {"watch": watch, "challenges": challenges, "issuers": issuers}
        return type(cls.__name__, (cls,), {"__slots__": (), **members})

    def note(self, error: AuthError, scope: Mapping[str, Any]) -> None:
        """Have it known, once, that *error* is the answer."""
        if self.noted is not error:
            self.noted = error
            self.watch.refuse(error, scope, self.credential, self.caller)

    def ignore(self, error: AuthError, scope: Mapping[str, Any]) -> Principal:
        """Have it known that a bad credential passes as none; return the caller."""
        self.watch.ignore(error, scope, self.credential)
        return replace(ANONYMOUS, error=without_frames(error))

    def release(self) -> None:
        """Drop what refers back to this request: circles."""
        self.passed = self.refusal = self.noted = None

    def forget(self) -> None:
        """Let go of the errors that are answered.

        Their frames know this: floods of refusals would leave it all to the collector.
        """
        for error in (self.refusal, self.noted):
            if error is not None:
                without_frames(error)

        self.refusal = self.noted = None

    def __copy__(self) -> Self:
        """Return this: a copy of the scope is of the same request."""
        return self

    def __deepcopy__(self, _: object) -> Self:
        """Return this: a copy of the scope is of the same request."""
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without the way to a client, which ends with this process."""
        return make_state, (RequestState,), {"challenges": self.challenges}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        """Take what is left after :meth:`__reduce__`."""
        self.__dict__.update(state)


S = TypeVar("S", bound=RequestState)


def make_state(kind: type[S], scope: Any = None, send: Any = None) -> S:
    """Return the state of a request that begins.

    A function, and no ``__init__``: up to Python 3.12 to call that takes longer.

    Args:
        kind: Of what.
        scope: Without the state in it.
        send: The server's.
    """
    state = kind()
    state.scope = scope
    state._send = send  # noqa: SLF001  (this makes it)
    state.started = False
    state.credential = None
    state.noted = None
    state.ordinary = None
    state.passed = None
    state.refusal = None
    state.stream = None
    return state


def state_of(scope: Mapping[str, Any]) -> RequestState:
    """Return the exchange of *scope*, or a new one where no middleware ran."""
    state = scope.get(KEY)
    return state if isinstance(state, RequestState) else make_state(RequestState)
