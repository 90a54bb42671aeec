"""Say which roles include which others.

A hierarchy is a value, worked out once. It gives no user a role: guards that were given
one take a role for all that it implies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from asgi_auth.errors import ConfigurationError
from asgi_auth.guards._calls import texts

__all__ = ["RoleHierarchy"]


@dataclass(frozen=True, slots=True, init=False, repr=False, eq=False)
class RoleHierarchy:
    """Which roles imply which, as in ``{"owner": "admin", "admin": ["editor"]}``.

    It cannot be changed, and two of the same meaning are equal. A role that it does
    not know implies itself alone.

    Args:
        implies: For each role, the roles that who has it has as well.

    Raises:
        ConfigurationError: A role implies itself in the end, or is no text.
    """

    _given: dict[str, frozenset[str]]
    _holders: dict[str, frozenset[str]]

    def __init__(self, implies: Mapping[str, str | Iterable[str]]) -> None:
        texts("roles", implies)
        below = {role: texts(f"roles[{role!r}]", implies[role]) for role in implies}
        closure = _closure(below)
        holders = {
            role: frozenset(other for other in closure if role in closure[other])
            for role in closure
        }
        object.__setattr__(self, "_given", closure)
        object.__setattr__(self, "_holders", holders)

    def expand(self, roles: Iterable[str]) -> frozenset[str]:
        """Return *roles* and all that they imply.

        Args:
            roles: For instance ``principal.roles``.
        """
        return frozenset().union(*(self._given.get(r, {r}) for r in roles))

    def holders(self, role: str) -> frozenset[str]:
        """Return the roles that have *role* in them, itself included."""
        return self._holders.get(role, frozenset({role}))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RoleHierarchy):
            return NotImplemented

        return self._given == other._given

    def __hash__(self) -> int:
        return hash(frozenset(self._given.items()))

    def __repr__(self) -> str:
        implied = {
            role: sorted(roles - {role})
            for role, roles in sorted(self._given.items())
            if len(roles) > 1
        }
        return f"RoleHierarchy({implied})"


def _closure(implies: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """Return for each role all that it gives, however far down, and itself."""
    try:
        lowest_first = [*TopologicalSorter(implies).static_order()]
    except CycleError as error:
        circle = " implies ".join(map(repr, reversed(error.args[1])))
        msg = f"Roles go round in a circle: {circle}."
        raise ConfigurationError(msg) from None

    closure: dict[str, frozenset[str]] = {}
    for role in lowest_first:
        below = (closure[other] for other in implies.get(role, ()))
        closure[role] = frozenset({role}).union(*below)

    return closure
