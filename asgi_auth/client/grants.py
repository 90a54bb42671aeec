"""What a client asks a token endpoint for where it has no refresh token.

A service asks in its own name (RFC 6749, section 4.4), or exchanges the token of its
caller for one of another service (RFC 8693). Nothing is sent here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol
from urllib.parse import urlencode

from asgi_auth._drivers.oauth_client import Client
from asgi_auth.client.endpoint import RefreshAnswer, RefreshEndpoint, parse_body
from asgi_auth.client.errors import LoggedOutError, RefreshFailedError
from asgi_auth.client.proofs import Proofs
from asgi_auth.client.tokens import Tokens
from asgi_auth.errors import ConfigurationError

__all__ = ["ClientCredentials", "Grant", "GrantEndpoint", "TokenExchange"]

_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105
# RFC 6749, section 5.2: codes are short and plain; anything else is not repeated.
_LONGEST_CODE = 64


class Grant(Protocol):
    """What a token endpoint is asked for, again and again."""

    @property
    def client(self) -> Client | None:
        """Who asks."""
        ...

    def fields(self) -> list[tuple[str, str]]:
        """Return the fields of the form."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCredentials:
    """Ask in the client's own name (RFC 6749, section 4.4).

    Attributes:
        client: Who asks; it needs a secret.
        scopes: What for.
        audience: For whom, where the server reads that.
        resource: For which services (RFC 8707).

    Raises:
        ConfigurationError: The client has no secret.
    """

    client: Client
    scopes: Iterable[str] = ()
    audience: str | None = None
    resource: Iterable[str] = ()

    def __post_init__(self) -> None:
        """Refuse a client that cannot show who it is."""
        if not self.client.secret:
            msg = "ClientCredentials need a client with a secret (RFC 6749, 4.4)."
            raise ConfigurationError(msg)

    def fields(self) -> list[tuple[str, str]]:
        """Return the fields of the form."""
        form = [("grant_type", "client_credentials")]
        return form + _targets(self.scopes, self.audience, self.resource)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenExchange:
    """Exchange a user's token for another one (RFC 8693, section 2.1).

    Attributes:
        subject_token: Whom the new token is about; a function is called each time.
        client: Who asks, where the server wants to know.
        actor_token: Who is to act for the subject, likewise.
        scopes: What for.
        audience: For whom.
        resource: For which services (RFC 8707).
        subject_token_type: The kind of *subject_token*; an access token by default.
        actor_token_type: The kind of *actor_token*, likewise.
        requested_token_type: The kind that is wanted; the server decides by default.
    """

    subject_token: str | Callable[[], str] = field(repr=False)
    client: Client | None = None
    actor_token: str | Callable[[], str] | None = field(default=None, repr=False)
    scopes: Iterable[str] = ()
    audience: str | None = None
    resource: Iterable[str] = ()
    subject_token_type: str = _ACCESS_TOKEN
    actor_token_type: str = _ACCESS_TOKEN
    requested_token_type: str | None = None

    def fields(self) -> list[tuple[str, str]]:
        """Return the fields of the form."""
        form = [
            ("grant_type", _EXCHANGE),
            ("subject_token", _text_of(self.subject_token)),
            ("subject_token_type", self.subject_token_type),
        ]
        if self.actor_token is not None:
            form.append(("actor_token", _text_of(self.actor_token)))
            form.append(("actor_token_type", self.actor_token_type))

        if self.requested_token_type is not None:
            form.append(("requested_token_type", self.requested_token_type))

        return form + _targets(self.scopes, self.audience, self.resource)


class GrantEndpoint(RefreshEndpoint):
    """A token endpoint that is asked for the same grant whenever a token has ended.

    Args:
        url: Its address: https, or http to this machine.
        grant: What it is asked for.
        proofs: Of the key that the tokens are to be bound to, if they are.

    Raises:
        ConfigurationError: The address is not safe.
    """

    __slots__ = ("_grant",)

    renews_anything: ClassVar[bool] = True

    def __init__(self, url: str, grant: Grant, *, proofs: Proofs | None = None) -> None:
        super().__init__(url, form={}, proofs=proofs)
        self._grant = grant

    def ask(self, refresh_token: str) -> tuple[dict[str, str], bytes]:
        """Return the header fields and the body of the request."""
        client = self._grant.client
        fields = self._grant.fields()
        headers = {
            "content-type": "application/x-www-form-urlencoded",
            "accept": "application/json",
            "accept-encoding": "identity",
        }
        if self._proofs is not None:
            headers |= self._proofs.fields("POST", self.url)

        if client is not None:
            shown_headers, members = client.shown()
            headers |= shown_headers
            fields += members.items()

        return headers, urlencode(fields).encode()

    def read(self, answer: RefreshAnswer, old: Tokens, *, asked_at: float) -> Tokens:
        """Return the new tokens, without a refresh token (RFC 6749, section 4.4.3).

        Raises:
            RefreshFailedError: The grant is refused, or there are no tokens in the
                answer. A later request asks again.
        """
        code = _code_of(answer)
        if code is not None:
            msg = f"the token endpoint refused: {code}"
            raise RefreshFailedError(msg)

        try:
            tokens = super().read(answer, old, asked_at=asked_at)
        except LoggedOutError as error:
            msg = f"the token endpoint answered {answer.status}"
            raise RefreshFailedError(msg) from error

        return Tokens(
            tokens.access_token,
            expires_at=tokens.expires_at,
            lifetime=tokens.lifetime,
            renewed_at=asked_at,
        )


def _targets(
    scopes: Iterable[str], audience: str | None, resource: Iterable[str]
) -> list[tuple[str, str]]:
    scope = " ".join(scopes)
    targets = [("scope", scope)] if scope else []
    if audience is not None:
        targets.append(("audience", audience))

    return targets + [("resource", uri) for uri in resource]


def _text_of(token: str | Callable[[], str]) -> str:
    return token if isinstance(token, str) else token()


def _code_of(answer: RefreshAnswer) -> str | None:
    parsed: Mapping[str, object] = parse_body(answer.body)
    code = parsed.get("error")
    if isinstance(code, str) and code.isprintable() and len(code) <= _LONGEST_CODE:
        return code

    return None
