"""Everything that can go wrong, as one tree.

This module names faults; it never writes an answer: that is what
:mod:`asgi_auth.responses.deny` is for.

.. code-block:: text

    AsgiAuthError
    ├── ConfigurationError               500  the app is put together wrongly
    │   └── MissingExtraError            500  an optional library is not installed
    └── AuthError                             a refusal that deny() can answer
        ├── InvalidRequestError          400  two credentials, malformed syntax
        ├── AuthenticationError          401  no credential came
        │   ├── InvalidCredentialsError  401  wrong user name or password
        │   ├── InvalidTokenError        401  forged, malformed, of the wrong kind
        │   │   ├── ExpiredTokenError    401
        │   │   ├── RevokedTokenError    401
        │   │   ├── ReusedTokenError     401  a rotated refresh token came back
        │   │   └── UnknownSubjectError  401  a good token of a user that is gone
        │   └── StepUpRequiredError      401  too old or too weak a log-in
        ├── AuthorizationError           403  known, but not allowed
        │   ├── InsufficientScopeError   403
        │   ├── ActorRefusedError        403  somebody acts for the user
        │   └── CrossOriginError         403  a cookie came from a foreign page
        ├── MethodNotAllowedError        405  the path has no such method
        ├── RateLimitedError             429
        └── UnavailableError             503  a store or endpoint is down

The message given to the constructor is for logs and debuggers. It never holds a
credential, and never reaches the wire: clients read ``public_message``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

__all__ = [
    "ActorRefusedError",
    "AsgiAuthError",
    "AuthError",
    "AuthenticationError",
    "AuthorizationError",
    "ConfigurationError",
    "CrossOriginError",
    "ExpiredTokenError",
    "InsufficientScopeError",
    "InvalidCredentialsError",
    "InvalidRequestError",
    "InvalidTokenError",
    "MethodNotAllowedError",
    "MissingExtraError",
    "RateLimitedError",
    "ReusedTokenError",
    "RevokedTokenError",
    "StepUpRequiredError",
    "UnavailableError",
    "UnknownSubjectError",
]


class AsgiAuthError(Exception):
    """Root of every error that this package raises on purpose.

    Attributes:
        code: A stable word for programs, for instance ``"token_expired"``.
        status: The HTTP status that answers it.
        public_message: One sentence that is safe to show to any client.
    """

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    public_message: str = "Something went wrong."

    def __str__(self) -> str:
        """Return the message, or the public one where there is no other.

        Further arguments are filled in as :mod:`logging` does: a flood of forged tokens
        raises an error for each, and mostly nobody reads it.
        """
        if not self.args or not self.args[0]:
            return self.public_message

        message = str(self.args[0])
        try:
            return message % self.args[1:] if len(self.args) > 1 else message
        except (TypeError, ValueError):  # The application's own, with other arguments.
            return message


class ConfigurationError(AsgiAuthError):
    """The application is put together wrongly; the message says how to mend it."""

    code = "configuration_error"
    public_message = "The server is not configured correctly."


class MissingExtraError(ConfigurationError, ImportError):
    """An optional library is missing; the message holds the pip command."""

    code = "missing_extra"


class AuthError(AsgiAuthError):
    """A refusal: raised below the middleware, answered by it.

    Attributes:
        code: A stable word for programs, for instance ``"token_expired"``.
        status: The HTTP status that answers it.
        public_message: One sentence that is safe to show to any client.
        oauth_error:
            The ``error`` of the challenge (RFC 6750, section 3.1; RFC 9470,
            section 3), or ``None`` where the challenge must not have one.
        scheme: The only scheme whose challenge names the error; ``None``: each does.
        headers: What the answer has beside the challenge.
    """

    code = "unauthorized"
    status = 401
    public_message = "The request was refused."
    oauth_error: ClassVar[str | None] = None
    scheme: ClassVar[str | None] = None
    headers: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def extensions(self) -> dict[str, str]:
        """The code, where GraphQL libraries look for more than a message."""
        return {"code": self.code}


class InvalidRequestError(AuthError):
    """The request carries credentials in a way that no server should guess at.

    RFC 6750, section 3.1: ``invalid_request``.
    """

    code = "invalid_request"
    status = 400
    public_message = "The credentials of the request are malformed."
    oauth_error: ClassVar[str | None] = "invalid_request"


class AuthenticationError(AuthError):
    """No credential came, and one is needed (RFC 6750, section 3)."""

    code = "unauthenticated"
    public_message = "Authentication is required."


class InvalidCredentialsError(AuthenticationError):
    """The user name or the password is wrong; it is not said which."""

    code = "invalid_credentials"
    public_message = "The user name or the password is wrong."


class InvalidTokenError(AuthenticationError):
    """The token is malformed, forged, or of another kind (RFC 6750, section 3.1)."""

    code = "invalid_token"
    public_message = "The token is not valid."
    oauth_error: ClassVar[str | None] = "invalid_token"


class ExpiredTokenError(InvalidTokenError):
    """The token was good once, and its time is over (RFC 7519, section 4.1.4)."""

    code = "token_expired"
    public_message = "The token has expired."


class RevokedTokenError(InvalidTokenError):
    """The token, its session or its subject was revoked."""

    code = "token_revoked"
    public_message = "The token has been revoked."


class ReusedTokenError(InvalidTokenError):
    """A replaced refresh token came back (RFC 9700, section 4.14.2)."""

    code = "token_reused"
    public_message = "The token has been used before; the session has ended."


class UnknownSubjectError(InvalidTokenError):
    """The token is good, but the application does not know its subject."""

    code = "unknown_subject"


class StepUpRequiredError(AuthenticationError):
    """The log-in is too old or too weak for what was asked (RFC 9470).

    Args:
        acr: Authentication context classes of which one is needed.
        max_age: Greatest age of the log-in, in seconds.
    """

    code = "insufficient_user_authentication"
    public_message = "A more recent or a stronger log-in is required."
    oauth_error: ClassVar[str | None] = "insufficient_user_authentication"

    def __init__(
        self, message: str = "", *, acr: Iterable[str] = (), max_age: int | None = None
    ) -> None:
        super().__init__(message)
        self.acr: tuple[str, ...] = tuple(acr)
        self.max_age = max_age


class AuthorizationError(AuthError):
    """The caller is known, and may not do this."""

    code = "forbidden"
    status = 403
    public_message = "You are not allowed to do this."


class InsufficientScopeError(AuthorizationError):
    """The caller lacks a scope or a role (RFC 6750, section 3.1).

    Args:
        scopes: All the scopes that are needed, not only the missing ones.
        roles: All the roles that are needed.
    """

    code = "insufficient_scope"
    public_message = "The credentials do not allow this."
    oauth_error: ClassVar[str | None] = "insufficient_scope"

    def __init__(
        self,
        message: str = "",
        *,
        scopes: Iterable[str] = (),
        roles: Iterable[str] = (),
    ) -> None:
        super().__init__(message)
        self.scopes: tuple[str, ...] = tuple(scopes)
        self.roles: tuple[str, ...] = tuple(roles)


class ActorRefusedError(AuthorizationError):
    """Somebody acts for the user, and this is for the user alone (RFC 8693)."""

    code = "actor_refused"
    public_message = "Only the user may do this, and nobody in the user's name."


class CrossOriginError(AuthorizationError):
    """A cookie came along with a request that another site's page had sent."""

    code = "cross_origin"
    public_message = "Requests with cookies are not accepted from this origin."


