"""The demo's web site: a page, log-in routes, guarded routes, a chat, and attacks.

Plain ASGI, so that nothing hides what the library does. It is for this machine: who
comes may log in with a password that everybody knows, and become an administrator.
"""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Final

from asgi_auth._asgi import ASGIApp, Receive, Scope, Send
from asgi_auth.accounts import grants_of
from asgi_auth.backends.jwt import JWTBackend
from asgi_auth.cli.demo.answers import read_json, send_json
from asgi_auth.cli.demo.assets import Assets
from asgi_auth.cli.demo.attacks import ATTACKS, COOKIE, Attacker, find_attack
from asgi_auth.cli.demo.chat import Chat, make_rooms
from asgi_auth.cli.demo.one_time_codes import LIFETIME, OneTimeCodes
from asgi_auth.cli.demo.people import EMAIL, PASSWORD, People, name_of
from asgi_auth.cli.demo.storage import Storage
from asgi_auth.cli.demo.wire import Wire
from asgi_auth.credentials.csrf import CrossOriginCheck
from asgi_auth.credentials.sources import BearerHeader, Cookie, Subprotocol
from asgi_auth.guards import requires
from asgi_auth.keys import KeySet
from asgi_auth.middleware import AuthenticationMiddleware
from asgi_auth.passkeys import Passkeys
from asgi_auth.principal import get_principal
from asgi_auth.ratelimit import Limits
from asgi_auth.ratelimit.limiter import Limit, RateLimiter
from asgi_auth.responses.deny import deny
from asgi_auth.routes import AuthRoutes, LogInMethods, RouteShape
from asgi_auth.routes.errors import UnknownPathError
from asgi_auth.routes.operations import Part
from asgi_auth.sessions import TokenService
from asgi_auth.sessions.lifetimes import SessionPolicy
from asgi_auth.websocket import Rooms

__all__ = ["open_site"]

_DAY = 86_400
_PARTS: Final[tuple[Part, ...]] = (
    "register",
    "login",
    "refresh",
    "logout",
    "logout_all",
    "me",
    "sessions",
    "jwks",
    "openapi",
    "client",
    "passkeys",
)
_LOG_IN = re.compile(r"(?:/window/[0-9a-z]{1,32})?/auth(?=/)")
_ORDERS = ({"id": 1, "item": "lamp"}, {"id": 2, "item": "violet"})


@contextlib.asynccontextmanager
async def open_site(
    storage: Storage, wire: Wire, *, access_ttl: float
) -> AsyncIterator[ASGIApp]:
    """Make the site, and close it at the end.

    Args:
        storage: Keeps sessions and accounts.
        wire: The way to where the site is served, for the attacks.
        access_ttl: Seconds that an access token lives.
    """
    tokens = TokenService(
        KeySet.generate("ES256"),
        store=storage.sessions,
        # The keys are new, so that sessions of an earlier run are not accepted.
        issuer=f"https://demo.example/{secrets.token_hex(4)}",
        audience="demo",
        session_policy=SessionPolicy(
            access_ttl=access_ttl, refresh_ttl=_DAY, session_ttl=_DAY
        ),
        claims_loader=grants_of(storage.accounts, claims=name_of),
    )
    codes = OneTimeCodes()
    people = People(storage.accounts, tokens, codes)
    await people.move_in()
    routes = AuthRoutes(
        tokens,
        people,
        shape=RouteShape(include=_PARTS),
        prefix="/auth",
        claims=name_of,
        # Of names only: the page is at the other one, too.
        methods=LogInMethods(
            passkeys=Passkeys("localhost", [f"http://localhost:{wire.port}"])
        ),
        # People try things out, all from one address.
        limiter=RateLimiter(
            limits=Limits(
                log_in=Limit(20, 60),
                log_in_address=Limit(60, 60),
                register=Limit(20, 60),
            )
        ),
    )
    rooms = make_rooms()
    sources = (BearerHeader(), Subprotocol(), Cookie(COOKIE))
    site = _Site(_Parts(tokens, people, codes, routes, rooms, storage, wire))
    try:
        yield AuthenticationMiddleware(
            site,
            JWTBackend(tokens, sources=sources),
            public_paths=[*routes.public_paths("/auth"), "/window/*"],
        )
    finally:
        await rooms.aclose()
        await routes.aclose()
        await tokens.aclose()


