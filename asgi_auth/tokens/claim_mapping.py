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
from asgi_auth.tokens.foreign import Path, as_text, is_empty, names_at, tidy

__all__ = ["OAUTH", "RFC9068", "ClaimMapping", "Path"]

_LONGEST_SHOWN = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimMapping:
    """How one issuer writes its access tokens.

    A path is the exact name of a claim, or, where it lies within others, the tuple of
    their names: ``("realm_access", "roles")``. It leads into each object of a list.

    Attributes:
        scopes: Paths of texts with spaces or lists, which are put together.
        roles: The same for roles; of an object, its keys are the roles.
        role_separator: What stands between roles in one text, like ``","``; ``None``:
            a text is one role, which may have spaces.
        audience: The claim that names the audience where there is no ``aud``.
        subject: The claim that names the user where ``sub`` is missing or empty.
        subject_prefix: What every subject begins with.
        numeric_subject: Whether a number as ``sub`` is read as its digits.
        says: Claims that must be there with this very value.
        needs: Claims of which each must be there; of a tuple, one is enough.
    """

    scopes: tuple[Path, ...] = ("scope",)
    roles: tuple[Path, ...] = ("roles",)
    role_separator: str | None = None
    audience: str = "aud"
    subject: str = "sub"
    subject_prefix: str = ""
    numeric_subject: bool = False
    says: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str | tuple[str, ...], ...] = ()

    def translate(self, claims: FrozenDict) -> FrozenDict:
        """Return *claims* with scope, roles, aud and sub under these names.

        Optional claims that are empty or have an odd shape are left out.

        Raises:
            InvalidTokenError: Something that must be there is not.
        """
        standard = tidy(claims)
        self._check(claims, standard)
        standard["scope"] = names_at(claims, self.scopes, separator=" ")
        standard["roles"] = names_at(
            claims, self.roles, separator=self.role_separator, keys=True
        )
        if "aud" not in standard and self.audience in standard:
            standard["aud"] = standard[self.audience]

        if "sub" not in standard and not is_empty(claims.get(self.subject)):
            standard["sub"] = as_text(claims[self.subject])
        elif self.numeric_subject and "sub" in standard:
            standard["sub"] = as_text(standard["sub"])

        if not _begins_with(standard.get("sub"), self.subject_prefix):
            msg = f"sub does not begin with {self.subject_prefix}"
            raise InvalidTokenError(msg)

        return FrozenDict(standard)

    def _check(self, claims: FrozenDict, standard: dict[str, Any]) -> None:
        for name, value in self.says.items():
            if claims.get(name) != value:
                mark = repr(claims.get(name))[:_LONGEST_SHOWN]
                msg = "the issuer marks its access tokens otherwise"
                msg = f"{msg}: {name} is {mark}, expected {value!r}"
                raise InvalidTokenError(msg)

        for need in self.needs:
            names = (need,) if isinstance(need, str) else need
            if all(is_empty(standard.get(name)) for name in names):
                msg = f"{' or '.join(names)} is missing"
                raise InvalidTokenError(msg)


OAUTH = ClaimMapping(scopes=("scope", "scp"))
"""What most issuers write."""

RFC9068 = ("iss", "exp", "aud", "sub", "client_id", "iat", "jti")
"""The claims that RFC 9068, section 2.2, demands."""


def _begins_with(subject: object, prefix: str) -> bool:
    return not prefix or (isinstance(subject, str) and subject.startswith(prefix))
