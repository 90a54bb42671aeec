"""What a hostile reader of the pages, renewals and redirects tried."""

from __future__ import annotations

import asyncio
from base64 import urlsafe_b64encode
from contextlib import suppress

import pytest

from asgi_auth import get_principal
from asgi_auth.ratelimit.limiter import Limit, RateLimiter
from asgi_auth.routes.shared import Shared
from tests.pages.site import FORM, PagesWorld
from tests.routes.test_renewal import ACCESS, REFRESH, RenewingWorld, fresh
from tests.routes.world import LOOSE

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
    limiter = RateLimiter(**{**LOOSE, "tokens": Limit(1, 60)})
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
