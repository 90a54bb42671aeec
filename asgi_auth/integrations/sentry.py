"""Sentry: take credentials out of its events.

Sentry sends the variables of all that was under way, and every ASGI application has the
headers of its request among them. Nothing is imported here, and nothing is sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

__all__ = ["Scrubber"]

_FILTERED: Final = "[Filtered]"

_NAMES: Final = (
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    "sec-websocket-protocol",
    "x-api-key",
)

_JWT: Final = re.compile(r"eyJ[\w-]{8,}\.[\w-]*(?:\.[\w-]*)*")
_SCHEME: Final = re.compile(
    r"\b(bearer|basic|apikey|dpop)\s+[\w.~+/=-]{12,}", re.IGNORECASE
)


class Scrubber:
    """Takes credentials out of an event, wherever Sentry has found them.

    Those are JSON web tokens, what follows the name of a scheme, and the values of
    headers by their name. Give it to ``sentry_sdk.init`` as ``before_send``, and as
    ``before_send_transaction``.

    Args:
        names: Of further headers, or parameters in URLs, that hold credentials.
    """

    __slots__ = ("_names", "_pairs", "_query")

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = frozenset([*_NAMES, *(name.lower() for name in names)])
        any_name = "|".join(map(re.escape, sorted(self._names)))
        # A header within a text, as Python writes pairs and dictionaries.
        pairs = rf"\b({any_name})(['\"]?[,:] b?['\"])(?:(?!['\"]\)|['\"][,}}]).)*"
        self._pairs = re.compile(pairs, re.IGNORECASE)
        query = rf"((?:^|[?&'])(?:{any_name}|(?:\w+_)?(?:token|key))=)[^&\s'\"]+"
        self._query = re.compile(query, re.IGNORECASE)

    def __call__(self, event: Any, hint: object = None) -> Any:
        """Return *event* without credentials.

        Args:
            event: As Sentry makes it: dictionaries, lists and texts.
            hint: Not looked at.
        """
        return self._scrubbed(event)

    def _scrubbed(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value)

        if isinstance(value, dict):
            return {key: self._member(key, value[key]) for key in value}

        if isinstance(value, list | tuple):
            kind = list if isinstance(value, list) else tuple
            return kind(self._items(value))

        return value

    def _member(self, name: object, value: Any) -> Any:
        return _FILTERED if self._is_secret(name) else self._scrubbed(value)

    def _items(self, items: list[Any] | tuple[Any, ...]) -> Iterable[Any]:
        # A pair is how ASGI holds a header.
        if len(items) == 2 and self._is_secret(items[0]):  # noqa: PLR2004
            return [items[0], _FILTERED]

        return map(self._scrubbed, items)

    def _is_secret(self, name: object) -> bool:
        return isinstance(name, str) and _bare(name).lower() in self._names

    def _text(self, text: str) -> str:
        text = self._pairs.sub(rf"\1\2{_FILTERED}", text)
        text = _SCHEME.sub(rf"\1 {_FILTERED}", text)
        text = self._query.sub(rf"\1{_FILTERED}", text)
        return _JWT.sub(_FILTERED, text)


def _bare(name: str) -> str:
    """Return a name without the quotes that Python writes around it."""
    return name.removeprefix("b").strip("'\"") if name.endswith(("'", '"')) else name
