"""Prove, with each request, to have the key that the tokens are bound to (RFC 9449).

It learns from answers what a server wants in proofs: its nonce, and its time. Nothing
is sent here.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Generator, Iterable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from asgi_auth._clock import Clock
from asgi_auth.client.challenges import errors_of
from asgi_auth.dpop.signer import ProofSigner

__all__ = ["ProofFlows", "Proofs", "hear_from", "server_time"]

_REFUSALS = frozenset({"invalid_dpop_proof", "use_dpop_nonce"})
_STATUSES = frozenset({400, 401})
_MOST = 64


class Proofs:
    """The proofs of one client, for the servers that it talks to.

    Any number of threads may share it.

    Args:
        signer: Has the key.
        clock: The local time, however wrong.
    """

    __slots__ = ("_ahead", "_clock", "_nonces", "_signer")

    def __init__(self, signer: ProofSigner, clock: Clock) -> None:
        self._signer = signer
        self._clock = clock
        self._nonces: dict[str, str] = {}
        self._ahead: dict[str, float] = {}

    def fields(self, method: str, url: str, token: str | None = None) -> dict[str, str]:
        """Return the header field with a new proof for one request.

        Args:
            method: Of the request.
            url: Of the request.
            token: The access token that goes with it.
        """
        origin = _origin(url)
        now = self._clock() + self._ahead.get(origin, 0.0)
        nonce = self._nonces.get(origin)
        return {
            "DPoP": self._signer.sign(method, url, token=token, nonce=nonce, now=now)
        }

    def hear(self, url: str, *, nonce: str | None, date: str | None) -> None:
        """Learn from an answer what the next proofs must be like.

        Args:
            url: Of what has answered.
            nonce: The field ``DPoP-Nonce``.
            date: The field ``Date``; as wrong as that server is itself.
        """
        origin, server_now = _origin(url), server_time(date)
        if len(self._ahead) >= _MOST or len(self._nonces) >= _MOST:
            self._ahead, self._nonces = {}, {}

        if nonce is not None:
            self._nonces[origin] = nonce

        if server_now is not None:
            # A date has whole seconds, and comes a moment later.
            ahead = server_now - self._clock()
            self._ahead[origin] = ahead if abs(ahead) > 1 else 0.0

    @staticmethod
    def are_refused(status: int, challenges: Iterable[str], body: bytes = b"") -> bool:
        """Say whether another proof may do where this one did not.

        Args:
            status: Of the answer.
            challenges: The lines of ``WWW-Authenticate``.
            body: The content, where that may say so: of a token endpoint.
        """
        if status not in _STATUSES:
            return False

        errors = errors_of(challenges, "dpop")
        return not _REFUSALS.isdisjoint(errors | _errors_in(body))


class ProofFlows:
    """Attach proofs, and no token, to requests for tokens, such as a log-in.

    Args:
        proofs: Of the client.
    """

    def __init__(self, proofs: Proofs) -> None:
        self._proofs = proofs

    def auth_flow(self, request: Any) -> Generator[Any, Any, None]:
        """Send a request with a proof; as :meth:`sync_auth_flow`."""
        return self.sync_auth_flow(request)

    def sync_auth_flow(self, request: Any) -> Generator[Any, Any, None]:
        """Send a request with a proof, and once again if the server wants another."""
        self._attach(request)
        response = yield request
        response.read()
        if self._is_refused(response):
            self._attach(request)
            self._hear((yield request))

    async def async_auth_flow(self, request: Any) -> AsyncGenerator[Any, Any]:
        """Send a request with a proof; as :meth:`sync_auth_flow`."""
        self._attach(request)
        response = yield request
        await response.aread()
        if self._is_refused(response):
            self._attach(request)
            self._hear((yield request))

    def _attach(self, request: Any) -> None:
        request.headers.update(self._proofs.fields(request.method, str(request.url)))

    def _hear(self, response: Any) -> None:
        hear_from(self._proofs, response)

    def _is_refused(self, response: Any) -> bool:
        self._hear(response)
        lines = response.headers.get_list("www-authenticate")
        return self._proofs.are_refused(response.status_code, lines, response.content)


def hear_from(proofs: Proofs, response: Any) -> None:
    """Learn from a response of a library of the httpx family."""
    headers = response.headers
    nonce, date = headers.get("dpop-nonce"), headers.get("date")
    proofs.hear(str(response.request.url), nonce=nonce, date=date)


def server_time(date: str | None) -> float | None:
    """Read a ``Date`` (RFC 9110, section 6.6.1)."""
    try:
        return None if date is None else parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None


def _errors_in(body: bytes) -> set[str]:
    try:
        content: Any = json.loads(body) if body else None
    except (ValueError, RecursionError):
        return set()

    members: Mapping[str, Any] = content if isinstance(content, dict) else {}
    codes = (members.get("error"), members.get("code"))
    return {name for name in codes if isinstance(name, str)}


def _origin(url: str) -> str:
    return "/".join(url.split("/", 3)[:3])
