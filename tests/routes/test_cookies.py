from __future__ import annotations

import asyncio

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from asgi_auth import AuthConfig, ConfigurationError, SessionPolicy, Site
from asgi_auth.errors import UnavailableError
from asgi_auth.ratelimit import RateLimiter
from asgi_auth.routes import AuthRoutes
from asgi_auth.routes.cookies import Cookies
from asgi_auth.routes.duplicates import newest_first
from asgi_auth.tokens.pair import TokenPair
from tests import forge
from tests.routes.world import (
    EMAIL,
    ORIGIN,
    PASSWORD,
    SECRET,
    World,
    assert_problem,
    bearer,
    log_in,
    set_cookies,
)

SAME = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}
RIGHT = {"email": EMAIL, "password": PASSWORD}


def mounted(world):
    return Starlette(routes=[Mount("/auth", world.routes)])


async def test_cookies_have_the_attributes_that_keep_them_safe():
    world = World(delivery=Cookies(samesite="lax"))
    await world.add()
    async with world.client(app=mounted(world)) as client:
        answer = await client.post("/auth/login", json=RIGHT, headers=SAME)

    assert answer.json().keys() == {"token_type", "expires_in", "refresh_expires_in"}
    cookies = set_cookies(answer)
    access, refresh = cookies["__Host-access"], cookies["__Secure-refresh"]
    for cookie in cookies.values():
        assert {"httponly", "secure"} <= cookie.keys()
        assert cookie["samesite"] == "lax"
        assert "domain" not in cookie
    assert (access["path"], refresh["path"]) == ("/", "/auth")
    assert access["max-age"] == "900"
    assert refresh["max-age"] == str(7 * 86400)
    assert (await world.tokens.verify(access["value"]))["type"] == "access"
    assert (await world.tokens.verify(refresh["value"], "refresh"))["type"] == "refresh"


async def test_a_browser_logs_in_refreshes_and_logs_out():
    world = World(delivery="cookie")
    await world.add()
    async with world.client(app=mounted(world), headers=SAME) as client:
        await client.post("/auth/login", json=RIGHT)
        assert (await client.get("/auth/me")).json()["email"] == EMAIL
        before = dict(client.cookies)
        refreshed = await client.post("/auth/refresh")
        assert refreshed.status_code == 200
        assert dict(client.cookies)["__Secure-refresh"] != before["__Secure-refresh"]

        answer = await client.post("/auth/logout")
        assert answer.status_code == 204
        cleared = set_cookies(answer)
        for name, path in (("__Host-access", "/"), ("__Secure-refresh", "/auth")):
            assert cleared[name]["value"] == ""
            assert cleared[name]["max-age"] == "0"
            assert cleared[name]["path"] == path
            assert cleared[name]["samesite"] == "strict"
            assert {"secure", "httponly"} <= cleared[name].keys()
        assert client.cookies.keys() == {"__Secure-device"}
        assert_problem(await client.get("/auth/me"), 401, "unauthenticated")


async def test_a_log_out_gets_the_refresh_cookie_long_after_the_access_cookie():
    world = World(delivery="cookie")
    account = await world.add()
    async with world.client(app=mounted(world), headers=SAME) as client:
        await client.post("/auth/login", json=RIGHT)
        world.clock.advance(3600)
        client.cookies.delete("__Host-access")
        assert (await client.post("/auth/logout")).status_code == 204
    assert await world.tokens.sessions(account.id) == []


async def test_rubbish_in_cookies_does_not_keep_anybody_from_logging_out():
    world = World(delivery="cookie")
    rubbish = {"Cookie": "__Host-access=rubbish; __Secure-refresh=more", **SAME}
    async with world.client() as client:
        answer = await client.post("/logout", headers=rubbish)
    assert answer.status_code == 204
    assert set_cookies(answer).keys() == {"__Host-access", "__Secure-refresh"}


