"""Which new passwords are good enough.

It asks for length and for not being guessed first (NIST SP 800-63B-4, section
3.1.1.2). It never asks for digits, capitals or punctuation, and never cuts.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Literal

from asgi_auth.errors import AuthError, ConfigurationError
from asgi_auth.passwords.common import is_common, is_mostly

__all__ = ["PasswordPolicy", "PasswordRefusedError"]

Reason = Literal[
    "too_short", "too_long", "control_characters", "not_unicode", "common", "personal"
]

MAX_LENGTH = 1024
"""Characters that a password may have; more is refused before any work."""

_MESSAGES: dict[Reason, str] = {
    "too_short": "The password is too short.",
    "too_long": "The password is too long.",
    "control_characters": "The password has control characters.",
    "not_unicode": "The password is not valid Unicode text.",
    "common": "The password is one that is guessed first.",
    "personal": "The password is made of your e-mail address or of our name.",
}

# Below three letters a word is found in many good passwords by chance.
_SHORTEST_WORD = 3


class PasswordRefusedError(AuthError):
    """A new password is not good enough; the public message says why.

    Args:
        reason: A stable word for programs.
    """

    code = "password_refused"
    status = 400

    def __init__(self, reason: Reason) -> None:
        self.public_message: str = _MESSAGES[reason]
        super().__init__()
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordPolicy:
    """What a new password must be like.

    Attributes:
        min_length: Least number of characters, 8 at least.
        max_length: Greatest number of characters, from 64 to 1024.
        words: Names that must not make up a password: your product, your company.
        refused: More passwords to refuse, whatever their case.

    Raises:
        ConfigurationError: A bound is out of range.
    """

    min_length: int = 8
    max_length: int = MAX_LENGTH
    words: tuple[str, ...] = ()
    refused: Collection[str] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        """Check the bounds, and fold the refused passwords once."""
        if self.min_length < 8 or not 64 <= self.max_length <= MAX_LENGTH:  # noqa: PLR2004
            msg = "PasswordPolicy needs min_length >= 8 and max_length from 64 to 1024."
            raise ConfigurationError(msg)

        folded = frozenset(_fold(password) for password in self.refused)
        object.__setattr__(self, "refused", folded)

    def check(self, password: str, *, words: Iterable[str] = ()) -> None:
        """Accept a new password, or refuse it.

        Args:
            password: As the caller sent it.
            words: What belongs to this user: the parts of the e-mail address.

        Raises:
            PasswordRefusedError: It is not good enough.
        """
        reason = password_fault(password) or self._weakness(password, words)
        if reason is not None:
            raise PasswordRefusedError(reason)

    def _weakness(self, password: str, words: Iterable[str]) -> Reason | None:
        if any(unicodedata.category(character) == "Cc" for character in password):
            return "control_characters"

        length = len(unicodedata.normalize("NFC", password))
        if length < self.min_length:
            return "too_short"

        if length > self.max_length:
            return "too_long"

        folded = _fold(password)
        if folded in self.refused or is_common(folded):
            return "common"

        if any(is_mostly(folded, word) for word in self._words(words)):
            return "personal"

        return None

    def _words(self, words: Iterable[str]) -> list[str]:
        folded = [_fold(word) for word in (*self.words, *words)]
        return [word for word in folded if len(word) >= _SHORTEST_WORD]


def password_fault(password: str) -> Reason | None:
    """Say what makes a text useless as any password, new or old, if anything does."""
    if len(password) > MAX_LENGTH:
        return "too_long"

    if "\0" in password:
        return "control_characters"

    if any("\ud800" <= character <= "\udfff" for character in password):
        return "not_unicode"

    return None


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
