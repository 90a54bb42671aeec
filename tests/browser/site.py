"""A site with log-in routes, a guarded API and a WebSocket, that tests can disturb.

Its pages allow scripts of their own origin only, and put the client on ``window``:
``auth`` is one that is made with the JSON in the page's query.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from email.utils import formatdate
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Mount, Route, WebSocketRoute

from asgi_auth import (
    AuthenticationMiddleware,
    JWTBackend,
    SessionPolicy,
    Subprotocol,
    Ticket,
    requires,
)
from asgi_auth.routes import Cookies
from asgi_auth.websocket import WebSocketEndpoint
from tests.routes.world import EMAIL, PASSWORD, World

POLICY = "default-src 'none'; script-src 'self'; connect-src *"
PAGE = """<!doctype html><title>Notes</title>
<script type="module" src="/auth/client.js" integrity="{integrity}"></script>
<script type="module" src="/page.js"></script>"""
SCRIPT = """
import * as client from "/auth/client.js";
const options = JSON.parse(decodeURIComponent(location.search.slice(1)) || "{}");
window.client = client;
window.auth = client.createClient(options);
window.states = [];
auth.subscribe((state) => states.push(state));
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  violations.push(event.violatedDirective + " " + event.blockedURI));
"""
ACCESS_TTL = 900


class Echo(WebSocketEndpoint):
    async def on_message(self, websocket, user_id, message) -> None:
        await websocket.send({"echo": message, "to": user_id})


@requires()
async def notes(request):
    body = (await request.body()).decode()
    return JSONResponse({"of": request.user.subject, "body": body})


@requires("admin")
async def admin(request):
    return JSONResponse({})


async def busy(request):
    """Refuse for a reason that no fresh token mends."""
    challenge = 'Bearer error="insufficient_user_authentication", max_age="60"'
    return Response(status_code=401, headers={"www-authenticate": challenge})


async def away(request):
    return RedirectResponse(request.query_params["to"])


async def script(request):
    return Response(SCRIPT, media_type="text/javascript")


class Site:
    """An ASGI app, what was asked of it, and ways to disturb it.

    ``hits`` counts requests by path. The paths in ``down`` answer with the status that
    stands there; those in ``gates`` are let through once their event is set, and the
    ones in ``mute`` are handled, and their answer is withheld.
    """

    def __init__(self, **routes) -> None:
        self.world = World(
            accounts={"send_message": None, "require_verified": False},
            tokens={
                "session_policy": SessionPolicy(access_ttl=ACCESS_TTL),
                **routes.pop("tokens", {}),
            },
            cookies=Cookies(insecure_for_localhost=True),
            **routes,
        )
        self.hits: Counter[str] = Counter()
        self.bearers: list[str | None] = []
        self.down: dict[str, int] = {}
        self.gates: dict[str, asyncio.Event] = {}
        self.mute: dict[str, asyncio.Event] = {}
        self.origin = ""
        sources = [*self.world.routes.sources, Subprotocol(), Ticket()]
        self.listeners: list[str | None] = []
        self._app = AuthenticationMiddleware(
            Starlette(
                routes=[
                    Route("/", self._home),
                    Route("/page.js", script),
                    Route("/notes", notes, methods=["GET", "POST"]),
                    Route("/admin", admin),
                    Route("/busy", busy, methods=["GET", "POST"]),
                    Route("/away", away),
                    Route("/events", requires()(self._events)),
                    WebSocketRoute("/ws", Echo()),
                    WebSocketRoute("/chat", Echo(subprotocols=["chat.v1"])),
                    Mount("/auth", self.world.routes),
                ]
            ),
            JWTBackend(
                self.world.tokens,
                sources=sources,
                confirmations=[routes["dpop"]] if "dpop" in routes else [],
            ),
            required=True,
            public_paths=[
                *("/", "/page.js", "/busy", "/away"),
                *self.world.routes.public_paths("/auth"),
            ],
        )

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        path = scope["path"]
        self.hits[path] += 1
        headers = dict(scope["headers"])
        if path == "/notes":
            self.bearers.append(headers.get(b"authorization", b"").decode() or None)
        if path in self.gates:
            await self.gates[path].wait()
        if path in self.down:
            await Response(status_code=self.down[path])(scope, receive, send)
            return

        async def tell(message):
            if path in self.mute:
                await self.mute[path].wait()
            if message["type"] == "http.response.start":
                # The servers of tests have no ticks, by which uvicorn dates answers.
                date = (b"date", formatdate(usegmt=True).encode())
                message = {**message, "headers": [*message["headers"], date]}
            await send(message)

        await self._app(scope, receive, tell)

    async def _home(self, request):
        page = PAGE.format(integrity=self.world.routes.client_integrity)
        return HTMLResponse(page, headers={"content-security-policy": POLICY})

    async def _events(self, request):
        self.listeners.append(request.headers.get("last-event-id"))
        number = len(self.listeners)

        async def ticks():
            yield f"id: {number}\ndata: {number}\n\n"
            yield f"event: named\ndata: of {request.user.subject}\n\n"
            await asyncio.sleep(3600)

        return StreamingResponse(ticks(), media_type="text/event-stream")

    def page(self, origin: str | None = None, **options) -> str:
        """Return the address of a page whose client is made with *options*."""
        return f"{origin or self.origin}/?{quote(json.dumps(options))}"

    @property
    def refreshes(self) -> int:
        return self.hits["/auth/refresh"]

    def age(self, seconds: float = ACCESS_TTL + 1) -> None:
        """Let time pass at the server; by default until access tokens have ended."""
        self.world.clock.advance(seconds)

    async def end_sessions(self) -> None:
        account = await self.world.store.find_by_email(EMAIL)
        await self.world.tokens.revoke_subject(account.id)


LOG_IN = f"auth.logIn({{ email: '{EMAIL}', password: '{PASSWORD}' }})"


async def eventually(look, *, patience: float = 15.0) -> None:
    """Wait until ``look()`` is true."""
    async with asyncio.timeout(patience):
        while not look():
            await asyncio.sleep(0.01)


async def until(tab, expression: str, *, patience: float = 15.0) -> None:
    """Wait until an expression is true in a tab, whose policy forbids ``eval``."""
    async with asyncio.timeout(patience):
        while not await tab.evaluate(expression):
            await asyncio.sleep(0.01)
