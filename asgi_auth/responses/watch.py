"""Say why a caller was refused: to the log in full, to the application in facts.

The caller learns little, the operator everything that is no secret: never a token, a
key or a password. It decides nothing, and writes no answer.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from asgi_auth._clock import system_clock
from asgi_auth._logs import package_logger
from asgi_auth._misfit import MisfitError
from asgi_auth.credentials.reader import Credential
from asgi_auth.errors import (
    AsgiAuthError,
    AuthenticationError,
    AuthError,
    InsufficientScopeError,
)
from asgi_auth.events import Event, Events
from asgi_auth.principal import ANONYMOUS, Principal
from asgi_auth.responses.people import Wording

__all__ = ["UNWATCHED", "Claimant", "Watch", "reason_of"]

Claimant = Callable[[Credential], str | None]
"""Names the backend whose a credential would be."""

_logger = package_logger(__name__)
# Asked at each refusal: without the adapter in between.
_is_enabled_for = _logger.logger.isEnabledFor

_DEEPEST = 8
_LONGEST_RIGHTS = 300
_LONGEST_PATH = 200


class Watch:
    """Sees what the middleware, guards and routes refuse.

    Args:
        events: Who gets the events.
        claimant: Names the backend of a credential.
        wording: What people are told; ``None``: all get the problem document.
        unread: Says what a request has brought that nobody reads, if anything.
    """

    __slots__ = ("_claimant", "_events", "_is_heard", "_unread", "wording")

    def __init__(
        self,
        events: Events,
        claimant: Claimant,
        wording: Wording | None = None,
        unread: Callable[[Mapping[str, Any]], str] | None = None,
    ) -> None:
        self.wording: Wording | None = wording
        self._events = events
        self._is_heard = events.has_listener
        self._claimant = claimant
        self._unread = unread

    def refuse(
        self,
        error: AuthError,
        scope: Mapping[str, Any],
        credential: Credential | None,
        caller: Principal | None = None,
    ) -> None:
        """Note that a request is refused, or a socket.

        Args:
            error: Why.
            scope: Of the request or socket.
            credential: What it came with, as far as that is known.
            caller: Who was identified, or ``None``.
        """
        hint = ""
        if isinstance(error, MisfitError):
            error.warn()
        elif type(error) is AuthenticationError and credential is None and self._unread:
            hint = self._unread(scope)

        # Asked first: refusals come in floods, and mostly there is no listener.
        if self._is_heard or _is_enabled_for(logging.DEBUG):
            self._note("request.refused", error, scope, credential, caller, hint=hint)

    def ignore(
        self,
        error: AuthError,
        scope: Mapping[str, Any],
        credential: Credential | None,
    ) -> None:
        """Note that a bad credential passes as none."""
        if isinstance(error, MisfitError):
            error.warn()

        if self._is_heard or _is_enabled_for(logging.DEBUG):
            self._note("credential.ignored", error, scope, credential, None)

    def _note(
        self,
        name: str,
        error: AuthError,
        scope: Mapping[str, Any],
        credential: Credential | None,
        caller: Principal | None,
        *,
        hint: str = "",
    ) -> None:
        caller = caller or _caller_in(scope)
        facts = {
            "code": error.code,
            "status": error.status,
            "kind": scope["type"],
            "method": scope.get("method"),
            "path": _template_in(scope),
            **self._origin(credential, caller),
        }
        if _is_enabled_for(logging.DEBUG):
            reason = reason_of(error) + _lacking(error, caller)
            reason = f"{reason} A credential came: {hint}" if hint else reason
            _write(name, facts, scope, reason)

        event = Event(
            name=name,
            at=system_clock(),
            issuer=caller.issuer,
            subject=caller.subject or None,
            session_id=caller.session_id,
            detail=facts,
        )
        self._events.emit(event)

    def _origin(
        self, credential: Credential | None, caller: Principal
    ) -> dict[str, str | None]:
        source, backend = caller.source, caller.backend
        if credential is not None:
            source = source or credential.source
            backend = backend or self._claimant(credential)

        return {"backend": backend, "source": source}


def reason_of(error: BaseException) -> str:
    """Return why, down to the first cause whose words are not ours.

    Of what drivers and applications raise only the type is named: their texts may hold
    an address with a password.
    """
    words = [str(error)]
    inner = error.__cause__
    for _ in range(_DEEPEST):
        if inner is None:
            break

        is_ours = isinstance(inner, AsgiAuthError)
        text = str(inner) if is_ours else type(inner).__name__
        if not any(text in word for word in words):
            words.append(text)

        inner = inner.__cause__ if is_ours else None

    return "; because: ".join(words)


def _lacking(error: AuthError, caller: Principal) -> str:
    """Return which rights are needed and which there are, where they are too few."""
    if not isinstance(error, InsufficientScopeError):
        return ""

    needed = _rights(error.scopes, error.roles)
    return f" needed: {needed}; there: {_rights(caller.scopes, caller.roles)}"


def _rights(scopes: Iterable[str], roles: Iterable[str]) -> str:
    kinds = (("scopes", scopes), ("roles", roles))
    lists = [f"{kind} {' '.join(sorted(names))}" for kind, names in kinds if names]
    return ", ".join(lists)[:_LONGEST_RIGHTS] or "none"


def _write(
    name: str, facts: Mapping[str, Any], scope: Mapping[str, Any], reason: str
) -> None:
    ends = "refused" if name == "request.refused" else "passes as anonymous"
    _logger.debug(
        "%s (%s, %s), %s %s, backend %s, source %s: %s",
        ends,
        facts["code"],
        facts["status"],
        facts["method"] or facts["kind"],
        facts["path"] or _clipped(scope.get("path")),
        facts["backend"] or "none",
        facts["source"] or "none",
        reason,
    )


def _template_in(scope: Mapping[str, Any]) -> str | None:
    """Return the path as the route has it, where a framework says so."""
    # Litestar, and FastAPI: neither says it in the specification's words.
    templates = scope.get("path_template"), getattr(scope.get("route"), "path", None)
    return next((_clipped(path) for path in templates if isinstance(path, str)), None)


def _caller_in(scope: Mapping[str, Any]) -> Principal:
    principal = scope.get("auth")
    return principal if isinstance(principal, Principal) else ANONYMOUS


def _clipped(path: object) -> str:
    return path[:_LONGEST_PATH] if isinstance(path, str) else ""


def _nobody(_: Credential) -> None:
    return None


UNWATCHED = Watch(Events(), _nobody)
"""What writes to the log where no middleware is above."""
