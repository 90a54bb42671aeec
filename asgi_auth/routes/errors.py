"""What can be wrong with a request to the log-in routes, as branches of the one tree.

.. code-block:: text

    AuthError
    ├── MalformedBodyError          400  not JSON, not a form, or a field twice
    ├── InvalidQueryError           400  a parameter twice, or out of bounds
    ├── SecondFactorRequiredError   401  the password is right, and not enough
    ├── UnknownPathError            404  no such path, or another user's session
    ├── BodyTooLargeError           413
    ├── UnsupportedBodyError        415  of a type that is not read here
    ├── NotLocalhostError           421  insecure cookies, and another host
    ├── UnprocessableBodyError      422  well formed, with a wrong or missing field
    │   └── UnsupportedGrantError   422  a form of OAuth for another grant
    └── CookieTooLargeError         500  the tokens hold too many claims
"""

from __future__ import annotations

from starlette.exceptions import HTTPException

from asgi_auth.errors import AuthenticationError, AuthError, MethodNotAllowedError

__all__ = [
    "BodyTooLargeError",
    "CookieTooLargeError",
    "InvalidQueryError",
    "MalformedBodyError",
    "NotLocalhostError",
    "SecondFactorRequiredError",
    "UnknownPathError",
    "UnprocessableBodyError",
    "UnsupportedBodyError",
    "UnsupportedGrantError",
    "routing_error",
]

_NOT_ALLOWED = 405


class MalformedBodyError(AuthError):
    """The body cannot be parsed (RFC 9110, section 15.5.1)."""

    code = "malformed_body"
    status = 400
    public_message = "The body of the request is malformed."


class InvalidQueryError(AuthError):
    """A parameter of the query comes twice, or is of no use."""

    code = "invalid_query"
    status = 400
    public_message = "The query of the request is invalid."


class SecondFactorRequiredError(AuthenticationError):
    """What was shown is right; the log-in needs a second factor as well.

    The answer names the ``methods`` that the user has, and holds a ``pending_token``
    with which the log-in goes on, or sets a cookie that does the same.
    """

    code = "second_factor_required"
    public_message = "A second factor is required."


class UnknownPathError(AuthError):
    """There is nothing here, or nothing that is the caller's."""

    code = "not_found"
    status = 404
    public_message = "There is nothing here."


class BodyTooLargeError(AuthError):
    """The body is longer than any of ours (RFC 9110, section 15.5.14)."""

    code = "body_too_large"
    status = 413
    public_message = "The body of the request is too large."


class UnsupportedBodyError(AuthError):
    """The body is of a type or an encoding that is not read here."""

    code = "unsupported_media_type"
    status = 415
    public_message = "The body must be of another content type."


class NotLocalhostError(AuthError):
    """Cookies are insecure, for development, and the request is not for localhost."""

    code = "not_localhost"
    status = 421
    public_message = "This server sets cookies for localhost only."


class UnprocessableBodyError(AuthError):
    """A field is missing or of the wrong type.

    Args:
        public_message: Which, and why; without the value.
    """

    code = "invalid_body"
    status = 422
    public_message: str = "The body of the request has a wrong field."

    def __init__(self, public_message: str = "") -> None:
        self.public_message = public_message or type(self).public_message
        super().__init__()


class UnsupportedGrantError(UnprocessableBodyError):
    """The form is for another grant than the route's (RFC 6749, section 5.2)."""

    public_message = "grant_type: Another one is needed here."


class CookieTooLargeError(AuthError):
    """A token does not fit into a cookie: browsers would drop it without a word.

    Put fewer claims into the tokens, or deliver them in the body.
    """

    code = "cookie_too_large"
    status = 500
    public_message = "The server's tokens do not fit into cookies."


def routing_error(error: HTTPException) -> AuthError:
    """Return the refusal of a path or a method that there is not."""
    if error.status_code != _NOT_ALLOWED:
        return UnknownPathError()

    allow = (error.headers or {}).get("Allow", "")
    return MethodNotAllowedError(allow=sorted(filter(None, allow.split(", "))))