class MethodNotAllowedError(AuthError):
    """The path exists, but not for this method (RFC 9110, section 15.5.6).

    Args:
        allow: The methods that it has.
    """

    code = "method_not_allowed"
    status = 405
    public_message = "This method is not allowed here."

    def __init__(self, message: str = "", *, allow: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.allow: tuple[str, ...] = tuple(allow)


class RateLimitedError(AuthError):
    """Too many tries (RFC 6585, section 4).

    Args:
        retry_after: Seconds to wait, rounded up to a whole number of at least 1.
    """

    code = "rate_limited"
    status = 429
    public_message = "Too many requests; try again later."

    def __init__(self, message: str = "", *, retry_after: float = 1) -> None:
        super().__init__(message)
        self.retry_after: int = max(1, -int(-retry_after // 1))


class UnavailableError(AuthError):
    """Something that is needed for a verdict is down: never a 401 (RFC 9110, 15.6.4).

    Args:
        retry_after: Seconds to wait, rounded up to a whole number of at least 1.
    """

    code = "unavailable"
    status = 503
    public_message = "Authentication is not available at the moment."

    def __init__(self, message: str = "", *, retry_after: float = 1) -> None:
        super().__init__(message)
        self.retry_after: int = max(1, -int(-retry_after // 1))


def check_choice(name: str, value: str, allowed: set[str]) -> None:
    """Pass one of several words that a setting may be.

    Raises:
        ConfigurationError: It is another one.
    """
    if value not in allowed:
        msg = f"{name} must be {' or '.join(sorted(allowed))}."
        raise ConfigurationError(msg)


def without_frames(error: AuthError) -> AuthError:
    """Return *error* without the frames that it and its causes went through.

    They know what knows the error: only the garbage collector would find such a circle.
    """
    inner: BaseException | None = error
    while inner is not None and inner.__traceback__ is not None:
        inner.__traceback__ = None
        inner = inner.__cause__ or inner.__context__

    return error
