"""Explain a token against an application: who claims it, and which rule refuses it.

The application's own parts decide, as they would on a request. Unlike all else that the
doctor does, this may ask a store, or fetch keys.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

from asgi_auth._contract import claimant_of
from asgi_auth._logs import escaped
from asgi_auth._misplaced import credential_from
from asgi_auth.credentials.reader import Credential
from asgi_auth.credentials.sources import Source
from asgi_auth.errors import AsgiAuthError, ConfigurationError
from asgi_auth.middleware import AuthenticationMiddleware
from asgi_auth.responses.watch import reason_of
from asgi_auth.tokens.codec import peek

__all__ = ["explain_token"]

_CLAIMS = ("iss", "aud", "sub", "client_id", "scope", "iat", "nbf", "exp", "type")
_LONGEST = 400
_SCOPE: Mapping[str, Any] = {
    "type": "http",
    "method": "GET",
    "path": "/",
    "raw_path": b"/",
    "root_path": "",
    "query_string": b"",
    "headers": [],
    "http_version": "1.1",
}


def explain_token(
    middlewares: list[AuthenticationMiddleware], token: str
) -> tuple[bool, list[str]]:
    """Return whether *token* is accepted, and why or why not, line by line.

    Args:
        middlewares: Of the application, the outermost first.
        token: As a client would send it; it is not repeated.

    Raises:
        ConfigurationError: The application has no middleware, or the token no sense.
    """
    if not middlewares:
        msg = "The application has no AuthenticationMiddleware that could read a token."
        raise ConfigurationError(msg)

    if not (token.isascii() and token.isprintable()):
        msg = "The token is not ASCII text."
        raise ConfigurationError(msg)

    middleware = middlewares[0]
    is_good, verdict = asyncio.run(_judge(middleware, token.encode("ascii")))
    return is_good, [*_says(token.encode("ascii")), *verdict]


def _says(token: bytes) -> Iterator[str]:
    """Yield what the token says of itself, which is not verified yet."""
    parts = peek(token)
    if parts is None:
        yield "it is no JWT: an opaque token, an API key, or a broken one"
        return

    header, claims = parts
    excerpt = {name: claims[name] for name in _CLAIMS if name in claims}
    yield f"it says of itself: header {_short(header)}"
    yield f"                   claims {_short(excerpt)}"


async def _judge(
    middleware: AuthenticationMiddleware, token: bytes
) -> tuple[bool, list[str]]:
    backend = middleware._backend  # noqa: SLF001
    sources = [*backend.sources]
    report = [f"the application reads: {', '.join(map(_name_of, sources))}"]
    if not sources:
        return False, [
            *report,
            "no token is read: the backend looks at the whole request",
        ]

    tried = [credential_from(source, token) for source in sources]
    claimed = [one for one in tried if claimant_of(backend)(one) is not None]
    credential = (claimed or tried)[0]
    name = claimant_of(backend)(credential)
    where = f"tried as: {_way_of(credential)}"
    report += [where, f"backend: {name or 'none claims a credential of this shape'}"]
    try:
        principal, _ = await middleware._identify(credential, dict(_SCOPE))  # noqa: SLF001
    except AsgiAuthError as error:
        status = f"{error.code}, {error.status}"
        return False, [*report, f"refused ({status}): {escaped(reason_of(error))}"]

    rights = f"scopes {sorted(principal.scopes)}, roles {sorted(principal.roles)}"
    caller = f"{principal.subject!r} of issuer {principal.issuer!r}"
    return True, [*report, f"accepted: {escaped(caller)}; {escaped(rights)}"]


def _name_of(source: Source) -> str:
    return repr(source)


def _way_of(credential: Credential) -> str:
    return f"{credential.source} ({credential.name or credential.scheme})"


def _short(values: Mapping[str, Any]) -> str:
    return escaped(str(dict(values)))[: _LONGEST * 3]