async def test_of_two_deliveries_the_client_chooses_one():
    world = World(delivery="both")
    await world.add()
    async with world.client() as client:
        pair = await log_in(client)
        assert not client.cookies
        assert (await client.get("/me", headers=bearer(pair))).status_code == 200

        answer = await client.post("/login", json={**RIGHT, "delivery": "cookie"})
        assert answer.json().keys().isdisjoint({"access_token", "refresh_token"})
        assert client.cookies["__Host-access"]
        assert (await client.get("/me")).status_code == 200


async def test_a_cookie_is_never_turned_into_a_token_that_scripts_can_read():
    world = World(delivery="both")
    await world.add()
    app = mounted(world)
    async with world.client(app=app) as client:
        await client.post("/auth/login", json={**RIGHT, "delivery": "cookie"})
        refreshed = await client.post("/auth/refresh", headers=SAME)
        proven = {"password": RIGHT["password"]}
        path = "/auth/reauthenticate"
        proved = await client.post(path, json=proven, headers=SAME)
        for answer in (refreshed, proved):
            assert answer.status_code == 200
            assert "__Secure-refresh" in set_cookies(answer)
            assert answer.json().keys() == {
                "token_type",
                "expires_in",
                "refresh_expires_in",
            }


async def test_a_token_that_came_in_a_body_goes_out_in_one():
    world = World(delivery="both")
    await world.add()
    async with world.client() as client:
        pair = await log_in(client)
        token = {"refresh_token": pair["refresh_token"]}
        answer = await client.post("/refresh", json=token)
        assert answer.json()["refresh_token"] != pair["refresh_token"]
        assert not set_cookies(answer)


async def test_bodies_only_reads_no_cookie():
    world = World(delivery="body")
    await world.add()
    async with world.client() as client:
        pair = await log_in(client)
        cookie = {"Cookie": f"__Host-access={pair['access_token']}"}
        me = await client.get("/me", headers=cookie)
        assert_problem(me, 401, "unauthenticated")
        cookie = {"Cookie": f"__Secure-refresh={pair['refresh_token']}"}
        answer = await client.post("/refresh", headers=cookie)
        assert_problem(answer, 401, "unauthenticated")


@pytest.mark.parametrize(
    "foreign",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://shop.api.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": ORIGIN},
    ],
)
@pytest.mark.parametrize("credential", [True, False])
async def test_foreign_pages_are_refused_also_where_no_credential_came(
    foreign, credential
):
    world = World(delivery="cookie")
    account = await world.add()
    async with world.client(app=mounted(world)) as client:
        await client.post("/auth/login", json=RIGHT, headers=SAME)
        if not credential:
            client.cookies.clear()
        for path, body in (
            ("login", RIGHT),
            ("refresh", None),
            ("logout", None),
            ("logout-all", None),
            ("password/change", {"current_password": "a", "new_password": "b"}),
        ):
            answer = await client.post(f"/auth/{path}", json=body, headers=foreign)
            assert_problem(answer, 403, "cross_origin")
            assert "set-cookie" not in answer.headers
    assert len(await world.tokens.sessions(account.id)) == 1


async def test_a_trusted_origin_may_use_the_cookies():
    world = World(delivery="cookie", site=Site(trusted_origins=["https://app.example"]))
    await world.add()
    app = {"Origin": "https://app.example", "Sec-Fetch-Site": "cross-site"}
    async with world.client() as client:
        answer = await client.post("/login", json=RIGHT, headers=app)
    assert answer.status_code == 200


async def test_a_refresh_that_loses_never_touches_the_cookies_of_the_winner():
    world = World(delivery="cookie")
    await world.add()
    async with world.client(headers=SAME) as client:
        await client.post("/login", json=RIGHT)
        old = f"__Secure-refresh={client.cookies['__Secure-refresh']}"
        answers = await asyncio.gather(
            *(client.post("/refresh", headers={"Cookie": old}) for _ in range(5))
        )
        assert {a.status_code for a in answers} == {200}
        successors = {set_cookies(a)["__Secure-refresh"]["value"] for a in answers}
        assert len(successors) == 1

        world.clock.advance(60)
        client.cookies.clear()
        late = await client.post("/refresh", headers={"Cookie": old})
        assert_problem(late, 401, "token_reused")
        assert "set-cookie" not in late.headers


