"""One credential, as it came on the wire: a value, and the ways to make it.

It reads nothing and verifies nothing.
"""

from __future__ import annotations

from typing import NamedTuple

from asgi_auth.errors import AuthError, InvalidRequestError, InvalidTokenError

__all__ = [
    "AMBIGUOUS",
    "LARGEST_TOKEN",
    "MAX_TOKEN",
    "Credential",
    "Offer",
    "checked",
    "in_header",
    "in_query",
    "malformed",
    "too_long",
    "unfold",
]

MAX_TOKEN = 8192
"""Longest credential that is looked at, in bytes, unless a source allows more."""

LARGEST_TOKEN = 65_536
"""Most that a source may allow, as long as all the headers that servers take."""

AMBIGUOUS = 2
"""With a second credential the verdict is clear, however many more there are."""

_new = tuple.__new__
"""Makes a named tuple without a call into Python."""


class Offer(NamedTuple):
    """The subprotocols of a handshake once the token is taken out.

    Attributes:
        names: What the app may still choose from.
        answer: What to name if the app names none: browsers fail a socket whose
            offer gets no answer. ``None`` where nothing is left to name.
    """

    names: list[str]
    answer: str | None


class Credential(NamedTuple):
    """What came on the wire, and how.

    Attributes:
        token: The raw bytes; never shown. Empty where *error* is set.
        source: ``header``, ``cookie``, ``query``, ``ticket`` or ``subprotocol``.
        explicit: The client chose to send it; a cookie is sent by the browser alone.
        scheme: The lower-case scheme of an Authorization header, the lower-case name
            of a header of its own, ``ticket`` for a ticket, else ``bearer``.
        error: Why it cannot even be looked at.
        offer: What is left of the subprotocols, if it came among them.
        name: Of the cookie or the query parameter.
    """

    token: bytes
    source: str
    explicit: bool = True
    scheme: str = "bearer"
    error: AuthError | None = None
    offer: Offer | None = None
    name: str = ""

    @property
    def way(self) -> tuple[str, str]:
        """What the source that it came from calls its ``way``."""
        return self.source, self.name or self.scheme

    def __repr__(self) -> str:
        """Leave the token out."""
        return f"Credential(source={self.source!r}, scheme={self.scheme!r})"

    def __sentry_repr__(self) -> str:
        """Have Sentry write no more than that; it would take the tuple apart."""
        return repr(self)


def unfold(token: Credential | bytes | None) -> Credential | None:
    """Return the credential that a plain ``Authorization: Bearer`` stands for."""
    if isinstance(token, bytes):
        return _new(Credential, (token, "header", True, "bearer", None, None, ""))

    return token


def in_header(token: bytes, scheme: str) -> Credential:
    """Return the credential that *token* is after *scheme* in its header."""
    return _new(Credential, (token, "header", True, scheme, None, None, ""))


def in_query(token: bytes, name: str) -> Credential:
    """Return the credential that *token* is in the query parameter *name*."""
    return _new(Credential, (token, "query", True, "bearer", None, None, name))


def malformed(source: str, why: str, *, explicit: bool = True) -> Credential:
    """Return what cannot be made out."""
    return Credential(b"", source, explicit, error=InvalidRequestError(why))


def too_long(source: str, *, explicit: bool = True) -> Credential:
    """Return what is longer than anything that we would take."""
    return Credential(b"", source, explicit, error=InvalidTokenError("too long"))


def checked(credential: Credential, longest: int = MAX_TOKEN) -> Credential:
    """Return *credential*, without its token if that is too long."""
    if len(credential.token) <= longest:
        return credential

    return credential._replace(token=b"", error=InvalidTokenError("too long"))
