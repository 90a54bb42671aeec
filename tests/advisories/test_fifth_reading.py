"""What a hostile reader of the pages, renewals and redirects tried."""

from __future__ import annotations

import asyncio
from base64 import urlsafe_b64encode
from contextlib import suppress

import pytest

from asgi_auth import (
    AuthenticationMiddleware,
    ConfigurationError,
    JWTBackend,
    RefusalPolicy,
    get_principal,
)
from asgi_auth.ratelimit import Limits
from asgi_auth.ratelimit.limiter import Limit, RateLimiter
from asgi_auth.responses import RefusalResponse
from asgi_auth.routes import Cookies
from asgi_auth.routes.shared import Shared
from tests.pages.site import FORM, PagesWorld
from tests.pages.test_mounting import PERSON, litestar
from tests.routes.test_renewal import ACCESS, REFRESH, RenewingWorld, fresh
from tests.routes.world import LOOSE, World

# ------------------------------------------------------------------------ renewal


async def test_who_leaves_does_not_log_out_those_who_wait_for_the_same_renewal():
    """Servers cancel the task of a client that has gone; a shield stops no such."""
    shared, gate, calls = Shared(), asyncio.Event(), []

    async def make():
        calls.append(1)
        await gate.wait()
        await asyncio.sleep(0)
        return "pair"

    first = asyncio.create_task(shared.once("key", make))
    others = [asyncio.create_task(shared.once("key", make)) for _ in range(3)]
    for _ in range(3):
        await asyncio.sleep(0)
    first.cancel()
    gate.set()
    with suppress(asyncio.CancelledError):
        await first
    assert await asyncio.gather(*others) == ["pair"] * 3
    assert len(calls) == 2
    assert shared._works == {}


async def test_a_stranger_fills_no_memory_with_long_access_cookies():
    world = RenewingWorld()
    async with world.site() as client:
        cookie = f"{ACCESS}=e30.e30.{'x' * 60_000}; {REFRESH}=x"
        response = await client.get("/notes", headers={"cookie": cookie})
        assert response.headers["x-caller"] == "nobody"
        assert world.app._ends == {}


async def test_a_flood_of_rubbish_leaves_public_pages_open():
    """One office has one address: who floods must not close the page to log in."""
    limiter = RateLimiter(limits=Limits(**{**LOOSE, "tokens": Limit(1, 60)}))
    world = RenewingWorld(limiter=limiter, renewing={"public_paths": ["/open"]})
    async with world.site() as client:
        rubbish = {"cookie": f"{REFRESH}=a.b.c"}
        for _ in range(3):
            response = await client.get("/open", headers=rubbish)
            assert response.status_code == 200
        assert (await client.get("/notes", headers=rubbish)).status_code == 429


