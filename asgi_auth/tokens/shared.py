"""What many tokens say alike: one object for it in memory, and one verdict on it.

It changes no claim: what is replaced is equal to what replaces it, and of one type. It
judges nothing, but notes which rules were found to be kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any

from asgi_auth._frozen import FrozenDict
from asgi_auth.tokens.claims import COMMON, TEXTS, ClaimsRules

__all__ = ["Group", "share"]

# What users of one application have in common.
_COMMON = frozenset({*COMMON, "scope", "roles", "client_id", "azp"})

# Only signed tokens get here. Where they have more in common than this, little is
# gained, and the tables begin anew.
_MOST = 1024
_TEXTS = {str}


class _Shape:
    """Which claims there are, in their order.

    Attributes:
        blank: The names, and no values.
        common: The names of those that many tokens have alike.
        values: Returns the values of these, as a key.
    """

    __slots__ = ("blank", "common", "values")

    def __init__(self, names: tuple[str, ...]) -> None:
        self.blank: dict[str, Any] = dict.fromkeys(names)
        self.common: list[str] = [name for name in names if name in _COMMON]
        self.values: Callable[[Mapping[str, Any]], Any] = (
            itemgetter(*self.common) if self.common else _no_values
        )


class Group:
    """Tokens of one shape, whose common claims are equal.

    Attributes:
        blank: The names of all claims, and no values.
        common: The common claims.
        texts: The names of the texts that are not common.
        rules: Those that the common claims were found to keep, or ``None``.
    """

    __slots__ = ("blank", "common", "rules", "texts")

    def __init__(self, shape: _Shape, common: dict[str, Any]) -> None:
        self.blank: dict[str, Any] = shape.blank
        self.common: dict[str, Any] = common
        self.texts: list[str] = [
            n for n in TEXTS if n in shape.blank and n not in common
        ]
        self.rules: ClaimsRules | None = None


_shapes: dict[tuple[str, ...], _Shape] = {}
_groups: dict[tuple[_Shape, Any], Group] = {}
_values: dict[Any, Any] = {}


def share(claims: dict[str, Any]) -> tuple[FrozenDict, Group | None]:
    """Let claims whose signature is good use the objects of others that say the same.

    Args:
        claims: They are changed so.

    Returns:
        The same claims, read-only, and their group: ``None`` where they have none.
    """
    shape = _shapes.get(tuple(claims)) or _learn_shape(claims)
    try:
        group = _groups.get((shape, shape.values(claims)))
    except TypeError:  # An object, which is no key, where a text should be.
        return FrozenDict(claims), None

    group = group or _learn(shape, claims)
    if group is None:
        return FrozenDict(claims), None

    claims |= group.common
    # A dictionary keeps the names that it has: those of the group.
    return FrozenDict(group.blank | claims), group


def _learn_shape(members: Mapping[str, Any]) -> _Shape:
    _limit()
    names = tuple(members)
    return _shapes.setdefault(names, _Shape(names))


def _learn(shape: _Shape, members: Mapping[str, Any]) -> Group | None:
    common = {name: members[name] for name in shape.common}
    if not all(value is None or _is_text(value) for value in common.values()):
        return None

    _limit()
    common = {name: _values.setdefault(v, v) for name, v in common.items()}
    return _groups.setdefault((shape, shape.values(common)), Group(shape, common))


def _limit() -> None:
    tables: tuple[dict[Any, Any], ...] = _shapes, _groups, _values
    for table in tables:
        if len(table) >= _MOST:
            table.clear()


def _is_text(value: Any) -> bool:
    # (1,) equals (True,), and is another claim: of lists, only those of texts.
    return type(value) is str or (
        type(value) is tuple and {*map(type, value)} <= _TEXTS
    )


def _no_values(_: Mapping[str, Any]) -> tuple[()]:
    return ()
