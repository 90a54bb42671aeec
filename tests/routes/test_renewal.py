"""An access cookie that has ended is renewed before the application is asked."""

from __future__ import annotations

import anyio
import httpx2
import pytest

from asgi_auth import (
    AuthenticationMiddleware,
    ConfigurationError,
    JWTBackend,
    get_principal,
    requires,
)
from asgi_auth.errors import UnavailableError
from asgi_auth.ratelimit import Limits
from asgi_auth.ratelimit.limiter import Limit, RateLimiter
from asgi_auth.responses import RefusalResponse
from asgi_auth.routes import Cookies
from asgi_auth.stores import MemoryStore
from tests.routes.world import EMAIL, LOOSE, ORIGIN, PASSWORD, World

OWN = {"sec-fetch-site": "same-origin"}
ACCESS, REFRESH = "__Host-access", "__Secure-refresh"


async def read(receive):
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def echo(scope, receive, send):
    """Say who sent what."""
    body = await read(receive)
    name = get_principal(scope).subject or "nobody"
    headers = [(b"x-caller", name.encode()), (b"cache-control", b"public, max-age=9")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class RenewingWorld(World):
    """An application whose cookies are renewed.

    Args:
        app: What is within.
        middleware: Options of the authentication.
        options: Of the world, and of what renews.
    """

    def __init__(self, app=echo, *, middleware=None, renewing=None, **options):
        options.setdefault("delivery", "cookie")
        options.setdefault("cookies", Cookies(samesite="lax", path="/"))
        super().__init__(**options)
        self.calls = 0

        async def mounted(scope, receive, send):
            if scope["path"].startswith("/auth/"):
                scope = {**scope, "root_path": "/auth"}
                await self.routes(scope, receive, send)
            else:
                self.calls += 1
                await app(scope, receive, send)

        backend = JWTBackend(self.tokens, sources=self.routes.sources)
        inner = AuthenticationMiddleware(mounted, backend, **(middleware or {}))
        self.app = self.routes.renewing(inner, **(renewing or {}))

    async def enter(self, client):
        """Log in, and let the access token end."""
        await self.add()
        body = {"email": EMAIL, "password": PASSWORD}
        answer = await client.post("/auth/login", json=body)
        assert answer.status_code == 200
        self.clock.advance(901)

    def site(self, **options):
        headers = {**OWN, **options.pop("headers", {})}
        return self.client(app=self.app, headers=headers, **options)


def fresh(response):
    return [line.partition("=")[0] for line in response.headers.get_list("set-cookie")]


@pytest.mark.parametrize("gone", [False, True], ids=["ended", "gone"])
async def test_a_form_gets_to_its_handler_with_all_it_brings(gone):
    world = RenewingWorld(requires()(echo))
    async with world.site() as client:
        await world.enter(client)
        if gone:  # Browsers drop it when its age has come.
            client.cookies.delete(ACCESS)
        response = await client.post("/notes", content=b"x" * 100_000)
        assert response.status_code == 200
        assert response.content == b"x" * 100_000
        account = await world.store.find_by_email(EMAIL)
        assert response.headers["x-caller"] == account.id
        assert fresh(response) == [ACCESS, REFRESH]
        # No cache may give them to somebody else.
        assert response.headers["cache-control"] == "private, no-cache"

        again = await client.post("/notes", content=b"y")
        assert again.status_code == 200
        assert fresh(again) == []
        assert again.headers["cache-control"] == "public, max-age=9"


async def test_nothing_is_renewed_before_its_time():
    world = RenewingWorld()
    async with world.site() as client:
        await world.enter(client)
        world.clock.advance(-2)
        assert fresh(await client.get("/notes")) == []
        async with world.site() as stranger:
            response = await stranger.get("/notes")
            assert response.headers["x-caller"] == "nobody"
            assert fresh(response) == []


async def test_a_token_that_is_sent_on_purpose_counts():
    world = RenewingWorld()
    async with world.site() as client:
        await world.enter(client)
        headers = {"authorization": "Bearer nonsense"}
        response = await client.get("/notes", headers=headers)
        assert response.status_code == 401
        assert fresh(response) == []


async def test_requests_that_come_together_are_renewed_once(monkeypatch):
    world = RenewingWorld()
    calls, gate, rotate = [], anyio.Event(), MemoryStore.rotate

    async def slowly(*way, **named):
        calls.append(way)
        await gate.wait()
        return await rotate(*way, **named)

    async with world.site() as client:
        await world.enter(client)
        cookies = dict(client.cookies)
        answers = []

        async def ask():
            async with world.site(cookies=cookies) as tab:
                answers.append(await tab.get("/notes"))

        with monkeypatch.context() as patch:
            patch.setattr(MemoryStore, "rotate", slowly)
            async with anyio.create_task_group() as group:
                for _ in range(12):
                    group.start_soon(ask)
                await anyio.wait_all_tasks_blocked()
                gate.set()

        assert len(calls) == 1
        assert {answer.headers["x-caller"] != "nobody" for answer in answers} == {True}
        assert {*map(tuple, map(fresh, answers))} == {(ACCESS, REFRESH)}
        pairs = {tuple(answer.headers.get_list("set-cookie")) for answer in answers}
        assert len(pairs) == 1
        # A tab that comes a little later repeats the refresh: that is no theft.
        async with world.site(cookies=cookies) as tab:
            assert (await tab.get("/notes")).headers["x-caller"] != "nobody"

        account = await world.store.find_by_email(EMAIL)
        assert len(await world.tokens.sessions(account.id)) == 1


async def test_a_stolen_cookie_that_comes_back_after_the_grace_ends_the_session():
    world = RenewingWorld()
    async with world.site() as client:
        await world.enter(client)
        stolen = dict(client.cookies)
        assert (await client.get("/notes")).headers["x-caller"] != "nobody"
        world.clock.advance(61)
        async with world.site(cookies=stolen) as thief:
            response = await thief.get("/notes")
            assert response.headers["x-caller"] == "nobody"
            assert fresh(response) == []
        assert (await client.get("/notes")).headers["x-caller"] == "nobody"


async def test_a_thief_does_not_share_the_answer_to_the_owner():
    world = RenewingWorld()
    async with world.site(headers={"user-agent": "own"}) as client:
        await world.enter(client)
        cookies = dict(client.cookies)
        answers = []

        async def ask(agent):
            async with world.site(
                cookies=cookies, headers={"user-agent": agent}
            ) as tab:
                answers.append(await tab.get("/notes"))

        async with anyio.create_task_group() as group:
            for agent in ("own", "thief"):
                group.start_soon(ask, agent)

        callers = [answer.headers["x-caller"] for answer in answers]
        assert callers.count("nobody") == 1


async def test_both_cookies_stale_is_nobody():
    world = RenewingWorld()
    async with world.site() as client:
        await world.enter(client)
        world.clock.advance(8 * 86_400)
        response = await client.post("/notes", content=b"x")
        assert (response.headers["x-caller"], response.content) == ("nobody", b"x")
        assert fresh(response) == []


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_a_foreign_page_renews_nothing(site):
    world = RenewingWorld(requires()(echo))
    async with world.site() as client:
        await world.enter(client)
        headers = {"sec-fetch-site": site}
        response = await client.post("/notes", headers=headers)
        assert response.status_code == 401
        assert fresh(response) == []
        assert (await client.post("/notes")).status_code == 200


@pytest.mark.parametrize(
    "cookies",
    [
        f"{REFRESH}=",
        f"{REFRESH}=x",
        f"{REFRESH}=a.b.c",
        f"{REFRESH}={'x' * 9000}",
        f"{ACCESS}=a; {ACCESS}=b; {REFRESH}=c",
        f"x{REFRESH}=y",
        f"{ACCESS}=e30.eyJleHAiOiJ4In0.; {REFRESH}=x",
        f"{ACCESS}=e30.eyJleHAiOjFlOTk5fQ.; {REFRESH}=x",
        f"{ACCESS}=e30.W10.; {REFRESH}=x",
    ],
)
async def test_rubbish_in_cookies_is_nobody(cookies):
    world = RenewingWorld()
    async with world.site() as client:
        response = await client.get("/notes", headers={"cookie": cookies})
        assert response.status_code == 200
        assert response.headers["x-caller"] == "nobody"
        assert fresh(response) == []


async def test_what_tokens_say_is_kept_for_some_only():
    world = RenewingWorld()
    async with world.site() as client:
        for number in range(5):
            cookie = f"{ACCESS}=e30.e30.{number}; {REFRESH}=x"
            await client.get("/", headers={"cookie": cookie})
        assert len(world.app._ends) == 5
        world.app._ends = {str(n).encode(): 1.0 for n in range(4096)}
        await client.get("/", headers={"cookie": f"{ACCESS}=a.b.c; {REFRESH}=x"})
        assert len(world.app._ends) == 1


async def test_an_outage_is_503_and_no_log_out(monkeypatch):
    def word(error, scope):
        return RefusalResponse(error.status, (), "Come back soon.")

    world = RenewingWorld(renewing={"public_paths": ["/open"], "on_refusal": word})
    async with world.site() as client:
        await world.enter(client)

        async def rotate(*_, **__):
            raise UnavailableError

        with monkeypatch.context() as patch:
            patch.setattr(MemoryStore, "rotate", rotate)
            response = await client.post("/notes", content=b"x" * 10)
            assert (response.status_code, response.text) == (503, "Come back soon.")
            assert int(response.headers["retry-after"]) > 0
            assert fresh(response) == []
            assert world.calls == 0
            # Where nobody is refused, the caller is nobody for now.
            assert (await client.get("/open")).headers["x-caller"] == "nobody"

        assert (await client.get("/notes")).headers["x-caller"] != "nobody"


async def test_renewals_are_counted_as_refreshes():
    limiter = RateLimiter(limits=Limits(**{**LOOSE, "tokens": Limit(1, 60)}))
    world = RenewingWorld(limiter=limiter)
    async with world.site() as client:
        await world.enter(client)
        first = {"cookie": f"{REFRESH}=a.b.c"}
        assert (await client.get("/notes", headers=first)).status_code == 200
        response = await client.get("/notes")
        assert response.status_code == 429


async def test_a_log_out_wins_over_the_renewal_before_it():
    world = RenewingWorld()
    async with world.site() as client:
        await world.enter(client)
        account = await world.store.find_by_email(EMAIL)
        response = await client.post("/auth/logout")
        assert response.status_code == 204
        lines = response.headers.get_list("set-cookie")
        assert [line for line in lines if "Max-Age=0" not in line] == []
        assert await world.tokens.sessions(account.id) == []
        assert (await client.get("/notes")).headers["x-caller"] == "nobody"


async def test_a_renewal_that_races_a_log_out_lets_nobody_in():
    world = RenewingWorld(requires()(echo))
    async with world.site() as client:
        await world.enter(client)
        cookies = dict(client.cookies)
        account = await world.store.find_by_email(EMAIL)

        async def leave():
            await client.post("/auth/logout")

        async def ask():
            async with world.site(cookies=cookies) as tab:
                await tab.get("/notes")

        async with anyio.create_task_group() as group:
            group.start_soon(ask)
            group.start_soon(leave)
            group.start_soon(ask)

        assert await world.tokens.sessions(account.id) == []
        async with world.site(cookies=cookies) as tab:
            assert (await tab.get("/notes")).status_code == 401


async def test_a_refresh_of_the_browser_client_still_works():
    world = RenewingWorld()
    async with world.site() as client:
        await world.enter(client)
        response = await client.post("/auth/refresh")
        assert response.status_code == 200
        assert fresh(response) == [ACCESS, REFRESH]
        assert (await client.get("/notes")).headers["x-caller"] != "nobody"


async def test_cookies_go_out_with_a_refusal_and_with_a_crash():
    async def broken(scope, receive, send):
        if scope["path"] == "/deny":
            requires("admin").check(scope)
        raise ZeroDivisionError

    world = RenewingWorld(broken)
    async with world.site() as client:
        await world.enter(client)
        response = await client.get("/deny")
        assert (response.status_code, fresh(response)) == (403, [ACCESS, REFRESH])

        world.clock.advance(901)
        transport = httpx2.ASGITransport(app=world.app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(
            transport=transport, base_url=ORIGIN, cookies=dict(client.cookies)
        ) as other:
            response = await other.get("/crash", headers=OWN)
            assert response.status_code == 500
            assert fresh(response) == [ACCESS, REFRESH]


async def test_cookies_go_out_before_a_stream_does():
    async def stream(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for part in (b"a", b"b"):
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body"})

    world = RenewingWorld(stream)
    async with world.site() as client:
        await world.enter(client)
        response = await client.get("/events")
        assert (response.text, fresh(response)) == ("ab", [ACCESS, REFRESH])


async def test_who_is_not_remembered_stays_so():
    world = RenewingWorld()
    async with world.site() as client:
        await world.add()
        body = {"email": EMAIL, "password": PASSWORD, "remember": False}
        await client.post("/auth/login", json=body)
        world.clock.advance(901)
        response = await client.get("/notes")
        lines = response.headers.get_list("set-cookie")
        assert not any("Max-Age" in line for line in lines)
        assert len(lines) == 3


async def test_other_cookies_stay_what_they_are():
    seen = []

    async def look(scope, receive, send):
        seen.extend(v for n, v in scope["headers"] if n == b"cookie")
        await echo(scope, receive, send)

    world = RenewingWorld(look)
    async with world.site() as client:
        await world.enter(client)
        client.cookies.set("theme", "dark")
        await client.get("/notes")
        (line,) = seen
        assert line.count(b"theme=dark") == line.count(b"__Host-access=") == 1
        assert line.count(b"__Secure-refresh=") == 1


class Socket:
    """A handshake of a browser, with its cookies."""

    def __init__(self, client, *, version="2.3", denial=True):
        line = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        self.scope = {
            "type": "websocket",
            "path": "/chat",
            "query_string": b"",
            "subprotocols": [],
            "scheme": "wss",
            "asgi": {"version": "3.0", "spec_version": version},
            "extensions": {"websocket.http.response": {}} if denial else {},
            "headers": [
                (b"host", b"api.example"),
                (b"origin", b"https://api.example"),
                (b"cookie", line.encode()),
            ],
        }
        self.sent = []

    async def open(self, app):
        messages = [{"type": "websocket.connect"}]

        async def receive():
            if messages:
                return messages.pop()
            return {"type": "websocket.disconnect", "code": 1001}

        async def send(message):
            self.sent.append(message)

        await app(self.scope, receive, send)
        return self.sent

    def cookies(self):
        headers = self.sent[0].get("headers", ())
        return [v.partition(b"=")[0].decode() for n, v in headers if n == b"set-cookie"]


async def greet(scope, receive, send):
    """Accept who is known, and close who is not."""
    await receive()
    if get_principal(scope).is_authenticated and scope["path"] == "/chat":
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": "hello"})
    await send({"type": "websocket.close", "code": 4000})


async def test_a_handshake_is_renewed_where_the_server_takes_headers():
    world = RenewingWorld(greet)
    async with world.site() as client:
        await world.enter(client)
        socket = Socket(client)
        sent = await socket.open(world.app)
        assert [message["type"] for message in sent[:2]] == [
            "websocket.accept",
            "websocket.send",
        ]
        assert socket.cookies() == [ACCESS, REFRESH]


async def test_a_handshake_that_the_app_declines_has_the_cookies_too():
    world = RenewingWorld(greet)
    async with world.site() as client:
        await world.enter(client)
        socket = Socket(client)
        socket.scope["path"] = "/closed"
        sent = await socket.open(world.app)
        assert sent[0]["type"] == "websocket.http.response.start"
        assert sent[0]["status"] == 403
        assert socket.cookies() == [ACCESS, REFRESH]


@pytest.mark.parametrize(
    "options", [{"version": "2.0"}, {"version": "x"}, {"denial": False}]
)
async def test_a_handshake_is_not_renewed_where_cookies_would_be_lost(options):
    world = RenewingWorld(greet)
    async with world.site() as client:
        await world.enter(client)
        socket = Socket(client, **options)
        await socket.open(world.app)
        assert socket.cookies() == []
        # The refresh token is not spent.
        assert fresh(await client.post("/auth/refresh")) == [ACCESS, REFRESH]


async def test_a_handshake_of_a_foreign_page_renews_nothing():
    world = RenewingWorld(greet)
    async with world.site() as client:
        await world.enter(client)
        socket = Socket(client)
        socket.scope["headers"][1] = (b"origin", b"https://evil.example")
        sent = await socket.open(world.app)
        assert sent[0]["type"] != "websocket.accept"
        assert socket.cookies() == []


async def test_lifespan_passes():
    seen = []

    async def app(scope, receive, send):
        seen.append(scope["type"])

    world = RenewingWorld()
    await world.routes.renewing(app)({"type": "lifespan"}, None, None)
    assert seen == ["lifespan"]


@pytest.mark.parametrize(
    "options",
    [{"delivery": "body"}, {"cookies": Cookies()}, {"cookies": Cookies(path="/auth")}],
)
def test_a_refresh_cookie_that_does_not_come_along_is_said(options):
    with pytest.raises(ConfigurationError, match="path='/'"):
        RenewingWorld(**options)
