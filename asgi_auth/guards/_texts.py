"""Read settings that are one text or several; nothing else is taken for one."""

from __future__ import annotations

from collections.abc import Iterable

from asgi_auth.errors import ConfigurationError

__all__ = ["texts"]


def texts(name: str, given: str | Iterable[str]) -> frozenset[str]:
    """Return one text or several as a set.

    Args:
        name: What the setting is called.
        given: Its value.

    Raises:
        ConfigurationError: It is something else, or a text is empty.
    """
    alone = isinstance(given, str) or not isinstance(given, Iterable)
    found: list[object] = [given] if alone else [*given]
    # Not str(text): an enumeration's member is its value here, and not its name.
    named = [text for text in found if isinstance(text, str) and text]
    if len(named) == len(found):
        return frozenset(named)

    msg = f"{name} must be a text or several texts, and none may be empty."
    raise ConfigurationError(msg)
