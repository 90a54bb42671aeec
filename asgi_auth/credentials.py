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

from asgi_auth._asgi import Headers, Scope
from asgi_auth._encoding import b64url_decode
from asgi_auth.errors import (
    AuthError,
    ConfigurationError,
    InvalidRequestError,
    InvalidTokenError,
)
from asgi_auth.sources import (
    BearerHeader,
    Cookie,
    Header,
    QueryParam,
    Source,
    Subprotocol,
    unquote,
)

__all__ = ["MAX_TOKEN", "Credential", "CredentialReader", "Offer"]

MAX_TOKEN = 8192
"""Longest credential that is looked at, in bytes."""

_KUBE = "base64url.bearer.authorization."
_KUBERNETES = (f"{_KUBE}k8s.io.", _KUBE)

_SHORTEST = len(b"Bearer x")
_LONGEST = len(b"Bearer ") + MAX_TOKEN
_SPACE = 32

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
        source: ``header``, ``cookie``, ``query`` or ``subprotocol``.
        explicit: The client chose to send it; a cookie is sent by the browser alone.
        scheme: The lower-case scheme of an Authorization header, the lower-case name
            of a header of its own, else ``bearer``.
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


class CredentialReader:
    """Reads the one credential of a request from a fixed choice of sources.

    Args:
        sources: Where to look; their order matters between cookies only.

    Raises:
        ConfigurationError: A source is named twice.
    """

    __slots__ = (
        "_cookies",
        "_fields",
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
        self._cookies = [
            (s.name, s.pattern()) for s in sources if isinstance(s, Cookie)
        ]
        queries = [s for s in sources if isinstance(s, QueryParam)]
        self._queries = {
            "http": [(s.name, s.pattern()) for s in queries if s.http],
            "websocket": [(s.name, s.pattern()) for s in queries],
        }
        self._subprotocol = any(isinstance(s, Subprotocol) for s in sources)
        self._fields = {
            s.name.lower().encode("ascii") for s in sources if isinstance(s, Header)
        }
        self._looks_further = bool(queries or self._fields) or self._subprotocol

    def read(self, scope: Scope) -> Credential | None:
        """Return the credential, or ``None``; blank out the query's in *scope*.

        Nothing that a client sends makes this raise: what cannot be used comes back
        with its ``error`` set.
        """
        authorization = found = None
        repeated = False
        # All the headers are looked at: a second Authorization must not go unseen.
        for name, value in scope["headers"]:
            # Comparing lengths first spares most names the change of case.
            if len(name) == 13 and name.lower() == b"authorization":  # noqa: PLR2004
                repeated = authorization is not None
                authorization = value

        if authorization is not None and self._schemes:
            if (
                authorization.startswith(b"Bearer ")
                and _SHORTEST <= len(authorization) <= _LONGEST
                and authorization[7] > _SPACE
                and self._takes_bearer
                and not repeated
            ):
                token = authorization[7:]
                found = _new(
                    Credential, (token, "header", True, "bearer", None, None, "")
                )
            else:
                found = self._from_authorization(authorization, repeated=repeated)

        if self._looks_further:
            found = _one_of(found, self._from_elsewhere(scope))

        if found is None and self._cookies:
            return self._from_cookies(_cookies_in(scope["headers"]))

        return found

    def _from_authorization(self, value: bytes, *, repeated: bool) -> Credential | None:
        """Take apart what is not spelled as nearly everybody spells it."""
        if repeated:
            return _malformed("header", "two Authorization headers")

        # The scheme is looked at first, so that a long value is not copied.
        scheme = value[:64].partition(b" ")[0]
        name = self._schemes.get(scheme.lower())
        if name is None:
            words = scheme.split(None, 1)
            ours = bool(words) and words[0].lower() in self._schemes
            return _malformed("header", "no single space") if ours else None

        if len(value) > MAX_TOKEN + 64:
            return _too_long("header")

        token = value[len(scheme) + 1 :].lstrip(b" ")
        if not token or b" " in token:
            return _malformed("header", "not one token")

        return _checked(Credential(token, "header", scheme=name))

    def _from_elsewhere(self, scope: Scope) -> list[Credential]:
        found: list[Credential] = []
        if scope.get("query_string") and self._queries[scope["type"]]:
            found += self._from_query(scope)

        if self._subprotocol and scope.get("subprotocols"):
            found += _from_subprotocols(scope["subprotocols"])

        if self._fields:
            for name, value in scope["headers"]:
                if name.lower() in self._fields:
                    found.append(_from_field(name.lower(), value.strip(b" \t")))

        return found

    def _from_query(self, scope: Scope) -> list[Credential]:
        query = scope["query_string"]
        found: list[Credential] = []
        for name, pattern in self._queries[scope["type"]]:
            # An empty one is what an outer middleware has left of its own.
            values = filter(None, pattern.findall(query))
            found += [_from_query_value(value)._replace(name=name) for value in values]
            query = pattern.sub(_blank, query)

        scope["query_string"] = query
        return found

    def _from_cookies(self, cookies: bytes) -> Credential | None:
        for name, pattern in self._cookies:
            values = [v for v in map(unquote, pattern.findall(cookies)) if v]
            if len(values) > 1:
                return _malformed("cookie", "two cookies of one name", explicit=False)

            if values:
                found = Credential(values[0], "cookie", explicit=False, name=name)
                return _checked(found)

        return None


def _cookies_in(headers: Headers) -> bytes:
    # HTTP/2 may split cookies over fields (RFC 9113, section 8.2.3).
    return b"; ".join([v for name, v in headers if name.lower() == b"cookie"])


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

    return credential._replace(token=b"", error=InvalidTokenError("too long"))


def _blank(match: re.Match[bytes]) -> bytes:
    return match[0][: match.start(1) - match.start()]


def _from_field(name: bytes, value: bytes) -> Credential:
    if not value or b" " in value:
        return _malformed("header", "not one key")

    return _checked(Credential(value, "header", scheme=name.decode("ascii")))


def _from_query_value(value: bytes) -> Credential:
    if len(value) > 3 * MAX_TOKEN:
        return _too_long("query")

    return _checked(Credential(unquote_to_bytes(value), "query"))


def _from_subprotocols(names: Sequence[str]) -> list[Credential]:
    """Take tokens out of *names*; what holds one is never echoed."""
    found: list[Credential] = []
    rest: list[str] = []
    answer: str | None = None
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

    offer = Offer(rest, answer or next(iter(rest), None))
    if offer.answer is None:
        found = [_malformed("subprotocol", "no protocol beside the token")]

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
