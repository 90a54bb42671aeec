"""What the columns of an application's users are called, and what stands in them.

It knows no database.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

__all__ = ["UserColumns", "as_id", "fits", "since", "text_of", "time_of"]


_MOST_IDS = 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class UserColumns:
    """What the attributes of a model are called; ``None``: there is none.

    Attributes:
        id: The id of a user: an int, a UUID or a text.
        id_type: The type of the id, where the column does not say it.
        email: The address.
        username: The name to log in with.
        password: The hash of the password.
        active: Whether the user may log in.
        verified: Whether the address is verified: a truth value, or when.
        roles: The roles: a list of texts.
        flags: Roles that are columns of truth values, by the role.
    """

    id: str = "id"
    id_type: type[Any] | None = None
    email: str | None = "email"
    username: str | None = None
    password: str = "hashed_password"  # noqa: S105  (a name, not a secret)
    active: str | None = "is_active"
    verified: str | None = None
    roles: str | None = None
    flags: Mapping[str, str] = field(default_factory=dict)

    def placed(self, roles: Iterable[str]) -> tuple[str, ...]:
        """Return those of *roles* that can be kept."""
        kept = self.roles is not None
        return tuple(role for role in roles if kept or role in self.flags)

    def names(self) -> list[str]:
        """Return the names of all attributes that there are."""
        single = (
            self.id,
            self.email,
            self.username,
            self.password,
            self.active,
            self.verified,
            self.roles,
        )
        return [name for name in (*single, *self.flags.values()) if name is not None]


def as_id(value: Any, kind: type[Any]) -> Any:
    """Return an id, or the text of one, as its type has it.

    Raises:
        ValueError: No id looks like that: drivers fail on what they lack.
    """
    made = value if isinstance(value, kind) else kind(value)
    is_large = isinstance(made, int) and not -_MOST_IDS <= made < _MOST_IDS
    if is_large or (isinstance(made, str) and not made.isprintable()):
        msg = "no id looks like that"
        raise ValueError(msg)
    return made


def fits(text: str | None, kind: Any) -> bool:
    """Report whether a column takes a text.

    Args:
        text: What is to be kept, or ``None``.
        kind: The type of the column.
    """
    longest = getattr(kind, "length", None)
    return text is None or longest is None or len(text) <= longest


def since(moment: float | None, kind: Any) -> Any:
    """Return a time as a column has it, which may only say that there is one.

    Args:
        moment: Unix seconds, or ``None``.
        kind: The type of the column.
    """
    if kind.python_type is bool:
        return moment is not None

    if moment is None or kind.python_type is not datetime:
        return moment

    date = datetime.fromtimestamp(moment, UTC)
    return date if getattr(kind, "timezone", False) else date.replace(tzinfo=None)


def text_of(user: object, name: str | None) -> str | None:
    """Return an attribute as text."""
    value = None if name is None else getattr(user, name)
    return None if value is None else str(value)


def time_of(user: object, name: str | None) -> float | None:
    """Return an attribute that says since when, or only that, as Unix seconds."""
    value: Any = None if name is None else getattr(user, name)
    if value is None or value is False:
        return None

    if isinstance(value, datetime):
        # Without a zone it is what UTC's clock says.
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()

    return 0.0 if value is True else float(value)
