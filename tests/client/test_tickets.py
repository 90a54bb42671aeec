"""Addresses with tickets, from Python."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager

import httpx
import httpx2
import pytest

from asgi_auth import (
    AuthenticationMiddleware,
    BearerHeader,
    ConfigurationError,
    JWTBackend,
    Ticket,
)
from asgi_auth.client import (
    LoggedOutError,
    RefreshFailedError,
    Tokens,
    awith_ticket,
    with_ticket,
)
from asgi_auth.client.errors import BadAnswerError
from asgi_auth.client.httpx import BearerAuth as ClassicAuth
from asgi_auth.client.httpx2 import BearerAuth
from asgi_auth.dpop import DPoP
from asgi_auth.testing import FakeClock
from tests.asgi import Echo, run, websocket_scope
from tests.routes.world import EMAIL, ORIGIN, PASSWORD, World

TICKETS = "/auth/ticket"
EVENTS = f"{ORIGIN}/events?room=7"
LOG_IN = {"email": EMAIL, "password": PASSWORD}


class Site:
    """Routes below ``/auth``, and a resource that takes tickets."""

    def __init__(self, **options):
        self.world = World(prefix="/auth", **options)
        confirmations = [options["dpop"]] if "dpop" in options else []
        backend = JWTBackend(
            self.world.tokens,
            sources=[BearerHeader(), Ticket()],
            confirmations=confirmations,
        )
        self.api = AuthenticationMiddleware(Echo(), backend, required=True)

    async def __call__(self, scope, receive, send):
        app = self.world.routes if scope["path"].startswith("/auth") else self.api
        await app(scope, receive, send)

    async def open(self, url):
        parts = httpx2.URL(url)
        return await run(self.api, parts.path, query=parts.query)


@asynccontextmanager
async def opened(site, library=httpx2, kind=BearerAuth, *, dpop=False):
    await site.world.add()
    transport = library.ASGITransport(site)
    async with library.AsyncClient(transport=transport, base_url=ORIGIN) as sender:
        auth = kind(
            f"{ORIGIN}/auth/refresh",
            client=sender,
            dpop=dpop,
            clock=site.world.clock,
        )
        answer = await sender.post(
            "/auth/login", json=LOG_IN, auth=auth.for_log_in if dpop else None
        )
        scheme = "DPoP" if dpop else "Bearer"
        auth.replace(Tokens.from_answer(answer.json(), token_type=scheme))
        async with library.AsyncClient(
            transport=transport, base_url=ORIGIN, auth=auth
        ) as client:
            yield client


def answering(status, content=None, **options):
    """Return a client whose server answers always the same, and what it was asked."""
    asked = []

    def handle(request):
        asked.append(request)
        return httpx2.Response(status, json=content, **options)

    transport = httpx2.MockTransport(handle)
    return httpx2.Client(transport=transport, base_url=ORIGIN), asked


@pytest.mark.parametrize(
    ("library", "kind"), [(httpx2, BearerAuth), (httpx, ClassicAuth)]
)
async def test_each_address_has_a_ticket_of_its_own(library, kind):
    site = Site()
    async with opened(site, library, kind) as client:
        urls = [await awith_ticket(client, EVENTS, ticket_url=TICKETS) for _ in "12"]
        assert len(set(urls)) == 2
        for url in urls:
            assert url.startswith(f"{EVENTS}&ticket=")
            assert (await site.open(url)).json()["source"] == "ticket"
            assert (await site.open(url)).status == 401


async def test_a_token_that_ended_is_refreshed_before():
    site = Site()
    async with opened(site) as client:
        before = client.auth.tokens
        site.world.clock.advance(901)
        url = await awith_ticket(client, EVENTS, ticket_url=TICKETS)
        assert (await site.open(url)).status == 200
        assert client.auth.tokens is not before


async def test_a_ticket_is_asked_for_with_the_key_of_a_bound_token():
    clock = FakeClock()
    dpop = DPoP(ORIGIN, required=True, clock=clock)
    site = Site(dpop=dpop)
    site.world.clock.advance(clock() - site.world.clock())
    async with opened(site, dpop=True) as client:
        url = await awith_ticket(client, EVENTS, ticket_url=TICKETS)
    assert (await site.open(url)).json()["source"] == "ticket"


async def test_a_websocket_is_opened_with_one():
    site = Site()
    async with opened(site) as client:
        url = await awith_ticket(client, "wss://api.example/ws", ticket_url=TICKETS)
    assert url.startswith("wss://api.example/ws?ticket=")
    query = httpx2.URL(url).query
    seen = []

    async def app(scope, receive, send):
        seen.append(scope["auth"].source)
        await send({"type": "websocket.close"})

    async def send(message):
        seen.append(message["type"])

    wrapped = AuthenticationMiddleware(
        app, JWTBackend(site.world.tokens, sources=[Ticket()])
    )
    await wrapped(websocket_scope("/ws", query=query, headers=[]), None, send)
    assert seen == ["ticket", "websocket.close"]


async def test_after_a_log_out_there_is_none():
    site = Site()
    async with opened(site) as client:
        session = client.auth.tokens
        await site.world.tokens.revoke(session.refresh_token)
        with pytest.raises(LoggedOutError):
            await awith_ticket(client, EVENTS, ticket_url=TICKETS)
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(site), base_url=ORIGIN
    ) as nobody:
        with pytest.raises(LoggedOutError, match="log in"):
            await awith_ticket(nobody, EVENTS, ticket_url=TICKETS)


def test_the_path_is_asked_for_as_it_stands_in_the_address():
    for url, path, address in [
        (f"{ORIGIN}/caf%C3%A9/x", "/caf%C3%A9/x", f"{ORIGIN}/caf%C3%A9/x?ticket=t.t"),
        (ORIGIN, "/", f"{ORIGIN}?ticket=t.t"),
        (f"{ORIGIN}:443/a?ticket=old&b=1", "/a", f"{ORIGIN}:443/a?b=1&ticket=t.t"),
    ]:
        client, asked = answering(200, {"ticket": "t.t", "expires_in": 30})
        assert with_ticket(client, url, ticket_url=TICKETS) == address
        assert json.loads(asked[0].content) == {"path": path}
        assert str(asked[0].url) == ORIGIN + TICKETS


def test_a_ticket_never_breaks_out_of_its_parameter():
    client, _ = answering(200, {"ticket": "a&b=c#d"})
    url = with_ticket(client, EVENTS, ticket_url=TICKETS, parameter="once")
    assert url == f"{EVENTS}&once=a%26b%3Dc%23d"


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/events",
        "https://api.example:8443/events",
        "https://api.example.evil.example/events",
        "http://api.example/events",
        "ws://api.example/events",
        "https://api.example@evil.example/events",
        "ftp://api.example/events",
        f"{EVENTS}#fragment",
        "/events",
        "",
    ],
)
def test_no_other_server_gets_a_ticket(url):
    client, asked = answering(200, {"ticket": "t"})
    with pytest.raises(ConfigurationError):
        with_ticket(client, url, ticket_url=TICKETS)
    assert asked == []


def test_other_servers_can_be_named():
    client, asked = answering(200, {"ticket": "t"})
    url = "wss://push.example/ws"
    named = with_ticket(
        client, url, ticket_url=TICKETS, origins=["https://push.example"]
    )
    assert named == "wss://push.example/ws?ticket=t"
    assert len(asked) == 1
    with pytest.raises(ConfigurationError, match="list of URLs"):
        with_ticket(client, url, ticket_url=TICKETS, origins="https://push.example")


def test_no_token_goes_to_an_unsafe_ticket_endpoint():
    client, asked = answering(200, {"ticket": "t"})
    unsafe = "http://api.example/auth/ticket"
    with pytest.raises(ConfigurationError, match="ticket_url"):
        with_ticket(client, EVENTS, ticket_url=unsafe)
    assert asked == []


@pytest.mark.parametrize(
    ("status", "content", "error"),
    [
        (401, {"code": "token_revoked"}, LoggedOutError),
        (429, {}, RefreshFailedError),
        (503, {}, RefreshFailedError),
        (403, {"ticket": "t"}, BadAnswerError),
        (200, {}, BadAnswerError),
        (200, [], BadAnswerError),
        (200, {"ticket": ""}, BadAnswerError),
        (200, {"ticket": 7}, BadAnswerError),
        (200, {"ticket": "x" * 20_000}, BadAnswerError),
        (404, None, BadAnswerError),
    ],
)
def test_an_answer_without_a_ticket_says_what_to_do(status, content, error):
    client, _ = answering(status, content)
    with pytest.raises(error):
        with_ticket(client, EVENTS, ticket_url=TICKETS)


def test_no_redirect_is_followed():
    client, asked = answering(307, headers={"location": "https://evil.example/"})
    client.follow_redirects = True
    with pytest.raises(BadAnswerError):
        with_ticket(client, EVENTS, ticket_url=TICKETS)
    assert len(asked) == 1
