"""The words of the messages: plain English, and short.

For your own words, write a ``SendMessage`` of your own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from asgi_auth.accounts.base import MessageKind

__all__ = ["WORDS"]

WORDS: Final[Mapping[MessageKind, tuple[str, str]]] = {
    "verify": (
        "Confirm your e-mail address",
        (
            "Please confirm that this is your address. If you did not register, ignore "
            "this message."
        ),
    ),
    "reset": (
        "Choose a new password",
        (
            "Somebody, hopefully you, asked for a new password. If it was not you, "
            "ignore this message: nothing has changed."
        ),
    ),
    "exists": (
        "You already have an account",
        (
            "Somebody, hopefully you, registered with this address, which has an "
            "account. If you forgot the password, you can choose a new one."
        ),
    ),
    "change_email": (
        "Confirm your new e-mail address",
        "Please confirm that this is your new address.",
    ),
    "email_changed": (
        "Your e-mail address was changed",
        "Your account has another address now. If that was not you, contact us.",
    ),
    "code": (
        "Your code to log in",
        (
            "Somebody, hopefully you, logs in with your password, and needs this code "
            "too. Type it in where you began, and show it to nobody. If it was not "
            "you, change your password."
        ),
    ),
    "factors_changed": (
        "Your second factors were changed",
        (
            "A way to confirm your log-ins was added, replaced or removed. If that was "
            "not you, change your password at once, and contact us."
        ),
    ),
    "password_changed": (
        "Your password was changed",
        "Your password was changed. If that was not you, choose a new one at once.",
    ),
}
"""The subject of each kind of message, and its text without the link."""
