"""In which form an issuer writes its tokens, where that is not the usual one.

It says what is taken; :mod:`asgi_auth.tokens.codec` takes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from asgi_auth._frozen import FrozenDict
from asgi_auth.credentials.credential import MAX_TOKEN
from asgi_auth.credentials.sources import check_longest
from asgi_auth.errors import ConfigurationError, InvalidTokenError
from asgi_auth.tokens.claims import is_plain_text

__all__ = ["COMPACT", "TokenForm", "unpadded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenForm:
    """How the tokens of an issuer look.

    Attributes:
        max_token: Longest token, in bytes.
        padded: Whether ``=`` may end the segments, which RFC 7515, section 2, forbids.
        header_says: Members of the header that must be there with this very value.
        profile: ``rfc9068`` takes nothing but tokens of that form: with ``typ`` and
            all claims that it demands.
        kind: ``access``, or the exact value of their ``type`` claim.

    Raises:
        ConfigurationError: ``max_token`` is out of bounds, *profile* another word, or
            *kind* no text.
    """

    max_token: int = MAX_TOKEN
    padded: bool = False
    header_says: Mapping[str, str] = field(default_factory=dict)
    profile: Literal["rfc9068"] | None = None
    kind: str = "access"

    def __post_init__(self) -> None:
        """Refuse a limit that no server would let be reached, and unknown profiles."""
        check_longest(self.max_token)
        if self.profile not in {None, "rfc9068"}:
            msg = f"profile must be rfc9068 or None, not {self.profile!r}."
            raise ConfigurationError(msg)

        if not is_plain_text(self.kind):
            msg = "kind must be access, or what the tokens say in type."
            raise ConfigurationError(msg)

    def check(self, header: FrozenDict) -> None:
        """Check that a header says what it must.

        Raises:
            InvalidTokenError: A member is missing or another.
        """
        for name, value in self.header_says.items():
            if header.get(name) != value:
                msg = f"the header has another {name}"
                raise InvalidTokenError(msg)


COMPACT = TokenForm()
"""The usual form (RFC 7515, section 3.1)."""


def unpadded(segment: bytes) -> bytes:
    """Return base64url without the padding that makes it whole (RFC 4648, section 4).

    Padding of another length stays, for whoever decodes it to refuse.
    """
    return (
        segment if len(segment) % 4 else segment.removesuffix(b"=").removesuffix(b"=")
    )
