"""One request for a page: what came, and the ways to answer it.

It knows no page in particular. What it asks of the routes, they judge.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from asgi_auth._asgi import Headers
from asgi_auth.pages.inward import Method, Outcome, RoutesFault, ask
from asgi_auth.pages.language import Language
from asgi_auth.pages.page import Page
from asgi_auth.pages.rendering import Renderer
from asgi_auth.responses import safe_path
from asgi_auth.routes import AuthRoutes
from asgi_auth.routes.leap import leap

__all__ = ["Visit"]

_UNKNOWN: Final = 401
_REFUSED: Final = 422
_LIMITED: Final = 429


@dataclass(slots=True, kw_only=True)
class Visit:
    """One request for a page.

    Attributes:
        request: Starlette's; its body has been read.
        page: Which page.
        language: Its texts: ``visit.language("log_in.title")``.
        fields: Of the form that was sent; empty otherwise.
        submitted: A form was sent.
        user: What ``/me`` says of the caller; ``None`` for nobody.
    """

    request: Request
    page: Page
    language: Language
    fields: Mapping[str, str]
    submitted: bool
    user: Mapping[str, Any] | None = None
    _routes: AuthRoutes = field(repr=False)
    _renderer: Renderer = field(repr=False)
    _cookies: Headers = field(default_factory=list, repr=False)

    # ------------------------------------------------------------------- reading

    def query(self, name: str) -> str | None:
        """Return a parameter of the query; ``None`` if it is missing or there twice."""
        values = self.request.query_params.getlist(name)
        return values[0] if len(values) == 1 else None

    @property
    def next(self) -> str | None:
        """The path of this origin that the user wanted to see, or ``None``."""
        text = self.fields.get("next") if self.submitted else self.query("next")
        return safe_path(text)

    @property
    def way(self) -> dict[str, str]:
        """The query that keeps where the user wanted to go; empty for nowhere."""
        return {} if self.next is None else {"next": self.next}

    @property
    def onward(self) -> dict[str, str]:
        """The query that keeps where a user goes on to, and that more is needed.

        It is for who must set up a second factor first; empty for others.
        """
        name = "needed"
        text = self.fields.get(name) if self.submitted else self.query(name)
        if text is None:
            return {}

        return {name: "1", **self.way}

    def url(self, name: str, **query: str) -> str:
        """Return where the page of a name is, from the root of this origin."""
        path = self._renderer.path_of(name)
        place = str(self.request.scope["root_path"]) + path
        return f"{place}?{urlencode(query)}" if query else place

    def offers(self, part: str) -> bool:
        """Report whether the routes have a part, see ``RouteShape(include=...)``."""
        return part in self._routes.parts

    # -------------------------------------------------------------------- asking

    async def call(
        self,
        method: Method,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, str] | None = None,
    ) -> Outcome:
        """Ask the routes, with the cookies of the browser; theirs go out with us.

        Call nothing but GET where no form was *submitted*: a link changes nothing.

        Args:
            method: The HTTP method.
            path: Below the mount, for instance ``/password/change``.
            body: For JSON.
            query: For the query.

        Returns:
            Their answer, with ``is_good``, ``code`` and ``data``.

        Raises:
            RoutesFault: They are out of order; the user gets an error page.
        """
        if method != "GET" and not self.submitted:
            msg = "A page may change something only where its form was sent."
            raise RuntimeError(msg)

        outcome = await ask(
            self._routes,
            self.request.scope,
            method,
            path,
            body=body,
            query=urlencode(query or {}),
        )
        self._cookies.extend(outcome.cookies)
        return outcome

    async def identify(self) -> None:
        """Set ``user``.

        Raises:
            RoutesFault: It cannot be known.
        """
        outcome = await self.call("GET", "/me")
        if outcome.is_good:
            self.user = outcome.data
        elif outcome.status != _UNKNOWN:
            raise RoutesFault(outcome)

    # ----------------------------------------------------------------- answering

    def show(self, *, status: int = 200, **values: Any) -> Response:
        """Render the page.

        Args:
            status: Of the answer.
            values: For the template.
        """
        context = {
            "fields": self.fields,
            "next": self.next or "",
            "user": self.user,
            "url": self.url,
            "done": self.query("done"),
            "onward": self.onward,
            "way": self.way,
            "faults": (),
            **values,
        }
        scope = self.request.scope
        response = self._renderer.render(
            self.page, self.language, scope, status=status, context=context
        )
        return self._with_cookies(response)

    def refuse(
        self,
        outcome: Outcome | str,
        fields: Mapping[str, str] | None = None,
        **values: Any,
    ) -> Response:
        """Render the page again, with what is wrong on top of it.

        Args:
            outcome: What the routes have answered, or the code of an error.
            fields: The field of the form that is to blame, by the code of the error.
            values: For the template.
        """
        code = outcome if isinstance(outcome, str) else outcome.code
        fault = {"text": self.language.fault(code), "field": (fields or {}).get(code)}
        status = _REFUSED
        headers: Headers = []
        if not isinstance(outcome, str) and outcome.status == _LIMITED:
            status, headers = _LIMITED, outcome.retry_after

        response = self.show(status=status, faults=[fault], **values)
        response.raw_headers.extend(headers)
        return response

    def go(
        self, name: str, *, done: str | None = None, keeps_way: bool = False
    ) -> Response:
        """Send the browser to another page (303), which says that something is done.

        Args:
            name: Of the page.
            done: Whose ``<done>.done`` it says: the name of a page.
            keeps_way: Take along where the user wanted to go.
        """
        query = {} if done is None else {"done": done}
        if keeps_way:
            query |= self.way

        return self.leave(self.url(name, **query))

    def leave(self, path: str | None = None) -> Response:
        """Send the browser to a path of this origin (303), by default home."""
        headers = {"location": path or self._renderer.home_in(self.request.scope)}
        response = self._renderer.protect(Response(status_code=303, headers=headers))
        return self._with_cookies(response)

    def depart(self, url: str) -> Response:
        """Lead the browser to another site, by a page that says nothing.

        Args:
            url: Where; never what a user has sent.
        """
        return self._with_cookies(leap(url))

    def _with_cookies(self, response: Response) -> Response:
        response.raw_headers.extend(self._cookies)
        return response
