"""By what the life of a socket is measured, and how it is found out that it goes on.

It keeps no clock running and closes nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Self

from asgi_auth._asgi import Scope
from asgi_auth._logs import package_logger
from asgi_auth.credentials.reader import Credential
from asgi_auth.errors import AuthError, UnavailableError
from asgi_auth.principal import LIFETIME, NO_LIFETIME, Principal
from asgi_auth.responses.asked import AskedGuard
from asgi_auth.responses.sender import Reply
from asgi_auth.responses.state import KEY, Guard, RequestState
from asgi_auth.revocation.validity import Renew, Validity

__all__ = [
    "Identify",
    "LoadUser",
    "OfThisProcess",
    "Renewal",
    "Terms",
    "ask_guards",
    "guards_of",
    "scope_of",
]

_logger = package_logger(__name__)

# Seconds.
_RETRY = 2.0
_LONGEST_OUTAGE = 60.0

Identify = Callable[[Credential, Scope], Awaitable[tuple[Principal, Any]]]
LoadUser = Callable[[Principal], Awaitable[Any]]


class OfThisProcess:
    """What stands in a scope and ends with this process.

    A copy of the scope is of the same socket; a pickled one is of none.
    """

    __slots__ = ()

    def __copy__(self) -> Self:
        """Return this."""
        return self

    def __deepcopy__(self, _: object) -> Self:
        """Return this."""
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave it behind."""
        return _nothing, ()


def _nothing() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Terms:
    """By what the life of a socket is measured.

    Attributes:
        validity: What may end its caller.
        identify: Verifies another token.
        load_user: Gives the application's own user, or raises; ``None``: there are
            none, and the principal stands for the user.
        by_session: A socket goes on for as long as its session.
    """

    validity: Validity
    identify: Identify
    load_user: LoadUser | None = None
    by_session: bool = False

    @property
    def renew(self) -> Renew | None:
        """What is asked when it is time to, or ``None``: then the socket ends."""
        asks = self.by_session or self.validity.interval is not None
        return self.validity.renew if asks else None

    def first_deadline(self, principal: Principal, now: float) -> float | None:
        """Return when to look first, in Unix seconds, or ``None``: never."""
        ends = principal.expires_at
        if self.validity.interval is None or self.renew is None:
            return ends

        asks = now + self.validity.interval
        return asks if ends is None else min(ends, asks)


@dataclass(frozen=True, slots=True)
class Renewal:
    """What came of asking whether a session or a key goes on.

    Attributes:
        principal: Whose socket it is by now.
        deadline: When to ask again, in Unix seconds.
        outage_since: Since when there was no answer, or ``None``: there was one.
    """

    principal: Principal
    deadline: float
    outage_since: float | None = None

    @classmethod
    async def ask(
        cls,
        renew: Renew,
        principal: Principal,
        now: float,
        since: float | None,
        accept: Callable[[Principal], Awaitable[None]],
    ) -> Renewal:
        """Ask *renew* about *principal*; an outage is borne for a minute.

        What fails in another way than it should is an outage too: the application's
        code is asked here, and a socket must not go on because that has a fault.

        Args:
            renew: Says who it is by now.
            principal: Whose socket it is.
            now: Unix seconds.
            since: Since when there was no answer, or ``None``.
            accept: Lets in who it is by now.

        Raises:
            AuthError: The socket ends.
        """
        try:
            successor, until = await renew(principal)
            await accept(successor)
        except UnavailableError as error:
            fault: Exception = error
        except AuthError:
            raise
        except Exception as error:
            _logger.exception("it cannot be told whether a connection goes on")
            fault = error
        else:
            # The store's clock may be behind: look again, but not at once.
            return cls(successor, max(until, now + 1))

        since = now if since is None else since
        if now - since > _LONGEST_OUTAGE:
            raise UnavailableError from fault

        return cls(principal, now + _RETRY, since)


def guards_of(state: RequestState) -> tuple[Guard, ...]:
    """Return the guards that have let a request in, the first one first."""
    guards: list[Guard] = []
    passed = state.passed
    while passed is not None:
        guard, scope, passed = passed
        guards.append(AskedGuard(guard, scope))

    return tuple(reversed(guards))


def scope_of(reply: Reply) -> Scope:
    """Return the scope of what may be a stream, with its caller, as it came in.

    Not the app's: that knows the reply, and a circle would have to wait for the
    collector.
    """
    principal = reply.served
    return {**reply.scope, "auth": principal, "user": principal, KEY: reply}


async def ask_guards(
    scope: Scope, guards: Iterable[Guard], principal: Principal, user: Any
) -> None:
    """Pass if the guards of *scope* let *principal* in as well.

    Raises:
        AuthError: One does not.
    """
    # Without what knows the caller as it was.
    scope_after = {**scope, "auth": principal, "user": user, LIFETIME: NO_LIFETIME}
    for guard in guards:
        await guard.verify(scope_after)
