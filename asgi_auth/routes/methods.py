"""Say how users may log in beside a password, and what is asked for after it.

It checks nothing that a user shows: it holds what an application has made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asgi_auth.accounts import AccountService
from asgi_auth.accounts.ways import WaysIn
from asgi_auth.errors import ConfigurationError
from asgi_auth.factors import Factors
from asgi_auth.identities import Identities
from asgi_auth.passkeys import Passkeys
from asgi_auth.routes.factors import SecondFactor, SecondFactors

__all__ = ["LogInMethods"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogInMethods:
    """How users may log in beside a password, and what is asked for after it.

    Attributes:
        factors: Second factors that users set up for themselves.
        second_factor: Asks for more than the password, in a way of your own.
        passkeys: Lets users log in with them.
        identities: Lets users log in at other providers.

    Raises:
        ConfigurationError: There are two kinds of second factors.
    """

    factors: Factors | None = None
    second_factor: SecondFactor | None = None
    passkeys: Passkeys | None = None
    identities: Identities | None = None

    def __post_init__(self) -> None:
        """Refuse two that would each ask for a code."""
        if self.second_factor is not None and self.factors is not None:
            msg = "Give LogInMethods factors or a second_factor of your own, not both."
            raise ConfigurationError(msg)

    @property
    def second_factors(self) -> Sequence[SecondFactors]:
        """What knows who has a second factor, and must show one."""
        return [each for each in (self.factors, self.passkeys) if each is not None]

    @property
    def ways_in(self) -> Sequence[WaysIn]:
        """What knows the ways to log in that there are beside the password."""
        return [way for way in (self.passkeys, self.identities) if way is not None]

    def end_with(self, accounts: AccountService) -> None:
        """Have what they keep of a user go with the account.

        Identities see to that by themselves.

        Args:
            accounts: Whose they are.
        """
        for kind in (self.factors, self.passkeys):
            if kind is not None:
                accounts.also_end(kind.forget, deleted_only=True)

        if self.passkeys is not None:
            accounts.end_when_claimed(self.passkeys.forget)
