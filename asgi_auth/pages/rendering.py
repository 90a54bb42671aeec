"""Turn templates into answers, each with the headers that keep a page safe.

A template says how a page looks. Which scripts, styles and frames a browser allows is
said here (Content Security Policy, level 3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final
from urllib.parse import quote

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from asgi_auth.pages.language import Language
from asgi_auth.pages.page import Page
from asgi_auth.responses import safe_path
from asgi_auth.responses.state import KEY

__all__ = ["Renderer"]

_OURS: Final = str(files("asgi_auth").joinpath("pages", "templates"))

_SAFE: Final = "/-._~!$&'()*+,;=:@"

_HEADERS: Final = {
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    # Tokens of messages stand in addresses. Not "no-referrer": browsers would then
    # send "Origin: null" with our own forms.
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class _Fields(dict[str, str]):
    """Those of a form; one that did not come is empty."""

    def __missing__(self, name: str) -> str:
        return ""


class Renderer:
    """Renders all pages of one application.

    Args:
        pages: All of them.
        brand: The name of the application.
        home: Where users go who want to go nowhere else; ``None``: to the root of the
            application.
        stylesheet: The address of one more stylesheet, or ``None``.
        folder: Templates that take the place of ours, or ``None``.
    """

    __slots__ = ("_environment", "_home", "_look", "_pages")

    def __init__(
        self,
        pages: Sequence[Page],
        *,
        brand: str,
        home: str | None,
        stylesheet: str | None,
        folder: str | None,
    ) -> None:
        self._home = home
        self._pages = {page.name: page for page in pages}
        self._look = {"brand": brand, "stylesheet": stylesheet}
        own = [page.folder for page in pages if page.folder is not None]
        folders = [each for each in (folder, *own, _OURS) if each is not None]
        self._environment = _environment(tuple(folders))

    def __contains__(self, name: str) -> bool:
        """Report whether there is a page of this name."""
        return name in self._pages

    def home_in(self, scope: Mapping[str, Any]) -> str:
        """Return where users go who want to go nowhere else.

        Args:
            scope: Of a request to the pages; its ``root_path`` has their mount.
        """
        if self._home is not None:
            return self._home

        # As the middleware saw it, or Starlette: before anything was mounted.
        state = scope.get(KEY)
        outside = scope if state is None else state.scope
        name = "app_root_path" if state is None else "root_path"
        root = str(outside.get(name) or "").rstrip("/")
        # On some servers a header says it: it must not lead elsewhere.
        return safe_path(quote(f"{root}/", safe=_SAFE)) or "/"

    def path_of(self, name: str) -> str:
        """Return the path of a page below the mount."""
        return self._pages[name].path

    def render(
        self,
        page: Page,
        language: Language,
        scope: Mapping[str, Any],
        *,
        status: int,
        context: Mapping[str, Any],
    ) -> Response:
        """Return a page.

        Args:
            page: Which.
            language: Its texts.
            scope: Of the request, which says where the pages are mounted.
            status: Of the answer.
            context: What the template may use, beside what every page has.
        """
        more = {
            **context,
            "page": page,
            "fields": _Fields(context["fields"]),
            "done": self._done(context["done"], language),
            "menu": [each for each in self._pages.values() if each.in_menu],
            "inserts": self._inserts(page.name),
            "facts": page.facts,
        }
        return self._answer(f"{page.name}.html", language, scope, status, more)

    def error(
        self, language: Language, scope: Mapping[str, Any], status: int, code: str
    ) -> Response:
        """Return the page that says what went wrong."""
        text = language.fault(code)
        context = {"text": text, "status": status, "faults": (), "done": None}
        return self._answer("error.html", language, scope, status, context)

    def protect(self, response: Response, page: Page | None = None) -> Response:
        """Add the headers that keep a page safe."""
        response.headers.update(_HEADERS)
        response.headers["content-security-policy"] = self._policy(page)
        return response

    def _answer(
        self,
        template: str,
        language: Language,
        scope: Mapping[str, Any],
        status: int,
        context: Mapping[str, Any],
    ) -> Response:
        html = self._environment.get_template(template).render(
            {
                **self._look,
                "home": self.home_in(scope),
                "t": language,
                "lang": language.code,
                "mount": scope["root_path"],
                "has": self._pages.keys(),
                **context,
            }
        )
        response = HTMLResponse(html, status)
        return self.protect(response, context.get("page"))

    def _done(self, name: str | None, language: Language) -> str | None:
        """Return what a page before this one has done, in words."""
        return language.texts.get(f"{name}.done") if name in self._pages else None

    def _inserts(self, name: str) -> list[tuple[str, Page]]:
        return [
            (page.inserts[name], page)
            for page in self._pages.values()
            if name in page.inserts
        ]

    def _policy(self, page: Page | None) -> str:
        pages = [] if page is None else [page]
        if page is not None:
            pages += [other for _, other in self._inserts(page.name)]

        targets = ["'self'", *(o for each in pages for o in each.form_actions)]
        rules = ["default-src 'none'", "style-src 'self'", "img-src 'self'"]
        if any(each.scripts for each in pages):
            rules += ["script-src 'self'", "connect-src 'self'"]

        rules.append("form-action " + " ".join(dict.fromkeys(targets)))
        return "; ".join([*rules, "base-uri 'none'", "frame-ancestors 'none'"])


@lru_cache(maxsize=16)
def _environment(folders: tuple[str, ...]) -> Environment:
    """Return what reads the templates of folders, and compiles each of them once."""
    return Environment(
        loader=ChoiceLoader([FileSystemLoader(each) for each in folders]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
