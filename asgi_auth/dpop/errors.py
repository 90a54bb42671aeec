"""What can be wrong with a proof, as branches of the one tree.

.. code-block:: text

    AuthenticationError
    └── InvalidProofError       401  no proof, a bad one, or one that was used before
        └── NonceRequiredError  401  it lacks the nonce that comes with this answer
"""

from __future__ import annotations

from typing import ClassVar

from asgi_auth.errors import AuthenticationError

__all__ = ["InvalidProofError", "NonceRequiredError"]


class InvalidProofError(AuthenticationError):
    """The request does not show that its sender has the key (RFC 9449, section 7.1)."""

    code = "invalid_dpop_proof"
    public_message = "The DPoP proof is missing or not valid."
    oauth_error: ClassVar[str | None] = "invalid_dpop_proof"
    scheme: ClassVar[str | None] = "DPoP"


class NonceRequiredError(InvalidProofError):
    """The proof must hold the nonce that the answer has (RFC 9449, sections 8 and 9).

    Args:
        nonce: What ``DPoP-Nonce`` says; it is no secret.
    """

    code = "use_dpop_nonce"
    public_message = "The DPoP proof needs the nonce of this answer."
    oauth_error: ClassVar[str | None] = "use_dpop_nonce"

    def __init__(self, message: str = "", *, nonce: str) -> None:
        super().__init__(message)
        field = (b"dpop-nonce", nonce.encode("ascii"))
        self.headers: tuple[tuple[bytes, bytes], ...] = (field,)