async def test_tokens_that_do_not_fit_into_a_cookie_open_no_session(caplog):
    world = World(delivery="cookie", claims=lambda account: {"big": "x" * 4000})
    account = await world.add()
    async with world.client() as client:
        answer = await client.post("/login", json=RIGHT)
    assert_problem(answer, 500, "cookie_too_large")
    assert "set-cookie" not in answer.headers
    assert await world.tokens.sessions(account.id) == []
    assert "longer than 4096 bytes" in caplog.text


def test_a_cookie_of_exactly_the_limit_is_set():
    from starlette.responses import Response

    from asgi_auth.routes.errors import CookieTooLargeError

    cookies = Cookies()
    room = 4096 - len(cookies.access)

    def pair(length):
        return TokenPair("a" * length, "r", expires_in=1, refresh_expires_in=1)

    cookies.hand_out(Response(), pair(room), {"type": "http", "headers": []}, "/auth")
    with pytest.raises(CookieTooLargeError):
        cookies.hand_out(
            Response(), pair(room + 1), {"type": "http", "headers": []}, "/auth"
        )


async def test_cookies_that_came_with_too_much_are_refused():
    world = World(delivery="cookie")
    async with world.client(headers=SAME) as client:
        huge = {"Cookie": f"__Host-access={'x' * 9000}"}
        assert_problem(await client.get("/me", headers=huge), 401, "invalid_token")
        twice = {"Cookie": "__Host-access=a; __Host-access=b"}
        assert_problem(await client.get("/me", headers=twice), 400, "invalid_request")


async def test_insecure_cookies_stay_on_localhost():
    world = World(delivery=Cookies(insecure_for_localhost=True))
    await world.add()
    local = ("localhost:8000", "127.0.0.1", "[::1]:8000", "app.localhost:5173")
    for base in (f"http://{host}" for host in local):
        async with world.client(base=base) as client:
            answer = await client.post("/login", json=RIGHT)
            cookies = set_cookies(answer)
            assert cookies.keys() == {"access", "refresh", "device"}
            assert not any("secure" in cookie for cookie in cookies.values())
            assert (await client.get("/me")).status_code == 200
    for base in (ORIGIN, "http://localhost.evil.example", "http://evil.example:80"):
        async with world.client(base=base) as client:
            answer = await client.post("/login", json=RIGHT)
            assert_problem(answer, 421, "not_localhost")


async def test_the_settings_of_the_configuration_are_kept():
    world = World()
    await world.add()
    config = AuthConfig(secret_key=SECRET, cookie_samesite="lax", cookie_name="again")
    world.routes = AuthRoutes.from_config(
        config,
        world.tokens,
        world.accounts,
        limiter=RateLimiter(insecure_unlimited=True),
    )
    async with world.client(headers=SAME) as client:
        cookies = set_cookies(await client.post("/login", json=RIGHT))
        assert cookies.keys() == {"__Host-access", "again"}
        assert cookies["again"]["samesite"] == "lax"
        assert "secure" in cookies["again"]
        assert (await client.post("/refresh")).status_code == 200

    local = AuthConfig(secret_key=SECRET, cookie_secure=False)
    world.routes = AuthRoutes.from_config(local, world.tokens, world.accounts)
    async with world.client(base="http://localhost") as client:
        cookies = set_cookies(await client.post("/login", json=RIGHT))
    assert cookies.keys() == {"access", "refresh_token", "device"}
    assert not any("secure" in cookie for cookie in cookies.values())

    for delivery, expected in (
        ("both", Cookies(refresh_name="refresh_token", in_body=True)),
        (Cookies(path="/"), Cookies(path="/")),
        ("body", None),
    ):
        routes = AuthRoutes.from_config(
            AuthConfig(secret_key=SECRET),
            world.tokens,
            world.accounts,
            delivery=delivery,
        )
        kept = routes._context.cookies
        assert repr(kept) == repr(expected)

    shown = AuthConfig(secret_key=SECRET, cookie_httponly=False)
    with pytest.raises(ConfigurationError, match="scripts"):
        AuthRoutes.from_config(shown, world.tokens, world.accounts)


