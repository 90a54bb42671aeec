"""What can go wrong with an account, as branches of the one tree.

.. code-block:: text

    AuthError
    ├── InvalidEmailError          400  not an address that we deliver to
    ├── InvalidUsernameError       400  not a name that we give
    ├── InvalidFieldError          422  a field that no column can hold
    ├── UnknownAccountError        404  no account has this id
    ├── DuplicateAccountError      409  another account has this address or name
    ├── StaleAccountError          409  the account was changed in between
    ├── LastWayInError             409  without it, the user could not log in any more
    └── AuthorizationError
        ├── AccountDisabledError   403  only after the right password
        └── EmailNotVerifiedError  403  only after the right password
"""

from __future__ import annotations

from asgi_auth.errors import AuthError, AuthorizationError

__all__ = [
    "AccountDisabledError",
    "DuplicateAccountError",
    "EmailNotVerifiedError",
    "InvalidEmailError",
    "InvalidFieldError",
    "InvalidUsernameError",
    "LastWayInError",
    "StaleAccountError",
    "UnknownAccountError",
]


class InvalidEmailError(AuthError):
    """The text is not an e-mail address that we deliver to."""

    code = "invalid_email"
    status = 400
    public_message = "This is not a valid e-mail address."


class InvalidUsernameError(AuthError):
    """The text is no user name: it could be taken for another, or for an address."""

    code = "invalid_username"
    status = 400
    public_message = "A user name has 1 to 150 characters, and neither @ nor space."


class InvalidFieldError(AuthError):
    """A field of a registration is too long, out of range, or breaks a constraint."""

    code = "invalid_field"
    status = 422
    public_message = "A field of the registration has a value that cannot be kept."


class UnknownAccountError(AuthError):
    """No account has this id."""

    code = "unknown_account"
    status = 404
    public_message = "There is no such account."


class DuplicateAccountError(AuthError):
    """Another account has this e-mail address or user name."""

    code = "account_exists"
    status = 409
    public_message = "An account with this e-mail address or user name exists."


class StaleAccountError(AuthError):
    """The account was changed since it was read."""

    code = "account_changed"
    status = 409
    public_message = "The account was changed in between; try again."


class AccountDisabledError(AuthorizationError):
    """The password is right, and the account is disabled."""

    code = "account_disabled"
    public_message = "This account is disabled."


class EmailNotVerifiedError(AuthorizationError):
    """The password is right, and the e-mail address is not verified yet."""

    code = "email_not_verified"
    public_message = "The e-mail address has not been verified yet."


class LastWayInError(AuthError):
    """Without this passkey or identity, the user could not log in any more."""

    code = "last_way_in"
    status = 409
    public_message = "This is the only way to log in: add another one first."
