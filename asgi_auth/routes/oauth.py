"""Refuse what came in one of OAuth's forms in OAuth's words (RFC 6749, section 5.2).

Outages, limits and foreign pages are refused as everywhere.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from asgi_auth.dpop.errors import InvalidProofError, NonceRequiredError
from asgi_auth.errors import (
    AuthenticationError,
    AuthError,
    AuthorizationError,
    InvalidRequestError,
)
from asgi_auth.routes.body import Form, is_form
from asgi_auth.routes.errors import (
    MalformedBodyError,
    UnprocessableBodyError,
    UnsupportedGrantError,
)

__all__ = ["in_oauth_form"]

_WORDS: Final[dict[type[AuthError], str]] = {
    UnsupportedGrantError: "unsupported_grant_type",
    MalformedBodyError: "invalid_request",
    UnprocessableBodyError: "invalid_request",
    InvalidRequestError: "invalid_request",
    NonceRequiredError: "use_dpop_nonce",
    InvalidProofError: "invalid_dpop_proof",
    # What is wrong with a password or a refresh token is wrong with the grant.
    AuthenticationError: "invalid_grant",
    AuthorizationError: "invalid_grant",
}


async def in_oauth_form(
    answer: Awaitable[Response], form: Form | None, request: Request
) -> Response:
    """Return an answer, or write its refusal as a token endpoint does.

    Args:
        answer: Of the handler.
        form: How its bodies are spelled, if they may be forms.
        request: What it answers.

    Raises:
        AuthError: The request came in no such form, or is refused for what has
            nothing to do with it.
    """
    try:
        return await answer
    except AuthError as error:
        word = _word_of(error)
        if word is None or form is None or form.grant_type is None:
            raise

        if not is_form(request):
            raise

        document = {
            "error": word,
            "error_description": error.public_message,
            "code": error.code,
            **error.members,
        }
        headers = {name.decode(): value.decode() for name, value in error.headers}
        headers["cache-control"] = "no-store"
        return JSONResponse(document, 400, headers=headers)


def _word_of(error: AuthError) -> str | None:
    return next(
        (word for kind, word in _WORDS.items() if isinstance(error, kind)), None
    )
