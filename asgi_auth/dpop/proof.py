"""Judge one proof by every rule of RFC 9449, section 4.3, but for its use before.

It reads and verifies; it does no I/O, and knows nothing of tokens but their hash.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from asgi_auth._asgi import Scope
from asgi_auth._clock import Clock
from asgi_auth._encoding import b64url_decode, b64url_encode
from asgi_auth._frozen import parse_flat, parse_object
from asgi_auth.dpop.errors import InvalidProofError, NonceRequiredError
from asgi_auth.dpop.nonces import Nonces
from asgi_auth.dpop.target import Target
from asgi_auth.errors import ConfigurationError
from asgi_auth.keys import Key
from asgi_auth.keys.public import read_public_jwk
from asgi_auth.tokens.cache import Entry, VerifiedCache
from asgi_auth.tokens.claims import is_plain_text

__all__ = ["Proof", "ProofReader", "proof_in", "token_hash"]

_LONGEST = 4096
_KEYS = 1024
_TYPE = "dpop+jwt"
_new = tuple.__new__
"""Makes a named tuple without a call into Python."""

# To copy a hash takes less time than to make one.
_fresh_hash = sha256().copy

_EXTENSIONS = frozenset({"crit", "b64", "zip", "enc"})


class Proof(NamedTuple):
    """A proof that is good, if it was not used before.

    Attributes:
        thumbprint: Of the key (RFC 7638): the ``jkt`` of what is bound to it.
        jti: Its own id.
        ends_at: Unix seconds from which on it would be refused as too old.
    """

    thumbprint: str
    jti: str
    ends_at: float


class ProofReader:
    """Reads and verifies proofs.

    Keys of clients that have shown a token bound to them are kept, ready for use, in
    a table with a bound.

    Args:
        target: Knows the URL of a request.
        algorithms: The accepted ones, all with public keys.
        max_age: Seconds that a proof may be old.
        skew: Seconds that it may be from the future.
        nonces: Each proof must have one of these; ``None``: none needs any.
        clock: Returns Unix seconds.
    """

    __slots__ = (
        "_algorithms",
        "_clock",
        "_keys",
        "_max_age",
        "_nonces",
        "_skew",
        "_target",
    )

    def __init__(
        self,
        target: Target,
        *,
        algorithms: Sequence[str],
        max_age: float,
        skew: float,
        nonces: Nonces | None,
        clock: Clock,
    ) -> None:
        self._target = target
        self._algorithms = frozenset(algorithms)
        self._max_age, self._skew = max_age, skew
        self._nonces = nonces
        self._clock = clock
        self._keys = VerifiedCache[_ReadyKey](_KEYS)

    def read(
        self,
        proof: bytes,
        scope: Scope,
        *,
        token: bytes | None = None,
        thumbprint: str | None = None,
    ) -> Proof:
        """Return a proof that is good for the request in *scope*.

        Args:
            proof: The value of the ``DPoP`` header.
            scope: Of the request.
            token: The access token that comes with it, whose hash it must have.
            thumbprint: Of the key that it must be made with.

        Raises:
            NonceRequiredError: It lacks a nonce of ours.
            InvalidProofError: Anything else is wrong with it.
        """
        signed, _, signature = proof.rpartition(b".")
        head, _, payload = signed.partition(b".")
        if len(proof) > _LONGEST:
            raise InvalidProofError(_TOO_LONG)

        claims = _parse(payload, "payload", parse_flat)
        if self._nonces is not None:
            # First of all: with the nonce comes the date that a wrong clock is set by.
            _check_nonce(claims, self._nonces)

        self._check_request(claims, scope, token)
        issued_at = self._check_time(claims)
        cache_entry = self._keys.table.get(head)
        entry = cache_entry or self._ready_key(head)
        if thumbprint is not None and entry.thumbprint != thumbprint:
            msg = "the proof is made with another key than the token is bound to"
            raise InvalidProofError(msg)

        try:
            is_good = entry.verify(signed, b64url_decode(signature))
        except ValueError:
            is_good = False

        if not is_good:
            msg = "the signature does not match"
            raise InvalidProofError(msg)

        if cache_entry is not None:
            entry.visited = True
        elif thumbprint is not None:
            # Only for those who hold a token: no other caller can make it change.
            self._keys.put(head, entry, len(head))

        ends_at = issued_at + self._max_age
        return _new(Proof, (entry.thumbprint, claims["jti"], ends_at))

    def _check_request(
        self, claims: Mapping[str, Any], scope: Scope, token: bytes | None
    ) -> None:
        # The handshake of a WebSocket is a GET (RFC 6455, section 4.1).
        if claims.get("htm") != scope.get("method", "GET"):
            msg = "the proof is for another method (htm)"
            raise InvalidProofError(msg)

        url = claims.get("htu")
        if type(url) is not str or not self._target.is_meant_by(url, scope):
            msg = "the proof is for another URL (htu)"
            raise InvalidProofError(msg)

        if token is not None and claims.get("ath") != token_hash(token):
            msg = "the proof is for another token (ath)"
            raise InvalidProofError(msg)

        if not is_plain_text(claims.get("jti")):
            msg = "jti is no short, plain text"
            raise InvalidProofError(msg)

    def _check_time(self, claims: Mapping[str, Any]) -> float:
        issued_at: Any = claims.get("iat")
        if type(issued_at) not in {int, float}:
            msg = "iat is no time"
            raise InvalidProofError(msg)

        now = self._clock()
        if not now - self._max_age <= issued_at <= now + self._skew:
            msg = "the proof is too old, or from the future (iat)"
            raise InvalidProofError(msg)

        return float(issued_at)

    def _ready_key(self, head: bytes) -> _ReadyKey:
        header = _parse(head, "header", parse_object)
        if header.get("typ") != _TYPE:
            msg = "typ is not dpop+jwt"
            raise InvalidProofError(msg)

        if not _EXTENSIONS.isdisjoint(header):
            msg = "the header asks for an extension"
            raise InvalidProofError(msg)

        algorithm = header.get("alg")
        if type(algorithm) is not str or algorithm not in self._algorithms:
            msg = "the algorithm is not accepted"
            raise InvalidProofError(msg)

        try:
            return _ReadyKey(read_public_jwk(header.get("jwk"), algorithm))
        except ConfigurationError as error:
            raise InvalidProofError(str(error)) from None


class _ReadyKey(Entry):
    """A client's key, as it is kept."""

    __slots__ = ("thumbprint", "verify")

    def __init__(self, key: Key) -> None:
        self.thumbprint = key.thumbprint()
        self.verify = key.verify


