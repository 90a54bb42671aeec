"""Find out where an issuer keeps its keys: OpenID Connect Discovery 1.0, RFC 8414.

It believes a document only about the issuer that was asked for, and no URL in it that
is not https.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from asgi_auth._drivers.http import Fetch, Remote, check_url, is_safe_url
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
        document: All that it says; every URL in it is https.
    """

    issuer: str
    jwks_uri: str
    document: Mapping[str, Any]


async def discover(
    issuer: str,
    *,
    fetch: Fetch | None = None,
    timeout: float = 5,  # noqa: ASYNC109 - of one request, not of this call
    at: str | None = None,
    aliases: Collection[str] = (),
) -> IssuerMetadata:
    """Read the metadata of an issuer.

    Args:
        issuer: As its tokens name it: https, or http to the loopback interface.
        fetch: Sends requests; ``None`` takes httpx2, from the extra ``http``.
        timeout: Seconds until each answer must be complete.
        at: Where the document is, if not below the issuer; for presets only.
        aliases: What else its ``issuer`` may say; for presets only.

    Raises:
        ConfigurationError: The issuer is no safe URL.
        UnavailableError: There is no document, or not one to believe.
        MissingExtraError: httpx2 is needed, and not installed.
    """
    remote = Remote("discover()", fetch=fetch, timeout=timeout, max_bytes=_MAX_BYTES)
    fault = UnavailableError("the issuer has no metadata")
    for url in _places(check_url(at or issuer, "issuer")):
        try:
            answer = await remote.get(url)
            return read_metadata(answer.body, issuer, aliases)
        except UnavailableError as error:
            fault = error

    raise fault


def read_metadata(
    body: bytes, issuer: str, aliases: Collection[str] = ()
) -> IssuerMetadata:
    """Check a document (OpenID Connect Discovery, section 4.3; RFC 8414, 3.3).

    Raises:
        UnavailableError: It is not to be believed.
    """
    try:
        document = parse_object(body)
    except ValueError:
        msg = "the issuer's metadata is not strict JSON"
        raise UnavailableError(msg) from None

    if document.get("issuer") not in (issuer, *aliases):
        msg = "the metadata is that of another issuer"
        raise UnavailableError(msg)

    unsafe = [
        name
        for name, value in document.items()
        if name.endswith(("_uri", "_endpoint")) and not is_safe_url(value)
    ]
    if unsafe or "jwks_uri" not in document:
        msg = f"the metadata has no https URL for {', '.join(unsafe) or 'jwks_uri'}"
        raise UnavailableError(msg)

    return IssuerMetadata(issuer, document["jwks_uri"], document)


def _places(issuer: str) -> tuple[str, str]:
    """Return where the document may be: OpenID appends, RFC 8414 inserts."""
    parts = urlsplit(issuer)
    path = parts.path.rstrip("/")
    origin = f"{parts.scheme}://{parts.netloc}"
    return (
        f"{origin}{path}/.well-known/openid-configuration",
        f"{origin}/.well-known/oauth-authorization-server{path}",
    )
