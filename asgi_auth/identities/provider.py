"""What every identity provider has in common, whatever its protocol.

The protocol, and the values that go through it: nothing here asks anybody.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from urllib.parse import urlencode, urlsplit

from asgi_auth._frozen import FrozenDict
from asgi_auth.errors import ConfigurationError
from asgi_auth.identities.attempt import Attempt
from asgi_auth.identities.records import Profile

__all__ = [
    "Grant",
    "IdentityProvider",
    "Prompt",
    "authorization_request",
    "check_names",
]

_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,30}[a-z0-9])?")
_OWN: Final = frozenset(
    {
        "response_type",
        "client_id",
        "redirect_uri",
        "scope",
        "state",
        "nonce",
        "code_challenge",
        "code_challenge_method",
        "response_mode",
        "request",
        "request_uri",
        "max_age",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What the provider is to ask the user (OpenID Connect Core, section 3.1.2.1).

    Attributes:
        prompt: ``login``, ``consent``, ``select_account`` or ``none``.
        login_hint: Who the user probably is.
    """

    prompt: str | None = None
    login_hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a provider gave for a code.

    Attributes:
        subject: Its id of the user.
        claims: What it has said about the user so far.
        tokens: Its token response, without the ID token.
        auth_time: When the user logged in there, or ``None`` if it did not say.
        profile: What is known of the user, where that came along with the subject.
    """

    subject: str
    claims: FrozenDict = field(default_factory=FrozenDict, repr=False)
    tokens: Mapping[str, Any] = field(default_factory=dict, repr=False)
    auth_time: float | None = None
    profile: Profile | None = None


class IdentityProvider(Protocol):
    """What :class:`~asgi_auth.identities.Identities` needs of a provider."""

    @property
    def name(self) -> str:
        """In addresses, events and settings."""
        ...

    @property
    def label(self) -> str:
        """On buttons."""
        ...

    @property
    def issuer(self) -> str:
        """Whose the subjects are."""
        ...

    @property
    def keeps_tokens(self) -> bool:
        """Whether its tokens are to be kept."""
        ...

    @property
    def posts(self) -> bool:
        """Whether it answers with a form from its own page, as Apple does."""
        ...

    @property
    def asks_again(self) -> bool:
        """Whether it can be asked for a fresh log-in, and proves it."""
        ...

    async def authorization_url(self, attempt: Attempt, prompt: Prompt) -> str:
        """Return where to send the browser.

        Raises:
            UnavailableError: The provider is down.
        """
        ...

    async def check_issuer(self, issuer: str | None) -> None:
        """Check the ``iss`` of an answer (RFC 9207).

        Raises:
            InvalidCallbackError: The answer is another provider's.
            UnavailableError: The provider is down.
        """
        ...

    async def redeem(self, attempt: Attempt, code: str) -> Grant:
        """Exchange a code for tokens, and find out whose it is.

        Raises:
            InvalidCallbackError: The code, or what came for it, is not good.
            UnavailableError: The provider is down.
        """
        ...

    async def profile(self, grant: Grant) -> Profile:
        """Find out about the user what linking needs.

        Raises:
            InvalidCallbackError: What it says is about somebody else.
            UnavailableError: The provider is down.
        """
        ...

    async def aclose(self) -> None:
        """Close the connections of the running loop."""
        ...


def check_names(
    name: str, client_id: str, scopes: tuple[str, ...], extra: Mapping[str, str]
) -> None:
    """Check what every provider is given.

    Raises:
        ConfigurationError: The name cannot stand in an address, there is no client,
            or an extra parameter would replace one of ours.
    """
    if _NAME.fullmatch(name) is None:
        msg = f"The name of a provider is 1 to 32 of a-z, 0-9, - and _, not {name!r}."
        raise ConfigurationError(msg)

    if not client_id or not all(scopes):
        msg = f"The provider {name} needs the client_id that it has given to you."
        raise ConfigurationError(msg)

    if replaced := sorted(_OWN & extra.keys()):
        msg = f"{replaced[0]} is not for extra: it is set for each log-in."
        raise ConfigurationError(msg)


def authorization_request(endpoint: str, parameters: Mapping[str, str | None]) -> str:
    """Return the URL of an authorization request (RFC 6749, section 4.1.1)."""
    present = {name: value for name, value in parameters.items() if value is not None}
    joint = "&" if urlsplit(endpoint).query else "?"
    return f"{endpoint}{joint}{urlencode(present)}"
