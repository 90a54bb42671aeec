"""What can be wrong with a passkey, as branches of the one tree.

.. code-block:: text

    AuthError
    ├── InvalidCredentialsError
    │   └── PasskeyRefusedError     401  unknown, forged, or for something else
    ├── InvalidRequestError
    │   └── PasskeyNotMadeError     400  what an authenticator made is not good
    ├── UnknownPasskeyError         404  the user has none with this id
    ├── DuplicatePasskeyError       409  there is one with this id already
    └── TooManyPasskeysError        409  the user has as many as there may be
"""

from __future__ import annotations

from asgi_auth.errors import AuthError, InvalidCredentialsError, InvalidRequestError

__all__ = [
    "DuplicatePasskeyError",
    "PasskeyNotMadeError",
    "PasskeyRefusedError",
    "TooManyPasskeysError",
    "UnknownPasskeyError",
]


class PasskeyRefusedError(InvalidCredentialsError):
    """A log-in with a passkey failed; it is not said why."""

    code = "passkey_refused"
    public_message = "This passkey cannot be used here."


class PasskeyNotMadeError(InvalidRequestError):
    """What an authenticator made is not good, or is for something else."""

    code = "passkey_not_made"
    public_message = "The passkey could not be added; begin anew."


class UnknownPasskeyError(AuthError):
    """The user has no passkey with this id."""

    code = "unknown_passkey"
    status = 404
    public_message = "There is no such passkey."


class DuplicatePasskeyError(AuthError):
    """There is a passkey with this id already, of whomever."""

    code = "passkey_exists"
    status = 409
    public_message = "This passkey is there already."


class TooManyPasskeysError(AuthError):
    """The user has as many passkeys as there may be."""

    code = "too_many_passkeys"
    status = 409
    public_message = "There are too many passkeys: remove one first."