@pytest.mark.parametrize(
    "options",
    [
        {"insecure_for_localhost": True, "refresh_name": "__Secure-refresh"},
        {"refresh_name": "no name"},
        {"samesite": "sometimes"},
        {"samesite": "none", "insecure_for_localhost": True},
        {"path": "auth"},
        {"domain": ".example.com"},
        {"domain": "com"},
        {"domain": "https://example.com"},
        {"domain": "example.com; Secure"},
        {"domain": "a.b" * 100},
        {"domain": "10.0.0.1"},
        {"domain": "app.localhost.example", "insecure_for_localhost": True},
        {"domain": "example.com", "refresh_name": "__Host-refresh"},
        {"partitioned": True},
        {"partitioned": True, "samesite": "none", "domain": "example.com"},
    ],
)
def test_attributes_that_contradict_each_other_are_refused(options):
    with pytest.raises(ConfigurationError):
        Cookies(**options)


async def test_an_outage_is_no_log_out():
    world = World(delivery="cookie")
    await world.add()

    async def down(*args, **kwargs):
        raise UnavailableError

    async with world.client(headers=SAME) as client:
        await client.post("/login", json=RIGHT)
        world.tokens.store.rotate = down
        answer = await client.post("/refresh")
    assert_problem(answer, 503, "unavailable")
    assert "set-cookie" not in answer.headers
    assert answer.headers["retry-after"] == "1"


async def test_cookies_may_go_to_all_hosts_below_a_domain():
    world = World(delivery=Cookies(domain="example.com"))
    await world.add()
    async with world.client(app=mounted(world), headers=SAME) as client:
        answer = await client.post("/auth/login", json=RIGHT)
        cookies = set_cookies(answer)
        assert cookies.keys() == {
            "__Secure-access",
            "__Secure-refresh",
            "__Secure-device",
        }
        assert {cookie["domain"] for cookie in cookies.values()} == {"example.com"}
        sent = "; ".join(f"{name}={c['value']}" for name, c in cookies.items())
        me = await client.get("/auth/me", headers={"Cookie": sent})
        assert me.json()["email"] == EMAIL
        left = await client.post("/auth/logout", headers={"Cookie": sent})
        cleared = set_cookies(left)
        assert {cookie["domain"] for cookie in cleared.values()} == {"example.com"}


async def test_cookies_may_be_kept_apart_for_each_embedding_site():
    world = World(delivery=Cookies(partitioned=True, samesite="none"))
    await world.add()
    async with world.client(headers=SAME) as client:
        answer = await client.post("/login", json=RIGHT)
        for cookie in set_cookies(answer).values():
            assert "partitioned" in cookie
            assert cookie["samesite"] == "none"
        left = await client.post("/logout")
        assert all("partitioned" in cookie for cookie in set_cookies(left).values())


# -------------------------------------------------------- two refresh cookies at once


def refresh_cookie(answer):
    return set_cookies(answer)["__Secure-refresh"]["value"]


def both(*values):
    return {"Cookie": "; ".join(f"__Secure-refresh={value}" for value in values)}


def cleared_paths(answer):
    """Return the paths at which the refresh cookie is taken away."""
    lines = answer.headers.get_list("set-cookie")
    return {
        line.partition("Path=")[2].partition(";")[0]
        for line in lines
        if line.startswith("__Secure-refresh=") and "Max-Age=0" in line
    }


