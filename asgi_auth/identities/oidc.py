"""Log in at an OpenID provider: code flow with PKCE (OpenID Connect Core 1.0).

It believes an ID token that :mod:`asgi_auth.identities.id_token` has judged, and a
UserInfo answer about the same subject. Whose account that is, it does not know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from asgi_auth._clock import Clock, system_clock
from asgi_auth._drivers.oauth_client import Client
from asgi_auth._drivers.transport import Transport
from asgi_auth._frozen import FrozenDict
from asgi_auth._logs import package_logger
from asgi_auth.backends.trusted import TrustedIssuer
from asgi_auth.errors import ConfigurationError, InvalidTokenError
from asgi_auth.identities.attempt import Attempt
from asgi_auth.identities.endpoint import Endpoint, JSONAnswer
from asgi_auth.identities.errors import InvalidCallbackError
from asgi_auth.identities.id_token import IDTokenVerifier
from asgi_auth.identities.id_token_policy import IDTokenPolicy
from asgi_auth.identities.metadata import Discovery, ProviderMetadata
from asgi_auth.identities.presets import Presets
from asgi_auth.identities.provider import (
    Grant,
    Prompt,
    authorization_request,
    check_names,
)
from asgi_auth.identities.records import Profile
from asgi_auth.identities.redeeming import exchange, tokens_in
from asgi_auth.keys.jwks import JWKSClient
from asgi_auth.tokens.claims import is_plain_text
from asgi_auth.tokens.form import TokenForm

__all__ = ["OIDCProvider"]

_logger = package_logger(__name__)

# Providers write all groups of a user into the token.
_FORM: Final = TokenForm(max_token=32_768)
_OK: Final = 200


class OIDCProvider(Presets):
    """An OpenID provider at which users may log in.

    Its metadata are read at the first log-in; nothing is asked before.

    Args:
        name: In addresses and events, for instance ``google``.
        issuer: The exact ``issuer`` of its metadata and ``iss`` of its tokens.
        client: This application, as the provider knows it.
        label: On buttons; the name by default.
        scopes: What to ask for; ``openid`` is always among them.
        id_token_policy: Which ID tokens are believed, and what of them: whether its
            addresses count as verified, above all.
        keep_tokens: Keep its tokens, sealed, for calls to its APIs.
        extra: Further parameters of the authorization request.
        transport: How it is asked.
        clock: Returns Unix seconds.
        options: For presets: ``at``, ``aliases``, ``posts``.

    Raises:
        ConfigurationError: A setting is missing, or unsafe.
        MissingExtraError: httpx2 is needed, and not installed.
    """

    asks_again: bool = True

    def __init__(
        self,
        name: str,
        issuer: str,
        client: Client,
        *,
        label: str | None = None,
        scopes: Sequence[str] = ("openid", "email", "profile"),
        id_token_policy: IDTokenPolicy = IDTokenPolicy(),
        keep_tokens: bool = False,
        extra: Mapping[str, str] | None = None,
        transport: Transport = Transport(),
        clock: Clock = system_clock,
        **options: Any,
    ) -> None:
        extra = dict(extra or {})
        check_names(name, client.id, tuple(scopes), extra)
        transport.check_url(issuer, "issuer")
        self.name = name
        self.label: str = label or name
        self.issuer = issuer
        self.keeps_tokens = keep_tokens
        self.posts: bool = options.pop("posts", False)
        self._client = client
        self._scopes = tuple(dict.fromkeys(("openid", *scopes)))
        self._policy = id_token_policy
        self._extra = extra
        self._clock = clock
        self._endpoint = Endpoint(name, transport)
        aliases = tuple(options.pop("aliases", ()))
        self._discovery = Discovery(
            issuer,
            self._endpoint,
            transport,
            at=options.pop("at", None),
            aliases=aliases,
        )
        if options:
            msg = f"OIDCProvider has no option {min(options)!r}."
            raise ConfigurationError(msg)

        self._keys = JWKSClient(
            self._discovery.jwks_uri,
            algorithms=tuple(id_token_policy.algorithms),
            issuers=(issuer, *aliases),
            transport=transport,
        )
        self._id_tokens = IDTokenVerifier(
            trusted=TrustedIssuer(
                issuer,
                audience=client.id,
                keys=self._keys,
                algorithms=tuple(id_token_policy.algorithms),
                form=_FORM,
            ),
            issuer=issuer,
            client_id=client.id,
            says=id_token_policy.says,
            clock=clock,
        )

    def __repr__(self) -> str:
        """Show which, and no secret."""
        return f"OIDCProvider({self.name!r}, {self.issuer!r})"

    async def authorization_url(self, attempt: Attempt, prompt: Prompt) -> str:
        """Return where to send the browser.

        Raises:
            UnavailableError: The provider is down.
        """
        metadata = await self._discovery.ready()
        parameters: dict[str, str | None] = {
            **self._extra,
            "response_type": "code",
            "client_id": self._client.id,
            "redirect_uri": attempt.redirect_uri,
            "scope": " ".join(self._scopes),
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": attempt.challenge,
            "code_challenge_method": "S256",
            "response_mode": "form_post" if self.posts else None,
            "max_age": "0" if attempt.fresh else None,
        }
        if prompt.prompt is not None or attempt.fresh:
            parameters["prompt"] = prompt.prompt or "login"

        if prompt.login_hint is not None:
            parameters["login_hint"] = prompt.login_hint

        return authorization_request(metadata.authorization_endpoint, parameters)

    async def check_issuer(self, issuer: str | None) -> None:
        """Check the ``iss`` of an answer (RFC 9207, section 2.4).

        Raises:
            InvalidCallbackError: It is another's, or missing where it must be there.
            UnavailableError: The provider is down.
        """
        if issuer is None:
            if not (await self._discovery.ready()).names_itself:
                return

            msg = "there is no iss, which the provider always sends"
            raise InvalidCallbackError(msg)

        if issuer != self.issuer:
            msg = f"iss is {issuer[:200]!r}, not {self.issuer!r}"
            raise InvalidCallbackError(msg)

    async def redeem(self, attempt: Attempt, code: str) -> Grant:
        """Exchange a code for tokens, and judge the ID token.

        Raises:
            InvalidCallbackError: The code or the ID token is not good.
            UnavailableError: The provider is down.
        """
        metadata = await self._discovery.ready()
        answer = await self._exchange(metadata, attempt, code)
        id_token = answer.members.get("id_token")
        if not isinstance(id_token, str):
            msg = "the provider has sent no ID token"
            raise InvalidCallbackError(msg)

        tokens = tokens_in(answer.members, self._clock())
        try:
            claims = await self._id_tokens.verify(
                id_token, attempt, tokens.get("access_token")
            )
        except InvalidTokenError as error:
            msg = f"the ID token of {self.name} is refused: {error}"
            raise InvalidCallbackError(msg) from None

        subject: Any = claims.get(self._policy.subject)
        if not is_plain_text(subject):
            msg = f"the ID token of {self.name} has no {self._policy.subject}"
            raise InvalidCallbackError(msg)

        auth_time: Any = claims.get("auth_time")
        is_time = type(auth_time) in {int, float}
        return Grant(
            subject=subject,
            claims=claims,
            tokens=tokens,
            auth_time=float(auth_time) if is_time else None,
        )

    async def profile(self, grant: Grant) -> Profile:
        """Return what the ID token says, and UserInfo where it has no address.

        Raises:
            InvalidCallbackError: UserInfo is about somebody else.
            UnavailableError: The provider is down.
        """
        claims = grant.claims
        if "email" not in claims and "email" in self._scopes:
            own = {**claims}
            if own.get("email_verified") in (True, "true"):
                # A "yes" has to stand where the address does; a "no" counts anywhere.
                del own["email_verified"]

            claims = FrozenDict({**await self._userinfo(grant), **own})

        email, name = claims.get("email"), claims.get("name")
        return Profile(
            subject=grant.subject,
            email=email if isinstance(email, str) and email else None,
            email_verified=self._policy.vouches(claims),
            name=name if isinstance(name, str) and name else None,
            claims=claims,
        )

    async def _exchange(
        self, metadata: ProviderMetadata, attempt: Attempt, code: str
    ) -> JSONAnswer:
        client = self._client.shown("basic" if metadata.takes_basic else "post")
        url = metadata.token_endpoint
        return await exchange(self._endpoint, url, attempt, code, client)

    async def _userinfo(self, grant: Grant) -> FrozenDict:
        """Ask who the user is (section 5.3), and only by the token of this log-in."""
        url = (await self._discovery.ready()).userinfo_endpoint
        token = grant.tokens.get("access_token")
        if url is None or token is None:
            return FrozenDict()

        answer = await self._endpoint.get(url, token)
        if answer.status != _OK:
            _logger.warning(
                "UserInfo of the provider %s answered %d", self.name, answer.status
            )
            return FrozenDict()

        # Section 5.3.2: else anybody's answer could be slipped in.
        if answer.members.get("sub") != grant.claims.get("sub"):
            msg = f"UserInfo of {self.name} is about somebody else"
            raise InvalidCallbackError(msg)

        return answer.members

    async def aclose(self) -> None:
        """Close the connections of the running loop."""
        await self._keys.aclose()
        await self._endpoint.aclose()
