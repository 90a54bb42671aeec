"""The tokens that travel by mail: what they are bound to, and how long they live.

A ticket is stored nowhere. It is single use because its use changes what it is bound
to: the address and the password of its account.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256

from asgi_auth._encoding import b64url_encode, compact_json, constant_time_equal
from asgi_auth.accounts.base import Account, AccountTokens
from asgi_auth.errors import ConfigurationError, InvalidTokenError

__all__ = ["EmailPolicy", "EmailToken", "EmailTokens"]

# A reset token is as good as the password, and lies in a mailbox.
_LONGEST_RESET = 900


@dataclass(frozen=True, slots=True)
class EmailToken:
    """What a good token says.

    Attributes:
        account_id: Whose it is.
        email: The address that it makes good, where it is about one.
        bound_to: The state of the account when the token was made.
    """

    account_id: str
    email: str = ""
    bound_to: str | None = field(default=None, repr=False)

    def admit(self, account: Account) -> None:
        """Let the account pass if it is still what the token was made for.

        Raises:
            InvalidTokenError: The account is disabled, or the token is used up.
        """
        state = self.bound_to
        used = state is not None and not _is_same(state, _state_of(account))
        if account.disabled or used:
            msg = "the token does not fit the account any more"
            raise InvalidTokenError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailPolicy:
    """Which addresses are taken, and how long the links in messages are good.

    Attributes:
        unicode_local: Accept other letters than ASCII before the @-sign.
        verify_ttl: Seconds that an address may be confirmed.
        reset_ttl: Seconds that a password may be reset, 900 at most.

    Raises:
        ConfigurationError: A time is out of range.
    """

    unicode_local: bool = False
    verify_ttl: float = 86_400
    reset_ttl: float = 900

    def __post_init__(self) -> None:
        """Refuse links that would be good for too long, or never."""
        if self.verify_ttl <= 0 or not 0 < self.reset_ttl <= _LONGEST_RESET:
            msg = "verify_ttl must be positive, and reset_ttl at most 900 seconds."
            raise ConfigurationError(msg)


class EmailTokens:
    """Makes and reads the tokens for mail.

    Args:
        tokens: Signs and verifies.
        policy: How long they are good.
    """

    def __init__(self, tokens: AccountTokens, policy: EmailPolicy) -> None:
        self._tokens = tokens
        self._policy = policy

    def for_verification(self, account: Account) -> str:
        """Make a token that proves to read mail at the account's address."""
        return self._tokens.mint(
            account.id,
            kind="verify",
            ttl=self._policy.verify_ttl,
            claims={"email": account.email, "bound_to": _state_of(account)},
        )

    def for_new_email(self, account: Account, email: str) -> str:
        """Make a token that proves to read mail at a new address."""
        return self._tokens.mint(
            account.id,
            kind="verify",
            ttl=self._policy.verify_ttl,
            claims={"new_email": email, "bound_to": _state_of(account)},
        )

    def for_reset(self, account: Account) -> str:
        """Make a token that is good for one new password."""
        return self._tokens.mint(
            account.id,
            kind="reset",
            ttl=self._policy.reset_ttl,
            claims={"bound_to": _state_of(account)},
        )

    async def read_verification(self, token: str) -> EmailToken:
        """Read what :meth:`for_verification` made.

        Raises:
            InvalidTokenError: It is anything else, or its time is over.
        """
        return await self._read_address(token, "email")

    async def read_new_email(self, token: str) -> EmailToken:
        """Read what :meth:`for_new_email` made.

        Raises:
            InvalidTokenError: It is anything else, or its time is over.
        """
        return await self._read_address(token, "new_email")

    async def _read_address(self, token: str, claim: str) -> EmailToken:
        claims = await self._tokens.verify(token, expected_type="verify")
        subject, email, bound_to = (
            _text(claims.get(name)) for name in ("sub", claim, "bound_to")
        )
        return EmailToken(subject, email, bound_to)

    async def read_reset(self, token: str) -> EmailToken:
        """Read what :meth:`for_reset` made.

        Raises:
            InvalidTokenError: It is anything else, or its time is over.
        """
        claims = await self._tokens.verify(token, expected_type="reset")
        bound_to = _text(claims.get("bound_to"))
        return EmailToken(_text(claims.get("sub")), bound_to=bound_to)


def _state_of(account: Account) -> str:
    """Return a digest that changes with the address and with the password."""
    state = compact_json([account.id, account.email, account.password_hash])
    return b64url_encode(sha256(b"asgi-auth ticket" + state).digest()).decode()


def _is_same(left: str, right: str) -> bool:
    return constant_time_equal(left.encode(), right.encode())


def _text(value: object) -> str:
    if not isinstance(value, str):
        msg = "the token lacks a claim that its kind must have"
        raise InvalidTokenError(msg)

    return value
