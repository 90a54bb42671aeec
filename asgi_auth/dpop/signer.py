"""Make proofs, as a client does (RFC 9449, section 4.2).

It keeps a key and sends nothing.
"""

from __future__ import annotations

from secrets import token_urlsafe

from asgi_auth._clock import Clock, system_clock
from asgi_auth._encoding import b64url_encode, compact_json
from asgi_auth.dpop.proof import token_hash
from asgi_auth.errors import ConfigurationError
from asgi_auth.keys import Key

__all__ = ["ProofSigner"]

_FURTHER = ("kid", "use", "alg")


class ProofSigner:
    """Signs proofs with one key pair.

    Args:
        key: The key pair; by default a new one, which is gone with the process, and
            the tokens that are bound to it with it.
        clock: Returns Unix seconds.

    Raises:
        ConfigurationError: The key is no key pair, or only its public half.
    """

    __slots__ = ("_clock", "_head", "_key", "thumbprint")

    def __init__(self, key: Key | None = None, *, clock: Clock = system_clock) -> None:
        key = Key.generate("ES256") if key is None else key
        if key.is_symmetric or not key.is_private:
            msg = 'A proof is signed with a key pair, like Key.generate("ES256").'
            raise ConfigurationError(msg)

        jwk = key.to_jwk()
        public = {name: jwk[name] for name in jwk if name not in _FURTHER}
        header = {"typ": "dpop+jwt", "alg": key.algorithm, "jwk": public}
        self._head = b64url_encode(compact_json(header))
        self._key = key
        self._clock = clock
        self.thumbprint: str = key.thumbprint()

    def sign(
        self,
        method: str,
        url: str,
        *,
        token: str | None = None,
        nonce: str | None = None,
        now: float | None = None,
    ) -> str:
        """Return a proof for one request.

        Args:
            method: Of the request.
            url: Of the request; its query and fragment are left out.
            token: The access token that goes with it.
            nonce: The server's last one.
            now: The server's time, where that is known; by default the clock's.
        """
        claims: dict[str, object] = {
            "jti": token_urlsafe(16),
            "htm": method,
            "htu": url.partition("#")[0].partition("?")[0],
            "iat": int(self._clock() if now is None else now),
        }
        if token is not None:
            claims["ath"] = token_hash(token.encode("ascii"))

        if nonce is not None:
            claims["nonce"] = nonce

        signed = self._head + b"." + b64url_encode(compact_json(claims))
        return (signed + b"." + b64url_encode(self._key.sign(signed))).decode("ascii")
