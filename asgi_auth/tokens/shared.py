"""One object for what many tokens say alike: remembering them takes less memory then.

It changes no claim: what is replaced is equal to what replaces it, and of one type.
"""

from __future__ import annotations

from typing import Any

from asgi_auth._frozen import FrozenDict

__all__ = ["share"]

# What users of one application have in common.
_COMMON = ("iss", "aud", "type", "scope", "roles", "client_id", "azp")

# Only signed tokens get here. Where they have more in common than this, little is
# gained, and the tables begin anew.
_MOST = 1024
_TEXTS = {str}
_values: dict[Any, Any] = {}
_groups: dict[tuple[Any, ...], dict[str, Any]] = {}


def share(claims: FrozenDict) -> None:
    """Let claims that were verified use the objects of others that say the same."""
    values = tuple(map(claims.get, _COMMON))
    try:
        group = _groups.get(values)
    except TypeError:  # An object, which is no key, where a text should be.
        return

    if group is None:
        group = _learn(values)

    # Not the method of the class, which refuses changes.
    dict.update(claims, group)


def _learn(values: tuple[Any, ...]) -> dict[str, Any]:
    if not all(value is None or _is_text(value) for value in values):
        return {}

    for table in (_values, _groups):
        if len(table) >= _MOST:
            table.clear()

    pairs = zip(_COMMON, values, strict=True)
    group = {
        name: _values.setdefault(value, value)
        for name, value in pairs
        if value is not None
    }
    return _groups.setdefault(tuple(map(group.get, _COMMON)), group)


def _is_text(value: Any) -> bool:
    # (1,) equals (True,), and is another claim: of lists, only those of texts.
    return type(value) is str or (
        type(value) is tuple and {*map(type, value)} <= _TEXTS
    )
