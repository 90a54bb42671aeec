"""Tell a credential that is somebody else's from one of ours that is bad.

Products around which the middleware stands have keys of their own, which may come in
the same header. Nothing is verified here: a shape is all that is looked at.
"""

from __future__ import annotations

from asgi_auth._contract import claims_of
from asgi_auth.credentials.reader import Credential
from asgi_auth.errors import AuthError, InvalidTokenError
from asgi_auth.typing import Backend

__all__ = ["UnclaimedTokenError", "is_unclaimed"]


class UnclaimedTokenError(InvalidTokenError):
    """No backend knows a credential of this shape."""


def is_unclaimed(
    error: AuthError | None, credential: Credential | None, backend: Backend
) -> bool:
    """Tell whether *backend* found a credential bad that was never meant for it.

    Args:
        error: Why the credential is bad, if it is.
        credential: What came. One that cannot be read, or is too long to be looked at,
            is nobody's, and not somebody else's either.
        backend: Who has judged; without ``claims`` all that it refuses was its own.
    """
    if isinstance(error, UnclaimedTokenError):
        return True

    if credential is None or credential.error is not None:
        return False

    if not isinstance(error, InvalidTokenError):
        return False

    claims = claims_of(backend)
    return claims is not None and not claims(credential)
