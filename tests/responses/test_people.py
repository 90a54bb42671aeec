"""Refusals that a person sees: the way to log in, and pages instead of documents."""

from __future__ import annotations

import httpx2
import pytest

from asgi_auth import (
    AuthenticationMiddleware,
    ConfigurationError,
    JWTBackend,
    RefusalPolicy,
    requires,
)
from asgi_auth.responses import RefusalResponse, response_to
from asgi_auth.responses.state import KEY
from tests.routes.world import World

NAVIGATE = {"sec-fetch-mode": "navigate"}
HTML = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


async def notes(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"notes"})


class Refusing:
    """An app whose callers are refused.

    Args:
        app: What is within.
        required: Nobody gets in who is not known.
        options: Of the middleware's policy.
    """

    def __init__(self, app=None, *, required=False, **options):
        self.world = World()
        app = requires("notes:read")(notes) if app is None else app
        backend = JWTBackend(self.world.tokens)
        policy = RefusalPolicy(**options)
        self.app = AuthenticationMiddleware(
            app, backend, required=required, refusal_policy=policy
        )

    async def token(self, *scopes):
        return (await self.world.tokens.issue("ann", scopes=scopes)).access_token

    async def ask(self, path="/notes", method="GET", **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        transport = httpx2.ASGITransport(app=self.app)
        async with httpx2.AsyncClient(
            transport=transport, base_url="https://site.example"
        ) as client:
            del client.headers["accept"]
            return await client.request(method, path, headers=headers)


@pytest.mark.parametrize("required", [False, True])
async def test_a_navigation_is_sent_to_log_in_and_shown_the_way_back(required):
    app = notes if required else None
    site = Refusing(app, login_url="/log-in", required=required)
    response = await site.ask("/notes/1?sort=a%20b&x=%2F", sec_fetch_mode="navigate")
    assert response.status_code == 303
    place = "/log-in?next=%2Fnotes%2F1%3Fsort%3Da%2520b%26x%3D%252F"
    assert response.headers["location"] == place
    assert response.headers["cache-control"] == "no-store"
    assert "www-authenticate" not in response.headers


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_mode": "cors", "accept": HTML},
        {"accept": "*/*"},
        {"accept": "application/json"},
        {"accept": "application/json, text/html;q=0.9"},
        {"accept": "text/html;q=0"},
        {"accept": "text/html;q=x"},
        {"accept": "," * 1000 + "text/html"},
        {},
        {"hx_request": "yes"},
    ],
)
async def test_what_asks_for_data_gets_the_problem_document(headers):
    response = await Refusing(login_url="/log-in").ask(**headers)
    assert response.status_code == 401
    assert response.headers["content-type"] == "application/problem+json"
    assert "www-authenticate" in response.headers


@pytest.mark.parametrize("accept", [HTML, "text/html", "application/xhtml+xml, */*"])
async def test_an_old_browser_is_known_by_what_it_prefers(accept):
    response = await Refusing(login_url="/log-in?a=b").ask(accept=accept)
    assert response.headers["location"] == "/log-in?a=b&next=%2Fnotes"


async def test_htmx_is_told_to_go_there_as_a_whole():
    site = Refusing(login_url="/log-in")
    response = await site.ask(
        "/fragment", hx_request="true", hx_current_url="https://site.example/notes?a=1"
    )
    assert response.status_code == 401
    assert response.headers["hx-redirect"] == "/log-in?next=%2Fnotes%3Fa%3D1"
    assert "www-authenticate" in response.headers


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/notes",
        "//evil.example/notes",
        "https://site.example@evil.example/",
        "https://site.example:444/notes",
        "https://site.example//evil.example",
        "https://[::1/notes",
        "notes",
        "javascript:alert(1)",
        "",
    ],
)
async def test_no_header_of_a_foreign_page_becomes_the_way_back(url):
    site = Refusing(login_url="/log-in")
    response = await site.ask(hx_request="true", hx_current_url=url)
    assert response.headers["hx-redirect"] == "/log-in"
    response = await site.ask(method="POST", sec_fetch_mode="navigate", referer=url)
    assert response.headers["location"] == "/log-in"


async def test_the_way_back_from_a_form_is_its_page():
    site = Refusing(login_url="/log-in")
    referer = "https://site.example/notes/new?x=1"
    response = await site.ask(
        "/notes", "POST", sec_fetch_mode="navigate", referer=referer
    )
    assert response.headers["location"] == "/log-in?next=%2Fnotes%2Fnew%3Fx%3D1"


async def test_a_path_that_is_none_of_ours_is_no_way_back():
    site = Refusing(login_url="/log-in")
    for path in ("//evil.example", "/%5Cevil.example", "/a/%2e%2e/b", "/x%0d%0ay"):
        response = await site.ask(
            f"https://site.example{path}", sec_fetch_mode="navigate"
        )
        assert response.headers["location"] == "/log-in"


