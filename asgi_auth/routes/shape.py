"""Let an application say which routes there are, and what their bodies look like.

What a route does stays the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ValidationError

from asgi_auth.accounts import Account
from asgi_auth.errors import ConfigurationError
from asgi_auth.routes.errors import MalformedBodyError
from asgi_auth.routes.models import RegisterRequest, UserResponse
from asgi_auth.routes.operations import Operation, Part
from asgi_auth.typing import Backend

__all__ = ["RouteShape", "data_of"]

_KNOWN = frozenset({"email", "username", "password"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteShape:
    """Which routes there are, and what their bodies look like.

    Args:
        include: The parts to have; by default all that can work: without mail
            nothing that needs it, without key pairs no ``jwks``, and ``introspect``
            only with *introspection_backend*.
        introspection_backend: Knows the services that may ask about tokens.
        user: The model of what ``/me`` and others answer: made of the application's
            own user with :class:`~asgi_auth.accounts.ManagedAccounts`, otherwise of
            the ``Account``.
        register: That of what ``/register`` reads: ``password``, ``email`` or
            ``username``, and what else is to go into ``account.data``. Name no rights
            here.
        user_data: Gives what a user may see of ``account.data``; by default nothing.
        camel_case: Write ``accessToken`` and the like; both spellings are read.
        max_body: Bytes that a body may have.

    Raises:
        ConfigurationError: *register* lacks a field.
    """

    include: Collection[Part] | None = None
    introspection_backend: Backend | None = None
    user: type[BaseModel] | None = None
    register: type[BaseModel] | None = None
    user_data: Callable[[Account], Mapping[str, Any]] | None = None
    camel_case: bool = False
    max_body: int = 64 * 1024

    def __post_init__(self) -> None:
        """Refuse a model that no user could register with."""
        if self.register is None:
            return

        fields = self.register.model_fields.keys()
        if "password" not in fields or not fields & {"email", "username"}:
            msg = "The model for /register needs password, and email or username."
            raise ConfigurationError(msg)

    def apply(self, operations: Sequence[Operation]) -> tuple[Operation, ...]:
        """Return the operations with these models, for router and document."""
        return tuple(self._applied(operation) for operation in operations)

    def _applied(self, operation: Operation) -> Operation:
        body = operation.body
        if self.register is not None and body is RegisterRequest:
            body = self.register

        user = self.user or UserResponse
        answers = {
            status: user if model is UserResponse else model
            for status, model in operation.answers.items()
        }
        return replace(operation, body=body, answers=answers)

    def show(self, account: Account, *, is_verified: bool | None) -> BaseModel:
        """Return what a user may see of an account.

        Args:
            account: Of the user.
            is_verified: The address is; ``None``: that is not known.

        Raises:
            ConfigurationError: The model does not fit the users.
        """
        if self.user is None:
            data = None if self.user_data is None else dict(self.user_data(account))
            return UserResponse(
                id=account.id,
                email=account.email or None,
                username=account.username,
                verified=is_verified,
                roles=list(account.roles),
                data=data,
            )

        source: Any = account if account.user is None else account.user
        try:
            return self.user.model_validate(source, from_attributes=True)
        except ValidationError as error:
            fault = error.errors(include_input=False, include_context=False)[0]

        # Out here: the error holds the user, with its password hash.
        where = ".".join(map(str, fault["loc"]))
        msg = f"{self.user.__name__} does not fit a user: {where}: {fault['msg']}."
        raise ConfigurationError(msg)


def data_of(body: BaseModel) -> dict[str, Any]:
    """Return the fields of a registration that the routes do not know.

    They are those that the model names, also where it lets others in: callers would
    choose what is kept of them.

    Raises:
        MalformedBodyError: A text has a NUL, which PostgreSQL does not keep.
    """
    model = type(body)
    named = {*model.model_fields, *model.model_computed_fields}
    data = body.model_dump(mode="json", include=named - _KNOWN)
    if _has_nul(data):
        raise MalformedBodyError
    return data


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    return isinstance(value, list) and any(map(_has_nul, value))
