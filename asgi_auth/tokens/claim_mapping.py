"""Which claims an issuer says things in: scopes and roles have many names.

Names are put in place here; whether the claims will do is for
:mod:`asgi_auth.tokens.claims` to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from asgi_auth._frozen import FrozenDict
from asgi_auth.errors import InvalidTokenError
from asgi_auth.tokens.claims import names_of

__all__ = ["OAUTH", "RFC9068", "ClaimMapping"]

Path = str | tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimMapping:
    """How one issuer writes its access tokens.

    A path is the exact name of a claim, or, where it lies within others, the tuple of
    their names: ``("realm_access", "roles")``.

    Attributes:
        scopes: Paths of texts with spaces or lists, which are put together.
        roles: The same for roles.
        audience: The claim that names the audience where there is no ``aud``.
        subject: The claim that names the user where there is no ``sub``.
        says: Claims that must be there with this very value.
        needs: Claims of which each must be there; of a tuple, one is enough.
    """

    scopes: tuple[Path, ...] = ("scope",)
    roles: tuple[Path, ...] = ("roles",)
    audience: str = "aud"
    subject: str = "sub"
    says: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str | tuple[str, ...], ...] = ()

    def translate(self, claims: FrozenDict) -> FrozenDict:
        """Return *claims* with scope, roles and aud under these names.

        Raises:
            InvalidTokenError: Something that must be there is not, or is of another
                shape.
        """
        if not all(claims.get(name) == value for name, value in self.says.items()):
            msg = "the issuer marks its access tokens otherwise"
            raise InvalidTokenError(msg)

        for need in self.needs:
            names = (need,) if isinstance(need, str) else need
            if not any(name in claims for name in names):
                msg = f"{' or '.join(names)} is missing"
                raise InvalidTokenError(msg)

        said = {**claims, "scope": _found(claims, self.scopes)}
        said["roles"] = _found(claims, self.roles, whole=True)
        if "aud" not in claims and self.audience in claims:
            said["aud"] = claims[self.audience]

        if "sub" not in claims and self.subject in claims:
            said["sub"] = _as_text(claims[self.subject])

        return FrozenDict(said)


OAUTH = ClaimMapping(scopes=("scope", "scp"))
"""What most issuers write."""

RFC9068 = ("iss", "exp", "aud", "sub", "client_id", "iat", "jti")
"""The claims that RFC 9068, section 2.2, demands."""


def _as_text(value: object) -> object:
    """Write a number, as ids of databases are, as a text; leave all else as it is."""
    return str(value) if type(value) is int else value


def _found(
    claims: Mapping[str, Any], paths: tuple[Path, ...], *, whole: bool = False
) -> tuple[str, ...]:
    """Collect names; with *whole* a text is one name, as a role may have spaces."""
    names: frozenset[str] = frozenset()
    for path in paths:
        *above, last = (path,) if isinstance(path, str) else path
        place: Any = claims
        for name in above:
            place = place.get(name) if isinstance(place, Mapping) else None

        if isinstance(place, Mapping) and last in place:
            value = place[last]
            names |= names_of((value,) if whole and type(value) is str else value)

    return tuple(sorted(names))
