"""Word refusals as problem documents (RFC 9457), with what asks for better credentials.

It sends nothing: :mod:`asgi_auth.responses.deny` does.
"""

from __future__ import annotations

import json
from functools import lru_cache
from http import HTTPStatus

from asgi_auth._asgi import Headers
from asgi_auth._encoding import compact_json
from asgi_auth.errors import (
    AuthError,
    InsufficientScopeError,
    MethodNotAllowedError,
    RateLimitedError,
    UnavailableError,
)
from asgi_auth.responses.challenge import Challenge, format_challenge

__all__ = ["headers_of", "problem_of"]

_TITLES = {status.value: status.phrase for status in HTTPStatus}

_Response = tuple[int, tuple[tuple[bytes, bytes], ...], bytes]
_FLOODS = 256
_made: dict[tuple[object, ...], _Response] = {}


def problem_of(error: AuthError, challenges: tuple[Challenge, ...]) -> _Response:
    """Return status, headers and body; a flood of refusals shares one such answer."""
    if error.__dict__:
        return _compose(error, challenges)  # It says more than its class does.

    key = type(error), error.code, error.status, error.public_message, challenges
    response = _made.get(key)
    if response is None:
        response = _compose(error, challenges)
        if len(_made) >= _FLOODS:
            _made.clear()

        _made[key] = response

    return response


def _compose(error: AuthError, challenges: tuple[Challenge, ...]) -> _Response:
    roles = error.roles if isinstance(error, InsufficientScopeError) else ()
    body = _problem(error.code, error.status, error.public_message, roles)
    if error.members:
        # Not remembered: it is for one caller.
        body = compact_json({**json.loads(body), **error.members})

    headers = (
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        *headers_of(error, challenges),
    )
    return error.status, headers, body


@lru_cache(maxsize=_FLOODS)
def _problem(code: str, status: int, detail: str, roles: tuple[str, ...]) -> bytes:
    """Write the problem document (RFC 9457, section 3)."""
    problem = {
        "type": f"urn:asgi-auth:error:{code}",
        "title": _TITLES.get(status, "Refused"),
        "status": status,
        "detail": detail.encode("utf-8", "replace").decode("utf-8"),
        "code": code,
    }
    return compact_json({**problem, "roles": roles} if roles else problem)


def headers_of(error: AuthError, challenges: tuple[Challenge, ...]) -> Headers:
    """Return what says what to do: challenges, or when to come again."""
    if isinstance(error, RateLimitedError | UnavailableError):
        return [(b"retry-after", str(error.retry_after).encode())]

    if isinstance(error, MethodNotAllowedError):
        return [(b"allow", ", ".join(error.allow).encode())]

    # A plain 403 has no challenge: other credentials would not help.
    if error.status != HTTPStatus.UNAUTHORIZED and error.oauth_error is None:
        return []

    fields = [(b"www-authenticate", format_challenge(c, error)) for c in challenges]
    return [*error.headers, *fields]
