"""What there is beside passwords: settings of the routes, for all that log in.

It only puts together; each of them is in a package of its own.
"""

from __future__ import annotations

from typing import Any

from asgi_auth.accounts import AccountService
from asgi_auth.factors import Factors
from asgi_auth.passkeys import Passkeys

__all__ = ["beside_passwords"]


def beside_passwords(
    accounts: AccountService, factors: Factors | None, passkeys: Passkeys | None
) -> dict[str, Any]:
    """Return what a ``RouteContext`` says about them.

    What they keep of a user goes with the account.

    Args:
        accounts: Whose they are.
        factors: Second factors, or ``None``.
        passkeys: Passkeys, or ``None``.
    """
    kinds = [each for each in (factors, passkeys) if each is not None]
    for kind in kinds:
        accounts.also_end(kind.forget, deleted_only=True)

    return {
        "factors": factors,
        "passkeys": passkeys,
        "second_factors": kinds,
        "ways_in": [] if passkeys is None else [passkeys],
    }
