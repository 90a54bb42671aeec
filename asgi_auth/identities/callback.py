"""Judge the answer with which a provider sends a browser back.

The order is that of RFC 9700: the browser, the provider, the issuer, and only then what
the answer says. It redeems nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from asgi_auth._encoding import constant_time_equal
from asgi_auth.errors import InvalidTokenError, UnavailableError
from asgi_auth.identities.attempt import ATTEMPT_TTL, Attempt
from asgi_auth.identities.errors import InvalidCallbackError, ProviderDeniedError
from asgi_auth.identities.provider import IdentityProvider
from asgi_auth.sessions import TokenService

__all__ = ["ProviderAnswer", "read_attempt", "take"]

_MARGIN: Final = 60.0
_LONGEST_CODE: Final = 4096
_DOWN: Final = ("server_error", "temporarily_unavailable")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderAnswer:
    """What came back, unverified (RFC 6749, section 4.1.2; RFC 9207).

    Attributes:
        state: The state.
        code: The code, in a good answer.
        iss: The issuer, where the provider names itself.
        error: Why there is no code.
    """

    state: str | None = field(default=None, repr=False)
    code: str | None = field(default=None, repr=False)
    iss: str | None = None
    error: str | None = None


async def read_attempt(tokens: TokenService, token: str | None) -> Attempt:
    """Return the log-in that this browser has begun.

    Args:
        tokens: Has signed it.
        token: From the browser's cookie.

    Raises:
        InvalidCallbackError: There is none, or it is over.
        UnavailableError: It cannot be known.
    """
    if token is None:
        msg = "this browser has begun no such log-in"
        raise InvalidCallbackError(msg)

    try:
        return Attempt.from_claims(await tokens.verify(token, expected_type="state"))
    except InvalidTokenError as error:
        msg = f"the state in the cookie is refused: {error}"

    raise InvalidCallbackError(msg)


async def take(
    tokens: TokenService,
    provider: IdentityProvider,
    attempt: Attempt,
    answer: ProviderAnswer,
    *,
    now: float | None,
) -> str:
    """Return the code of an answer, and let no other answer have this state.

    Args:
        tokens: Its store knows which states were used.
        provider: At whose address the answer has come.
        attempt: What this browser has begun.
        answer: What came.
        now: The caller's time, or ``None`` for the store's.

    Raises:
        InvalidCallbackError: The answer is to another log-in, of another provider, or
            the second one.
        ProviderDeniedError: The user, or the provider, said no.
        UnavailableError: The provider or the store is down.
    """
    if not _is_same(answer.state, attempt.state) or provider.name != attempt.provider:
        msg = "the answer is to another log-in"
        raise InvalidCallbackError(msg)

    await provider.check_issuer(answer.iss)
    space, ttl = f"log-in {tokens.issuer or ''}", ATTEMPT_TTL + _MARGIN
    if not await tokens.store.once(space, attempt.state, ttl=ttl, now=now):
        msg = "the answer has come before"
        raise InvalidCallbackError(msg)

    if answer.error is not None:
        raise _refusal(answer.error)

    code = answer.code or ""
    # RFC 6749, appendix A.11: of other letters no provider makes one.
    if not 0 < len(code) <= _LONGEST_CODE or not code.isascii():
        msg = "the answer has no code"
        raise InvalidCallbackError(msg)

    return code


def _refusal(error: str) -> ProviderDeniedError | UnavailableError:
    msg = f"the provider answers {error[:60]!r}"
    return UnavailableError(msg) if error in _DOWN else ProviderDeniedError(msg)


def _is_same(left: str | None, right: str) -> bool:
    # Lone surrogates have no UTF-8 form.
    text = (left or "").encode("utf-8", "replace")
    return constant_time_equal(text, right.encode("utf-8"))