def proof_in(scope: Scope) -> bytes | None:
    """Return the one proof of a request, or ``None``.

    Raises:
        InvalidProofError: There are two (RFC 9449, section 4.3).
    """
    proof: bytes | None = None
    for name, value in scope["headers"]:
        if len(name) == 4 and name.lower() == b"dpop":  # noqa: PLR2004
            if proof is not None:
                msg = "two DPoP headers"
                raise InvalidProofError(msg)

            proof = value

    return proof


def token_hash(token: bytes) -> str:
    """Return what ``ath`` says of an access token (RFC 9449, section 4.2)."""
    state = _fresh_hash()
    state.update(token)
    return b64url_encode(state.digest()).decode()


def _check_nonce(claims: Mapping[str, Any], nonces: Nonces) -> None:
    nonce = claims.get("nonce")
    if type(nonce) is not str or not nonces.knows(nonce):
        msg = "the proof has no nonce of ours that is new enough"
        raise NonceRequiredError(msg, nonce=nonces.current())


def _parse(
    segment: bytes, name: str, parse: Callable[[bytes], Mapping[str, Any]]
) -> Mapping[str, Any]:
    try:
        return parse(b64url_decode(segment))
    except ValueError:
        msg = f"the {name} is not strict JSON"
        raise InvalidProofError(msg) from None


_TOO_LONG = "the proof is too long"
