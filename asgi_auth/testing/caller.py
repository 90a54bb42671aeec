"""Who a test says is calling, as the backend of the application would put it.

It verifies nothing, and is not for use outside tests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from asgi_auth._contract import issuers_of, members_of, validity_in
from asgi_auth._frozen import freeze
from asgi_auth.errors import ConfigurationError
from asgi_auth.principal import AUTHENTICATED, Principal
from asgi_auth.revocation.validity import Validity
from asgi_auth.tokens.claims import subject_of
from asgi_auth.tokens.grant import Grant
from asgi_auth.typing import Backend

__all__ = ["Caller"]

_SUBJECTS = ("subject", "id", "pk")


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of every request of one ``as_user``.

    Attributes:
        base: What is known of the principal before a backend is.
        grant: Its scopes, roles and further claims.
        backend: The name of the backend that knows it; ``None``: the first.
        user: The application's own user, where the test brought one.
    """

    base: Principal
    grant: Grant
    backend: str | None = None
    user: Any = None

    @classmethod
    def of(
        cls,
        user: Any,
        *,
        subject: str | None,
        scopes: Iterable[str],
        roles: Iterable[str],
        claims: Mapping[str, Any] | None,
        issuer: str | None,
        backend: str | None,
    ) -> Caller:
        """Read what a test says of its caller; see ``as_user`` for the arguments.

        Raises:
            ConfigurationError: It is not clear who that is, or a scope, a role or
                a claim cannot be.
        """
        grant = Grant(scopes, roles, claims or {})
        if isinstance(user, Principal):
            _check_subject(user.subject)
            grant = Grant(
                [*sorted(user.scopes - {AUTHENTICATED}), *grant.scopes],
                [*sorted(user.roles), *grant.roles],
                grant.claims,
            )
            return cls(user, grant, backend or user.backend)

        name = subject if subject is not None else _subject_of(user)
        own = None if isinstance(user, str | int | UUID) else user
        return cls(Principal(_check_subject(name), issuer), grant, backend, own)

    def member(self, backend: Backend) -> Any:
        """Find the backend, in a chain if it is one, that is to know the caller.

        Raises:
            ConfigurationError: There is none of this name.
        """
        members = members_of(backend)
        if self.backend is None:
            return members[0]

        matches = [member for member in members if member.name == self.backend]
        if not matches:
            names = ", ".join(sorted(member.name for member in members))
            msg = f"The application has no backend {self.backend!r}, only: {names}."
            raise ConfigurationError(msg)

        return matches[0]

    def principal(self, member: Any, source: str | None) -> Principal:
        """Return the caller as *member* would name it.

        Args:
            member: What :meth:`member` has found.
            source: Where its credential came from.

        Raises:
            ConfigurationError: The backend has several issuers, and none was named.
        """
        base = self.base
        issuer = base.issuer or _issuer_of(member)
        lifetime = validity_in(member)
        validity = lifetime if isinstance(lifetime, Validity) else Validity()
        claims = {
            "sub": base.subject,
            "iat": int(validity.clock()),
            **({} if issuer is None else {"iss": issuer}),
            **({} if base.expires_at is None else {"exp": int(base.expires_at)}),
            **base.claims,
            **self.grant.to_claims(),
        }
        return Principal(
            subject=base.subject,
            issuer=issuer,
            claims=freeze(claims),
            scopes=frozenset(self.grant.scopes) | {AUTHENTICATED},
            roles=frozenset(self.grant.roles),
            source=source,
            backend=member.name,
            session_id=base.session_id,
            token_id=base.token_id,
            auth_time=base.auth_time,
            acr=base.acr,
            expires_at=base.expires_at,
            is_authenticated=True,
            _validity=validity,
        )


def _subject_of(user: Any) -> Any:
    if isinstance(user, str):
        return user

    if isinstance(user, int | UUID):
        return subject_of(user)

    values = (getattr(user, name, None) for name in _SUBJECTS)
    subject = next((value for value in values if value is not None), None)
    if subject is None:
        msg = (
            f"as_user() cannot tell the subject of a {type(user).__name__}, which has "
            f"no {', '.join(_SUBJECTS)}: say subject=..., or give the subject alone."
        )
        raise ConfigurationError(msg)

    return str(subject)


def _check_subject(subject: Any) -> str:
    if not isinstance(subject, str) or not subject:
        msg = "as_user() needs a subject; nobody is who calls without as_user()."
        raise ConfigurationError(msg)

    return subject


def _issuer_of(member: Any) -> str | None:
    issuers = issuers_of(member)
    if len(issuers) > 1:
        names = ", ".join(sorted(map(str, issuers)))
        msg = f"Several issuers are trusted here: say issuer=..., one of {names}."
        raise ConfigurationError(msg)

    return next(iter(issuers), None)
