"""Tell a credential that is somebody else's from one of ours that is bad.

Products around which the middleware stands have keys of their own, which may come in
the same header. Nothing is verified here: a shape is all that is looked at.
"""

from __future__ import annotations

from asgi_auth._contract import claims_of
from asgi_auth._logs import package_logger
from asgi_auth._misplaced import MisplacedCredentials
from asgi_auth.credentials.reader import Credential
from asgi_auth.errors import AuthError, InvalidTokenError
from asgi_auth.tokens.codec import peek
from asgi_auth.typing import Backend

__all__ = ["StrangeIssuers", "UnclaimedTokenError", "is_unclaimed"]

_logger = package_logger(__name__)

_UNKNOWN_SHAPE = "no backend knows a credential of this shape"
# Who sends tokens may name as many as they like.
_MOST_WARNED = 5
_MOST_SHOWN = 8
_LONGEST = 200


class UnclaimedTokenError(InvalidTokenError):
    """No backend knows a credential of this shape."""


class StrangeIssuers:
    """Says of tokens that are nobody's whose they say they are: mostly it is a setting.

    Another host name of the issuer is the commonest, and shows in nothing else. What
    came in the wrong place is somebody's, and it is said whose.

    Args:
        issuers: Whose tokens the backend takes, as far as it says.
        misplaced: Recognises what belongs elsewhere.
        warns: They are refused, and do not pass as somebody else's.
    """

    __slots__ = ("_known", "_misplaced", "_warned", "_warns")

    def __init__(
        self,
        issuers: frozenset[str | None],
        misplaced: MisplacedCredentials,
        *,
        warns: bool,
    ) -> None:
        self._known = issuers
        self._misplaced = misplaced
        self._warns = warns
        self._warned: set[str] = set()

    def refuse(self, credential: Credential) -> UnclaimedTokenError:
        """Return why nobody takes a credential; warn of the first few issuers."""
        parts = peek(credential.token) if self._known else None
        issuer = None if parts is None else parts[1].get("iss")
        if not isinstance(issuer, str) or issuer in self._known:
            hint = self._misplaced.note(credential) if self._warns else ""
            return UnclaimedTokenError(": ".join(filter(None, (_UNKNOWN_SHAPE, hint))))

        reason = self._reason(issuer)
        is_news = reason not in self._warned and len(self._warned) < _MOST_WARNED
        if self._warns and is_news:
            self._warned.add(reason)
            _logger.warning("a token is refused: %s", reason)

        return UnclaimedTokenError(reason)

    def _reason(self, issuer: str) -> str:
        names = sorted(filter(None, self._known))[:_MOST_SHOWN]
        said = f"the issuer is another: iss is {issuer[:_LONGEST]!r}"
        bare = issuer.removesuffix("/")
        for near in self._known & {bare, f"{bare}/"}:
            return f"{said}, expected {near!r}: they differ by a slash at the end"

        return f"{said}, expected {' or '.join(map(repr, names)) or 'none'}"


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
