"""Find the caller's credential in a query, and blank it out (RFC 6750, section 2.3).

No access log gets a token that was read here. It verifies nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from urllib.parse import unquote_to_bytes

from asgi_auth._asgi import Scope
from asgi_auth.credentials.credential import (
    AMBIGUOUS,
    MAX_TOKEN,
    Credential,
    checked,
    in_query,
    too_long,
)
from asgi_auth.credentials.sources import QueryParam, Ticket

__all__ = ["from_query", "only_query"]

_AND, _PERCENT = b"&%"

_LAST_EVENT_ID = re.compile(rb"(?<![^&])last-event-id=([^&]*)")
_CONTROLS = re.compile(rb"[\x00-\x1f\x7f]")


def only_query(scope: Scope, name: str, prefix: bytes) -> Credential | None:
    """Read a query with one plain token and nothing else: many times faster."""
    query: bytes = scope.get("query_string") or b""
    token = query[len(prefix) :]
    plain = token and len(token) <= MAX_TOKEN and _AND not in token
    if not plain or _PERCENT in token or not query.startswith(prefix):
        return None

    scope["query_string"] = prefix
    return in_query(token, name)


def from_query(
    scope: Scope, sources: Sequence[tuple[QueryParam, re.Pattern[bytes]]]
) -> list[Credential]:
    """Return the credentials in a query, two at most of each source; blank them out."""
    query = scope["query_string"]
    credentials: list[Credential] = []
    for source, pattern in sources:
        # An empty one is what an outer middleware has left of its own.
        values = (match[1] for match in pattern.finditer(query) if match[1])
        some = islice(values, AMBIGUOUS)
        credentials += [_from_query_value(value, source) for value in some]
        query = pattern.sub(source.name.encode("ascii") + b"=", query)

        if credentials and type(source) is Ticket and scope["type"] == "http":
            query = _with_last_event_id(scope, query)

    scope["query_string"] = query
    return credentials


def _with_last_event_id(scope: Scope, query: bytes) -> bytes:
    """Put the id that stands beside a ticket where the application looks for it.

    ``EventSource`` sends the header by itself, but always to the address that it was
    made with, whose ticket is spent: a new one has no other place for it.
    """
    match = _LAST_EVENT_ID.search(query)
    if match is None:
        return query

    value = unquote_to_bytes(match[1])
    if _CONTROLS.search(value) is None and len(value) <= MAX_TOKEN:
        scope["headers"] = [*scope["headers"], (b"last-event-id", value)]

    return query[: match.start()].rstrip(b"&") + query[match.end() :]


def _from_query_value(token: bytes, source: QueryParam) -> Credential:
    kind, name = source.way
    if len(token) > 3 * MAX_TOKEN:
        return too_long(kind)._replace(name=name)

    scheme = "ticket" if type(source) is Ticket else "bearer"
    token = unquote_to_bytes(token)
    return checked(Credential(token, kind, scheme=scheme, name=name))
