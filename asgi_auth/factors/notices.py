"""Report changes of second factors: events to the application, messages to the user.

Messages wait in the outbox; nothing here keeps an answer waiting.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Protocol

from asgi_auth._clock import Clock
from asgi_auth.accounts import Account, Outbox, SendMessage
from asgi_auth.accounts.base import MessageKind
from asgi_auth.events import Event, Events
from asgi_auth.factors.records import FactorKind

__all__ = ["FactorTokens", "Notices"]


class FactorTokens(Protocol):
    """What second factors need of the service that issues tokens."""

    @property
    def issuer(self) -> str | None:
        """Whose tokens they are."""
        ...

    @property
    def events(self) -> Events:
        """Who gets the events."""
        ...


class Notices:
    """Emits events, and queues messages.

    Args:
        tokens: Say who gets the events.
        send_message: Sends; without it, nothing is queued.
        outbox: Where messages wait.
        clock: Returns Unix seconds.
    """

    __slots__ = ("_clock", "_outbox", "_send_message", "_tokens")

    def __init__(
        self,
        tokens: FactorTokens,
        send_message: SendMessage | None,
        outbox: Outbox,
        *,
        clock: Clock,
    ) -> None:
        self._tokens = tokens
        self._send_message = send_message
        self._outbox = outbox
        self._clock = clock

    def changed(
        self, event: str, account: Account, kind: FactorKind | None = None
    ) -> None:
        """Report a change to the application, and to the user."""
        self.tell(event, account.id, {} if kind is None else {"method": kind})
        if account.email:
            self.write("factors_changed", account)

    def write(
        self, kind: MessageKind, account: Account, code: str | None = None
    ) -> None:
        """Queue a message to the address of an account."""
        send = self._send_message
        if send is not None:
            self._outbox.put(partial(send, kind, account, code))

    def tell(self, name: str, subject: str, detail: Mapping[str, Any]) -> None:
        """Report to the application what happened."""
        event = Event(
            name=name,
            at=self._clock(),
            issuer=self._tokens.issuer,
            subject=subject,
            detail=detail,
        )
        self._tokens.events.emit(event)
