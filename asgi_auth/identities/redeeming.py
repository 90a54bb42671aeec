"""Redeem a code at a token endpoint (RFC 6749, section 4.1.3; RFC 7636, section 4.5).

It says why an endpoint refused; what the tokens say is judged by others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from asgi_auth._frozen import FrozenDict
from asgi_auth.identities.attempt import Attempt
from asgi_auth.identities.endpoint import Endpoint, JSONAnswer
from asgi_auth.identities.errors import InvalidCallbackError

__all__ = ["exchange", "tokens_in"]

_OK: Final = 200
# Our own settings are wrong: no user can do anything about it.
_OURS: Final = ("invalid_client", "unauthorized_client", "incorrect_client_credentials")
_REFUSALS: Final = (200, 400, 401, 403)
_KEPT: Final = ("access_token", "refresh_token", "token_type", "scope")


async def exchange(
    endpoint: Endpoint,
    url: str,
    attempt: Attempt,
    code: str,
    client: tuple[Mapping[str, str], Mapping[str, str]],
) -> JSONAnswer:
    """Return what a token endpoint gives for a code.

    Args:
        endpoint: Of the provider.
        url: Of the token endpoint.
        attempt: Which log-in it is about.
        code: As it came.
        client: Header fields and members of the form that say who asks.

    Raises:
        InvalidCallbackError: The provider refuses the code.
        UnavailableError: The provider is down, or refuses this client.
    """
    headers, members = client
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": attempt.redirect_uri,
        "code_verifier": attempt.verifier,
        **members,
    }
    answer = await endpoint.post(url, form, headers)
    error = answer.members.get("error")
    # GitHub answers an error with the status 200.
    if answer.status == _OK and error is None:
        return answer

    if answer.status not in _REFUSALS or error in _OURS or not isinstance(error, str):
        cause = f"its token endpoint answered {answer.status}: {str(error)[:60]!r}"
        raise endpoint.down(cause)

    msg = f"{endpoint.outage.place} refuses the code: {error[:60]!r}"
    raise InvalidCallbackError(msg)


def tokens_in(answer: FrozenDict, now: float) -> dict[str, Any]:
    """Return the tokens of an answer, and when they end.

    Args:
        answer: Of a token endpoint.
        now: The present, in Unix seconds.
    """
    tokens: dict[str, Any] = {
        name: answer[name] for name in _KEPT if isinstance(answer.get(name), str)
    }
    lives: Any = answer.get("expires_in")
    if type(lives) in {int, float} and 0 < lives < 2**31:
        tokens["expires_at"] = int(now + lives)

    return tokens
