"""Find the caller's credential: one look over the raw headers.

This room reads; it never verifies. RFC 6750 section 2, RFC 6265 section 5.4.
What is ambiguous is refused rather than guessed at, and tokens that came in the
query are blanked out, so that no access log gets them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from asgi_auth._asgi import Scope
from asgi_auth._encoding import b64url_decode
from asgi_auth.errors import (
    AuthError,
    ConfigurationError,
    InvalidRequestError,
    InvalidTokenError,
)
from asgi_auth.sources import BearerHeader, Cookie, QueryParam, Source, Subprotocol

__all__ = [
    "MAX_TOKEN",
    "Credential",
    "CredentialReader",
    "Offer",
]

MAX_TOKEN = 8192
"""Longest credential that is looked at, in bytes."""

_KUBERNETES = (
    "base64url.bearer.authorization.k8s.io.",
    "base64url.bearer.authorization.",
)


_new = tuple.__new__
"""Makes a named tuple without a call into Python."""


class Offer(NamedTuple):
    """The subprotocols of a handshake once the token is taken out.

    Attributes:
        names: What the app may still choose from.
        answer: What to name if the app names none: browsers fail a socket whose
            offer gets no answer.
    """

    names: list[str]
    answer: str


class Credential(NamedTuple):
    """What came on the wire, and how.

    Attributes:
        token: The raw bytes; never shown. Empty where *error* is set.
        source: ``header``, ``cookie``, ``query`` or ``subprotocol``.
        explicit: The client chose to send it; a cookie is sent by the browser alone.
        scheme: The lower-case scheme of an Authorization header, else ``bearer``.
        error: Why it cannot even be looked at.
        offer: What is left of the subprotocols, if it came among them.
    """

    token: bytes
    source: str
    explicit: bool = True
    scheme: str = "bearer"
    error: AuthError | None = None
    offer: Offer | None = None

    def __repr__(self) -> str:
        """Leave the token out."""
        return f"Credential(source={self.source!r}, scheme={self.scheme!r})"


class CredentialReader:
    """Reads the one credential of a request from a fixed choice of sources.

    Args:
        sources: Where to look; their order matters between cookies only.

    Raises:
        ConfigurationError: A source is named twice.
    """

    __slots__ = (
        "_cookies",
        "_looks_further",
        "_queries",
        "_schemes",
        "_subprotocol",
        "_takes_bearer",
    )

    def __init__(self, sources: Sequence[Source]) -> None:
        if len(set(sources)) != len(sources):
            msg = "A source is named twice: name each once."
            raise ConfigurationError(msg)

        self._schemes = {
            s.scheme.lower().encode("ascii"): s.scheme.lower()
            for s in sources
            if isinstance(s, BearerHeader)
        }
        self._takes_bearer = b"bearer" in self._schemes
        self._cookies = [_cookie_pattern(s) for s in sources if isinstance(s, Cookie)]
        queries = [s for s in sources if isinstance(s, QueryParam)]
        self._queries = {
            "http": [_query_pattern(s) for s in queries if s.http],
            "websocket": [_query_pattern(s) for s in queries],
        }
        self._subprotocol = any(isinstance(s, Subprotocol) for s in sources)
        self._looks_further = bool(queries) or self._subprotocol

    def read(self, scope: Scope) -> Credential | None:
        """Return the credential, or ``None``; blank out the query's in *scope*.

        Nothing that a client sends makes this raise: what cannot be used comes back
        with its ``error`` set.
        """
        authorization = cookies = None
        repeated = False
        # All the headers are looked at: a second Authorization must not go unseen.
        for name, value in scope["headers"]:
            # Comparing lengths first spares most names the change of case.
            length = len(name)
            if length == 13 and name.lower() == b"authorization":  # noqa: PLR2004
                repeated = authorization is not None
                authorization = value
            elif length == 6 and name.lower() == b"cookie":  # noqa: PLR2004
                # HTTP/2 may split cookies over fields (RFC 9113, section 8.2.3).
                cookies = value if cookies is None else cookies + b"; " + value

        found = None
        if authorization is not None and self._schemes:
            token = authorization[7:]
            if (
                authorization[:7] == b"Bearer "
                and token[:1] > b" "
                and len(token) <= MAX_TOKEN
                and self._takes_bearer
                and not repeated
            ):
                found = _new(Credential, (token, "header", True, "bearer", None, None))
            else:
                found = self._from_authorization(authorization, repeated=repeated)

        if self._looks_further:
            found = _one_of(found, self._from_elsewhere(scope))

        if found is None and cookies is not None:
            return self._from_cookies(cookies)

        return found

    def _from_authorization(self, value: bytes, *, repeated: bool) -> Credential | None:
        """Take apart what is not spelled as nearly everybody spells it."""
        if repeated:
            return _malformed("header", "two Authorization headers")

        # The scheme is looked at first, so that a long value is not copied.
        scheme, _, token = value[: MAX_TOKEN + 64].partition(b" ")
        name = self._schemes.get(scheme.lower())
        if name is None:
            words = scheme.split(None, 1)
            ours = bool(words) and words[0].lower() in self._schemes
            return _malformed("header", "no single space") if ours else None

        token = token.lstrip(b" ")
        if not token or b" " in token:
            return _malformed("header", "not one token")

        return _checked(Credential(token, "header", scheme=name))

    def _from_elsewhere(self, scope: Scope) -> list[Credential]:
        found: list[Credential] = []
        if scope.get("query_string") and self._queries[scope["type"]]:
            found += self._from_query(scope)

        if self._subprotocol and scope.get("subprotocols"):
            found += _from_subprotocols(scope["subprotocols"])

        return found

    def _from_query(self, scope: Scope) -> list[Credential]:
        query = scope["query_string"]
        values: list[bytes] = []
        for pattern in self._queries[scope["type"]]:
            values += pattern.findall(query)
            query = pattern.sub(_blank, query)

        scope["query_string"] = query
        return [_from_query_value(value) for value in values]

    def _from_cookies(self, cookies: bytes) -> Credential | None:
        for pattern in self._cookies:
            values = [v for v in map(_unquote, pattern.findall(cookies)) if v]
            if len(values) > 1:
                return _malformed("cookie", "two cookies of one name", explicit=False)

            if values:
                return _checked(Credential(values[0], "cookie", explicit=False))

        return None


def _one_of(first: Credential | None, others: list[Credential]) -> Credential | None:
    found = others if first is None else [first, *others]
    if len(found) < 2:  # noqa: PLR2004
        return found[0] if found else None

    # RFC 6750, section 2: clients must not use more than one method.
    offers = [c.offer for c in found if c.offer is not None]
    error = InvalidRequestError("more than one credential")
    return found[0]._replace(token=b"", error=error, offer=next(iter(offers), None))


def _malformed(source: str, why: str, *, explicit: bool = True) -> Credential:
    return Credential(b"", source, explicit, error=InvalidRequestError(why))


def _too_long(source: str, *, explicit: bool = True) -> Credential:
    return Credential(b"", source, explicit, error=InvalidTokenError("too long"))


def _checked(credential: Credential) -> Credential:
    if len(credential.token) <= MAX_TOKEN:
        return credential

    return _too_long(credential.source, explicit=credential.explicit)


def _cookie_pattern(cookie: Cookie) -> re.Pattern[bytes]:
    name = re.escape(cookie.name.encode("ascii"))
    return re.compile(rb"(?:^|;)[ \t]*" + name + rb"[ \t]*=[ \t]*([^;]*)")


def _query_pattern(query: QueryParam) -> re.Pattern[bytes]:
    name = re.escape(query.name.encode("ascii"))
    return re.compile(rb"(?<![^&])" + name + rb"=([^&]*)")


def _blank(match: re.Match[bytes]) -> bytes:
    return match[0][: match.start(1) - match.start()]


def _unquote(value: bytes) -> bytes:
    value = value.rstrip(b" \t")
    quoted = len(value) > 1 and value[:1] == value[-1:] == b'"'
    return value[1:-1] if quoted else value


def _from_query_value(value: bytes) -> Credential:
    if len(value) > 3 * MAX_TOKEN:
        return _too_long("query")

    token = unquote_to_bytes(value)
    if not token:
        return _malformed("query", "an empty token")

    return _checked(Credential(token, "query"))


def _from_subprotocols(names: Sequence[str]) -> list[Credential]:
    """Take tokens out of *names*; what holds one is never echoed."""
    found: list[Credential] = []
    rest: list[str] = []
    answer = ""
    waiting = iter(names)
    for name in waiting:
        prefix = next((p for p in _KUBERNETES if name.startswith(p)), None)
        if name.lower() == "bearer":
            answer = name
            found.append(_from_text(next(waiting, "")))
        elif prefix is not None:
            found.append(_from_kubernetes(name[len(prefix) :]))
        else:
            rest.append(name)

    if not found:
        return []

    if not answer and not rest:
        return [_malformed("subprotocol", "no protocol beside the token")]

    offer = Offer(rest, answer or rest[0])
    return [credential._replace(offer=offer) for credential in found]


def _from_text(token: str) -> Credential:
    if not token or not token.isascii():
        return _malformed("subprotocol", "no token after bearer")

    return _checked(Credential(token.encode("ascii"), "subprotocol"))


def _from_kubernetes(encoded: str) -> Credential:
    if len(encoded) > 2 * MAX_TOKEN:
        return _too_long("subprotocol")

    try:
        token = b64url_decode(encoded.encode("ascii"))
    except ValueError:
        return _malformed("subprotocol", "not base64url")

    if not token:
        return _malformed("subprotocol", "an empty token")

    return _checked(Credential(token, "subprotocol"))
