"""Who is calling: the answer that the middleware puts into the scope.

A principal is a value. It decides nothing; guards read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from asgi_auth._asgi import Scope
from asgi_auth._frozen import FrozenDict
from asgi_auth._stand_in import unmet
from asgi_auth.errors import AuthError

__all__ = [
    "ANONYMOUS",
    "AUTHENTICATED",
    "LIFETIME",
    "NO_LIFETIME",
    "Principal",
    "get_principal",
    "get_user",
    "is_user",
    "party_of",
    "without_caller",
]

AUTHENTICATED = "authenticated"
"""In the scopes of every known caller, because Starlette's guards ask for it.

It is never issued, and never named in a challenge.
"""

_NO_CLAIMS = FrozenDict()


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller of one request or socket, as ``scope["auth"]``.

    Attributes:
        subject: The user's id (RFC 7519, section 4.1.2); empty for nobody.
        issuer: Who vouches for it, or ``None`` for tokens without ``iss``.
        claims: Everything the credential says; read-only to the last level.
        scopes: What the credential allows, and ``authenticated``.
        roles: The roles of the caller.
        source: ``header``, ``cookie``, ``query``, ``ticket`` or ``subprotocol``.
        backend: The name of the backend that knew the caller.
        session_id: The log-in that the token belongs to (``sid``).
        token_id: The token's own id (``jti``).
        auth_time: When the user last logged in, in Unix seconds (RFC 9470).
        acr: Authentication context class (RFC 9470).
        expires_at: When the credential ends, in Unix seconds.
        error: Why the caller is nobody, if a credential came and was bad.
        is_authenticated: Whether the caller is known.
    """

    subject: str = ""
    issuer: str | None = None
    claims: Mapping[str, Any] = field(
        default_factory=lambda: _NO_CLAIMS, repr=False, hash=False
    )
    scopes: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    source: str | None = None
    backend: str | None = None
    session_id: str | None = field(default=None, repr=False)
    token_id: str | None = field(default=None, repr=False)
    auth_time: float | None = None
    acr: str | None = None
    expires_at: float | None = None
    error: AuthError | None = field(default=None, compare=False)
    is_authenticated: bool = False
    # What may end it: see asgi_auth.revocation.validity. It never leaves the process.
    _validity: object = field(default=None, repr=False, compare=False)

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle without what belongs to this process."""
        return _restore, ({name: getattr(self, name) for name in _FACTS},)

    @property
    def actor(self) -> str | None:
        """Who acts for the subject (``act``, RFC 8693, section 4.1), or ``None``.

        Empty where somebody does, and the token does not say who.
        """
        act = self.claims.get("act")
        if act is None:
            return None

        name = act.get("sub") if isinstance(act, Mapping) else None
        return name if isinstance(name, str) else ""

    @property
    def identity(self) -> str:
        """The subject, under the name that Starlette uses."""
        return self.subject

    @property
    def username(self) -> str:
        """The subject, under the name by which products know their users apart.

        Not ``preferred_username``: that may change hands (OpenID Connect Core 1.0,
        section 5.7).
        """
        return self.subject

    @property
    def display_name(self) -> str:
        """The ``name`` or ``preferred_username`` claim, else the subject."""
        for claim in ("name", "preferred_username"):
            name = self.claims.get(claim)
            if isinstance(name, str):
                return name

        return self.subject


_FACTS = tuple(f.name for f in fields(Principal) if not f.name.startswith("_"))


def _restore(facts: dict[str, Any]) -> Principal:
    return Principal(**facts)


ANONYMOUS = Principal()
"""Nobody, because no credential came."""


LIFETIME = "asgi_auth.lifetime"
"""The scope's key under which stands what ends a WebSocket, and who it is by now."""

NO_LIFETIME = False
"""Stands there in its place while guards are asked about somebody else."""


def get_principal(scope: Mapping[str, Any]) -> Principal:
    """Return the caller that the middleware recorded in *scope*.

    Raises:
        ConfigurationError: No middleware ran above.
    """
    principal = scope.get("auth")
    if isinstance(principal, Principal):
        changed = _changed(scope, principal)
        return principal if changed is None else changed[0]

    raise unmet(scope)


def get_user(scope: Mapping[str, Any]) -> Any:
    """Return the application's own user, or the principal where there is no loader.

    Raises:
        ConfigurationError: No middleware ran above.
    """
    get_principal(scope)
    changed = _changed(scope, scope["auth"])
    return scope["user"] if changed is None else changed[1]


def _changed(
    scope: Mapping[str, Any], principal: Principal
) -> tuple[Principal, Any] | None:
    """Return the caller of a socket as it is by now, and its user.

    Routers copy scopes: what stands in a copy may be older than the caller's rights.
    """
    lifetime = scope.get(LIFETIME)
    if lifetime is None:
        # That of a stream, which begins after routers have copied the scope.
        lifetime = getattr(scope.get("asgi_auth"), "lifetime", None)

    changed: tuple[Principal, Any] | None = getattr(lifetime, "changed", None)
    if changed is None:
        return None

    of_nobody = getattr(lifetime, "of_nobody", False)
    was_nobody = of_nobody and not principal.is_authenticated
    is_same = party_of(changed[0]) == party_of(principal)
    return changed if is_same or was_nobody else None


def party_of(principal: Principal) -> tuple[str | None, ...]:
    """Return what says whether two principals are one caller.

    Subjects of two issuers, or of two backends, may be equal, and are not each other's.
    """
    return principal.issuer, principal.subject, principal.backend


def is_user(answer: object) -> bool:
    """Tell a user, which may be anything, from the "no" of a loader.

    There is no user called ``False``.
    """
    return answer is not None and answer is not False


def without_caller(scope: Scope) -> Scope:
    """Return *scope* without what an outer layer said of a caller."""
    if "user" not in scope and "auth" not in scope:
        return scope

    return {key: scope[key] for key in scope if key not in {"user", "auth"}}
