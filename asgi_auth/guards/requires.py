"""Turn away callers who lack what an app, a mount, a socket or a handler needs.

A guard reads the principal; it never looks at credentials. Guards stack in any order
and none is skipped. Without the middleware above it a guard raises
:class:`~asgi_auth.errors.ConfigurationError`: it never lets a caller pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import FrozenInstanceError, dataclass, field, replace
from typing import Any, TypeVar

from asgi_auth._clock import Clock, system_clock
from asgi_auth.errors import (
    ActorRefusedError,
    AuthenticationError,
    AuthError,
    AuthorizationError,
    ConfigurationError,
    InsufficientScopeError,
    StepUpRequiredError,
)
from asgi_auth.guards._calls import texts
from asgi_auth.guards.asked import remember
from asgi_auth.guards.connection import scope_of
from asgi_auth.guards.policy import Policy, Verdict, decide, decide_async
from asgi_auth.guards.policy import policy as policy_of
from asgi_auth.guards.rights import Rights
from asgi_auth.guards.roles import RoleHierarchy
from asgi_auth.guards.wrapping import MARK, Check, wrap
from asgi_auth.principal import AUTHENTICATED, Principal, get_principal
from asgi_auth.responses.state import KEY, state_of

__all__ = ["Requirement", "requires"]

T = TypeVar("T")

_SKEW = 60


def requires(
    *scopes: str,
    roles: str | Iterable[str] = (),
    any: bool = False,  # noqa: A002  (reads well at the call)
    backend: str | Iterable[str] = (),
    max_age: int | None = None,
    acr: str | Iterable[str] = (),
    policy: Policy | Callable[..., Any] | None = None,
    hierarchy: RoleHierarchy | None = None,
    wildcards: str | Iterable[str] = (),
    allow_actor: bool = True,
    clock: Clock = system_clock,
) -> Requirement:
    """Make a guard: for a plain ASGI app, a mount, a WebSocket app or a handler.

    Args:
        scopes: Scopes that the caller needs.
        roles: Roles that the caller needs.
        any: One of all these is enough; otherwise all are needed.
        backend: Names of the backends that may have identified the caller.
        max_age: Greatest age of the log-in, in seconds (RFC 9470).
        acr: Authentication context classes of which the log-in must have one.
        policy: Must say yes as well, to who has the scopes and roles.
        hierarchy: Which roles imply which.
        wildcards: Names of the backends whose wildcard scopes count: a held
            ``orders:*`` then covers ``orders:read``.
        allow_actor: Whether an actor may act for the user (``principal.actor``).
        clock: Returns Unix seconds.

    Raises:
        ConfigurationError: *any* is set, and there is nothing to choose from; a
            needed scope is a wildcard, where these count, or two scopes in one text;
            or something has another type or is out of bounds.
    """
    if isinstance(policy, Requirement):
        msg = "A guard is no policy: put holds(...) where its scopes and roles are due."
        raise ConfigurationError(msg)

    return Requirement(
        texts("scopes", scopes),
        texts("roles", roles),
        any,
        texts("backend", backend),
        max_age,
        _classes(acr),
        clock,
        None if policy is None else policy_of(policy),
        hierarchy,
        texts("wildcards", wildcards),
        allow_actor,
    )


@dataclass(frozen=True, slots=True)
class Requirement:
    """What a caller must bring; use it as a decorator or call :meth:`check`.

    With nothing named, any known caller will do. It is a middleware as well, for
    lists of those: ``Middleware(requires("orders:read"))``.

    Attributes:
        scopes: The needed scopes.
        roles: The needed roles.
        any: One of all these is enough.
        backends: Who may have identified the caller; empty: any.
        max_age: Greatest age of the log-in, in seconds; ``None``: any.
        acr: Context classes of which the log-in must have one; empty: any.
        clock: Returns Unix seconds.
        policy: What must say yes as well, if anything.
        hierarchy: Which roles imply which; ``None``: none does.
        wildcards: Names of the backends whose wildcard scopes count.
        allow_actor: Whether an actor may act for the user.
        inner: Guards further in, whose scopes and roles a refusal names too: then
            one new token will do for all.
    """

    scopes: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    any: bool = False
    backends: frozenset[str] = frozenset()
    max_age: int | None = None
    acr: tuple[str, ...] = ()
    clock: Clock = system_clock
    policy: Policy | None = None
    hierarchy: RoleHierarchy | None = None
    wildcards: frozenset[str] = frozenset()
    allow_actor: bool = True
    inner: tuple[Requirement, ...] = field(default=(), repr=False, compare=False)
    _rights: Rights = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse a choice of nothing, which every caller would satisfy."""
        _check_age(self.max_age)
        rights = Rights(
            self.scopes, self.roles, self.any, self.hierarchy, self.wildcards
        )
        object.__setattr__(self, "_rights", rights)

    def __call__(self, app: T) -> T:
        """Wrap an ASGI app, a handler, or a class whose instances serve one request.

        Args:
            app: One of these.

        Raises:
            ConfigurationError: *app* is another class, or it is not async and the
                policy is.
        """
        inner = _guards_of(app)
        guard = replace(self, inner=inner) if inner else self
        if self.policy is None:
            guarded: T = wrap(Check(guard.check), app)
        else:
            guarded = wrap(Check(guard.check, guard.verify, self.policy.is_async), app)

        setattr(guarded, MARK, (self, *inner))
        return guarded

    def check(self, connection: Any = None) -> Principal:
        """Return the caller, or raise what is wrong and leave a note of it.

        Args:
            connection: An ASGI scope, or anything with a ``scope``; left out, it is
                what is being served, with ``ScopePolicy(track_current=True)``.

        Raises:
            AuthenticationError: The caller is unknown; the error that the credential
                had, if one came.
            InsufficientScopeError: The caller lacks a scope or a role.
            AuthorizationError: The policy says no.
            ActorRefusedError: An actor acts for the user.
            StepUpRequiredError: The log-in is too old or too weak.
            ConfigurationError: There is no middleware above, or no scope; or the
                policy is async: await :meth:`verify`.
        """
        scope = scope_of(connection)
        principal = get_principal(scope)
        error = self._fault(principal, scope)
        return self._settle(error, principal, scope)

    async def verify(self, connection: Any = None) -> Principal:
        """Do what :meth:`check` does, and wait for an async policy.

        Args:
            connection: An ASGI scope, or anything with a ``scope``; left out, it is
                what is being served, with ``ScopePolicy(track_current=True)``.

        Raises:
            AuthError: As :meth:`check` does.
            ConfigurationError: There is no middleware above, or no scope.
        """
        scope = scope_of(connection)
        principal = get_principal(scope)
        error = await self._fault_async(principal, scope)
        return self._settle(error, principal, scope)

    def _settle(
        self, error: AuthError | None, principal: Principal, scope: Mapping[str, Any]
    ) -> Principal:
        """Return who may pass, or note and raise why not."""
        if error is None and scope["type"] == "http":
            other = scope.get(KEY)
            # Its answer may be a stream, whose guards are asked again. No call here.
            if other is not None and other.ordinary is not None and not other.started:
                other.passed = self, scope, other.passed

            return principal

        state = state_of(scope)
        if error is not None:
            state.refusal, state.caller = error, principal
            raise error

        remember(self, scope, state)
        return principal

    def allows(self, connection: Any = None) -> bool:
        """Say whether the caller has all that is needed, without refusing.

        Also ``False`` where the policy could not find out.

        Raises:
            ConfigurationError: As :meth:`check` does.
        """
        scope = scope_of(connection)
        return self._fault(get_principal(scope), scope) is None

    async def permits(self, connection: Any = None) -> bool:
        """Do what :meth:`allows` does, and wait for an async policy."""
        scope = scope_of(connection)
        return await self._fault_async(get_principal(scope), scope) is None

    def _fault(
        self, principal: Principal, scope: Mapping[str, Any]
    ) -> AuthError | None:
        """Look for what is wrong: rights first, since no new log-in mends them."""
        error = self._lack(principal)
        if error is None and self.policy is not None:
            with Verdict() as verdict:
                verdict.allowed = decide(self.policy, principal, scope)

            error = self._objection(verdict)

        return self._staleness(principal) if error is None else error

    async def _fault_async(
        self, principal: Principal, scope: Mapping[str, Any]
    ) -> AuthError | None:
        error = self._lack(principal)
        if error is None and self.policy is not None:
            with Verdict() as verdict:
                verdict.allowed = await decide_async(self.policy, principal, scope)

            error = self._objection(verdict)

        return self._staleness(principal) if error is None else error

    def _lack(self, principal: Principal) -> AuthError | None:
        # First of all: an anonymous caller has no rights, and policies never see it.
        if not principal.is_authenticated:
            return principal.error or AuthenticationError()

        if self.backends and principal.backend not in self.backends:
            return AuthenticationError("identified by another backend")

        if not self.allow_actor and principal.actor is not None:
            return ActorRefusedError(f"{principal.actor!r} acts for the user")

        if self._rights.held_by(principal):
            return None

        guards = (self, *self.inner)
        scopes = frozenset().union(*(guard.scopes for guard in guards))
        roles = frozenset().union(*(guard.roles for guard in guards))
        names = sorted(scopes - {AUTHENTICATED})
        return InsufficientScopeError(scopes=names, roles=sorted(roles))

    def _objection(self, verdict: Verdict) -> AuthError | None:
        if verdict.refusal is not None or verdict.allowed:
            return verdict.refusal

        return AuthorizationError(f"the policy {self.policy} says no")

    def _staleness(self, principal: Principal) -> AuthError | None:
        if self.max_age is None and not self.acr:
            return None

        if self._is_fresh(principal):
            return None

        return StepUpRequiredError(acr=self.acr, max_age=self.max_age)

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


def _keep(requirement: Requirement, name: str, value: object) -> None:
    """Refuse to be changed, as a frozen dataclass does."""
    # Sentry patches what is given to Starlette as a middleware; there is no need to.
    if name != "__call__":
        msg = f"cannot assign to field {name!r}"
        raise FrozenInstanceError(msg)


Requirement.__setattr__ = _keep  # type: ignore[assignment, method-assign]


def _classes(acr: str | Iterable[str]) -> tuple[str, ...]:
    """Return the context classes in their order, which is that of preference."""
    texts("acr", acr)
    return (acr,) if isinstance(acr, str) else tuple(acr)


def _check_age(max_age: object) -> None:
    if max_age is not None and not (type(max_age) is int and max_age >= 0):
        msg = "max_age must be a whole number of seconds, 0 or more."
        raise ConfigurationError(msg)


def _guards_of(app: object) -> tuple[Requirement, ...]:
    """Return the guards that *app* is known to have; for reports, not for decisions."""
    guards = getattr(app, MARK, ())
    return guards if isinstance(guards, tuple) else ()
