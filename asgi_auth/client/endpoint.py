"""The refresh endpoint: what it is asked, and what its answer means.

Nothing is sent here. Only an answer that says so ends a log-in; an error page of some
proxy does not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar
from urllib.parse import urlencode, urlsplit

from asgi_auth._drivers.http import check_url
from asgi_auth.client.challenges import says_invalid_token
from asgi_auth.client.errors import (
    BadAnswerError,
    LoggedOutError,
    RefreshFailedError,
)
from asgi_auth.client.proofs import Proofs, server_time
from asgi_auth.client.tokens import Tokens

__all__ = [
    "Origin",
    "RefreshAnswer",
    "RefreshEndpoint",
    "origin_of",
    "origins_of",
    "parse_body",
]

_OK = 200
_REFUSALS = frozenset({400, 401})
_UNAUTHORIZED = 401
_PORTS = {"http": 80, "https": 443}

Origin = tuple[str, str, int | None]
"""Scheme, host and port of a server."""


@dataclass(frozen=True, slots=True)
class RefreshAnswer:
    """What the endpoint said.

    Attributes:
        status: The status code.
        challenges: The lines of ``WWW-Authenticate``.
        date: The field ``Date``.
        body: The content.
        nonce: The field ``DPoP-Nonce``.
    """

    status: int
    challenges: tuple[str, ...] = ()
    date: str | None = None
    body: bytes = field(default=b"", repr=False)
    nonce: str | None = None


class RefreshEndpoint:
    """Where refresh tokens become token pairs.

    Args:
        url: Its address: https, or http to this machine.
        form: Other fields of the form of RFC 6749, section 6, for instance
            ``client_id``; ``None`` asks with JSON, as ``AuthRoutes`` reads it too.
        proofs: Of the key that the tokens are bound to, if they are.

    Raises:
        ConfigurationError: The address is not safe.
    """

    __slots__ = ("_form", "_proofs", "origin", "url")

    renews_anything: ClassVar[bool] = False
    """Whether it gives tokens to who has no refresh token."""

    def __init__(
        self,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        proofs: Proofs | None = None,
    ) -> None:
        self._proofs = proofs
        self.url: str = check_url(url, "refresh_url")
        self.origin: tuple[str, str, int | None] = origin_of(url)
        self._form = None if form is None else dict(form)

    def __repr__(self) -> str:
        """Show the address."""
        return f"RefreshEndpoint({self.url!r})"

    def ask(self, refresh_token: str) -> tuple[dict[str, str], bytes]:
        """Return the header fields and the body of a refresh."""
        fields = {"refresh_token": refresh_token}
        kind, body = "application/json", json.dumps(fields)
        if self._form is not None:
            fields |= {**self._form, "grant_type": "refresh_token"}
            kind, body = "application/x-www-form-urlencoded", urlencode(fields)

        headers = {
            "content-type": kind,
            "accept": "application/json",
            "accept-encoding": "identity",
        }
        if self._proofs is not None:
            headers |= self._proofs.fields("POST", self.url)

        return headers, body.encode()

    def wants_another_proof(self, answer: RefreshAnswer) -> bool:
        """Learn from an answer, and say whether to ask again with another proof."""
        if self._proofs is None:
            return False

        self._proofs.hear(self.url, nonce=answer.nonce, date=answer.date)
        return self._proofs.are_refused(answer.status, answer.challenges, answer.body)

    def read(self, answer: RefreshAnswer, old: Tokens, *, asked_at: float) -> Tokens:
        """Return the new tokens.

        Args:
            answer: What came.
            old: The tokens before; their refresh token stays where no other comes
                (RFC 6749, section 6).
            asked_at: When the request was sent: the token cannot be older than that.

        Raises:
            LoggedOutError: The refresh token is refused.
            RefreshFailedError: There are no tokens in the answer, and that is all.
        """
        members = parse_body(answer.body)
        if _is_refusal(answer, members):
            msg = "the refresh token was refused: log in again"
            raise LoggedOutError(msg)

        if answer.status != _OK:
            msg = f"the refresh endpoint answered {answer.status}"
            raise RefreshFailedError(msg)

        try:
            tokens = Tokens.from_answer(
                members,
                received_at=asked_at,
                server_time=server_time(answer.date),
                token_type="Bearer" if self._proofs is None else "DPoP",
            )
        except BadAnswerError as error:
            raise RefreshFailedError(str(error)) from error

        refresh_token = tokens.refresh_token or old.refresh_token
        return replace(tokens, refresh_token=refresh_token, renewed_at=asked_at)


def origin_of(url: str) -> Origin:
    """Return the origin of a URL (RFC 6454, section 4)."""
    parts = urlsplit(url)
    port = parts.port or _PORTS.get(parts.scheme)
    return parts.scheme, parts.hostname or "", port


def origins_of(urls: Iterable[str]) -> frozenset[Origin]:
    """Return the origins of URLs that may be given a token.

    Raises:
        ConfigurationError: One of them is not safe.
    """
    return frozenset(origin_of(check_url(url, "Each of origins")) for url in urls)


def _is_refusal(answer: RefreshAnswer, members: Mapping[str, Any]) -> bool:
    if answer.status in _REFUSALS and members.get("error") == "invalid_grant":
        return True  # RFC 6749, section 5.2

    return answer.status == _UNAUTHORIZED and says_invalid_token(answer.challenges)


def parse_body(body: bytes) -> Mapping[str, Any]:
    """Return the object that an answer holds, or an empty one."""
    try:
        members = json.loads(body)
    except (ValueError, RecursionError):
        return {}

    return members if isinstance(members, dict) else {}
