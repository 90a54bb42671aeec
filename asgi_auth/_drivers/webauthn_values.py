"""What authenticators say, as values.

They are apart from the door to webauthn, which takes long to open: it is not opened
where there are no passkeys.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["BadAnswerError", "NewCredential", "UsedCredential"]


class BadAnswerError(Exception):
    """An authenticator's answer is not what it has to be; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCredential:
    """A credential that an authenticator has just made.

    Attributes:
        id: Its name.
        public_key: In the form of COSE (RFC 9052).
        sign_count: The authenticator's counter; 0 where it has none.
        aaguid: The model of the authenticator, if it says so.
        is_synced: It may be copied to other devices of its owner.
        is_backed_up: It has been.
    """

    id: bytes
    public_key: bytes
    sign_count: int
    aaguid: str
    is_synced: bool
    is_backed_up: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedCredential:
    """What an authenticator says of a credential whose signature is good.

    Attributes:
        sign_count: The authenticator's counter; 0 where it has none.
        is_synced: It may be copied to other devices of its owner.
        is_backed_up: It has been.
    """

    sign_count: int
    is_synced: bool
    is_backed_up: bool
