"""What is kept of a passkey, and what a store of them must be able to do.

Values and a protocol: nothing here does anything, and nothing here is a secret. The
private key never leaves the authenticator.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

__all__ = ["Passkey", "PasskeyStore"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Passkey:
    """One passkey, as the store keeps it. Times are seconds since the Unix epoch.

    Attributes:
        id: The id of the credential, in base64url.
        subject: Whose it is.
        handle: What names the user to authenticators, in base64url; the same for all
            passkeys of one user, and nothing that identifies anybody.
        public_key: In the form of COSE (RFC 9052).
        sign_count: The highest counter that was shown; 0 where there is none.
        name: What its owner calls it.
        aaguid: The model of the authenticator, if it says so.
        transports: How a browser reaches it, for instance ``usb`` or ``internal``.
        is_synced: It may be copied to other devices of its owner: "backup eligible".
            This never changes.
        is_backed_up: It has been copied.
        created_at: When it was made.
        last_used_at: When it was last used, or ``None``.
    """

    id: str
    subject: str
    handle: str
    public_key: bytes = field(repr=False)
    sign_count: int = 0
    name: str = ""
    aaguid: str = ""
    transports: tuple[str, ...] = ()
    is_synced: bool = False
    is_backed_up: bool = False
    created_at: float = 0.0
    last_used_at: float | None = None

    def __post_init__(self) -> None:
        """Freeze what a handler could change by mistake."""
        object.__setattr__(self, "transports", tuple(self.transports))


class PasskeyStore(Protocol):
    """Keeps passkeys. Each verb is atomic.

    Every verb raises :class:`~asgi_auth.errors.UnavailableError` when the store is
    down. Ids and subjects may be any text, also one that no database can store.
    """

    async def add(self, passkey: Passkey) -> None:
        """Add a passkey.

        Raises:
            DuplicatePasskeyError: Its id is taken, be it by another user. Of many
                calls at once, exactly one succeeds.
        """
        ...

    async def find(self, passkey_id: str) -> Passkey | None:
        """Find a passkey by its id."""
        ...

    async def list(self, subject: str) -> Sequence[Passkey]:
        """List the passkeys of a subject, the oldest first."""
        ...

    async def use(
        self,
        passkey_id: str,
        *,
        sign_count: int,
        is_backed_up: bool,
        at: float,
        any_count: bool = False,
    ) -> bool:
        """Write down a use, and return whether the counter allows it: one step.

        It does where it is higher than the one that is kept, or where both are 0. Of
        many uses with one counter above 0, one is written.

        Args:
            passkey_id: Which; of an unknown one nothing is written.
            sign_count: The counter that was shown. A lower one never replaces a
                higher one.
            is_backed_up: Whether the passkey has been copied.
            at: The present.
            any_count: Write it whatever the counter is; the answer is ``True`` then,
                if there is such a passkey.
        """
        ...

    async def rename(self, passkey_id: str, subject: str, name: str) -> bool:
        """Name a passkey; return whether the subject has one with this id."""
        ...

    async def remove(self, passkey_id: str | None, subject: str) -> bool:
        """Remove a passkey of a subject, or all; return whether there was any."""
        ...
