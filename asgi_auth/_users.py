"""Load the application's own user of a caller.

Subjects of two issuers may be equal, and are not each other's: a loader that looks at
subjects alone never sees those of a second one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any

from asgi_auth.errors import ConfigurationError, UnknownSubjectError
from asgi_auth.principal import Principal, is_user
from asgi_auth.typing import UserLoader

__all__ = ["Users", "issuer_aware"]


@dataclass(frozen=True, slots=True)
class issuer_aware:  # noqa: N801  (a decorator reads as a word)
    """Say of a loader of users that it looks at ``principal.issuer`` as well.

    Subjects of two issuers may be equal, and are not each other's. It decorates a
    function or a method, and wraps what else can be called. What wraps the loader again
    says so again: a cache by subjects alone would give one issuer's users to another.

    Attributes:
        load_user: The loader, which is called as it is.
    """

    load_user: Callable[..., Any]

    def __call__(self, *args: Any) -> Any:
        """Load a user, as *load_user* does."""
        return self.load_user(*args)

    def __get__(self, instance: object, owner: type | None = None) -> issuer_aware:
        """Bind a method to its object."""
        bind = getattr(type(self.load_user), "__get__", None)
        if bind is None:
            return self

        return issuer_aware(bind(self.load_user, instance, owner))


class Users:
    """The users of an application, by their principals.

    Args:
        load_user: Gives the user of a principal, or ``None``; sync or async.
        issuers: Whose tokens the backend takes, as far as it says.

    Raises:
        ConfigurationError: There are several issuers, and the loader is not
            :class:`issuer_aware`.
    """

    __slots__ = ("_load_user", "_one_issuer")

    def __init__(self, load_user: UserLoader, issuers: frozenset[str | None]) -> None:
        self._load_user: Callable[..., Any] = load_user
        self._one_issuer: _OneIssuer | None = None
        if isinstance(load_user, issuer_aware):
            self._load_user = load_user.load_user
        else:
            self._one_issuer = _OneIssuer(issuers)

    async def load(self, principal: Principal) -> Any:
        """Return the user of *principal*.

        Raises:
            UnknownSubjectError: There is none.
            ConfigurationError: A second issuer shows up, for which nobody looks.
        """
        if self._one_issuer is not None:
            self._one_issuer.check(principal)

        user = self._load_user(principal)
        if isawaitable(user):
            user = await user

        if not is_user(user):
            msg = f"load_user knows no subject {principal.subject!r}"
            raise UnknownSubjectError(msg)

        return user


class _OneIssuer:
    """Keeps a loader that looks at subjects alone to one issuer.

    Args:
        issuers: Whose tokens the backend takes, as far as it says.

    Raises:
        ConfigurationError: There are several.
    """

    __slots__ = ("_is_told", "_party")

    def __init__(self, issuers: frozenset[str | None]) -> None:
        self._is_told = bool(issuers)
        self._party: str | None = None
        if len(issuers) > 1:
            raise ConfigurationError(_SEVERAL)

    def check(self, principal: Principal) -> None:
        """Pass while all callers come from one issuer.

        Backends that do not say whose tokens they take are told apart by name.

        Raises:
            ConfigurationError: A second one shows up.
        """
        party = principal.issuer or ("" if self._is_told else principal.backend or "")
        if self._party is None:
            self._party = party
        elif self._party != party:
            raise ConfigurationError(_SEVERAL)


_SEVERAL = (
    "Several issuers share this loader, and their subjects may be equal: "
    "look at principal.issuer too, and say so: load_user=issuer_aware(...)."
)