async def test_a_mounted_site_is_left_by_its_whole_path():
    site = Refusing(login_url="/log-in")
    sent = []

    async def send(message):
        sent.append(message)

    for path in ("/notes", "/app/notes"):
        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "root_path": "/app",
            "query_string": b"",
            "headers": [(b"sec-fetch-mode", b"navigate")],
        }
        await site.app(scope, None, send)

    places = [dict(m["headers"])[b"location"] for m in sent if "headers" in m]
    assert places == [b"/log-in?next=%2Fapp%2Fnotes"] * 2


async def test_a_page_to_log_in_that_is_guarded_by_mistake_sends_nobody_round():
    site = Refusing(login_url="/log-in")
    response = await site.ask("/log-in?next=/x", sec_fetch_mode="navigate")
    assert response.status_code == 401


async def test_a_callable_says_where_to_log_in():
    def url(error, scope):
        return None if scope["path"] == "/api" else f"/{error.code}"

    site = Refusing(login_url=url)
    response = await site.ask(sec_fetch_mode="navigate")
    assert response.headers["location"] == "/unauthenticated?next=%2Fnotes"
    assert (await site.ask("/api", sec_fetch_mode="navigate")).status_code == 401


async def test_who_may_not_is_not_sent_to_log_in():
    site = Refusing(login_url="/log-in")
    token = await site.token()
    response = await site.ask(
        authorization=f"Bearer {token}", sec_fetch_mode="navigate"
    )
    assert response.status_code == 403


async def test_an_application_words_refusals_itself():
    def word(error, scope):
        if error.status == 403:
            page = f"<h1>{error.code}</h1>"
            return RefusalResponse(403, [("Content-Type", "text/html")], page)
        return None

    site = Refusing(on_refusal=word, login_url="/log-in")
    response = await site.ask(authorization=f"Bearer {await site.token()}")
    assert (response.status_code, response.text) == (403, "<h1>insufficient_scope</h1>")
    assert response.headers["content-type"] == "text/html"
    assert response.headers["content-length"] == str(len(response.text))
    assert response.headers["cache-control"] == "no-store"
    assert "insufficient_scope" in response.headers["www-authenticate"]
    # What it leaves alone is answered as otherwise.
    assert (await site.ask(sec_fetch_mode="navigate")).status_code == 303
    assert (await site.ask()).status_code == 401
    good = f"Bearer {await site.token('notes:read')}"
    assert (await site.ask(authorization=good)).text == "notes"


async def test_a_hook_that_fails_lets_nobody_in(caplog):
    for word in (
        lambda e, s: 1 / 0,
        lambda e, s: "no",
        lambda e, s: RefusalResponse(200),
    ):
        response = await Refusing(on_refusal=word).ask()
        assert response.status_code == 401
        assert response.headers["content-type"] == "application/problem+json"

    assert caplog.text.count("on_refusal has failed") == 3


async def test_frameworks_that_send_for_themselves_get_the_same():
    async def app(scope, receive, send):
        from asgi_auth.errors import AuthenticationError

        status, headers, body = response_to(AuthenticationError(), scope)
        assert scope[KEY].watch.wording is not None
        await send(
            {"type": "http.response.start", "status": status, "headers": headers}
        )
        await send({"type": "http.response.body", "body": body})

    response = await Refusing(app, login_url="/log-in").ask(sec_fetch_mode="navigate")
    assert response.headers["location"] == "/log-in?next=%2Fnotes"


async def test_a_socket_gets_what_it_always_got():
    site = Refusing(login_url="/log-in", on_refusal=lambda e, s: RefusalResponse(303))
    sent = []

    async def send(message):
        sent.append(message)

    scope = {
        "type": "websocket",
        "path": "/notes",
        "query_string": b"",
        "subprotocols": [],
        "headers": [(b"sec-fetch-mode", b"navigate")],
    }
    await site.app(scope, None, send)
    assert sent == [{"type": "websocket.close", "code": 3000}]


@pytest.mark.parametrize("status", [100, 200, 204, 299, 600])
def test_a_refusal_is_no_success(status):
    with pytest.raises(ConfigurationError, match="status"):
        RefusalResponse(status)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("", "a"),
        ("x a", "a"),
        ("x\r\nset-cookie", "a"),
        ("x-\xe4", "a"),
        ("x", "a\r\nset-cookie: b"),
        ("x", "a\n"),
        ("x", "a\0"),
        ("x", "caf\xe9"),
    ],
)
async def test_a_header_of_a_refusal_holds_no_other(name, value):
    with pytest.raises(ConfigurationError, match="no plain ASCII text"):
        RefusalResponse(403, [("x-good", "a\tb"), (name, value)])

    site = Refusing(on_refusal=lambda e, s: RefusalResponse(403, [(name, value)]))
    response = await site.ask()
    assert response.status_code == 401
    assert "set-cookie" not in response.headers
