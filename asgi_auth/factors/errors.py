"""What can be wrong with a second factor, as branches of the one tree.

.. code-block:: text

    AuthError
    ├── InvalidCredentialsError
    │   └── InvalidCodeError        401  wrong, late, used before, or no code at all
    └── StaleFactorError            409  the factor was changed in between
"""

from __future__ import annotations

from asgi_auth.errors import AuthError, InvalidCredentialsError

__all__ = ["InvalidCodeError", "StaleFactorError"]


class InvalidCodeError(InvalidCredentialsError):
    """The code is wrong, late, or was used before; it is not said which."""

    code = "invalid_code"
    public_message = "The code is wrong, or was used before."


class StaleFactorError(AuthError):
    """Somebody else changed the factor in between."""

    code = "stale_factor"
    status = 409
    public_message = "The second factor was changed in between; try again."
