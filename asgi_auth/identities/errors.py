"""What can go wrong when somebody logs in elsewhere, as branches of the one tree.

.. code-block:: text

    AuthError
    ├── InvalidCallbackError       400  no answer to a log-in that this browser began
    ├── InvalidTargetError         400  ``next`` leads to another site
    ├── UnknownProviderError       404
    ├── UnknownIdentityError       404  it is not linked to the account
    ├── IdentityTakenError         409  another account has this identity
    └── AuthorizationError
        ├── ProviderDeniedError    403  the user, or the provider, said no
        └── LinkRequiredError      403  no account is linked, and none may be
"""

from __future__ import annotations

from asgi_auth.errors import AuthError, AuthorizationError

__all__ = [
    "IdentityTakenError",
    "InvalidCallbackError",
    "InvalidTargetError",
    "LinkRequiredError",
    "ProviderDeniedError",
    "UnknownIdentityError",
    "UnknownProviderError",
]


class InvalidCallbackError(AuthError):
    """It is no answer to a log-in that this browser began, or not a good one.

    One code for all: who forges one learns nothing; the log has the reason.
    """

    code = "invalid_callback"
    status = 400
    public_message = "The log-in could not be completed; please begin again."


class InvalidTargetError(AuthError):
    """Where to go after the log-in is no path of this site."""

    code = "invalid_next"
    status = 400
    public_message = "next must be a path of this site, like /orders?page=2."


class UnknownProviderError(AuthError):
    """No provider has this name."""

    code = "unknown_provider"
    status = 404
    public_message = "There is no such identity provider."


class UnknownIdentityError(AuthError):
    """The account has no such identity."""

    code = "unknown_identity"
    status = 404
    public_message = "No such log-in is linked to the account."


class IdentityTakenError(AuthError):
    """Another account has this identity."""

    code = "identity_taken"
    status = 409
    public_message = "Another account is linked to this log-in."


class ProviderDeniedError(AuthorizationError):
    """The user did not agree, or the provider did not let the user in."""

    code = "provider_denied"
    public_message = "The identity provider did not log you in."


class LinkRequiredError(AuthorizationError):
    """No account is linked to the identity, and none is linked or made by itself.

    The same whether or not an account has the address: only its owner may know.
    """

    code = "link_required"
    public_message = (
        "No account is linked to this log-in: log in another way, and link it there."
    )
