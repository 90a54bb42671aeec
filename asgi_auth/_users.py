"""Load the application's own user of a caller.

Subjects of two issuers may be equal, and are not each other's: a loader that looks at
subjects alone never sees those of a second one.
"""

from __future__ import annotations

from inspect import isawaitable
from typing import Any

from asgi_auth.errors import ConfigurationError, UnknownSubjectError
from asgi_auth.principal import Principal, is_user
from asgi_auth.typing import UserLoader

__all__ = ["Users"]


class Users:
    """The users of an application, by their principals.

    Args:
        load_user: Gives the user of a principal, or ``None``; sync or async.
        issuers: Whose tokens the backend takes, as far as it says.
        issuer_aware: *load_user* looks at ``principal.issuer`` as well.

    Raises:
        ConfigurationError: There are several issuers, and it does not.
    """

    __slots__ = ("_load_user", "_one_issuer")

    def __init__(
        self,
        load_user: UserLoader,
        issuers: frozenset[str | None],
        *,
        issuer_aware: bool,
    ) -> None:
        self._load_user = load_user
        self._one_issuer = None if issuer_aware else _OneIssuer(issuers)

    async def load(self, principal: Principal) -> Any:
        """Return the user of *principal*.

        Raises:
            UnknownSubjectError: There is none.
            ConfigurationError: A second issuer shows up, for which nobody looks.
        """
        if self._one_issuer is not None:
            self._one_issuer.check(principal)

        loaded: Any = self._load_user
        user = loaded(principal)
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
    "look at principal.issuer too, and say so with issuer_aware=True."
)
