"""Writes to the owners of addresses, after the answer.

Whether an address has an owner is found out here, where no answer waits for it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from asgi_auth.accounts.background import Outbox
from asgi_auth.accounts.base import Account, AccountStore, MessageKind, SendMessage
from asgi_auth.errors import ConfigurationError

__all__ = ["Postman"]


class Postman:
    """Queues messages.

    Args:
        accounts: Knows the owners.
        send_message: Sends; without it, nothing is queued.
        outbox: Where messages wait.
    """

    def __init__(
        self,
        accounts: AccountStore,
        send_message: SendMessage | None,
        outbox: Outbox,
    ) -> None:
        self._accounts = accounts
        self._send_message = send_message
        self._outbox = outbox

    @property
    def ready(self) -> bool:
        """Whether mail can be sent at all."""
        return self._send_message is not None

    def require(self) -> None:
        """Make sure that mail can be sent at all.

        Raises:
            ConfigurationError: It cannot.
        """
        if not self.ready:
            msg = "This needs mail: give AccountService a send_message=..."
            raise ConfigurationError(msg)

    def write(
        self,
        kind: MessageKind,
        account: Account,
        make_token: Callable[[Account], str] | None = None,
    ) -> None:
        """Queue a message to an account's address."""
        send = self._send_message
        if send is None:
            return

        async def job() -> None:
            token = None if make_token is None else make_token(account)
            await send(kind, account, token)

        self._outbox.put(job)

    def write_to_owner(
        self,
        kind: MessageKind,
        address: str,
        make_token: Callable[[Account], str],
        *,
        only_unverified: bool = False,
    ) -> None:
        """Queue a message to an address; nothing is sent if no account has it."""
        send = self._send_message
        if send is None:
            return

        async def job() -> None:
            account = await self._accounts.find_by_email(address)
            if account is None or account.disabled:
                return

            if only_unverified and account.verified_at is not None:
                return

            await send(kind, account, make_token(account))

        self._outbox.put(job)

    def write_about_registration(
        self,
        address: str,
        replace: Callable[[], Awaitable[Account | None]],
        *,
        for_verification: Callable[[Account], str],
        for_reset: Callable[[Account], str],
    ) -> None:
        """Queue what the owner of an address that was registered again must know.

        Args:
            address: Which.
            replace: Makes an unverified account that of the last registration; returns
                ``None`` where it is verified already.
            for_verification: Makes the token of a replaced account.
            for_reset: Makes the token for who has forgotten that there is an account.
        """
        send = self._send_message
        if send is None:
            return

        async def job() -> None:
            replaced = await replace()
            if replaced is not None:
                await send("verify", replaced, for_verification(replaced))
                return

            account = await self._accounts.find_by_email(address)
            if account is not None and not account.disabled:
                await send("exists", account, for_reset(account))

        self._outbox.put(job)

    def write_to_new(
        self, address: str, account: Account, make_token: Callable[[], str]
    ) -> None:
        """Queue a message to the address that an account is to have, if it is free."""
        send = self._send_message
        if send is None:
            return

        async def job() -> None:
            if await self._accounts.find_by_email(address) is None:
                await send("change_email", account, make_token())

        self._outbox.put(job)
