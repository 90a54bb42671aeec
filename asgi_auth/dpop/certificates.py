"""Tokens that are bound to a client's certificate (RFC 8705, section 3).

The proxy that ends TLS has seen to it that the client has the certificate's key, and
hands the certificate on in a header (RFC 9440). Nothing of it is verified here but that
it is the one that the token names.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable
from hashlib import sha256
from urllib.parse import unquote_to_bytes

from asgi_auth._asgi import Scope
from asgi_auth._encoding import b64url_encode, constant_time_equal
from asgi_auth.credentials.reader import Credential
from asgi_auth.credentials.sources import Header
from asgi_auth.errors import ConfigurationError, InvalidTokenError
from asgi_auth.principal import Principal
from asgi_auth.ratelimit.client_address import ClientAddresses
from asgi_auth.responses.challenge import Challenge

__all__ = ["ClientCertificate"]

_LONGEST = 16_384


class ClientCertificate:
    """Takes tokens that are bound to a certificate from whoever connects with it.

    Args:
        trusted_proxies: Addresses and networks of the proxies that end TLS, and that
            take the header away from whatever clients send; ``unix`` for one that
            comes over a Unix socket. The server must show them as they are: without
            ``--proxy-headers``.
        header: Where they put the certificate: as a byte sequence (RFC 9440, section
            2.1), or as escaped PEM, as nginx does.
        required: Take no tokens that are not bound.

    Attributes:
        member: Of ``cnf``: ``x5t#S256``.
        scheme: That the tokens come with.
        required: As given.

    Raises:
        ConfigurationError: There is no proxy to be trusted, or the header has no name.
    """

    __slots__ = ("_header", "_proxies", "member", "required", "scheme")

    def __init__(
        self,
        trusted_proxies: Iterable[str],
        *,
        header: str = "Client-Cert",
        required: bool = False,
    ) -> None:
        self._proxies = ClientAddresses(trusted_proxies)
        if not self._proxies.trusts_any:
            msg = "ClientCertificate needs the addresses of the proxies that end TLS."
            raise ConfigurationError(msg)

        self._header = Header(header).name.lower().encode("ascii")
        self.member: str = "x5t#S256"
        self.scheme: str = "Bearer"
        self.required: bool = required

    def challenge(self, bearer: Challenge) -> Challenge:
        """Return *bearer*: how a client connects is no matter of a header."""
        return bearer

    async def check(
        self,
        principal: Principal,
        credential: Credential,
        scope: Scope,
    ) -> None:
        """Check that the caller connects with the certificate of the token.

        Args:
            principal: Whom a good token is for that says ``x5t#S256``.
            credential: The token.
            scope: Of the request that it came with.

        Raises:
            InvalidTokenError: It comes with none, or with another (RFC 8705, 3).
        """
        named = principal.claims["cnf"][self.member]
        certificate = self._certificate(scope)
        digest = b64url_encode(sha256(certificate or b"").digest())
        if certificate is None or type(named) is not str:
            msg = "no certificate came from a trusted proxy with a token bound to one"
            raise InvalidTokenError(msg)

        if not constant_time_equal(digest, named.encode("utf-8", "replace")):
            msg = "the token is bound to another certificate"
            raise InvalidTokenError(msg)

    def _certificate(self, scope: Scope) -> bytes | None:
        """Return the one certificate of the client, as DER."""
        if not self._proxies.is_proxy(scope):
            return None

        values = [v for name, v in scope["headers"] if name.lower() == self._header]
        if len(values) != 1 or len(values[0]) > _LONGEST:
            return None

        try:
            return _der_of(values[0].strip(b" \t"))
        except ValueError:
            return None


def _der_of(value: bytes) -> bytes | None:
    if value[:1] == value[-1:] == b":":
        return b64decode(value[1:-1], validate=True) or None

    text = unquote_to_bytes(value).strip()
    if not (text.startswith(_BEGIN) and text.endswith(_END)):
        return None

    body = text[len(_BEGIN) : -len(_END)]
    return b64decode(b"".join(body.split()), validate=True) or None


_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
