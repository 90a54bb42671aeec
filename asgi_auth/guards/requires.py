"""Turn away callers who lack what an app, a mount, a socket or a handler needs.

A guard reads the principal; it never looks at credentials. Guards stack in any order
and none is skipped. Without the middleware above it a guard raises
:class:`~asgi_auth.errors.ConfigurationError`: it never lets anybody pass.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

from asgi_auth._asgi import ASGIApp, Receive, Scope, Send
from asgi_auth._clock import Clock, system_clock
from asgi_auth.errors import (
    AuthenticationError,
    AuthError,
    ConfigurationError,
    InsufficientScopeError,
    StepUpRequiredError,
)
from asgi_auth.exchange import exchange_of
from asgi_auth.principal import AUTHENTICATED, Principal, get_principal
from asgi_auth.refusal import deny

__all__ = ["Requirement", "requires"]

T = TypeVar("T", bound=Callable[..., Any])

_CONNECTIONS = frozenset({"http", "websocket"})
_SKEW = 60


def requires(
    *scopes: str,
    roles: str | Iterable[str] = (),
    any: bool = False,  # noqa: A002  (reads well at the call)
    backend: str | Iterable[str] = (),
    max_age: int | None = None,
    acr: str | Iterable[str] = (),
    clock: Clock = system_clock,
) -> Requirement:
    """Make a guard: for a plain ASGI app, a mount, a WebSocket app or a handler.

    Args:
        scopes: Scopes that the caller needs.
        roles: Roles that the caller needs.
        any: One of all these is enough; else all are needed.
        backend: Names of the backends that may have identified the caller.
        max_age: Greatest age of the log-in, in seconds (RFC 9470).
        acr: Authentication context classes of which the log-in must have one.
        clock: Returns Unix seconds.

    Raises:
        ConfigurationError: *any* is set, and there is nothing to choose from.
    """
    return Requirement(
        frozenset(scopes),
        _texts(roles),
        any,
        _texts(backend),
        max_age,
        (acr,) if isinstance(acr, str) else tuple(acr),
        clock,
    )


@dataclass(frozen=True, slots=True)
class Requirement:
    """What a caller must bring; use it as a decorator or call :meth:`check`.

    With nothing named, any known caller will do.

    Attributes:
        scopes: The needed scopes.
        roles: The needed roles.
        any: One of all these is enough.
        backends: Who may have identified the caller; empty: anybody.
        max_age: Greatest age of the log-in, in seconds; ``None``: any.
        acr: Context classes of which the log-in must have one; empty: any.
        clock: Returns Unix seconds.
    """

    scopes: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    any: bool = False
    backends: frozenset[str] = frozenset()
    max_age: int | None = None
    acr: tuple[str, ...] = ()
    clock: Clock = system_clock

    def __post_init__(self) -> None:
        """Refuse a choice of nothing, which everybody would satisfy."""
        if self.any and not (self.scopes or self.roles):
            msg = "any=True needs scopes or roles to choose from."
            raise ConfigurationError(msg)

    def __call__(self, target: T) -> T:
        """Wrap an ASGI app or a handler.

        Raises:
            ConfigurationError: *target* is a class: guard its methods, or the route.
        """
        if inspect.isclass(target):
            msg = f"{target.__name__} is a class: guard its methods instead."
            raise ConfigurationError(msg)

        guard = _guard_app if _is_app(target) else _guard_handler
        return guard(self, target)  # type: ignore[return-value]

    def check(self, connection: Any) -> Principal:
        """Return the caller, or raise what is wrong and leave a note of it.

        Args:
            connection: An ASGI scope, or anything with a ``scope``.

        Raises:
            AuthenticationError: The caller is unknown; the error that the credential
                had, if one came.
            InsufficientScopeError: The caller lacks a scope or a role.
            StepUpRequiredError: The log-in is too old or too weak.
            ConfigurationError: There is no middleware above, or no scope.
        """
        scope = _scope_of((connection,))
        principal = get_principal(scope)
        error = self._fault(principal)
        if error is None:
            return principal

        exchange_of(scope).refusal = error
        raise error

    def allows(self, connection: Any) -> bool:
        """Tell whether the caller has all that is needed, without refusing."""
        return self._fault(get_principal(_scope_of((connection,)))) is None

    def _fault(self, principal: Principal) -> AuthError | None:
        if not principal.is_authenticated:
            return principal.error or AuthenticationError()

        if self.backends and principal.backend not in self.backends:
            return AuthenticationError("identified by another backend")

        if self._satisfied(principal):
            return None if self._is_fresh(principal) else self._step_up()

        scopes = sorted(self.scopes - {AUTHENTICATED})
        return InsufficientScopeError(scopes=scopes, roles=sorted(self.roles))

    def _satisfied(self, principal: Principal) -> bool:
        if self.any:
            held = self.scopes & principal.scopes or self.roles & principal.roles
            return bool(held)

        return self.scopes <= principal.scopes and self.roles <= principal.roles

    def _is_fresh(self, principal: Principal) -> bool:
        if self.acr and principal.acr not in self.acr:
            return False

        if self.max_age is None:
            return True

        # Who does not say when the user logged in may mean any time.
        if principal.auth_time is None:
            return False

        # A log-in that lies ahead was counted in milliseconds, or made up.
        age = self.clock() - principal.auth_time
        return -_SKEW <= age <= self.max_age

    def _step_up(self) -> StepUpRequiredError:
        return StepUpRequiredError(acr=self.acr, max_age=self.max_age)


def _texts(names: str | Iterable[str]) -> frozenset[str]:
    return frozenset((names,) if isinstance(names, str) else names)


def _is_app(target: Callable[..., Any]) -> bool:
    """Tell an ASGI app by its signature: ``(scope, receive, send)``."""
    try:
        names = [*inspect.signature(target).parameters]
    except (TypeError, ValueError):
        return False

    return names == ["scope", "receive", "send"]


def _guard_app(requirement: Requirement, app: ASGIApp) -> ASGIApp:
    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            try:
                requirement.check(scope)
            except AuthError as error:
                await deny(error, scope, receive, send)
                return

        await app(scope, receive, send)

    return guarded


def _guard_handler(
    requirement: Requirement, handler: Callable[..., Any]
) -> Callable[..., Any]:
    if _is_async(handler):

        @wraps(handler)
        async def guarded(*args: Any, **kwargs: Any) -> Any:
            requirement.check(_scope_of((*args, *kwargs.values())))
            return await handler(*args, **kwargs)

        return guarded

    @wraps(handler)
    def guarded_sync(*args: Any, **kwargs: Any) -> Any:
        requirement.check(_scope_of((*args, *kwargs.values())))
        return handler(*args, **kwargs)

    return guarded_sync


def _is_async(handler: Callable[..., Any]) -> bool:
    call = getattr(handler, "__call__", None)  # noqa: B004
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(call)


def _scope_of(arguments: tuple[Any, ...]) -> Mapping[str, Any]:
    """Find the ASGI scope among what a handler is called with."""
    found = [scope for scope in map(_as_scope, arguments) if scope is not None]
    # A JSON body may look like a scope; a principal is not in it.
    known = [scope for scope in found if isinstance(scope.get("auth"), Principal)]
    for scope in (*known, *found):
        return scope

    # Also an ASGI scope of a type that no middleware of ours has looked at.
    msg = (
        "A guarded handler must get an ASGI scope, or a request that has one: "
        "add the request to its parameters."
    )
    raise ConfigurationError(msg)


def _as_scope(argument: Any) -> Mapping[str, Any] | None:
    scope = getattr(argument, "scope", argument)
    if isinstance(scope, Mapping) and scope.get("type") in _CONNECTIONS:
        return scope

    return None
