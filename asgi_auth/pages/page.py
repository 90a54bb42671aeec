"""One page: a path, a handler, a template and its texts.

A page is a value. What it does is in its handler, which gets a
:class:`~asgi_auth.pages.visit.Visit`.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.responses import Response

from asgi_auth.errors import ConfigurationError

__all__ = ["Handler", "Page"]

Handler = Callable[[Any], Awaitable[Response]]
"""Answers a :class:`~asgi_auth.pages.visit.Visit`."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_PATH: Final = re.compile(r"(?:/[a-z0-9]+(?:-[a-z0-9]+)*)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One of the pages.

    Attributes:
        name: Its template is ``<name>.html``, and its texts begin with ``<name>.``.
        path: Below the mount, for instance ``/log-in``.
        handler: Answers a GET, and a POST of the page's form.
        texts: By language (``en``, ``de``), what the page says, by key. ``title`` is
            needed; a key with a dot, as ``error.wrong_code``, is as it is.
        needs: The parts of the routes without which the page is not there.
        guarded: It is for users who are logged in; others log in first.
        in_menu: The page of the account links to it.
        inserts: Further templates of this page that other pages show, by the other
            page's name: ``{"log_in": "passkey_button.html"}``.
        facts: What templates find as ``facts.<name>``.
        scripts: Scripts of the own origin may run here: else none may.
        form_actions: Other origins that its forms may lead to.
        folder: Where its templates are, if not beside those of the package.

    Raises:
        ConfigurationError: A name, a path or the texts are of no use.
    """

    name: str
    path: str
    handler: Handler
    texts: Mapping[str, Mapping[str, str]]
    needs: frozenset[str] = frozenset()
    guarded: bool = False
    in_menu: bool = False
    inserts: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    scripts: bool = False
    form_actions: tuple[str, ...] = ()
    folder: str | None = None

    def __post_init__(self) -> None:
        """Refuse what no address or template could have."""
        if _NAME.fullmatch(self.name) is None or _PATH.fullmatch(self.path) is None:
            msg = "A page is named like log_in, and its path looks like /log-in."
            raise ConfigurationError(msg)

        bare = [
            language for language, texts in self.texts.items() if "title" not in texts
        ]
        if bare or "en" not in self.texts:
            msg = f"The page {self.name!r} needs texts['en'], with a title each."
            raise ConfigurationError(msg)

    def keyed(self, language: str) -> dict[str, str]:
        """Return the texts of a language, or the English ones, by their full keys."""
        texts = self.texts.get(language, self.texts["en"])
        return {
            key if "." in key else f"{self.name}.{key}": text
            for key, text in texts.items()
        }
