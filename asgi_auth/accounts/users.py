"""Read what an application's own users say, whether they are objects or mappings.

It guesses no name: who calls a thing otherwise says so. Nothing is checked here but
whether a user has an id and may log in.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from asgi_auth.accounts.base import Account
from asgi_auth.errors import ConfigurationError

__all__ = [
    "account_of_user",
    "attribute_of",
    "is_disabled",
    "is_username",
    "names_of",
]

_LONGEST_NAME = 150


def attribute_of(user: Any, name: str, default: Any = None) -> Any:
    """Return what *user* has under *name*, as a key of a mapping or as an attribute."""
    if isinstance(user, Mapping):
        return user.get(name, default)

    return getattr(user, name, default)


def account_of_user(user: Any) -> Account:
    """Return a user as an account, as far as the usual names are there.

    Raises:
        ConfigurationError: The user has no id.
    """
    user_id = attribute_of(user, "id")
    if user_id is None:
        msg = (
            f"{type(user).__name__} has no id: write account_of() in your AuthManager, "
            "which says what a user is as an Account."
        )
        raise ConfigurationError(msg)

    return Account(
        id=user_id,
        email=attribute_of(user, "email") or "",
        username=attribute_of(user, "username"),
        roles=tuple(sorted(names_of(user, "roles"))),
        scopes=tuple(sorted(names_of(user, "scopes"))),
        disabled=is_disabled(user),
        verified_at=_verified_at(user),
    )


def is_username(text: str) -> bool:
    """Return whether a text can be a user name.

    None looks like an address, which may be another user's; and none has another form
    that looks the same (NFKC).
    """
    return (
        0 < len(text) <= _LONGEST_NAME
        and text.isprintable()
        and not set(text) & set("@ ")
        and unicodedata.normalize("NFKC", text) == text
    )


def is_disabled(user: Any) -> bool:
    """Return whether a user may not log in.

    That is ``disabled``, or an ``is_active`` that is false, as Django and
    fastapi-users call it.
    """
    disabled = attribute_of(user, "disabled", default=False)
    return bool(disabled) or not attribute_of(user, "is_active", default=True)


def names_of(user: Any, name: str) -> frozenset[str]:
    """Return scopes or roles: several texts, or one that is not taken apart."""
    names: str | Iterable[str] = attribute_of(user, name, default=()) or ()
    return frozenset((names,) if isinstance(names, str) else names)


def _verified_at(user: Any) -> float | None:
    verified_at: Any = attribute_of(user, "verified_at")
    if verified_at is None:
        return 0.0 if attribute_of(user, "is_verified") else None

    is_date = isinstance(verified_at, datetime)
    return verified_at.timestamp() if is_date else float(verified_at)
