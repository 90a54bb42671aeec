"""One object for what many tokens say alike: remembering them takes less memory then.

It changes no claim: what is replaced is equal to what replaces it.
"""

from __future__ import annotations

from asgi_auth._frozen import FrozenDict

__all__ = ["share"]

# What users of one application have in common.
_COMMON = ("iss", "aud", "type", "scope", "roles", "client_id", "azp")

# Only signed tokens get here. Where they have more values than these in common, nothing
# is gained, and the table begins anew.
_MOST = 1024
_values: dict[str | tuple[str, ...], str | tuple[str, ...]] = {}


def share(claims: FrozenDict) -> None:
    """Let claims that were verified use the objects of others that say the same."""
    for name in _COMMON:
        value = claims.get(name)
        if type(value) is str or (type(value) is tuple and _is_texts(value)):
            if len(_values) >= _MOST:
                _values.clear()

            # Not the method of the class, which refuses changes.
            dict.__setitem__(claims, name, _values.setdefault(value, value))


def _is_texts(value: tuple[object, ...]) -> bool:
    # (1,) equals (True,), and is another claim.
    return all(type(member) is str for member in value)
