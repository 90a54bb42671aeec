"""Reads one public key that another party has sent, as clients do with a proof.

It vouches for nothing but the form: whose key it is, is for the caller to know.
"""

from __future__ import annotations

from collections.abc import Mapping

from asgi_auth.keys._jwks import ASYMMETRIC, read_jwk
from asgi_auth.keys.key import Key

__all__ = ["ASYMMETRIC", "read_public_jwk"]


def read_public_jwk(jwk: object, algorithm: str) -> Key:
    """Return the key that verifies signatures of *algorithm*.

    Certificates within it are not looked at.

    Raises:
        ConfigurationError: It is an HMAC secret, a private key, weak, malformed, or for
            another algorithm.
    """
    if isinstance(jwk, Mapping):
        jwk = {name: jwk[name] for name in jwk if not name.startswith("x5")}

    return read_jwk(jwk, (algorithm,))
