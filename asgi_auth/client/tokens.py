"""What a client holds: an access token, a refresh token, and when they came.

Where it is kept is not decided here. No token ever shows in a text of this module.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from asgi_auth._clock import system_clock
from asgi_auth.client.errors import BadAnswerError
from asgi_auth.client.expiry import stated_times
from asgi_auth.errors import ConfigurationError

__all__ = ["Tokens"]

_VISIBLE = re.compile(r"[\x21-\x7e]+")
_LONGEST_LIFE = 366 * 86400.0


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of one log-in; ``dataclasses.asdict`` makes JSON of them.

    Attributes:
        access_token: For requests; ``None`` if there is none yet.
        refresh_token: For the next tokens; ``None`` if there is none.
        expires_at: When the access token ends, in seconds since the Unix epoch of the
            local clock; ``None``: not known, so that its ``exp`` has to do.
        lifetime: Seconds from when the access token came until it ends.
        renewed_at: When a refresh brought them; ``None`` after a log-in.

    Raises:
        ConfigurationError: A token has a character that no header field can carry.
    """

    access_token: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_at: float | None = None
    lifetime: float | None = None
    renewed_at: float | None = None

    def __post_init__(self) -> None:
        """Refuse what would end up in the error of some driver."""
        for token in (self.access_token, self.refresh_token):
            if token is not None and _VISIBLE.fullmatch(token) is None:
                msg = "A token is made of visible ASCII characters, without spaces."
                raise ConfigurationError(msg)

    @classmethod
    def from_answer(
        cls,
        answer: Mapping[str, Any],
        *,
        received_at: float | None = None,
        server_time: float | None = None,
        token_type: Literal["Bearer", "DPoP"] = "Bearer",  # noqa: S107
    ) -> Self:
        """Read the JSON of a log-in or a refresh (RFC 6749, section 5.1).

        The end of the access token is counted on the local clock: neither ``exp`` nor
        the server's time are compared with it, so that it does not matter by how much
        the two clocks differ.

        Args:
            answer: The parsed body; names may be written ``likeThis``.
            received_at: When it came, by the local clock; ``None``: just now.
            server_time: What the server's ``Date`` said, for answers without
                ``expires_in``.
            token_type: What the access token must be.

        Raises:
            BadAnswerError: It holds no access token, or one of another type.
        """
        access = _read(answer, "access_token", "accessToken")
        refresh = _read(answer, "refresh_token", "refreshToken")
        kind = _read(answer, "token_type", "tokenType")
        if access is None:
            msg = "the answer holds no access token"
            raise BadAnswerError(msg)

        # A token that says nothing is a bearer token, and bound to no key.
        if (kind or "Bearer").lower() != token_type.lower():
            msg = f"the access token is not of the type {token_type}"
            raise BadAnswerError(msg)

        now = system_clock() if received_at is None else received_at
        stated = answer.get("expires_in", answer.get("expiresIn"))
        lifetime = _seconds(stated) or _derived_lifetime(access, server_time)
        try:
            ends = None if lifetime is None else now + lifetime
            return cls(access, refresh, expires_at=ends, lifetime=lifetime)
        except ConfigurationError as error:
            msg = "a token of the answer is malformed"
            raise BadAnswerError(msg) from error


def _read(answer: Mapping[str, Any], name: str, camel: str) -> str | None:
    value = answer.get(name, answer.get(camel))
    return value if isinstance(value, str) and value else None


def _seconds(value: Any) -> float | None:
    """Read a life time; some servers write the number as a text."""
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        value = int(value[:12])

    if isinstance(value, bool) or not isinstance(value, int | float):
        return None

    # Compared before it is made a float: a server may write any number of digits.
    return float(min(value, _LONGEST_LIFE)) if 0 < value < float("inf") else None


def _derived_lifetime(access: str, server_time: float | None) -> float | None:
    """Find out how long a token lives of whose issuer's clock nothing is known.

    Only differences of times of the server's side are taken.
    """
    issued, ends = stated_times(access)
    if ends is None:
        return None

    # "Date" first: a server may hand out the same token again, long after "iat".
    for start in (server_time, issued):
        if start is not None and ends > start:
            return _seconds(ends - start)

    return None