@pytest.fixture
async def moved():
    """A browser with a refresh cookie of an old path, of the same session."""
    world = World(delivery="cookie", tokens={"session_policy": SessionPolicy(grace=0)})
    await world.add()
    async with world.client(app=mounted(world), headers=SAME) as client:
        old = refresh_cookie(await client.post("/auth/login", json=RIGHT))
        world.clock.advance(60)
        client.cookies.clear()
        new = refresh_cookie(await client.post("/auth/refresh", headers=both(old)))
        client.cookies.clear()
        yield world, client, old, new


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_of_two_refresh_cookies_of_one_session_the_newer_is_used(moved, order):
    world, client, *pair = moved
    sent = both(*(pair[place] for place in order))
    answer = await client.post("/auth/refresh", headers=sent)
    assert answer.status_code == 200
    assert "session.reused" not in world.heard("session.")
    assert cleared_paths(answer) == {"/", "/auth/", "/auth/refresh", "/auth/refresh/"}
    assert refresh_cookie(answer) != pair[1]


async def test_one_refresh_cookie_clears_nothing(moved):
    _, client, _, new = moved
    answer = await client.post("/auth/refresh", headers=both(new))
    assert cleared_paths(answer) == set()


async def test_an_older_session_is_tried_after_the_newer_one():
    world = World(delivery="cookie")
    await world.add()
    async with world.client(app=mounted(world), headers=SAME) as client:
        old = refresh_cookie(await client.post("/auth/login", json=RIGHT))
        world.clock.advance(60)
        new = refresh_cookie(await client.post("/auth/login", json=RIGHT))
        client.cookies.clear()
        sid = (await world.tokens.verify(new, "refresh"))["sid"]
        await world.tokens.revoke_session(sid)
        answer = await client.post("/auth/refresh", headers=both(old, new))
        assert answer.status_code == 200
        assert (await world.tokens.verify(refresh_cookie(answer), "refresh"))[
            "sid"
        ] != sid
        client.cookies.clear()
        answer = await client.post("/auth/refresh", headers=both(new, "rubbish"))
        assert_problem(answer, 401, "token_revoked")


async def test_a_cookie_that_another_host_has_set_is_not_used():
    world = World(delivery="cookie")
    await world.add()
    await world.add(email="eve@example.com")
    async with world.client(app=mounted(world), headers=SAME) as client:
        mine = refresh_cookie(await client.post("/auth/login", json=RIGHT))
        world.clock.advance(60)
        eve = {"email": "eve@example.com", "password": PASSWORD}
        theirs = refresh_cookie(await client.post("/auth/login", json=eve))
        client.cookies.clear()
        answer = await client.post("/auth/refresh", headers=both(mine, theirs))
        assert answer.status_code == 401
        # The next log-in takes the strange one away.
        answer = await client.post(
            "/auth/login", json=RIGHT, headers=both(mine, theirs)
        )
        assert answer.status_code == 200
        assert "/auth/" in cleared_paths(answer)


async def test_a_log_out_ends_the_sessions_of_all_refresh_cookies():
    world = World(delivery="cookie")
    account = await world.add()
    async with world.client(app=mounted(world), headers=SAME) as client:
        old = refresh_cookie(await client.post("/auth/login", json=RIGHT))
        world.clock.advance(60)
        new = refresh_cookie(await client.post("/auth/login", json=RIGHT))
        client.cookies.clear()
        assert len(await world.tokens.sessions(account.id)) == 2
        answer = await client.post("/auth/logout", headers=both(old, new))
        assert answer.status_code == 204
        assert not await world.tokens.sessions(account.id)
        assert {"/", "/auth", "/auth/"} <= cleared_paths(answer)


@pytest.mark.parametrize("value", ["a", "a.b.c", "a" * 9000])
async def test_many_cookies_of_rubbish_are_none(value):
    world = World(delivery="cookie")
    async with world.client(headers=SAME) as client:
        answer = await client.post("/refresh", headers=both(*[value] * 12))
        assert answer.status_code == 401


def test_nothing_in_a_cookie_breaks_the_choice():
    keys = forge.family("HS256").key
    for claims in ({}, {"sid": 5, "sub": "a"}, {"sid": "a", "sub": [1]}):
        assert newest_first([forge.sign({}, claims, keys)] * 2) == ()
    odd = {"sid": "a", "sub": "b", "iat": 10**400, "seq": "x"}
    text = forge.sign({}, odd, keys)
    assert newest_first([text, text]) == (text.decode(),)
    assert newest_first([text] * 9) == ()
