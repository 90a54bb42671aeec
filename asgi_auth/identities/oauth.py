"""Log in at a provider of plain OAuth 2.0, which has no ID tokens, such as GitHub.

Who the user is, one callable finds out with the access token that came for the code.
There is no nonce: PKCE and the state bind the answer to the browser (RFC 9700, 2.1.1).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

from asgi_auth._clock import Clock, system_clock
from asgi_auth._drivers.oauth_client import Client
from asgi_auth._drivers.transport import Transport
from asgi_auth.errors import ConfigurationError
from asgi_auth.identities.attempt import Attempt
from asgi_auth.identities.endpoint import Endpoint
from asgi_auth.identities.errors import InvalidCallbackError
from asgi_auth.identities.provider import (
    Grant,
    Prompt,
    authorization_request,
    check_names,
)
from asgi_auth.identities.records import Profile
from asgi_auth.identities.redeeming import exchange, tokens_in
from asgi_auth.identities.server import AuthorizationServer
from asgi_auth.tokens.claims import is_plain_text

__all__ = ["OAuthProvider"]

Get = Callable[[str], Awaitable[Any]]
"""Gets a URL with the access token; returns the JSON, read-only."""

_OK = 200


class OAuthProvider:
    """A provider of OAuth 2.0 at which users may log in.

    Args:
        name: In addresses and events, for instance ``github``.
        server: Where it is, and whether it is trusted with addresses.
        client: This application, as the provider knows it; shown in the form, unless
            it says otherwise.
        profile: Finds out who the user is. It is called with ``get(url)``, which asks
            the provider's API with the user's access token and returns the JSON.
        label: On buttons; the name by default.
        scopes: What to ask for.
        keep_tokens: Keep its tokens, sealed, for calls to its APIs.
        extra: Further parameters of the authorization request.
        transport: How it is asked.
        clock: Returns Unix seconds.

    Raises:
        ConfigurationError: A setting is missing, or unsafe.
        MissingExtraError: httpx2 is needed, and not installed.
    """

    posts: bool = False
    asks_again: bool = False

    def __init__(
        self,
        name: str,
        server: AuthorizationServer,
        client: Client,
        *,
        profile: Callable[[Get], Awaitable[Profile]],
        label: str | None = None,
        scopes: Sequence[str] = (),
        keep_tokens: bool = False,
        extra: Mapping[str, str] | None = None,
        transport: Transport = Transport(),
        clock: Clock = system_clock,
    ) -> None:
        extra = dict(extra or {})
        check_names(name, client.id, tuple(scopes), extra)
        transport.check_url(server.authorize_url, "authorize_url")
        transport.check_url(server.token_url, "token_url")

        self.name = name
        self.label: str = label or name
        self.issuer: str = server.issuer
        self.keeps_tokens = keep_tokens
        self._server = server
        self._client = client
        self._read = profile
        self._scopes = tuple(scopes)
        self._extra = extra
        self._transport = transport
        self._clock = clock
        self._endpoint = Endpoint(name, transport)

    def __repr__(self) -> str:
        """Show which, and no secret."""
        return f"OAuthProvider({self.name!r}, {self.issuer!r})"

    @classmethod
    def github(
        cls,
        client_id: str,
        client_secret: str,
        *,
        url: str = "https://github.com",
        api: str = "https://api.github.com",
        trust_addresses: bool | None = None,
        **options: Any,
    ) -> Self:
        """Make the provider for GitHub; its primary address counts if it is verified.

        Args:
            client_id: Of the OAuth app.
            client_secret: Of the OAuth app.
            url: Of an enterprise server.
            api: Where its API is, ``https://HOST/api/v3`` on an enterprise server.
            trust_addresses: Whether its verified addresses count; by default those of
                github.com do.
            options: As of the class.
        """

        async def profile(get: Get) -> Profile:
            user, emails = await get(f"{api}/user"), await get(f"{api}/user/emails")
            return _github_profile(user, emails)

        if trust_addresses is None:
            trust_addresses = url == "https://github.com"

        settings: dict[str, Any] = {
            "name": "github",
            "label": "GitHub",
            "scopes": ("read:user", "user:email"),
            **options,
        }
        return cls(
            server=AuthorizationServer(
                authorize_url=f"{url}/login/oauth/authorize",
                token_url=f"{url}/login/oauth/access_token",
                issuer=url,
                trust_addresses=trust_addresses,
            ),
            client=Client(id=client_id, secret=client_secret),
            profile=profile,
            **settings,
        )

    async def authorization_url(self, attempt: Attempt, prompt: Prompt) -> str:
        """Return where to send the browser.

        Raises:
            InvalidCallbackError: A fresh log-in is wanted, which cannot be asked for.
        """
        if attempt.fresh:
            msg = f"{self.name} cannot be asked for a fresh log-in"
            raise InvalidCallbackError(msg)

        parameters: dict[str, str | None] = {
            **self._extra,
            "response_type": "code",
            "client_id": self._client.id,
            "redirect_uri": attempt.redirect_uri,
            "scope": " ".join(self._scopes) or None,
            "state": attempt.state,
            "code_challenge": attempt.challenge,
            "code_challenge_method": "S256",
            "prompt": prompt.prompt or self._extra.get("prompt"),
            "login_hint": prompt.login_hint or self._extra.get("login_hint"),
        }
        return authorization_request(self._server.authorize_url, parameters)

    async def check_issuer(self, issuer: str | None) -> None:
        """Check the ``iss`` of an answer, where there is one (RFC 9207).

        Raises:
            InvalidCallbackError: It is another's.
        """
        if issuer not in (None, self.issuer):
            msg = f"iss is {str(issuer)[:200]!r}, not {self.issuer!r}"
            raise InvalidCallbackError(msg)

    async def redeem(self, attempt: Attempt, code: str) -> Grant:
        """Exchange a code for an access token, and ask whose it is.

        Raises:
            InvalidCallbackError: The code is not good, or nobody's.
            UnavailableError: The provider is down.
            ConfigurationError: *profile* returns something else.
        """
        client = self._client.shown("post")
        url = self._server.token_url
        answer = await exchange(self._endpoint, url, attempt, code, client)
        tokens = tokens_in(answer.members, self._clock())
        token = tokens.get("access_token")
        if token is None:
            msg = f"{self.name} has sent no access token"
            raise InvalidCallbackError(msg)

        profile: object = await self._read(self._getter(token))
        if not isinstance(profile, Profile):
            msg = f"profile of the provider {self.name} must return a Profile."
            raise ConfigurationError(msg)

        if not is_plain_text(profile.subject):
            msg = f"{self.name} does not say who the user is"
            raise InvalidCallbackError(msg)

        return Grant(subject=profile.subject, profile=profile, tokens=tokens)

    async def profile(self, grant: Grant) -> Profile:
        """Return what the callable has found out."""
        profile = grant.profile or Profile(subject=grant.subject)
        if self._server.trust_addresses:
            return profile

        return replace(profile, email_verified=False)

    async def aclose(self) -> None:
        """Close the connections of the running loop."""
        await self._endpoint.aclose()

    def _getter(self, token: str) -> Get:
        async def get(url: str) -> Any:
            # The token must not leak to where a typing error would send it.
            self._transport.check_url(url, "url")
            answer = await self._endpoint.get(url, token)
            if answer.status != _OK:
                cause = f"its API answered {answer.status}"
                raise self._endpoint.down(cause)

            return answer.content

        return get


def _github_profile(user: Any, emails: Any) -> Profile:
    """Read GitHub's answers; the id stays when a user takes another name."""
    if not isinstance(user, Mapping) or not isinstance(emails, tuple):
        return Profile(subject="")

    entries = [entry for entry in emails if isinstance(entry, Mapping)]
    primaries = [entry for entry in entries if entry.get("primary") is True]
    primary = primaries[0] if len(primaries) == 1 else {}
    number = user.get("id")
    return Profile(
        subject=str(number) if type(number) is int else "",
        email=primary.get("email"),
        email_verified=primary.get("verified") is True,
        name=user.get("name") or user.get("login"),
        claims={"login": user.get("login")},
    )
