"""An identity provider in memory, for tests of an application that trusts one.

It knows no users and no log-in: it publishes its keys, and signs what a test asks for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote, urlsplit

from asgi_auth._asgi import Message, Receive, Scope, Send
from asgi_auth._clock import Clock, system_clock
from asgi_auth.keys import Key, KeySet
from asgi_auth.metadata import JWKSDocument, ServerMetadata
from asgi_auth.metadata.document import Document
from asgi_auth.sessions import TokenService

__all__ = ["FakeIssuer"]


class FakeIssuer:
    """Another issuer: keys, metadata, tokens, rotations and outages.

    Give ``Transport(issuer.fetch)`` to ``TrustedIssuer`` or ``JWKSClient`` and no
    socket is needed; or serve it, for it is an ASGI app.

    Attributes:
        issuer: Its ``iss``.
        audience: The ``aud`` of its tokens.
        jwks_uri: Where its keys are.
        keys: All its keys, of which one signs.
        is_down: While set, every request is answered with 503.
        requests: The paths that were asked for, the oldest first.

    Args:
        issuer: Its ``iss``: https, or http to the loopback interface.
        audience: Whom its tokens are for.
        algorithm: Of its keys.
        metadata: Further members of its metadata.
        clock: Returns Unix seconds.

    Raises:
        ConfigurationError: The issuer is no safe URL, or no client could verify tokens
            of this algorithm.
    """

    def __init__(
        self,
        issuer: str = "https://issuer.test",
        *,
        audience: str = "api",
        algorithm: str = "ES256",
        metadata: Mapping[str, Any] | None = None,
        clock: Clock = system_clock,
    ) -> None:
        self.issuer = issuer
        self.audience = audience
        self.jwks_uri: str = f"{issuer.rstrip('/')}/.well-known/jwks.json"
        self.keys: KeySet = KeySet.generate(algorithm)
        self.is_down = False
        self.requests: list[str] = []
        self._algorithm = algorithm
        self._tokens = TokenService(
            self.keys, issuer=issuer, audience=audience, clock=clock
        )
        self._documents = _documents(self.keys, issuer, self.jwks_uri, metadata)

    def mint(
        self,
        subject: str,
        *,
        ttl: float | None = None,
        scopes: Iterable[str] = (),
        roles: Iterable[str] = (),
        claims: Mapping[str, Any] | None = None,
    ) -> str:
        """Sign an access token; ``mint_token(issuer, ...)`` signs a bad one.

        Args:
            subject: The ``sub``.
            ttl: Seconds that it lives, by default 15 minutes.
            scopes: What it allows, as ``scope``.
            roles: The subject's roles, as ``roles``.
            claims: Further claims, for instance another provider's for roles.

        Raises:
            ConfigurationError: A value cannot go into a token.
        """
        return self._tokens.mint(
            subject, ttl=ttl, scopes=scopes, roles=roles, claims=claims
        )

    def rotate(self, *, keep: bool = True) -> Key:
        """Sign with a new key from now on, and return it.

        Args:
            keep: Go on publishing the old keys; otherwise their tokens are refused.
        """
        old = [key.kid for key in self.keys]
        new = Key.generate(self._algorithm)
        self.keys.add(new)
        self.keys.promote(new.kid)
        for kid in [] if keep else old:
            self.keys.remove(kid)

        return new

    async def fetch(
        self, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Answer one request without a socket: what a ``Transport`` takes.

        Raises:
            ConnectionError: The URL is not of this issuer's host.
        """
        target, mine = urlsplit(url), urlsplit(self.issuer)
        if (target.scheme, target.netloc) != (mine.scheme, mine.netloc):
            msg = f"only {mine.netloc} answers here"
            raise ConnectionError(msg)

        messages: list[Message] = []
        scope: Scope = {
            "type": "http",
            "method": "GET" if body is None else "POST",
            "path": unquote(target.path),
            "headers": [
                (name.lower().encode("latin-1"), value.encode("latin-1"))
                for name, value in headers.items()
            ],
        }
        await self(scope, _no_body, _keep_in(messages))
        start, last = messages
        answer_headers = {
            name.decode(): value.decode() for name, value in start["headers"]
        }
        return start["status"], answer_headers, last["body"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the keys and the metadata, as an ASGI app."""
        if scope["type"] != "http":
            return

        self.requests.append(scope["path"])
        document = self._documents.get(scope["path"])
        if self.is_down:
            await _refuse(send, HTTPStatus.SERVICE_UNAVAILABLE)
        elif document is None:
            await _refuse(send, HTTPStatus.NOT_FOUND)
        else:
            await document(scope, receive, send)

    def __repr__(self) -> str:
        """Name the issuer."""
        return f"FakeIssuer({self.issuer!r})"


def _documents(
    keys: KeySet, issuer: str, jwks_uri: str, more: Mapping[str, Any] | None
) -> dict[str, Document]:
    """Make all that is published, by path: OpenID appends, RFC 8414 inserts."""
    metadata = ServerMetadata(issuer, jwks_uri=jwks_uri, more=more)
    below = urlsplit(issuer).path.rstrip("/")
    return {
        metadata.path: metadata,
        f"{below}/.well-known/openid-configuration": metadata,
        urlsplit(jwks_uri).path: JWKSDocument(keys),
    }


async def _refuse(send: Send, status: HTTPStatus) -> None:
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"0")]
    start = {"type": "http.response.start", "status": status.value, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": b""})


async def _no_body() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


def _keep_in(messages: list[Message]) -> Send:
    async def send(message: Message) -> None:
        messages.append(message)

    return send