@dataclass(frozen=True, slots=True)
class _Parts:
    tokens: TokenService
    people: People
    codes: OneTimeCodes
    routes: AuthRoutes
    rooms: Rooms
    storage: Storage
    wire: Wire


class _Site:
    """Finds who answers a path."""

    def __init__(self, parts: _Parts) -> None:
        self._parts = parts
        self._assets = Assets()
        self._origins = CrossOriginCheck()
        self._attacker = Attacker(parts.tokens, parts.wire)
        self._chat = Chat(parts.rooms, parts.tokens)
        guard = requires()
        self._routes: dict[tuple[str, str], ASGIApp] = {
            ("GET", "/api/about"): self._about,
            ("GET", "/api/orders"): requires("orders:read")(_orders),
            ("POST", "/api/orders"): requires("orders:read")(_orders),
            ("GET", "/api/admin"): requires(roles="admin")(_admin),
            ("PUT", "/api/role"): guard(self._promote),
            ("DELETE", "/api/role"): guard(self._demote),
            ("POST", "/api/handover"): guard(self._hand_over),
            ("POST", "/api/attack"): guard(self._attack),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket."""
        if scope["type"] == "lifespan":
            await self._chat(scope, receive, send)
        elif scope["type"] == "websocket":
            endpoint = self._chat if scope["path"] == "/chat" else _nothing
            await endpoint(scope, receive, send)
        elif below := _LOG_IN.match(scope["path"]):
            # Callers may be anonymous here: a foreign page could fill the accounts.
            self._origins.check(scope)
            # Tabs with one base share one log-in; each window is to have its own.
            placed = {**scope, "root_path": below[0]}
            await self._parts.routes(placed, receive, send)
        elif scope["method"] in {"GET", "HEAD"} and self._assets.has(scope):
            await self._assets.serve(scope, send)
        else:
            app = self._routes.get((scope["method"], scope["path"]), _nothing)
            await app(scope, receive, send)

    async def _about(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Say what the page must know before a user is logged in."""
        storage, tokens = self._parts.storage, self._parts.tokens
        about = {
            "version": version("asgi-auth"),
            "store": {"name": storage.name, "place": storage.place},
            "accounts": storage.accounts_place,
            "access_ttl": tokens.access_ttl,
            "demo": {"email": EMAIL, "password": PASSWORD},
            "attacks": [asdict(attack) for attack in ATTACKS],
        }
        await send_json(send, about)

    async def _promote(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._change_role(scope, send, admin=True)

    async def _demote(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._change_role(scope, send, admin=False)

    async def _change_role(self, scope: Scope, send: Send, *, admin: bool) -> None:
        await self._parts.people.promote(get_principal(scope).subject, admin=admin)
        await send_json(send, {"admin": admin, "from": "the next refresh"})

    async def _hand_over(self, scope: Scope, receive: Receive, send: Send) -> None:
        code = self._parts.codes.make(get_principal(scope).subject)
        await send_json(send, {"ticket": code, "expires_in": LIFETIME})

    async def _attack(self, scope: Scope, receive: Receive, send: Send) -> None:
        attack = find_attack(str((await read_json(receive)).get("name")))
        if attack is None:
            await _nothing(scope, receive, send)
            return

        await send_json(send, await self._attacker.run(attack, get_principal(scope)))


async def _orders(scope: Scope, receive: Receive, send: Send) -> None:
    caller = get_principal(scope)
    await send_json(send, {"orders": _ORDERS, "for": caller.display_name})


async def _admin(scope: Scope, receive: Receive, send: Send) -> None:
    await send_json(send, {"secret": "You are an administrator."})


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    await deny(UnknownPathError(), scope, receive, send)
