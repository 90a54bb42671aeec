"""Codes that people type: made, read in any spelling, and kept as digests.

Nothing is known here of users and stores.
"""

from __future__ import annotations

import re
import secrets
from base64 import b32encode
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from asgi_auth._encoding import b64url_encode
from asgi_auth.factors.errors import InvalidCodeError
from asgi_auth.factors.records import FactorKind

__all__ = [
    "digest_of",
    "kind_of",
    "new_email_code",
    "new_recovery_codes",
    "plain",
    "read_code",
]

RECOVERY_CODES: Final = 10
_RECOVERY_BYTES: Final = 10  # 80 bits: no limit is needed against guesses.
_EMAIL_BYTES: Final = 5  # 40 bits, five tries, ten minutes.
_GROUP: Final = 4

_GAPS: Final = re.compile(r"[ \t\u00a0-]+")
_LOOKALIKES: Final = str.maketrans("018", "OIB")
_SHAPES: Final[tuple[tuple[re.Pattern[str], FactorKind], ...]] = (
    (re.compile(r"[0-9]{6}"), "totp"),
    (re.compile(r"[A-Z2-7]{8}"), "email"),
    (re.compile(r"[A-Z2-7]{16}"), "recovery"),
)


def plain(code: str) -> str:
    """Return a code without the gaps that people see and type in it."""
    return _GAPS.sub("", code)


def kind_of(code: str) -> tuple[FactorKind, str] | None:
    """Return what a code is by its shape, and its one spelling; ``None``: no code.

    Args:
        code: As it came; gaps and small letters are read, digits of other scripts
            are not.
    """
    bare = plain(code)
    if not bare.isascii():
        return None

    spellings = (bare, bare.upper().translate(_LOOKALIKES))
    for pattern, kind in _SHAPES:
        spelling = spellings[0] if kind == "totp" else spellings[1]
        if pattern.fullmatch(spelling):
            return kind, spelling

    return None


def read_code(code: str) -> tuple[FactorKind, str]:
    """Return what :func:`kind_of` does.

    Raises:
        InvalidCodeError: It is no code.
    """
    shape = kind_of(code)
    if shape is None:
        msg = "this is no code"
        raise InvalidCodeError(msg)

    return shape


def new_email_code() -> str:
    """Make a code of 8 characters, in two groups."""
    return _grouped(_EMAIL_BYTES)


def new_recovery_codes() -> Sequence[str]:
    """Make ten codes of 16 characters, in four groups."""
    return tuple(_grouped(_RECOVERY_BYTES) for _ in range(RECOVERY_CODES))


def digest_of(code: str, *, subject: str) -> str:
    """Return what is kept of a recovery code: of 80 random bits, no salt is needed.

    Args:
        code: In any spelling.
        subject: Whose it is.
    """
    text = f"asgi-auth recovery\0{subject}\0{plain(code)}"
    digest = sha256(text.encode("utf-8", "surrogatepass")).digest()
    return b64url_encode(digest).decode()


def _grouped(size: int) -> str:
    text = b32encode(secrets.token_bytes(size)).decode()
    return "-".join(text[at : at + _GROUP] for at in range(0, len(text), _GROUP))
