"""Rules of the application about a known caller, and how they are put together.

A policy answers yes or no; guards refuse. It is never asked about anonymous callers,
and nothing but ``True`` lets a caller pass.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, Self

from asgi_auth.errors import AuthError, ConfigurationError
from asgi_auth.guards._calls import is_async, name_of, positional, texts
from asgi_auth.guards.rights import Rights
from asgi_auth.guards.roles import RoleHierarchy
from asgi_auth.principal import Principal
from asgi_auth.responses.sender import refusal_in

__all__ = ["Policy", "Verdict", "decide", "decide_async", "holds", "policy"]

Scope = Mapping[str, Any]
Steps = Generator[Awaitable[Any], Any, bool]
"""A policy at work: it hands out what it waits for, and returns its answer."""


class Policy(ABC):
    """A rule; make one with :func:`policy` or :func:`holds`.

    ``a & b`` asks *b* only where *a* says yes, ``a | b`` only where it says no, and
    ``~a`` turns the answer round. An error ends the asking, on either side of ``|``.

    Attributes:
        is_async: A part of it is known to wait for something.
    """

    __slots__ = ()

    is_async: bool

    @abstractmethod
    def steps(self, principal: Principal, scope: Scope) -> Steps:
        """Go through the rule; guards drive this, with or without waiting.

        Args:
            principal: The caller; always a known one.
            scope: The ASGI scope of the request or socket.
        """

    def __and__(self, other: Policy) -> Policy:
        return _join(self, other, stop=False)

    def __or__(self, other: Policy) -> Policy:
        return _join(self, other, stop=True)

    def __invert__(self) -> Policy:
        return _Not(self, self.is_async)

    def __bool__(self) -> NoReturn:
        # "a and b" would be b alone: the guard would not ask a.
        msg = "Put policies together with &, | and ~, not with and, or and not."
        raise ConfigurationError(msg)


def policy(rule: Policy | Callable[..., Any]) -> Policy:
    """Make a policy of a function; use it as a decorator.

    Args:
        rule: Takes the principal, or the principal and the ASGI scope, and returns a
            bool; may be async. A refusal that it raises
            (:class:`~asgi_auth.errors.AuthError`) goes out as it is.

    Raises:
        ConfigurationError: It takes something else.
    """
    if isinstance(rule, Policy):
        return rule

    wants = None if inspect.isclass(rule) else positional(rule)
    if wants not in {1, 2}:
        msg = (
            f"{name_of(rule)} must be a function of one or two arguments, "
            "the principal and the ASGI scope."
        )
        raise ConfigurationError(msg)

    return _Rule(rule, wants == 2, is_async(rule))  # noqa: PLR2004  (of the two)


def holds(
    *scopes: str,
    roles: str | Iterable[str] = (),
    any: bool = False,  # noqa: A002  (as in requires)
    hierarchy: RoleHierarchy | None = None,
    wildcards: str | Iterable[str] = (),
) -> Policy:
    """Make a policy that says yes to who has these scopes and roles.

    Args:
        scopes: All scopes that the caller needs.
        roles: All roles that the caller needs.
        any: One of all these is enough.
        hierarchy: Which roles imply which.
        wildcards: Names of the backends whose wildcard scopes count.

    Raises:
        ConfigurationError: Nothing is named, or as for ``requires``.
    """
    rights = texts("scopes", scopes), texts("roles", roles)
    if not any and rights == (frozenset(), frozenset()):
        msg = "holds() needs scopes or roles: every known caller holds nothing."
        raise ConfigurationError(msg)

    return _Holds(Rights(*rights, any, hierarchy, texts("wildcards", wildcards)))


def decide(policy: Policy, principal: Principal, scope: Scope) -> bool:
    """Ask a policy where nothing can be waited for.

    Raises:
        ConfigurationError: It is async, or answers with something other than a bool.
    """
    # Said whichever part would answer, and not only to those callers who reach it.
    if policy.is_async:
        raise _cannot_wait(policy)

    steps = policy.steps(principal, scope)
    try:
        waiting = next(steps)
    except StopIteration as done:
        answer: bool = done.value
        return answer

    steps.close()
    _discard(waiting)
    raise _cannot_wait(policy)


async def decide_async(policy: Policy, principal: Principal, scope: Scope) -> bool:
    """Ask a policy, and wait for what it waits for.

    Raises:
        ConfigurationError: It answers with something other than a bool.
    """
    steps, got = policy.steps(principal, scope), None
    while True:
        try:
            waiting = steps.send(got)
        except StopIteration as done:
            answer: bool = done.value
            return answer

        got = await waiting


class Verdict:
    """What a policy says, or raises for the caller in place of saying no.

    Attributes:
        allowed: It says yes.
        refusal: What it has raised.
    """

    __slots__ = ("allowed", "refusal")

    def __init__(self) -> None:
        self.allowed: bool = False
        self.refusal: AuthError | None = None

    def __enter__(self) -> Self:
        """Begin to ask."""
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        """Keep a refusal, and let all else go on."""
        self.refusal = None if error is None else refusal_in(error)
        return self.refusal is not None


@dataclass(frozen=True, slots=True)
class _Rule(Policy):
    rule: Callable[..., Any]
    wants_scope: bool
    is_async: bool

    def steps(self, principal: Principal, scope: Scope) -> Steps:
        arguments = (principal, scope) if self.wants_scope else (principal,)
        answer = self.rule(*arguments)
        if inspect.isawaitable(answer):
            answer = yield answer

        if answer is True or answer is False:
            return answer

        _discard(answer)
        kind = type(answer).__name__
        msg = f"The policy {self} must return True or False, and returned a {kind}."
        raise ConfigurationError(msg)

    def __str__(self) -> str:
        return name_of(self.rule)


@dataclass(frozen=True, slots=True)
class _Holds(Policy):
    rights: Rights
    is_async: bool = False

    def steps(self, principal: Principal, scope: Scope) -> Steps:
        yield from ()
        return self.rights.held_by(principal)

    def __str__(self) -> str:
        names = sorted(self.rights.scopes) + sorted(self.rights.roles)
        return f"holds({', '.join(names)})"


@dataclass(frozen=True, slots=True)
class _Joined(Policy):
    parts: tuple[Policy, ...]
    stop: bool
    """The answer of one part that is the answer of all."""
    is_async: bool

    def steps(self, principal: Principal, scope: Scope) -> Steps:
        for part in self.parts:
            answer = yield from part.steps(principal, scope)
            if answer is self.stop:
                return self.stop

        return not self.stop

    def __str__(self) -> str:
        sign = " | " if self.stop else " & "
        return f"({sign.join(map(str, self.parts))})"


@dataclass(frozen=True, slots=True)
class _Not(Policy):
    part: Policy
    is_async: bool

    def steps(self, principal: Principal, scope: Scope) -> Steps:
        answer = yield from self.part.steps(principal, scope)
        return not answer

    def __str__(self) -> str:
        return f"~{self.part}"


def _join(left: Policy, right: Policy, *, stop: bool) -> Policy:
    """Put two policies side by side: a thousand in a row are one level deep."""
    if not isinstance(right, Policy):
        return NotImplemented

    parts: list[Policy] = []
    for side in (left, right):
        alike = isinstance(side, _Joined) and side.stop is stop
        parts += side.parts if isinstance(side, _Joined) and alike else (side,)

    return _Joined(tuple(parts), stop, left.is_async or right.is_async)


def _cannot_wait(policy: Policy) -> ConfigurationError:
    msg = (
        f"The policy {policy} is async, and nothing can be awaited here: make the "
        "handler async, or await guard.verify(request) or guard.permits(request)."
    )
    return ConfigurationError(msg)


def _discard(answer: object) -> None:
    """Spare the log the warning that a coroutine was never awaited."""
    if inspect.iscoroutine(answer):
        answer.close()
