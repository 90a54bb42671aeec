"""Questions to authenticators, each of which lives in the browser that asked.

A question is a signed token; the store only learns that it was answered. Nothing is
asked and no answer is judged here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any, Final, Literal, Protocol

from asgi_auth._encoding import b64url_decode, b64url_encode, compact_json
from asgi_auth.errors import InvalidTokenError
from asgi_auth.events import Events
from asgi_auth.stores.base import Store

__all__ = [
    "Ceremony",
    "CeremonyTokens",
    "Purpose",
    "Question",
    "Questions",
    "new_handle",
]

Purpose = Literal["add", "log_in", "second_factor"]

# Longer than a token can be good after its end, however lenient its verifier is.
_MARGIN: Final = 600
_SECRET_BYTES: Final = 32


class CeremonyTokens(Protocol):
    """What passkeys need of the service that issues tokens."""

    @property
    def issuer(self) -> str | None:
        """Whose tokens they are."""
        ...

    @property
    def events(self) -> Events:
        """Who gets the events."""
        ...

    @property
    def store(self) -> Store:
        """Knows what was used."""
        ...

    def mint(
        self,
        subject: str,
        *,
        kind: Literal["ceremony"],
        ttl: float,
        claims: Mapping[str, Any],
    ) -> str:
        """Sign a token of this kind, and of no other, that lives *ttl* seconds."""
        ...

    async def verify(
        self, token: str, expected_type: Literal["ceremony"]
    ) -> Mapping[str, Any]:
        """Return the claims of a token of this kind."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceremony:
    """What a browser is asked.

    Attributes:
        options: What ``navigator.credentials`` needs, as JSON.
        token: What has to come back with the answer.
        expires_in: Seconds that it is good.
    """

    options: Mapping[str, Any]
    token: str = field(repr=False)
    expires_in: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question that has come back.

    Attributes:
        challenge: What had to be signed; it names the question.
        handle: What names the user to authenticators, where a passkey is to be added.
    """

    challenge: str
    handle: str = ""

    @property
    def bytes(self) -> bytes:
        """The challenge as it is signed."""
        return b64url_decode(self.challenge.encode())

    @classmethod
    def new(cls, handle: str = "") -> Question:
        """Make one that nobody can guess."""
        return cls(challenge=token_urlsafe(_SECRET_BYTES), handle=handle)


def new_handle() -> str:
    """Return a name for a user that says nothing about anybody."""
    return token_urlsafe(_SECRET_BYTES)


class Questions:
    """Signs questions, and knows which were answered.

    Args:
        tokens: Signs and verifies, and has the store.
        rp_id: For which passkeys they are.
        ttl: Seconds that they are good.
    """

    __slots__ = ("_rp_id", "_tokens", "_ttl")

    def __init__(self, tokens: CeremonyTokens, *, rp_id: str, ttl: float) -> None:
        self._tokens = tokens
        self._rp_id = rp_id
        self._ttl = ttl

    def ask(
        self,
        purpose: Purpose,
        question: Question,
        options: Mapping[str, Any],
        *owner: str,
    ) -> Ceremony:
        """Return what a browser is asked.

        Args:
            purpose: What for.
            question: It is new.
            options: What ``navigator.credentials`` needs.
            owner: Who may answer.
        """
        # The challenge is its name: nothing that is revoked by subject has it.
        token = self._tokens.mint(
            question.challenge,
            kind="ceremony",
            ttl=self._ttl,
            claims={
                "purpose": purpose,
                "rp_id": self._rp_id,
                "owner": _digest(*owner),
                "handle": question.handle,
            },
        )
        return Ceremony(options=options, token=token, expires_in=int(self._ttl))

    async def read(self, token: str, purpose: Purpose, *owner: str) -> Question:
        """Return the question that an answer comes with.

        Args:
            token: As it came.
            purpose: What for the answer is.
            owner: Who answers.

        Raises:
            InvalidTokenError: It is none, is over, or is for something else.
            UnavailableError: No verdict is possible at the moment.
        """
        claims = await self._tokens.verify(token, expected_type="ceremony")
        facts = (claims["purpose"], claims["rp_id"], claims["owner"])
        if facts != (purpose, self._rp_id, _digest(*owner)):
            msg = f"the question was for {claims['purpose']}, or for another user"
            raise InvalidTokenError(msg)

        return Question(challenge=claims["sub"], handle=claims["handle"])

    async def spend(self, question: Question) -> bool:
        """Return whether it was not answered before, and is from now on.

        Raises:
            UnavailableError: It cannot be known.
        """
        space = f"passkey {self._tokens.issuer or ''}"
        ttl = self._ttl + _MARGIN
        return await self._tokens.store.once(space, question.challenge, ttl=ttl)


def _digest(*names: str) -> str:
    """Return a digest of who may answer: what a browser knows is in no token."""
    digest = sha256(compact_json(["asgi-auth ceremony", *names])).digest()
    return b64url_encode(digest).decode()