@pytest.mark.parametrize(
    "name", ["cdn-cache-control", "Vendor-CDN-Cache-Control", "surrogate-control"]
)
async def test_no_rule_for_shared_caches_alone_stores_new_cookies(name):
    """RFC 9213: what targets caches counts before Cache-Control."""

    async def app(scope, receive, send):
        headers = [
            (name.encode(), b"max-age=600"),
            (b"cache-control", b"no-store"),
            (b"x-caller", (get_principal(scope).subject or "nobody").encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    world = RenewingWorld(app)
    async with world.site() as client:
        await world.enter(client)
        response = await client.get("/notes")
        assert fresh(response) == [ACCESS, REFRESH]
        assert name.lower() not in response.headers
        # Without new cookies it is the application's affair.
        assert name.lower() in (await client.get("/notes")).headers


@pytest.mark.parametrize(
    "payload",
    [b"[" * 3000, b'{"exp":' + b"9" * 3000 + b"}", b'{"exp":NaN}', b'{"exp":true}'],
)
async def test_no_payload_of_an_access_cookie_is_a_crash(payload):
    middle = urlsafe_b64encode(payload).rstrip(b"=").decode()
    world = RenewingWorld()
    async with world.site() as client:
        for cookie in (
            f"{ACCESS}=e30.{middle}.e30; {REFRESH}=x",
            f"{REFRESH}=e30.{middle}.e30",
            f"{REFRESH}=e30.{middle}.e30; {REFRESH}=e30.{middle}.e30",
        ):
            response = await client.get("/notes", headers={"cookie": cookie})
            assert response.status_code == 200
            assert response.headers["x-caller"] == "nobody"


# -------------------------------------------------------------------------- pages

ODD_FIELDS = [
    "login=%ED%A0%80&password=x",
    "login=%F0%9F%92%A9@example.com&password=%7B%7B7*7%7D%7D",
    "model_extra=1&__pydantic_extra__=2&model_fields_set=3&__class__=4&login=a",
    "__pydantic_fields_set__=1&__dict__=2&model_config=3&self=4&items=5",
    "login=%E2%80%AE%0D%0ASet-Cookie:a=b&password=x&next=%0D%0Aa",
    "token=../../logout&password=x&next=//evil.example",
    "sid=..%2F..%2Flogout&id=..%2Fme&action=end&provider=..%2Fme",
    "login=x&password=x&code=%FF%FE",
    "action=&id=%3F%23&name=%25&provider=%C3%A4",
]


@pytest.mark.parametrize("fields", ODD_FIELDS)
@pytest.mark.parametrize("inside", [False, True], ids=["stranger", "user"])
async def test_no_field_of_a_form_is_a_crash_or_leads_elsewhere(fields, inside):
    world = PagesWorld(factors={})
    await world.add()
    paths = [*world.pages._pages]
    async with world.browser() as browser:
        if inside:
            await world.log_in(browser)
        for path in paths:
            if path == "/log-out":
                continue
            for query in ("", f"?{fields}"):
                for response in (
                    await browser.get(path + query),
                    await browser.post(path + query, content=fields, headers=FORM),
                ):
                    assert response.status_code < 500, (path, response.text)
                    place = response.headers.get("location", "/")
                    assert place.startswith("/")
                    assert not place.startswith("//")
                    assert "evil" not in place.partition("?")[0]
                    assert "{{7*7}}" not in place
                    policy = response.headers["content-security-policy"]
                    assert "frame-ancestors 'none'" in policy
        assert (await browser.get("/account")).status_code == (200 if inside else 303)


# ----------------------------------------------------------------------- refusals


def echoing(error, scope):
    """Be careless with what callers send, as applications are."""
    return f"/log-in?from={scope['path']}"


@pytest.mark.parametrize(
    "path", ["/caf%C3%A9", "/%E7%99%BB", "/a%0D%0ASet-Cookie:%20a=b", "/a%00b"]
)
@pytest.mark.parametrize("htmx", [False, True])
async def test_what_a_caller_sends_breaks_no_redirect(path, htmx):
    world = World()
    backend = JWTBackend(world.tokens)
    app = AuthenticationMiddleware(
        None, backend, required=True, refusal_policy=RefusalPolicy(login_url=echoing)
    )
    headers = {**PERSON, "hx-request": "true"} if htmx else PERSON
    async with world.client(app=app, headers=headers) as client:
        response = await client.get(path)
        assert response.status_code == (401 if htmx else 303)
        place = response.headers["hx-redirect" if htmx else "location"]
        assert place.isascii()
        assert place.isprintable()
        assert "set-cookie" not in response.headers


@pytest.mark.parametrize("value", ["a\r\nset-cookie: a=b", "a\0", "\u767b", "caf\xe9"])
async def test_what_a_caller_sends_splits_no_refusal(value, caplog):
    world = World()

    def word(error, scope):
        return RefusalResponse(error.status, [("x-asked-for", value)], "no")

    backend = JWTBackend(world.tokens)
    app = AuthenticationMiddleware(
        None, backend, required=True, refusal_policy=RefusalPolicy(on_refusal=word)
    )
    async with world.client(app=app, headers=PERSON) as client:
        response = await client.get("/x")
    assert response.status_code == 401
    assert response.headers["content-type"] == "application/problem+json"
    assert "x-asked-for" not in response.headers
    assert "on_refusal has failed" in caplog.text


# ----------------------------------------------------- log-ins from handlers

APART = Cookies(samesite="none", path="/", partitioned=True)


async def test_litestar_sets_cookies_that_are_kept_apart():
    world = PagesWorld(cookies=APART)
    await world.add()
    async with world.client(app=litestar(world), headers=PERSON) as browser:
        response = await browser.post("/enter")
        assert fresh(response) == [ACCESS, REFRESH]
        for line in response.headers.get_list("set-cookie"):
            assert line.endswith("; Partitioned")
        response = await browser.post("/leave")
        assert fresh(response) == [ACCESS, REFRESH]
        for line in response.headers.get_list("set-cookie"):
            assert line.endswith("; Partitioned")
            assert "Max-Age=0" in line


def test_django_sets_all_cookies_whatever_their_attributes(monkeypatch):
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.websocket.django_settings")
    from django.http import HttpResponse

    from asgi_auth.integrations._django import HANDED

    lines = [
        "__Host-access=a.b.c; HttpOnly; Path=/; SameSite=none; Secure; Partitioned",
        '__Secure-refresh=""; HttpOnly; Max-Age=0; Path=/; SameSite=lax; Secure',
        '__Secure-refresh=""; HttpOnly; Max-Age=0; Path=/old; SameSite=lax; Secure',
    ]
    response = HttpResponse()
    for _ in range(2):
        HANDED.add(response, [(b"set-cookie", line.encode()) for line in lines])
    written = [morsel.output(header="").strip() for morsel in response.cookies.values()]
    assert written == lines


# ---------------------------------------------------------------- second factors


@pytest.mark.parametrize(
    "uri", ["", "%E2%82%AC" * 1024, "x" * 5000, "%F0%9F%92%A9" * 900, "%0A", "%C2%85"]
)
async def test_no_address_for_an_app_is_a_crash(uri):
    """What the form sends back is drawn again: it need not be what was sent out."""
    world = PagesWorld(factors={})
    await world.add()
    async with world.browser() as browser:
        await world.log_in(browser)
        content = f"action=confirm_app&code=1&secret=%3Cb%3E&enrolment=x&uri={uri}"
        response = await browser.post("/second-factors", content=content, headers=FORM)
        assert response.status_code < 500, response.text
        assert "<b>" not in response.text


# ------------------------------------------------------------------ planted cookies


async def test_no_subdomain_plants_a_cookie_that_is_renewed_from():
    """Browsers take __Host- from the host itself only (RFC 6265bis, 4.1.3.2)."""
    cookies = Cookies(path="/", samesite="lax", refresh_name="__Host-refresh")
    world = RenewingWorld(cookies=cookies)
    async with world.site() as client:
        await world.enter(client)
        planted = client.cookies["__Host-refresh"]
        response = await client.get("/notes")
        assert fresh(response) == [ACCESS, "__Host-refresh"]
        for line in response.headers.get_list("set-cookie"):
            assert "Path=/;" in line
            assert "Domain" not in line

    async with world.site(cookies={REFRESH: planted}) as victim:
        response = await victim.get("/notes")
        assert response.headers["x-caller"] == "nobody"


@pytest.mark.parametrize("path", [None, "/auth"])
def test_a_name_that_browsers_drop_is_said(path):
    with pytest.raises(ConfigurationError, match="__Host-"):
        Cookies(path=path, refresh_name="__Host-refresh")
