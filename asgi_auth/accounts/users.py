"""Read what an application's own users say, whether they are objects or mappings.

It guesses no name: who calls a thing otherwise says so. Nothing is checked here but
whether a user may log in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["attribute_of", "is_disabled", "names_of"]


def attribute_of(user: Any, name: str, default: Any = None) -> Any:
    """Return what *user* has under *name*, as a key of a mapping or as an attribute."""
    if isinstance(user, Mapping):
        return user.get(name, default)

    return getattr(user, name, default)


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
