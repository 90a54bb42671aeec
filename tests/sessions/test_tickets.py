"""Tickets: good once, for one path, for as long as what they stand for."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from types import ModuleType

import pytest

from asgi_auth import (
    AuthenticationMiddleware,
    BearerHeader,
    ConfigurationError,
    Cookie,
    JWTBackend,
    KeySet,
    MemoryStore,
    QueryParam,
    Ticket,
    TokenService,
    UnavailableError,
    get_principal,
)
from asgi_auth.stores import memory_once
from asgi_auth.testing import FakeClock
from asgi_auth.tokens.issuer import KINDS
from tests.asgi import http_scope, run, websocket_scope
from tests.lifetime.listener import Listener, Source

pytestmark = pytest.mark.anyio

SECRET = "mW4tYx7Rb2Nc9Ls5Hd3Gf6Jp0aZk8vQ1-Ue_TiOyXwVq"
SOURCES = (BearerHeader(), Ticket(), QueryParam("token", http=True), Cookie("access"))
ORIGIN = "https://app.example"


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def not_daphne(monkeypatch):
    """Forget that another test has imported Daphne."""
    monkeypatch.delitem(sys.modules, "daphne.server", raising=False)


def service(**options):
    chosen = {"issuer": "https://issuer.example", "audience": "api", **options}
    return TokenService(KeySet.from_secret(SECRET), **chosen)


async def whoami(scope, receive, send):
    principal = get_principal(scope)
    seen = {
        "subject": principal.subject,
        "scopes": sorted(principal.scopes),
        "source": principal.source,
        "backend": principal.backend,
        "query": scope["query_string"].decode(),
        "ends": principal.expires_at,
    }
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(seen).encode()})


def guarded(tokens, app=whoami, **options):
    return AuthenticationMiddleware(app, JWTBackend(tokens, sources=SOURCES), **options)


async def ticket_of(tokens, path="/events", *, token=None, **options):
    token = token or tokens.mint("ann", scopes=["read"])
    caller = await JWTBackend(tokens).authenticate(credential(token), {})
    return tokens.tickets.write(caller, path, **options)


def credential(token):
    from asgi_auth.credentials.reader import Credential

    return Credential(token.encode(), "header")


def query(ticket):
    return b"ticket=" + ticket.encode()


def origin(value):
    return (b"origin", value.encode())


async def test_a_ticket_stands_for_the_token_that_it_was_asked_for_with():
    tokens = service()
    token = tokens.mint("ann", scopes=["read"], ttl=300)
    ticket = await ticket_of(tokens, token=token)
    answer = await run(
        guarded(tokens), "/events", query=query(ticket) + b"&last=7", sent=(log := [])
    )
    assert answer.json() == {
        "subject": "ann",
        "scopes": ["authenticated", "read"],
        "source": "ticket",
        "backend": "jwt",
        "query": "ticket=&last=7",
        "ends": (await tokens.verify(token))["exp"],
    }
    assert (b"cache-control", b"private") in log[0]["headers"]


async def test_a_ticket_is_blanked_in_the_servers_scope():
    tokens = service()
    scope = http_scope("/events", query=query(await ticket_of(tokens)))

    async def send(message):
        pass

    await guarded(tokens)(scope, None, send)
    assert scope["query_string"] == b"ticket="


async def test_the_last_event_id_is_put_where_it_is_looked_for():
    tokens = service()
    seen = []

    async def app(scope, receive, send):
        ids = [v for n, v in scope["headers"] if n == b"last-event-id"]
        seen.append((scope["query_string"], ids))
        await whoami(scope, receive, send)

    wrapped = guarded(tokens, app)
    for rest, expected in [
        (b"&last-event-id=7%2F8", (b"ticket=", [b"7/8"])),
        (b"&a=1&last-event-id=7&b=2", (b"ticket=&a=1&b=2", [b"7"])),
        (b"&last-event-id=a%0D%0Ax:%20y", (b"ticket=", [])),
        (b"", (b"ticket=", [])),
    ]:
        came = query(await ticket_of(tokens)) + rest
        assert (await run(wrapped, "/events", query=came)).status == 200
        assert seen[-1] == expected
    await run(wrapped, "/events", query=b"last-event-id=7")
    assert seen[-1] == (b"last-event-id=7", []), "without a ticket it is the app's"


async def test_a_ticket_is_good_once():
    tokens = service()
    ticket = query(await ticket_of(tokens))
    app = guarded(tokens)
    answers = await asyncio.gather(
        *(run(app, "/events", query=ticket) for _ in range(50))
    )
    assert sorted(answer.status for answer in answers) == [200] + [401] * 49
    assert 'error="invalid_token"' in answers[-1].header("www-authenticate")


@pytest.mark.parametrize("path", ["/event", "/events/", "/", "/eventsx"])
async def test_a_ticket_for_another_path_is_refused_and_not_spent(path):
    tokens = service()
    ticket = query(await ticket_of(tokens))
    assert (await run(guarded(tokens), path, query=ticket)).status == 401
    assert (await run(guarded(tokens), "/events", query=ticket)).status == 200


@pytest.mark.parametrize(
    ("path", "root"), [("/v1/events", "/v1"), ("/events", "/v1"), ("/v1/events", "")]
)
async def test_a_path_stands_in_the_address_as_servers_and_proxies_have_it(
    path, root, not_daphne
):
    tokens = service()
    ticket = query(await ticket_of(tokens, "/v1/events"))
    answer = await run(guarded(tokens), path, query=ticket, root_path=root)
    assert answer.status == 200


@pytest.mark.parametrize(
    ("path", "root"),
    [("/events", ""), ("/v1/v1/events", "/v1"), ("/v1/events", "/v2"), ("/v1", "/v1")],
)
async def test_no_two_addresses_have_one_path(path, root, not_daphne):
    tokens = service()
    ticket = query(await ticket_of(tokens, "/v1/events"))
    answer = await run(guarded(tokens), path, query=ticket, root_path=root)
    assert answer.status == 401


async def test_what_is_left_of_a_path_is_another_path(not_daphne):
    tokens = service()
    ticket = query(await ticket_of(tokens, "/events"))
    answer = await run(guarded(tokens), "/v1/events", query=ticket, root_path="/v1")
    assert answer.status == 401


async def test_a_root_that_the_client_names_moves_no_ticket(monkeypatch):
    """Daphne takes ``root_path`` from a header."""
    monkeypatch.setitem(sys.modules, "daphne.server", ModuleType("daphne.server"))
    tokens = service()
    ticket = query(await ticket_of(tokens, "/a/x"))
    for path, root in [("/x", "/a"), ("/a/a/x", "/a"), ("x", "/a/"), ("/x", "/a/")]:
        answer = await run(guarded(tokens), path, query=ticket, root_path=root)
        assert answer.status == 401, (path, root)
    answer = await run(guarded(tokens), "/a/x", query=ticket, root_path="/other")
    assert answer.status == 200


async def test_a_path_is_written_as_in_an_address():
    tokens = service()
    ticket = query(await ticket_of(tokens, "/caf%C3%A9"))
    assert (await run(guarded(tokens), "/café", query=ticket)).status == 200


async def test_a_ticket_ends_after_30_seconds():
    clock = FakeClock()
    tokens = service(clock=clock)
    early, late = [query(await ticket_of(tokens)) for _ in "12"]
    clock.advance(29)
    assert (await run(guarded(tokens), "/events", query=early)).status == 200
    clock.advance(1)
    answer = await run(guarded(tokens), "/events", query=late)
    assert answer.json()["code"] == "token_expired"


async def test_a_ticket_of_a_token_that_ended_ends_with_it():
    clock = FakeClock()
    tokens = service(clock=clock)
    ticket = await ticket_of(tokens, token=tokens.mint("ann", ttl=10))
    clock.advance(10)
    answer = await run(guarded(tokens), "/events", query=query(ticket))
    assert answer.json()["code"] == "token_expired"


@pytest.mark.parametrize("how", ["session", "subject", "token"])
async def test_a_ticket_of_a_session_that_ended_is_refused(how):
    tokens = service()
    pair = await tokens.issue("ann")
    token = tokens.mint("ann") if how == "subject" else pair.access_token
    ticket = await ticket_of(tokens, token=token)
    if how == "session":
        await tokens.revoke_session(pair.session_id)
    elif how == "subject":
        await tokens.revoke_subject("ann")
    else:
        await tokens.revoke(token)
    answer = await run(guarded(tokens), "/events", query=query(ticket))
    assert answer.json()["code"] == "token_revoked"


async def test_a_ticket_belongs_to_the_page_that_asked_for_it():
    tokens = service()
    app = guarded(tokens)
    for asked, came, status in [
        (ORIGIN, ORIGIN, 200),
        (ORIGIN, None, 200),  # Own pages do not say it for a GET.
        (ORIGIN, "https://evil.example", 401),
        (ORIGIN, "null", 401),
        (None, None, 200),
        (None, "https://evil.example", 401),
    ]:
        ticket = query(await ticket_of(tokens, origin=asked))
        headers = [origin(came)] if came else []
        answer = await run(app, "/events", query=ticket, headers=headers)
        assert answer.status == status, (asked, came)


async def test_a_ticket_is_for_reading():
    tokens = service()
    ticket = query(await ticket_of(tokens))
    answer = await run(guarded(tokens), "/events", query=ticket, method="POST")
    assert answer.status == 401


async def test_a_ticket_is_good_nowhere_else_and_nothing_else_is_a_ticket():
    tokens = service()
    ticket = await ticket_of(tokens)
    app = guarded(tokens)
    header = (b"authorization", f"Bearer {ticket}".encode())
    assert (await run(app, "/events", headers=[header])).status == 401
    assert (await run(app, "/events", query=b"token=" + ticket.encode())).status == 401
    for kind in ("access", "reset"):
        token = tokens.mint("ann", kind=kind)
        assert (await run(app, "/events", query=query(token))).status == 401
    for text in ("x", "", "a.b.c", "%ff", "x" * 30_000):
        answer = await run(app, "/events", query=query(text))
        assert answer.status == (401 if text else 200)
    twice = query(ticket) + b"&" + query(ticket)
    assert (await run(app, "/events", query=twice)).status == 400
    both = {"query": query(ticket), "headers": [header]}
    assert (await run(app, "/events", **both)).status == 400


async def test_a_ticket_that_stands_for_nothing_is_refused():
    tokens = service()
    now = time.time()
    for claims in ({"path": "/events"}, {"path": "/events", "for": "ann"}):
        ticket = tokens.tickets._issuer.write(
            KINDS["ticket"], "ann", now=now, ttl=30, claims=claims
        )
        answer = await run(guarded(tokens), "/events", query=query(ticket))
        assert answer.status == 401


async def test_a_ticket_of_another_service_is_refused():
    tokens, other = (
        service(),
        TokenService(KeySet.generate("HS256"), issuer="https://o"),
    )
    ticket = query(await ticket_of(other))
    assert (await run(guarded(tokens), "/events", query=ticket)).status == 401
    caller = await JWTBackend(other).authenticate(credential(other.mint("x")), {})
    with pytest.raises(ConfigurationError, match="service"):
        tokens.tickets.write(caller, "/events")


@pytest.mark.parametrize("path", ["", "events", "/" + "x" * 2000])
async def test_a_ticket_needs_a_path(path):
    with pytest.raises(ConfigurationError, match="path"):
        await ticket_of(service(), path)


async def test_an_outage_asks_to_try_again():
    class Down(MemoryStore):
        async def once(self, space, key, **times):
            raise UnavailableError

    tokens = service(store=Down())
    ticket = query(await ticket_of(tokens))
    answer = await run(guarded(tokens), "/events", query=ticket)
    assert answer.status == 503
    assert answer.header("retry-after")


def held(store):
    """Return how many used tickets a memory store holds."""
    return len(store._once)


async def test_tickets_that_nobody_uses_or_that_are_refused_are_not_kept():
    store = MemoryStore()
    tokens = service(store=store)
    app = guarded(tokens)
    for number in range(200):
        ticket = await ticket_of(tokens)
        if number % 4 == 0:
            assert (await run(app, "/other", query=query(ticket))).status == 401
            forged = query(ticket[:-8] + "AAAAAAAA")
            assert (await run(app, "/events", query=forged)).status == 401
    assert held(store) == 0


async def test_used_tickets_are_forgotten_when_they_no_longer_count():
    clock = FakeClock()
    store = MemoryStore(clock=clock)
    tokens = service(store=store, clock=clock)
    app = guarded(tokens)
    for _ in range(50):
        ticket = query(await ticket_of(tokens))
        assert (await run(app, "/events", query=ticket)).status == 200
        clock.advance(10)
    # One is kept for its 30 seconds and a minute, by which clocks may differ.
    assert held(store) <= 10


async def test_more_tickets_than_there_is_space_for_are_an_outage(monkeypatch):
    monkeypatch.setattr(memory_once, "_MOST", 2)
    tokens = service()
    app = guarded(tokens)
    used = [query(await ticket_of(tokens)) for _ in "12"]
    for ticket in used:
        assert (await run(app, "/events", query=ticket)).status == 200
    answer = await run(app, "/events", query=query(await ticket_of(tokens)))
    assert answer.status == 503
    for ticket in used:
        assert (await run(app, "/events", query=ticket)).status == 401, "none forgotten"


def test_a_backend_without_a_service_knows_no_tickets():
    with pytest.raises(ConfigurationError, match="TokenService"):
        JWTBackend(service().verifier, sources=[Ticket()])


async def test_a_socket_is_opened_with_a_ticket():
    tokens = service()
    seen = []

    async def app(scope, receive, send):
        seen.append(get_principal(scope).subject)
        await send({"type": "websocket.close"})

    async def send(message):
        seen.append(message["type"])

    scope = websocket_scope(
        "/ws", query=query(await ticket_of(tokens, "/ws")), headers=[]
    )
    await guarded(tokens, app)(scope, None, send)
    assert seen == ["ann", "websocket.close"]


async def test_a_stream_lives_as_long_as_the_token_that_asked_for_it():
    clock = FakeClock()
    tokens = service(clock=clock)
    ticket = await ticket_of(tokens, token=tokens.mint("ann", ttl=300))
    app = Source()
    async with Listener(guarded(tokens, app), query=query(ticket)) as peer:
        clock.advance(200)
        app.lifetime.wait()
        assert await peer.silent()
        clock.advance(100)
        app.lifetime.wait()
        assert await peer.closed() == []


async def test_a_stream_of_a_ticket_ends_with_a_log_out():
    tokens = service()
    pair = await tokens.issue("ann")
    ticket = await ticket_of(tokens, token=pair.access_token)
    async with Listener(guarded(tokens, Source()), query=query(ticket)) as peer:
        await tokens.revoke_session(pair.session_id)
        assert await peer.closed() == []
