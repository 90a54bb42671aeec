"""Recognise users by name and password in every request: HTTP Basic (RFC 7617).

For machines and small tools: each request costs a password hash, so put a rate limit
before it. It issues nothing, and keeps no sessions.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Generic, TypeVar

from asgi_auth._asgi import Scope
from asgi_auth._frozen import freeze
from asgi_auth.accounts.manager import AuthManager
from asgi_auth.accounts.users import attribute_of, is_disabled, names_of
from asgi_auth.credentials.reader import Credential
from asgi_auth.credentials.sources import BearerHeader, Source
from asgi_auth.errors import (
    ConfigurationError,
    InvalidCredentialsError,
    RevokedTokenError,
)
from asgi_auth.principal import AUTHENTICATED, Principal, is_user
from asgi_auth.responses.challenge import Challenge
from asgi_auth.revocation.validity import Validity
from asgi_auth.tokens.claims import check_issuer

__all__ = ["BasicBackend"]

User = TypeVar("User")

# Seconds between two looks at the user of an open socket.
_ASKED_EVERY = 30.0
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class BasicBackend(Generic[User]):
    """Knows users by their e-mail address and password.

    Args:
        manager: Looks users up and checks passwords.
        realm: What browsers show when they ask for the password.
        subject: Returns the subject of a user; by default the attribute ``id``, by
            which users are looked up again every 30 seconds while they have a socket
            open. With a subject of your own their sockets end when they close them.
        issuer: What ``principal.issuer`` says.
        name: What ``principal.backend`` and ``requires(backend=...)`` call it.

    Attributes:
        sources: ``Authorization: Basic`` and nothing else.
    """

    def __init__(
        self,
        manager: AuthManager[User],
        *,
        realm: str = "api",
        subject: Callable[[User], str] | None = None,
        issuer: str | None = None,
        name: str = "basic",
    ) -> None:
        check_issuer(issuer)
        self._manager = manager
        self._subject = subject or self._id_of
        # A subject of one's own need not be what users are found by.
        renew = self._renew if subject is None else None
        self._validity = Validity(renew=renew, interval=_ASKED_EVERY)
        self._issuer = issuer
        self.name = name
        self.sources: tuple[Source, ...] = (BearerHeader("Basic"),)
        params = {"realm": realm, "charset": "UTF-8"}
        self.challenges: tuple[Challenge, ...] = (Challenge("Basic", params),)
        self.issuers: frozenset[str | None] = frozenset({issuer})

    async def authenticate(
        self, credential: Credential | None, scope: Scope
    ) -> Principal | None:
        """Check name and password; another scheme is not ours.

        Raises:
            InvalidCredentialsError: One of them is wrong, malformed, or the user is
                disabled.
            UnavailableError: The users cannot be asked.
        """
        if credential is None or credential.scheme != "basic":
            return None

        email, password = read_pair(credential.token)
        user = await self._manager.authenticate(email, password)
        if user is None or not is_user(user) or is_disabled(self._known(user)):
            raise InvalidCredentialsError

        return self._principal(user, credential)

    def claims(self, credential: Credential) -> bool:
        """Say by its scheme whether the credential would be a name and a password."""
        return credential.scheme == "basic"

    async def _renew(self, principal: Principal) -> tuple[Principal, float]:
        """Find out for an open socket whether its user may still log in.

        Raises:
            RevokedTokenError: It may not, or is gone.
        """
        user = await self._manager.get_user_by_subject(principal.subject)
        if user is None or is_disabled(known := self._known(user)):
            raise RevokedTokenError

        scopes = names_of(known, "scopes") | {AUTHENTICATED}
        successor = replace(principal, scopes=scopes, roles=names_of(known, "roles"))
        until = self._validity.clock() + _ASKED_EVERY
        return (principal if successor == principal else successor), until

    def _known(self, user: User) -> Any:
        """Return what says who a user is, and with which rights, if any."""
        # Only a manager that says so knows what such things are called in its users.
        says = type(self._manager).account_of is not AuthManager.account_of
        return self._manager.account_of(user) if says else user

    def _id_of(self, user: User) -> str:
        return _subject(self._known(user))

    def _principal(self, user: User, credential: Credential) -> Principal:
        subject, known = self._subject(user), self._known(user)
        return Principal(
            subject=subject,
            issuer=self._issuer,
            claims=freeze({"sub": subject}),
            scopes=names_of(known, "scopes") | {AUTHENTICATED},
            roles=names_of(known, "roles"),
            source=credential.source,
            backend=self.name,
            is_authenticated=True,
            _validity=self._validity,
        )


def read_pair(token: bytes) -> tuple[str, str]:
    """Decode a user name and a password, which may hold colons (RFC 7617, section 2).

    Raises:
        InvalidCredentialsError: They are not base64 of UTF-8, or have characters for
            control.
    """
    try:
        text = b64decode(token, validate=True).decode("utf-8")
    except (Error, ValueError):
        # Without the cause, which quotes what was sent.
        raise InvalidCredentialsError from None

    name, colon, password = text.partition(":")
    if not colon or _CONTROL.search(text) is not None:
        raise InvalidCredentialsError

    return name, password


def _subject(user: Any) -> str:
    subject = attribute_of(user, "id")
    if subject is None:
        msg = "BasicBackend finds no id in a user: give it subject=..."
        raise ConfigurationError(msg)

    return str(subject)
