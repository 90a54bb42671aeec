"""Recognise a credential that came where the backend that it is for does not read it.

An API key after ``Bearer``, where keys are read from a header of their own, is the
commonest. Shapes are all that is looked at: nothing is verified, and nothing accepted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from asgi_auth._contract import claims_of, members_of
from asgi_auth._logs import package_logger
from asgi_auth.credentials.reader import MAX_TOKEN, Credential
from asgi_auth.credentials.sources import (
    BearerHeader,
    Cookie,
    Header,
    QueryParam,
    Source,
)
from asgi_auth.typing import Backend

__all__ = ["MisplacedCredentials", "credential_from"]

_logger = package_logger(__name__)

_READ: Final = {BearerHeader, Cookie, Header, QueryParam}
_AUTHORIZATION: Final = b"authorization"
_FIELDS: Final = {_AUTHORIZATION, b"x-api-key"}
"""Where clients put what they have, if they do not know where it belongs."""

_SCHEMES: Final = {b"bearer": "Bearer", b"apikey": "ApiKey", b"token": "Token"}
"""Those that may be repeated: in place of another there may be the key itself."""

_LENGTHS: Final = {*map(len, _FIELDS)}
_ANYTHING: Final = b"-"
"""A backend that takes this for its own takes everything: shapes say nothing there."""


class MisplacedCredentials:
    """Says where a credential belongs, by its shape, and warns of each case once.

    There are as many cases as backends have sources, times the few places where a
    credential is looked for.

    Args:
        backend: What callers are identified by, or a chain.
    """

    __slots__ = ("_names", "_places", "_warned")

    def __init__(self, backend: Backend) -> None:
        self._warned: set[str] = set()
        self._names = {source.way: _name_of(source) for source in backend.sources}
        self._places = [
            (member.name, claims, source)
            for member in members_of(backend)
            if (claims := claims_of(member)) is not None
            for source in member.sources
            if type(source) in _READ
        ]

    def note(self, credential: Credential) -> str:
        """Return where a credential belongs that nobody claims; else an empty text."""
        place = self._names.get(credential.way, credential.source)
        return self._note(credential, place)

    def note_unread(self, scope: Mapping[str, Any]) -> str:
        """Return where that belongs which came with a request, and was not read."""
        for name, value in scope.get("headers", ()):
            if len(name) in _LENGTHS and name.lower() in _FIELDS:
                hint = self._note(*_unread(name.lower(), value))
                if hint:
                    return hint

        return ""

    def _note(self, credential: Credential, place: str) -> str:
        if len(credential.token) > MAX_TOKEN:
            return ""

        for backend, claims, source in self._places:
            there = credential_from(source, credential.token)
            if there.way == credential.way or not claims(there):
                continue

            if not claims(there._replace(token=_ANYTHING)):
                own = _name_of(source)
                hint = f"it looks like one for backend {backend!r}, which reads {own}"
                return self._warn(f"{hint}, and it came in {place}")

        return ""

    def _warn(self, hint: str) -> str:
        if hint not in self._warned:
            self._warned.add(hint)
            _logger.warning("a credential is refused: %s", hint)

        return hint


def credential_from(source: Source, token: bytes) -> Credential:
    """Return what *token* would be, had it come from *source*."""
    kind, name = source.way
    is_header = kind == "header"
    return Credential(
        token,
        kind,
        # What only a browser sends by itself would be checked for its page.
        explicit=True,
        scheme=name if is_header else "bearer",
        name="" if is_header else name,
    )


def _name_of(source: Source) -> str:
    if isinstance(source, BearerHeader):
        return f"Authorization: {source.scheme}"

    return source.name if isinstance(source, Header) else " ".join(source.way)


def _unread(field: bytes, value: bytes) -> tuple[Credential, str]:
    """Return what stands in a header, and the name of that place."""
    if field != _AUTHORIZATION:
        token = value.strip(b" \t")
        name = field.decode("ascii")
        return Credential(token, "header", scheme=name), name

    scheme, _, token = value.strip(b" \t").rpartition(b" ")
    known = _SCHEMES.get(scheme.strip().lower(), "")
    credential = Credential(token, "header", scheme=known.lower())
    return credential, f"Authorization: {known}" if known else "Authorization"
