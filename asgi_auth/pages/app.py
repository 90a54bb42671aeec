"""The pages, as one ASGI app in front of the log-in routes.

It finds the page, reads its form and answers faults. What is no page is for the routes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from asgi_auth._asgi import ASGIApp, Headers, Receive, Scope, Send
from asgi_auth.accounts import Account
from asgi_auth.credentials.site import Site
from asgi_auth.credentials.sources import Cookie, Source
from asgi_auth.errors import AuthError, ConfigurationError, MethodNotAllowedError
from asgi_auth.pages.inward import RoutesFault
from asgi_auth.pages.language import Languages
from asgi_auth.pages.page import Page
from asgi_auth.pages.providers import provider_pages
from asgi_auth.pages.refusals import PagesForRefusals
from asgi_auth.pages.registry import PAGES
from asgi_auth.pages.rendering import Renderer
from asgi_auth.pages.styles import FILES, send_file
from asgi_auth.pages.visit import Visit
from asgi_auth.responses import safe_path
from asgi_auth.responses.body import RequestBody, may_have_body
from asgi_auth.responses.people import OnRefusal
from asgi_auth.routes import AuthRoutes
from asgi_auth.routes.body import BodyReader, Form, is_form
from asgi_auth.routes.errors import MalformedBodyError, UnsupportedBodyError
from asgi_auth.routes.place import placed
from asgi_auth.typing import Confirmation

__all__ = ["AuthPages"]

_FORM: Final = Form()
_MOST_BYTES: Final = 64 * 1024
_NEEDED: Final = ("login", "logout", "me")


class _Fields(BaseModel):
    """Whatever a form has: each page picks its own."""

    model_config = ConfigDict(extra="allow", hide_input_in_errors=True)


class AuthPages:
    """Pages for people in front of log-in routes: mount it in their place.

    Args:
        routes: What the pages ask; they must set cookies.
        brand: The name of your application.
        home: Where users go after a log-in, if they wanted to go nowhere else: a path
            from the root of the origin. By default the root of the application, below
            the ``root_path`` that the server says.
        texts: Texts of your own, by language and key: ``{"en": {"log_in.title":
            "Welcome"}}``. Another language needs all of them. The first language is
            for browsers that ask for none of yours.
        templates: A folder with templates that take the place of ours.
        stylesheet: The address of a stylesheet that comes after ours.
        more: Further pages; one with the name of ours takes its place.

    Raises:
        MissingExtraError: Jinja2 is not installed.
        ConfigurationError: The settings do not fit together; the text says why.
    """

    def __init__(
        self,
        routes: AuthRoutes,
        *,
        brand: str = "",
        home: str | None = None,
        texts: Mapping[str, Mapping[str, str]] | None = None,
        templates: str | Path | None = None,
        stylesheet: str | None = None,
        more: Sequence[Page] = (),
    ) -> None:
        if not any(isinstance(source, Cookie) for source in routes.sources):
            msg = "AuthPages needs cookies: AuthRoutes(..., delivery='cookie')."
            raise ConfigurationError(msg)

        if missing := sorted({*_NEEDED} - routes.parts):
            msg = f"AuthPages needs the part {missing[0]!r} of the routes."
            raise ConfigurationError(msg)

        if home is not None and safe_path(home) is None:
            msg = f"home must be a path of your site, and not {home!r}."
            raise ConfigurationError(msg)

        elsewhere = provider_pages(routes.identities)
        pages = _chosen((*PAGES, *elsewhere, *more), routes.parts)
        pages = [_fitted(page, routes) for page in pages]
        self._routes = routes
        self._pages = {page.path: page for page in pages}
        self._languages = Languages(pages, texts or {})
        self._renderer = Renderer(
            pages,
            brand=brand,
            home=home,
            stylesheet=stylesheet,
            folder=None if templates is None else str(templates),
        )
        self._bodies = BodyReader(_MOST_BYTES)
        self._check_origin = routes.site.cross_origin_check().check

    # ------------------------------------------------- what the adapters ask for

    @property
    def sources(self) -> tuple[Source, ...]:
        """Where callers put the tokens that the routes hand out."""
        return self._routes.sources

    @property
    def confirmations(self) -> tuple[Confirmation, ...]:
        """See to it that who sends a bound token has its key."""
        return self._routes.confirmations

    @property
    def site(self) -> Site:
        """The own origin, and whom to trust."""
        return self._routes.site

    def public_paths(self, prefix: str) -> list[str]:
        """Return what the middleware must let through: pages send users to log in.

        Args:
            prefix: Where the pages are mounted, for instance ``/auth``.
        """
        own = [prefix.rstrip("/") + path for path in (*self._pages, *FILES)]
        return [*own, *self._routes.public_paths(prefix)]

    def refusals(self, at: str) -> OnRefusal:
        """Return what words refusals: it sends people to log in, or shows a page.

        Args:
            at: Where the pages are mounted, for instance ``/auth``.
        """
        return PagesForRefusals(self._renderer, self._languages, at.rstrip("/"))

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document of the routes; pages are for people."""
        return self._routes.openapi()

    async def log_in(
        self, scope: Scope, account: Account, *, remember: bool = True
    ) -> Headers:
        """Log a user in from a handler; see :meth:`AuthRoutes.log_in`."""
        return await self._routes.log_in(scope, account, remember=remember)

    async def log_out(self, scope: Scope) -> Headers:
        """Log a user out from a handler; see :meth:`AuthRoutes.log_out`."""
        return await self._routes.log_out(scope)

    def renewing(
        self,
        app: ASGIApp,
        *,
        public_paths: Iterable[str] = (),
        on_refusal: OnRefusal | None = None,
    ) -> ASGIApp:
        """Renew access cookies around an app; see :meth:`AuthRoutes.renewing`."""
        return self._routes.renewing(
            app, public_paths=public_paths, on_refusal=on_refusal
        )

    async def aclose(self) -> None:
        """Close what the routes have opened in the running loop."""
        await self._routes.aclose()

    # ----------------------------------------------------------------- answering

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or let the routes do so."""
        if scope["type"] != "http":
            await self._routes(scope, receive, send)
            return

        child = placed(scope, self, self._routes.prefix)
        path = child["path"][len(child["root_path"]) :]
        page = self._pages.get(path)
        if page is None and path not in FILES:
            await self._routes(scope, receive, send)
            return

        body = RequestBody(receive)
        request = Request(child, body.receive)
        try:
            response = await self._answer(page, path, request)
        except ClientDisconnect:
            return  # No one is left to answer.

        if may_have_body(scope):
            await body.drain(scope)

        await response(child, body.receive, send)

    async def _answer(self, page: Page | None, path: str, request: Request) -> Response:
        language = self._languages.choose(request.headers.get("accept-language", ""))
        try:
            _check_method(request, () if page is None else ("POST",))
            if page is None:
                return send_file(path, request)

            return await self._visit(page, request)
        except RoutesFault as fault:
            outcome = fault.outcome
            status, code, more = outcome.status, outcome.code, outcome.retry_after
        except AuthError as error:
            status, code, more = error.status, error.code, []
            if isinstance(error, MethodNotAllowedError):
                more = [(b"allow", ", ".join(error.allow).encode())]

        response = self._renderer.error(language, request.scope, status, code)
        response.raw_headers.extend(more)
        return response

    async def _visit(self, page: Page, request: Request) -> Response:
        self._check_origin(request.scope)
        submitted = request.method == "POST"
        language = self._languages.choose(request.headers.get("accept-language", ""))
        visit = Visit(
            request=request,
            page=page,
            language=language,
            fields=await self._fields(request) if submitted else {},
            submitted=submitted,
            _routes=self._routes,
            _renderer=self._renderer,
        )
        await visit.identify()
        if page.guarded and visit.user is None:
            return visit.leave(visit.url("log_in", **_next_of(request)))

        return await page.handler(visit)

    async def _fields(self, request: Request) -> dict[str, str]:
        # An empty form may come without a type.
        if "content-type" in request.headers and not is_form(request):
            raise UnsupportedBodyError

        model = await self._bodies.read(request, _Fields, form=_FORM, optional=True)
        fields: dict[str, str] = dict(model.model_extra or {})
        if any("\0" in text for text in fields.values()):
            raise MalformedBodyError

        return fields


def _chosen(pages: Sequence[Page], parts: frozenset[str]) -> list[Page]:
    """Return the pages that can work; the last one of a name counts."""
    chosen = {page.name: page for page in pages if page.needs <= parts}
    paths = [page.path for page in chosen.values()]
    if len(set(paths)) < len(paths):
        msg = "Two pages have one path."
        raise ConfigurationError(msg)

    return list(chosen.values())


def _fitted(page: Page, routes: AuthRoutes) -> Page:
    """Tell the page to register which fields the routes want."""
    if page.name != "register":
        return page

    document = routes.openapi()
    content = document["paths"]["/register"]["post"]["requestBody"]["content"]
    name = content["application/json"]["schema"]["$ref"].rpartition("/")[2]
    schema = document["components"]["schemas"][name]
    fields = tuple(schema["properties"])
    facts = {"fields": fields, "required": tuple(schema.get("required", ()))}
    return replace(page, facts={**page.facts, **facts})


def _check_method(request: Request, further: Sequence[str]) -> None:
    allowed = ("GET", "HEAD", *further)
    if request.method not in allowed:
        raise MethodNotAllowedError(allow=allowed)


def _next_of(request: Request) -> dict[str, str]:
    """Return the way back here: to the page, whatever its form held."""
    path = safe_path(request.scope["path"])
    return {} if path is None else {"next": path}
