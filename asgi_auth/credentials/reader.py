"""Find the caller's credential: one look over the raw headers.

This module reads; it never verifies. RFC 6750 section 2, RFC 6265 section 5.4.
What is ambiguous is refused rather than guessed at, and tokens that came in the
query are blanked out, so that no access log gets them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from asgi_auth._asgi import Scope
from asgi_auth.credentials.cookies import from_cookies
from asgi_auth.credentials.credential import (
    AMBIGUOUS,
    MAX_TOKEN,
    Credential,
    Offer,
    checked,
    in_header,
    malformed,
    too_long,
    unfold,
)
from asgi_auth.credentials.queries import from_query, only_query
from asgi_auth.credentials.sources import (
    BearerHeader,
    Cookie,
    Header,
    QueryParam,
    Source,
    Subprotocol,
)
from asgi_auth.credentials.subprotocols import from_subprotocols
from asgi_auth.errors import ConfigurationError, InvalidRequestError

__all__ = ["MAX_TOKEN", "Credential", "CredentialReader", "Look", "Offer", "unfold"]

_BEARER = b"Bearer "
# A JWT that a library has made begins with "ey", as its header does with a brace. What
# does lies between these two, the first included: that is found out faster than by
# startswith.
_JWTS = b"Bearer ey", b"Bearer ez"
_NOTHING = b"", b""
# Known by its identity: it stands for more than one value.
_REPEATED = b"more than one"

Look = Callable[[Scope], Credential | bytes | None]
"""Reads the credential of a scope; bytes are a plain bearer token of a header."""


class CredentialReader:
    """Reads the one credential of a request from a fixed choice of sources.

    Args:
        sources: Where to look; their order matters between cookies only.

    Raises:
        ConfigurationError: A source is named twice.
    """

    __slots__ = (
        "_ambient",
        "_cookies",
        "_fields",
        "_longest",
        "_looks",
        "_queries",
        "_schemes",
        "_subprotocol",
    )

    def __init__(self, sources: Sequence[Source]) -> None:
        if len(set(sources)) != len(sources):
            msg = "A source is named twice: name each once."
            raise ConfigurationError(msg)

        fields = [s for s in sources if isinstance(s, BearerHeader | Header)]
        self._schemes = {
            s.scheme.lower().encode("ascii"): s.scheme.lower()
            for s in sources
            if isinstance(s, BearerHeader)
        }
        self._longest = {
            way: max(s.max_token for s in fields if s.way == way)
            for way in {s.way for s in fields}
        }
        self._cookies = [
            (s.name, s.pattern()) for s in sources if isinstance(s, Cookie)
        ]
        queries = [s for s in sources if isinstance(s, QueryParam)]
        self._queries = {
            "http": [(s, s.pattern()) for s in queries if s.http],
            "websocket": [(s, s.pattern()) for s in queries],
        }
        self._subprotocol = any(isinstance(s, Subprotocol) for s in sources)
        named = [s for s in sources if isinstance(s, Header)]
        self._fields = {_field(s) for s in named if not s.ambient}
        # What is named in both ways is there on purpose.
        self._ambient = {_field(s) for s in named} - self._fields
        self._looks = {kind: self._make_look(kind) for kind in self._queries}

    def read(self, scope: Scope) -> Credential | None:
        """Return the credential, or ``None``; blank out the query's in *scope*.

        Nothing that a client sends makes this raise: what cannot be used comes back
        with its ``error`` set.
        """
        return unfold(self._looks[scope["type"]](scope))

    def looker(self, kind: Literal["http", "websocket"]) -> Look:
        """Return what reads scopes of one type, as :meth:`read` does.

        But a plain token in ``Authorization: Bearer`` it leaves as its bytes: nearly
        all requests bring one, and nothing else need be known of it.
        """
        return self._looks[kind]

    def _make_look(self, kind: str) -> Look:  # noqa: C901  (one way, for its time)
        """Make a closure: attributes of ``self`` would show in each request's time."""
        queries = self._queries[kind]
        protocols = self._subprotocol and kind == "websocket"
        further = bool(queries or self._fields) or protocols
        # Tickets are new each time: nothing is gained by being quick with them.
        sole = queries[0][0] if len(queries) == 1 and not self._fields else None
        only = sole.name if type(sole) is QueryParam else None
        prefix = f"{only}=".encode("ascii")
        takes_header, takes_cookies = bool(self._schemes), bool(self._cookies)
        takes_ambient = bool(self._ambient)
        is_plain = b"bearer" in self._schemes and not self._fields
        first, past = _JWTS if is_plain else _NOTHING
        longest = self._longest.get(("header", "bearer"), MAX_TOKEN) + len(_BEARER)

        def look(scope: Scope) -> Credential | bytes | None:  # noqa: C901  (as above)
            authorization: bytes | None = None
            headers = scope["headers"]
            if headers.__class__ is not list:
                # ASGI's headers, and each pair, may be such as can be read once only.
                headers = scope["headers"] = [(n, v) for n, v in headers]

            # All the headers are looked at: a second one must not go unseen.
            for name, value in headers:
                # Comparing lengths first spares most names the change of case.
                if len(name) != 13:  # noqa: PLR2004
                    continue

                if name == b"authorization" or name.lower() == b"authorization":
                    authorization = value if authorization is None else _REPEATED

            credential: Credential | None = None
            if authorization is not None:
                if (
                    first <= authorization < past
                    and len(authorization) <= longest
                    and not (
                        further
                        and (scope.get("query_string") or scope.get("subprotocols"))
                    )
                ):
                    return authorization.removeprefix(_BEARER)

                if takes_header:
                    credential = self._from_authorization(authorization)

            if further:
                if (
                    only is not None
                    and credential is None
                    and not scope.get("subprotocols")
                ):
                    credential = only_query(scope, only, prefix)
                    if credential is not None:
                        return credential

                credential = _one_of(credential, self._from_elsewhere(scope))

            if credential is None and takes_ambient:
                credential = self._from_ambient(scope)

            if credential is None and takes_cookies:
                return from_cookies(scope["headers"], self._cookies)

            return credential

        return look

    def _from_authorization(self, authorization: bytes) -> Credential | None:
        """Take apart what is not spelled as nearly everybody spells it."""
        if authorization is _REPEATED:
            return malformed("header", "two Authorization headers")

        # The scheme is looked at first, so that a long value is not copied.
        scheme = authorization[:64].partition(b" ")[0]
        name = self._schemes.get(scheme.lower())
        if name is None:
            words = scheme.split(None, 1)
            ours = bool(words) and words[0].lower() in self._schemes
            return malformed("header", "no single space") if ours else None

        longest = self._longest["header", name]
        if len(authorization) > longest + 64:
            return too_long("header")

        token = authorization[len(scheme) + 1 :].lstrip(b" ")
        if not token or b" " in token:
            return malformed("header", "not one token")

        return checked(in_header(token, name), longest)

    def _from_elsewhere(self, scope: Scope) -> list[Credential]:
        credentials: list[Credential] = []
        if scope.get("query_string") and self._queries[scope["type"]]:
            credentials += from_query(scope, self._queries[scope["type"]])

        if self._subprotocol and scope.get("subprotocols"):
            credentials += from_subprotocols(scope["subprotocols"])

        if self._fields:
            for name, value in scope["headers"]:
                if name.lower() in self._fields and len(credentials) < AMBIGUOUS:
                    credentials.append(
                        self._from_field(name.lower(), value.strip(b" \t"))
                    )

        return credentials

    def _from_field(self, name: bytes, token: bytes) -> Credential:
        if not token or b" " in token:
            return malformed("header", "not one key")

        credential = Credential(token, "header", scheme=name.decode("ascii"))
        return checked(credential, self._longest[credential.way])

    def _from_ambient(self, scope: Scope) -> Credential | None:
        """Read what a proxy adds to each request, whoever has made it."""
        values = [
            (name.lower(), value.strip(b" \t"))
            for name, value in scope["headers"]
            if name.lower() in self._ambient
        ]
        if not values:
            return None

        if len(values) > 1:
            return malformed("header", "more than one assertion", explicit=False)

        return self._from_field(*values[0])._replace(explicit=False)


def _field(source: Header) -> bytes:
    return source.name.lower().encode("ascii")


def _one_of(first: Credential | None, others: list[Credential]) -> Credential | None:
    credentials = others if first is None else [first, *others]
    if len(credentials) < 2:  # noqa: PLR2004
        return credentials[0] if credentials else None

    # RFC 6750, section 2: clients must not use more than one method.
    offers = [c.offer for c in credentials if c.offer is not None]
    error = InvalidRequestError("more than one credential")
    return credentials[0]._replace(
        token=b"", error=error, offer=next(iter(offers), None)
    )
