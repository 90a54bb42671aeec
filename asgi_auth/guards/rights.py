"""Compare the scopes and roles that are needed with those that a caller has.

Nothing is refused here. All that a needed scope could be covered by is worked out when
the guard is made, so a check costs the same whatever a token brings along.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from asgi_auth.errors import ConfigurationError
from asgi_auth.guards.roles import RoleHierarchy
from asgi_auth.principal import Principal

__all__ = ["Rights", "covers"]

_ANY = "*"
_SEPARATOR = ":"


@dataclass(frozen=True, slots=True)
class Rights:
    """Scopes and roles, all of which or one of which a caller needs.

    Attributes:
        scopes: The needed scopes.
        roles: The needed roles.
        any: One of all these is enough.
        hierarchy: Which roles imply which; ``None``: none does.
        wildcards: Names of the backends whose wildcard scopes count.

    Raises:
        ConfigurationError: *any* is set, and there is nothing to choose from; a
            needed scope is a wildcard, where wildcards count, or has spaces; or
            something has another type.
    """

    scopes: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    any: bool = False
    hierarchy: RoleHierarchy | None = None
    wildcards: frozenset[str] = frozenset()
    _plain: bool = field(init=False, repr=False, compare=False)
    _covers: dict[str, frozenset[str]] = field(init=False, repr=False, compare=False)
    _holders: tuple[frozenset[str], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Work out once what each check looks at."""
        if self.any and not (self.scopes or self.roles):
            msg = "any=True needs scopes or roles to choose from."
            raise ConfigurationError(msg)

        split = [scope for scope in self.scopes if scope.split() != [scope]]
        if split:
            msg = f"{split[0]!r} has spaces, which part scopes: name each for itself."
            raise ConfigurationError(msg)

        wild = [scope for scope in self.scopes if _ANY in scope.split(_SEPARATOR)]
        if self.wildcards and wild:
            msg = f"{wild[0]!r} is what callers hold: name the scope that is needed."
            raise ConfigurationError(msg)

        tree = self.hierarchy
        put = object.__setattr__
        put(self, "_plain", tree is None and not self.wildcards)
        put(self, "_covers", {scope: covers(scope) for scope in self.scopes})
        holders = (
            frozenset({r}) if tree is None else tree.holders(r) for r in self.roles
        )
        put(self, "_holders", tuple(holders))

    def held_by(self, principal: Principal) -> bool:
        """Say whether *principal* has what is needed; who calls knows that it is one.

        Args:
            principal: An authenticated one.
        """
        if not self._plain:
            met = self._met(principal)
            return any(met) if self.any else all(met)

        if self.any:
            common = self.scopes & principal.scopes or self.roles & principal.roles
            return bool(common)

        return self.scopes <= principal.scopes and self.roles <= principal.roles

    def _met(self, principal: Principal) -> Iterator[bool]:
        scopes = principal.scopes
        if principal.backend in self.wildcards:
            for scope, wild in self._covers.items():
                yield scope in scopes or not wild.isdisjoint(scopes)
        else:
            for scope in self.scopes:
                yield scope in scopes

        for holders in self._holders:
            yield not holders.isdisjoint(principal.roles)


def covers(scope: str) -> frozenset[str]:
    """Return the wildcards that *scope* falls under.

    ``orders:read:own`` falls under ``orders:*`` and ``orders:read:*``. A star stands
    for one or more whole segments at the end, and never for the first: nothing falls
    under ``*``. A scope with an empty segment falls under none.
    """
    segments = scope.split(_SEPARATOR)
    if not all(segments) or _ANY in segments:
        return frozenset()

    return frozenset(
        _SEPARATOR.join([*segments[:length], _ANY])
        for length in range(1, len(segments))
    )
