"""Write down the uses of passkeys, and see where a counter goes back.

One step in the store says whether it does, so that of two that use one counter at once
one is seen. No signature is checked here.
"""

from __future__ import annotations

from typing import Any, NoReturn

from asgi_auth._clock import Clock
from asgi_auth._drivers.webauthn_values import UsedCredential
from asgi_auth._logs import package_logger
from asgi_auth.events import Event
from asgi_auth.passkeys.errors import PasskeyRefusedError
from asgi_auth.passkeys.questions import CeremonyTokens
from asgi_auth.passkeys.records import Passkey
from asgi_auth.passkeys.settings import Passkeys

__all__ = ["Uses", "refuse"]

_logger = package_logger(__name__)


class Uses:
    """Writes down uses.

    Args:
        passkeys: The settings, and the store.
        tokens: Has the events.
        clock: Returns Unix seconds.
    """

    __slots__ = ("_clock", "_passkeys", "_store", "_tokens")

    def __init__(
        self, passkeys: Passkeys, tokens: CeremonyTokens, clock: Clock
    ) -> None:
        self._passkeys = passkeys
        self._store = passkeys.store
        self._tokens = tokens
        self._clock = clock

    async def count(self, passkey: Passkey, used: UsedCredential) -> None:
        """Write down a use.

        Raises:
            PasskeyRefusedError: The counter has gone back, or the passkey was removed.
        """
        facts: dict[str, Any] = {
            "sign_count": used.sign_count,
            "is_backed_up": used.is_backed_up,
            "at": self._clock(),
        }
        if await self._store.use(passkey.id, **facts):
            return

        present = await self._store.find(passkey.id)
        if present is None:
            refuse("it was removed meanwhile")

        self._report_clone(present, used.sign_count)
        if self._passkeys.on_clone == "refuse":
            refuse(f"its counter went from {present.sign_count} to {used.sign_count}")

        if not await self._store.use(passkey.id, **facts, any_count=True):
            refuse("it was removed meanwhile")

    def _report_clone(self, passkey: Passkey, count: int) -> None:
        _logger.warning(
            "the counter of a passkey went back: there may be two of its authenticator"
        )
        detail = {
            "passkey": passkey.id,
            "kept": passkey.sign_count,
            "shown": count,
            "refused": self._passkeys.on_clone == "refuse",
        }
        self._tokens.events.emit(
            Event(
                name="passkey.cloned",
                at=self._clock(),
                issuer=self._tokens.issuer,
                subject=passkey.subject,
                detail=detail,
            )
        )


def refuse(reason: str) -> NoReturn:
    """Refuse a log-in; why stands in the log only.

    Raises:
        PasskeyRefusedError: In any case.
    """
    _logger.debug("a passkey is refused: %s", reason)
    raise PasskeyRefusedError(reason)
