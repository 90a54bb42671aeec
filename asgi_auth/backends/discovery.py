"""Find out where an issuer keeps its keys: OpenID Connect Discovery 1.0, RFC 8414.

It believes a document only about the issuer that was asked for. Of the URLs in it, it
reads the one of the keys, which must be https, and leaves all others alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from asgi_auth._drivers.http import Remote, is_safe_url
from asgi_auth._drivers.transport import Transport
from asgi_auth._drivers.urls import place_in
from asgi_auth._frozen import parse_object
from asgi_auth.errors import UnavailableError

__all__ = ["IssuerMetadata", "discover"]

_MAX_BYTES = 128 * 1024


@dataclass(frozen=True, slots=True)
class IssuerMetadata:
    """What an issuer says of itself.

    Attributes:
        issuer: Exactly the one that was asked for.
        jwks_uri: Where its keys are.
        document: All that it says; what else it names is not checked.
    """

    issuer: str
    jwks_uri: str
    document: Mapping[str, Any]


async def discover(
    issuer: str,
    *,
    transport: Transport = Transport(),
    at: str | None = None,
    aliases: Collection[str] = (),
) -> IssuerMetadata:
    """Read the metadata of an issuer.

    Args:
        issuer: As its tokens name it: https, or http to the loopback interface.
        transport: How it is asked.
        at: Where the document is, if not below the issuer; for presets only.
        aliases: What else its ``issuer`` may say; for presets only.

    Raises:
        ConfigurationError: The issuer is no safe URL.
        UnavailableError: There is no document, or it is not trusted.
        MissingExtraError: httpx2 is needed, and not installed.
    """
    remote = Remote("discover()", transport, max_bytes=_MAX_BYTES)
    faults: list[str] = []
    for url in _places(transport.check_url(at or issuer, "issuer")):
        try:
            answer = await remote.get(url)
            return read_metadata(
                answer.body, issuer, aliases, insecure_http=transport.insecure_http
            )
        except UnavailableError as error:
            faults.append(f"{place_in(url)}: {error}")

    msg = f"no metadata at {', nor at '.join(faults)}"
    raise UnavailableError(msg)


def read_metadata(
    body: bytes,
    issuer: str,
    aliases: Collection[str] = (),
    *,
    insecure_http: bool = False,
) -> IssuerMetadata:
    """Check a document (OpenID Connect Discovery, section 4.3; RFC 8414, 3.3).

    Raises:
        UnavailableError: It is not to be trusted.
    """
    try:
        document = parse_object(body)
    except ValueError:
        msg = "the issuer's metadata is not strict JSON"
        raise UnavailableError(msg) from None

    issuer_in_document = document.get("issuer")
    if issuer_in_document not in (issuer, *aliases):
        raise UnavailableError(_another(issuer_in_document, issuer))

    jwks_uri = document.get("jwks_uri")
    if not is_safe_url(jwks_uri, insecure_http=insecure_http):
        msg = "the metadata has no https URL for jwks_uri"
        raise UnavailableError(msg)

    return IssuerMetadata(issuer, str(jwks_uri), document)


def _another(other: object, issuer: str) -> str:
    """Say which issuer a document is of, and if it is nearly the right one."""
    msg = (
        f"the metadata is that of another issuer: {str(other)[:200]!r}, not {issuer!r}"
    )
    is_near = isinstance(other, str) and other.rstrip("/") == issuer.rstrip("/")
    return f"{msg}; they differ by a slash at the end" if is_near else msg


def _places(issuer: str) -> tuple[str, str]:
    """Return where the document may be: OpenID appends, RFC 8414 inserts."""
    parts = urlsplit(issuer)
    path = parts.path.rstrip("/")
    origin = f"{parts.scheme}://{parts.netloc}"
    return (
        f"{origin}{path}/.well-known/openid-configuration",
        f"{origin}/.well-known/oauth-authorization-server{path}",
    )
