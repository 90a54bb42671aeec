"""What stands beside a handler: its path, its part, and what it reads and answers.

The router, the document and the middleware read it. No handler is in here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol, TypeVar

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from asgi_auth.routes.body import Form

__all__ = ["Handlers", "Operation", "Operations", "Part"]

Handler = Callable[[Any, Request], Awaitable[Response]]

H = TypeVar("H", bound=Handler)

Part = Literal[
    "register",
    "verify",
    "login",
    "login_factor",
    "factors",
    "factor_email",
    "reauthenticate",
    "refresh",
    "logout",
    "logout_all",
    "password_forgot",
    "password_change",
    "email_change",
    "delete",
    "ticket",
    "revoke",
    "introspect",
    "me",
    "sessions",
    "jwks",
    "openapi",
    "client",
    "passkeys",
    "providers",
]
"""What can be chosen or left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path.

    Attributes:
        name: That of its handler, which the document shows.
        handler: What answers, not yet bound to its object.
        part: What it belongs to.
        method: The HTTP method.
        path: Below the mount.
        summary: One line for people.
        body: The model of the request's body, if it has one.
        query: The model of its query, if it has one.
        form: How the body is spelled as a form, if it may be one.
        optional: The body may be left out.
        answers: The model of each good answer; ``None`` for one without a body.
        refusals: The statuses of its refusals, beside those of every operation.
        guarded: It needs a caller that is known.
        mail: It is of no use without mail.
        cookies: It may read or set cookies.
    """

    name: str
    handler: Handler
    part: Part
    method: Literal["GET", "POST", "DELETE"]
    path: str
    summary: str
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    form: Form | None = None
    optional: bool = False
    answers: dict[int, type[BaseModel] | None] = field(default_factory=dict)
    refusals: tuple[int, ...] = ()
    guarded: bool = False
    mail: bool = False
    cookies: bool = True


class Operations:
    """The operations of one class of handlers, in the order of the document."""

    __slots__ = ("_operations",)

    def __init__(self) -> None:
        self._operations: list[Operation] = []

    def __iter__(self) -> Iterator[Operation]:
        """Go through them."""
        return iter(self._operations)

    def add(self, **facts: Any) -> Callable[[H], H]:
        """Decorate a handler with what there is to know about it.

        Args:
            facts: As :class:`Operation` has them.
        """

        def decorate(handler: H) -> H:
            name = handler.__name__
            self._operations.append(Operation(name=name, handler=handler, **facts))
            return handler

        return decorate


class Handlers(Protocol):
    """An object whose methods are handlers."""

    operations: ClassVar[Operations]
