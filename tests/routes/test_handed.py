"""Users logged in and out by a handler, without any framework."""

from __future__ import annotations

import pytest

from asgi_auth import ConfigurationError, CrossOriginError
from asgi_auth.errors import InvalidCredentialsError, UnknownSubjectError
from asgi_auth.routes import Cookies
from asgi_auth.routes.errors import CookieTooLargeError
from tests.routes.world import World


def post(*headers, **more):
    fields = [(b"host", b"api.example"), (b"sec-fetch-site", b"same-origin"), *headers]
    return {
        "type": "http",
        "method": "POST",
        "path": "/enter",
        "query_string": b"",
        "headers": fields,
        "client": ("192.0.2.1", 1),
        **more,
    }


def cookie(headers):
    pairs = [value.partition(b";")[0] for _, value in headers]
    return b"cookie", b"; ".join(pairs)


async def test_the_headers_make_a_session_and_end_it():
    world = World(delivery="both", cookies=Cookies(path="/"))
    account = await world.add(roles=["editor"])
    agent = (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0")
    headers = await world.routes.log_in(post(agent), account, amr=("otp",), acr="mfa")
    assert {name for name, _ in headers} == {b"set-cookie"}
    assert any(b"Max-Age=604800; Path=/" in value for _, value in headers)
    (session,) = await world.tokens.sessions(account.id)
    assert session.device.name == "Firefox on Linux"
    access = cookie(headers)[1].split(b"; ")[0].partition(b"=")[2].decode()
    claims = await world.tokens.verify(access)
    assert (claims["amr"], claims["acr"]) == (("otp",), "mfa")
    assert claims["roles"] == ("editor",)

    gone = await world.routes.log_out(post(cookie(headers)))
    assert all(b"Max-Age=0" in value for _, value in gone)
    assert await world.tokens.sessions(account.id) == []
    # Whoever is logged out gets what was wanted.
    assert await world.routes.log_out(post())


async def test_cookies_that_are_not_to_be_remembered_have_no_age():
    world = World(delivery="cookie", cookies=Cookies(path="/"))
    headers = await world.routes.log_in(post(), await world.add(), remember=False)
    assert not any(b"Max-Age" in value for _, value in headers)
    assert any(value.startswith(b"__Secure-brief=") for _, value in headers)
    gone = await world.routes.log_out(post(cookie(headers)))
    assert any(value.startswith(b"__Secure-brief=") for _, value in gone)


async def test_a_foreign_page_logs_nobody_in_or_out():
    world = World(delivery="cookie", cookies=Cookies(path="/"))
    account = await world.add()
    scope = post()
    scope["headers"] = [(b"host", b"api.example"), (b"sec-fetch-site", b"cross-site")]
    with pytest.raises(CrossOriginError):
        await world.routes.log_in(scope, account)
    with pytest.raises(CrossOriginError):
        await world.routes.log_out(scope)


async def test_an_account_that_was_disabled_or_changed_gets_no_session():
    world = World(delivery="cookie", cookies=Cookies(path="/"))
    account = await world.add()
    await world.accounts.change_password(
        account.id, "violet-otter-42-lamp", "amber-fox-17-boat"
    )
    with pytest.raises(InvalidCredentialsError):
        await world.routes.log_in(post(), account)
    account = await world.store.find_by_email(account.email)
    await world.accounts.disable(account.id)
    with pytest.raises(UnknownSubjectError):
        await world.routes.log_in(post(), account)
    assert await world.tokens.sessions(account.id) == []


async def test_a_session_that_fits_into_no_cookie_is_ended():
    world = World(
        delivery="cookie", cookies=Cookies(path="/"), claims=lambda a: {"x": "y" * 5000}
    )
    account = await world.add()
    with pytest.raises(CookieTooLargeError):
        await world.routes.log_in(post(), account)
    assert await world.tokens.sessions(account.id) == []


async def test_routes_know_where_the_refresh_cookie_goes_or_say_so():
    account = await World().add()
    with pytest.raises(ConfigurationError, match="Cookies"):
        await World(delivery="cookie").routes.log_in(post(), account)
    with pytest.raises(ConfigurationError, match="delivery='cookie'"):
        await World().routes.log_in(post(), account)

    world = World(delivery="cookie", prefix="/auth")
    headers = await world.routes.log_in(post(root_path="/app"), await world.add())
    assert any(b"Path=/app/auth;" in value for _, value in headers)
