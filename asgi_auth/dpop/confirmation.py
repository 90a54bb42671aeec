"""Have callers prove that they hold the key of their token: DPoP (RFC 9449).

It is handed to backends and to the log-in routes; it identifies no caller itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from hashlib import sha256
from typing import Any, Literal

from asgi_auth._asgi import ASGIApp, Message, Receive, Scope, Send
from asgi_auth._clock import Clock, system_clock
from asgi_auth._frozen import FrozenDict
from asgi_auth.credentials.reader import Credential
from asgi_auth.dpop.errors import InvalidProofError
from asgi_auth.dpop.nonces import Nonces
from asgi_auth.dpop.proof import Proof, ProofReader, proof_in
from asgi_auth.dpop.replay import LocalReplay
from asgi_auth.dpop.target import Target
from asgi_auth.errors import ConfigurationError, InvalidTokenError
from asgi_auth.keys.public import ASYMMETRIC
from asgi_auth.principal import Principal
from asgi_auth.responses.challenge import Challenge
from asgi_auth.stores.base import OnceStore

__all__ = ["ALGORITHMS", "DPoP"]

ALGORITHMS = ("ES256", "Ed25519", "EdDSA")
"""How proofs may be signed by default, in ways that are quick and known everywhere."""

_LONGEST = 300
_SPACE = "dpop"
_SPACE_OF_STRANGERS = "dpop asking"


class DPoP:
    """Takes tokens that are bound to a key from whoever proves to have it.

    .. code-block:: python

        dpop = DPoP("https://api.example")
        backend = JWTBackend(tokens, confirmations=[dpop])

    Args:
        public_url: Under which clients know this application: its origin, with a path
            where a proxy takes that away. No header is asked for it.
        required: Take no tokens that are not bound; else they go on as they are.
        replay: Who remembers proofs, so that each counts once. ``local``: this
            process, at no cost; with several, a proof counts once in each. A store: all
            of them together, for one round trip a request. ``None``: they are
            forgotten, and whoever sees a request can repeat it, as it is, for *max_age*
            seconds.
        nonces: Have each proof contain a nonce of ours, so that none can be made ahead
            of time. It costs a client one more request at the beginning.
        algorithms: What proofs may be signed with.
        max_age: Seconds that a proof may be old, at most 300.
        skew: Seconds that it may be from the future, at most 300; so much the clocks
            of workers may differ as well.
        clock: Returns Unix seconds.

    Attributes:
        member: Of ``cnf``: ``jkt``.
        scheme: That the tokens come with.
        required: As given.
        nonces: As given.

    Raises:
        ConfigurationError: The URL is unsafe, an algorithm has no public key, or a
            time is out of bounds.
    """

    __slots__ = (
        "_algorithms",
        "_clock",
        "_reader",
        "_replay",
        "_replay_of_strangers",
        "_skew",
        "member",
        "nonces",
        "required",
        "scheme",
    )

    def __init__(
        self,
        public_url: str,
        *,
        required: bool = False,
        replay: OnceStore | Literal["local"] | None = "local",
        nonces: Nonces | None = None,
        algorithms: Sequence[str] = ALGORITHMS,
        max_age: float = 60,
        skew: float = 5,
        clock: Clock = system_clock,
    ) -> None:
        if not 0 < max_age <= _LONGEST or not 0 <= skew <= _LONGEST:
            msg = f"max_age must be 1 to {_LONGEST} seconds, and skew 0 to {_LONGEST}."
            raise ConfigurationError(msg)

        strange = set(algorithms) - set(ASYMMETRIC)
        if strange or not algorithms or isinstance(algorithms, str):
            msg = f"algorithms must be some of {', '.join(ASYMMETRIC)}."
            raise ConfigurationError(msg)

        self.member: str = "jkt"
        self.scheme: str = "DPoP"
        self.required: bool = required
        self.nonces: Nonces | None = nonces
        self._algorithms = tuple(algorithms)
        self._clock, self._skew = clock, skew
        # Anybody may ask for tokens, and fill what remembers that: not the other one.
        self._replay, self._replay_of_strangers = (
            LocalReplay(max_age + skew + 1) if replay == "local" else replay
            for _ in range(2)
        )
        self._reader = ProofReader(
            Target(public_url),
            algorithms=algorithms,
            max_age=max_age,
            skew=skew,
            nonces=nonces,
            clock=clock,
        )

    @property
    def resource_metadata(self) -> dict[str, Any]:
        """Members for a ``ProtectedResource(more=...)`` (RFC 9728, section 2)."""
        return {
            "dpop_signing_alg_values_supported": list(self._algorithms),
            "dpop_bound_access_tokens_required": self.required,
        }

    @property
    def server_metadata(self) -> dict[str, Any]:
        """Members for a ``ServerMetadata(more=...)`` (RFC 9449, section 5.1)."""
        return {"dpop_signing_alg_values_supported": list(self._algorithms)}

    def challenge(self, bearer: Challenge) -> Challenge:
        """Return what a refusal says to clients (RFC 9449, section 7.1).

        Args:
            bearer: The backend's own, whose parameters count here too.
        """
        algorithms = {"algs": " ".join(self._algorithms)}
        return Challenge(self.scheme, FrozenDict({**bearer.params, **algorithms}))

    async def check(
        self, principal: Principal, credential: Credential, scope: Scope
    ) -> None:
        """Check that the caller has the key.

        Args:
            principal: Whom a good token is for that says ``jkt``.
            credential: The token.
            scope: Of the request that it came with.

        Raises:
            InvalidTokenError: It came as a bearer token (section 7.2).
            InvalidProofError: There is no proof, or it is bad, or was used before.
            UnavailableError: It cannot be known whether it was used before.
        """
        if credential.scheme != "dpop" or credential.source != "header":
            msg = "a token that is bound to a key came as a bearer token"
            raise InvalidTokenError(msg)

        thumbprint = principal.claims["cnf"]["jkt"]
        if type(thumbprint) is not str:
            msg = "jkt is no text"
            raise InvalidTokenError(msg)

        text = proof_in(scope)
        if text is None:
            msg = "no DPoP header came with the token"
            raise InvalidProofError(msg)

        token = credential.token
        proof = self._reader.read(text, scope, token=token, thumbprint=thumbprint)
        replay = self._replay
        if isinstance(replay, LocalReplay):
            self._spend_here(proof, replay, scope["headers"])
        elif replay is not None:
            await self._spend(proof, replay, _SPACE, scope["headers"])

    async def proven(self, scope: Scope) -> str | None:
        """Return the thumbprint of the key that a request for tokens has a proof of.

        Args:
            scope: Of the request.

        Returns:
            The thumbprint; ``None`` where no proof came.

        Raises:
            InvalidProofError: The proof is bad, or was used before.
            UnavailableError: It cannot be known whether it was used before.
        """
        text = proof_in(scope)
        if text is None:
            return None

        proof = self._reader.read(text, scope)
        replay = self._replay_of_strangers
        if isinstance(replay, LocalReplay):
            self._spend_here(proof, replay, scope["headers"])
        elif replay is not None:
            await self._spend(proof, replay, _SPACE_OF_STRANGERS, scope["headers"])

        return proof.thumbprint

    def response_headers(self) -> dict[str, str]:
        """Return what an answer with bound tokens says (RFC 9449, section 8.2)."""
        return {} if self.nonces is None else {"dpop-nonce": self.nonces.current()}

    def around(self, app: ASGIApp) -> ASGIApp:
        """Return *app* with a new nonce in each answer to a request with a proof.

        It saves clients the refusal that would say so (RFC 9449, section 8.2).
        Without nonces it returns *app*.
        """
        nonces = self.nonces
        if nonces is None:
            return app

        async def with_nonces(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http" or not _has_proof(scope):
                await app(scope, receive, send)
                return

            async def send_with_nonce(message: Message) -> None:
                if message["type"] == "http.response.start":
                    message = _with_nonce(message, nonces.current())

                await send(message)

            await app(scope, receive, send_with_nonce)

        return with_nonces

    def _spend_here(self, proof: Proof, replay: LocalReplay, request: object) -> None:
        spent = (request, replay, proof)
        if not _is_spent(spent):
            if not replay.use(_name_of(proof), self._clock()):
                raise InvalidProofError(_USED)

            _spent.set(spent)

    async def _spend(
        self, proof: Proof, replay: OnceStore, space: str, request: object
    ) -> None:
        spent = (request, space, proof)
        if not _is_spent(spent):
            # Longer, because it is taken for longer by workers whose clocks are behind.
            ttl = proof.ends_at - self._clock() + self._skew + 1
            if not await replay.once(space, _name_of(proof), ttl=ttl):
                raise InvalidProofError(_USED)

            _spent.set(spent)


# Nearly all are shorter; what remembers them has a bound in bytes as well.
_LONGEST_KEPT = 64

_USED = "the proof was used before (jti)"

_spent: ContextVar[tuple[object, object, Proof] | None] = ContextVar(
    "asgi_auth_dpop_spent", default=None
)
"""The last proof that was used up here. The list of its request's headers is the same
object in all copies of a scope, and no other request's."""


def _is_spent(spent: tuple[object, object, Proof]) -> bool:
    """Say so of a request: routes may ask below a middleware that has asked before."""
    known = _spent.get()
    return known is not None and known[0] is spent[0] and known[1:] == spent[1:]


def _name_of(proof: Proof) -> str:
    jti = proof.jti
    if len(jti) > _LONGEST_KEPT:
        jti = f"{sha256(jti.encode()).hexdigest()}."

    # A digest with a point between: no two pairs of texts read the same.
    return f"{proof.thumbprint}.{jti}"


def _has_proof(scope: Scope) -> bool:
    return any(name.lower() == b"dpop" for name, _ in scope["headers"])


def _with_nonce(message: Message, nonce: str) -> Message:
    headers = [*(message.get("headers") or ())]
    if any(name.lower() == b"dpop-nonce" for name, _ in headers):
        return message

    return {**message, "headers": [*headers, (b"dpop-nonce", nonce.encode())]}
