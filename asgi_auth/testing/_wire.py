"""Put a stand-in for a credential where an application looks for one.

It opens nothing: to every verifier it is a malformed token.
"""

from __future__ import annotations

from collections.abc import Sequence

from asgi_auth._asgi import Headers, Scope
from asgi_auth.credentials.sources import (
    BearerHeader,
    Cookie,
    Header,
    QueryParam,
    Source,
    WholeScope,
)

__all__ = ["STAND_IN", "send"]

STAND_IN = "as-user"


def send(scope: Scope, sources: Sequence[Source]) -> str | None:
    """Add the stand-in to *scope*, in place of what it holds of this kind.

    Returns:
        The ``source`` of what was added; ``None`` where no client could send any.
    """
    source = _choose(sources, scope["type"])
    if source is None:
        return None

    if isinstance(source, BearerHeader):
        _set_header(scope, "authorization", f"{source.scheme} {STAND_IN}")
    elif isinstance(source, Header):
        _set_header(scope, source.name, STAND_IN)
    elif isinstance(source, Cookie):
        _set_cookie(scope, source.name)
    elif isinstance(source, QueryParam):
        pair = f"{source.name}={STAND_IN}".encode("ascii")
        query = source.pattern().sub(b"", scope.get("query_string", b""))
        scope["query_string"] = b"&".join(filter(None, (query, pair)))
    else:
        scope["subprotocols"] = ["bearer", STAND_IN, *scope.get("subprotocols", ())]

    return source.way[0]


def _choose(sources: Sequence[Source], kind: str) -> Source | None:
    """Return a source that serves here: a header, if there is one."""
    own_sources = [source for source in sources if not isinstance(source, WholeScope)]
    usable = [
        source for source in own_sources if kind == "websocket" or _by_http(source)
    ]
    headers = [source for source in usable if isinstance(source, BearerHeader | Header)]
    return next(iter([*headers, *usable]), None)


def _by_http(source: Source) -> bool:
    if isinstance(source, QueryParam):
        return source.http

    return isinstance(source, BearerHeader | Header | Cookie)


def _set_header(scope: Scope, name: str, value: str) -> None:
    raw = name.lower().encode("ascii")
    rest: Headers = [(n, v) for n, v in scope["headers"] if n.lower() != raw]
    scope["headers"] = [*rest, (raw, value.encode("latin-1"))]


def _set_cookie(scope: Scope, name: str) -> None:
    values = [v for n, v in scope["headers"] if n.lower() == b"cookie"]
    pairs = [pair.strip() for pair in b";".join(values).split(b";")]
    raw = name.encode("ascii")
    others = [pair for pair in pairs if pair and pair.partition(b"=")[0].strip() != raw]
    others.append(raw + b"=" + STAND_IN.encode("ascii"))
    _set_header(scope, "cookie", b"; ".join(others).decode("latin-1"))
