"""What can go wrong on the side of the client, as a branch of the one tree.

.. code-block:: text

    AsgiAuthError
    └── ClientError
        ├── BadAnswerError      an answer that should hold tokens or a ticket holds none
        ├── RefreshFailedError  nothing is lost: the next request tries again
        ├── LoggedOutError      the tokens are gone: the user has to log in
        └── WrongCodeError      the code of a second factor: ask for another one

None of them is an :class:`~asgi_auth.errors.AuthError`: that another server refuses us
says nothing about our own callers.
"""

from __future__ import annotations

from asgi_auth.errors import AsgiAuthError

__all__ = [
    "BadAnswerError",
    "ClientError",
    "LoggedOutError",
    "RefreshFailedError",
    "WrongCodeError",
]


class ClientError(AsgiAuthError):
    """The request has no usable token, and could get none."""

    code = "client_error"


class BadAnswerError(ClientError):
    """The answer holds no tokens (RFC 6749, section 5.1), or no ticket."""

    code = "bad_answer"


class RefreshFailedError(ClientError):
    """There are no new tokens now, or no ticket; nothing is lost, so try again."""

    code = "refresh_failed"


class LoggedOutError(ClientError):
    """There are no tokens, or the refresh token was refused: log in again."""

    code = "logged_out"


class WrongCodeError(ClientError):
    """The code of a second factor is wrong, late, or was used before."""

    code = "invalid_code"
