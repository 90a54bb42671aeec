"""What scripts, other users and other tabs must not make the browser client do."""

from __future__ import annotations

import asyncio

import pytest

from asgi_auth import SessionPolicy
from tests.browser.site import LOG_IN, eventually, until
from tests.browser.test_client import (
    ENDED,
    FAULT,
    NOTES,
    OPEN,
    SLEEP,
    logged_in,
    reasons,
)
from tests.routes.world import EMAIL, PASSWORD

OTHER = "bo@example.com"
LOG_IN_OTHER = LOG_IN.replace(EMAIL, OTHER)
FORGED = """(base) => {
  const name = `asgi-auth memory ${base}/auth`;
  window.channel = new BroadcastChannel(name);
  const now = Date.now();
  const ends = { wall: now + 1e6, lifetime: 900 };
  const session = { access: "a", refresh: "b", owner: "o", ...ends };
  const time = { sent: now, left: 900 };
  const good = { stamp: now + 60000, reason: "refreshed", session, ...time };
  const forged = [
    null, 7, "text", [], {}, { ask: {} }, { stamp: "9" },
    { ...good, stamp: Infinity }, { ...good, stamp: NaN }, { ...good, stamp: 1e300 },
    { ...good, stamp: Number.MAX_SAFE_INTEGER }, { ...good, stamp: 2n ** 80n },
    { ...good, session: 7 }, { ...good, session: {} },
    { ...good, session: { ...session, access: null } },
    { ...good, session: { ...session, wall: NaN } },
    { ...good, sent: "soon" }, { ...good, left: undefined },
    { ...good, session: null, reason: undefined },
    { ...good, session: null, reason: "\\u20ac".repeat(100) },
  ];
  for (const message of forged) channel.postMessage(message);
  navigator.locks.request(`${name} #x`, () => new Promise(() => {}));
}"""


# -------------------------------------------------------------- a socket that is closed


async def test_a_page_learns_from_its_socket_that_the_session_is_over(site, new_tab):
    tabs = await logged_in(site, new_tab, 2)
    for tab in tabs:
        await tab.evaluate(f"({OPEN})('/ws')")
    await site.end_sessions()
    for tab in tabs:
        await until(tab, ENDED, patience=3)
        assert (await reasons(tab))[-1] == "token_revoked"
        assert await tab.evaluate("heard") == [[3000, "token_revoked"]]


async def test_a_page_with_cookies_learns_it_as_well(cookie_site, new_tab):
    (tab,) = await logged_in(cookie_site, new_tab, storage="cookie")
    await tab.evaluate(f"({OPEN})('/ws')")
    await cookie_site.end_sessions()
    await until(tab, ENDED, patience=3)
    assert (await reasons(tab))[-1] == "token_revoked"


async def test_a_socket_that_is_closed_ends_no_session_that_lives(site, new_tab):
    (tab,) = await logged_in(site, new_tab)
    token = await tab.evaluate("auth.token()")
    for _ in range(3):
        await tab.evaluate(f"({OPEN})('/ws')")
    await site.world.tokens.revoke(token)
    await until(tab, "states.at(-1).reason === 'refreshed'")

    # Again at once: the routes are not asked each time.
    await tab.evaluate(f"({OPEN})('/ws')")
    await site.world.tokens.revoke(await tab.evaluate("auth.token()"))
    await until(tab, "heard.length")
    await asyncio.sleep(0.6)
    assert site.refreshes == 1
    assert await tab.evaluate("auth.state.authenticated")


async def test_routes_that_are_down_are_asked_again(site, new_tab):
    (tab,) = await logged_in(site, new_tab)
    await tab.clock.install()
    await tab.evaluate(f"({OPEN})('/ws')")
    site.down["/auth/refresh"] = 503
    await site.end_sessions()
    await until(tab, "heard.length")
    await tab.clock.fast_forward(1_000)
    await eventually(lambda: site.refreshes == 1)
    assert await tab.evaluate("auth.state.authenticated")

    site.down.clear()
    await asyncio.sleep(0.1)
    await tab.clock.fast_forward(6_000)
    await until(tab, ENDED, patience=3)


@pytest.mark.parametrize("way", ["logOut", "logOutEverywhere"])
async def test_who_logs_out_is_told_no_other_reason(site, new_tab, way):
    tabs = await logged_in(site, new_tab, 2)
    for tab in tabs:
        await tab.evaluate(f"({OPEN})('/ws')")
    slow = "/auth/logout-all" if way == "logOutEverywhere" else "/auth/logout"
    site.mute[slow] = asyncio.Event()
    leaving = asyncio.create_task(tabs[0].evaluate(f"auth.{way}()"))
    await until(tabs[0], "heard.length")
    site.mute.pop(slow).set()
    await leaving
    for tab in tabs:
        await until(tab, ENDED)
        await asyncio.sleep(0.4)
        assert (await reasons(tab))[1:] in (
            ["logged_in", "logged_out"],
            ["logged_out"],
        )
    assert site.refreshes == 0


# ------------------------------------------------------------------- forged messages


async def test_forged_messages_neither_end_nor_freeze_anything(site, new_tab):
    tabs = await logged_in(site, new_tab, 2)
    await tabs[0].evaluate(f"({OPEN})('/ws')")
    script = await new_tab(f"{site.origin}/page.js")
    await script.evaluate(FORGED, site.origin)
    await asyncio.sleep(0.2)
    assert [await tab.evaluate(NOTES) for tab in tabs] == [200, 200]
    assert await tabs[0].evaluate("heard") == []

    site.age()
    assert [await tab.evaluate(NOTES) for tab in tabs] == [200, 200]
    assert site.refreshes == 1  # The tabs still hear each other.
    await tabs[1].evaluate("auth.logOut()")
    await until(tabs[0], ENDED)
    assert (await reasons(tabs[0]))[-1] == "logged_out"


# ---------------------------------------------------------------------- another user


async def test_what_one_user_began_is_not_done_as_another(site, new_tab):
    await site.world.add(OTHER)
    first, second = await logged_in(site, new_tab, 2)
    await first.evaluate(f"({OPEN})('/ws')")
    site.age()
    site.gates["/notes"] = asyncio.Event()
    post = "auth.fetch('/notes', { method: 'POST', body: 'of ann' })"
    asking = asyncio.create_task(first.evaluate(f"{post}.then((r) => r.status)"))
    await eventually(lambda: site.hits["/notes"] == 1)
    await second.evaluate(LOG_IN_OTHER)
    site.gates.pop("/notes").set()

    assert await asking == 401
    assert site.hits["/notes"] == 1
    await until(first, "heard.length")  # Nor does the socket stay.
    assert (await first.evaluate("heard"))[0] == [3000, "logged_in"]
    assert await first.evaluate(NOTES) == 200


async def test_what_waits_for_a_fresh_token_is_not_done_as_another(open_site, new_tab):
    site = await open_site(tokens={"session_policy": SessionPolicy(access_ttl=60)})
    await site.world.add(OTHER)
    first, second = await logged_in(site, new_tab, 2)
    site.gates["/auth/login"] = asyncio.Event()
    coming = asyncio.create_task(second.evaluate(LOG_IN_OTHER))
    await eventually(lambda: site.hits["/auth/login"] == 2)
    await first.evaluate(SLEEP["wall"])
    post = "auth.fetch('/notes', { method: 'POST', body: 'of ann' })"
    asking = asyncio.create_task(first.evaluate(f"{post}.catch({FAULT})"))
    await asyncio.sleep(0.1)
    site.gates.pop("/auth/login").set()
    await coming

    assert (await asking)["kind"] == "logged_out"
    assert site.hits["/notes"] == 0


async def test_the_same_user_who_logs_in_anew_keeps_the_socket(site, new_tab):
    (tab,) = await logged_in(site, new_tab)
    await tab.evaluate(f"({OPEN})('/ws')")
    await tab.evaluate(LOG_IN)
    await tab.evaluate("socket.send(JSON.stringify('still there'))")
    await until(tab, "heard.length")
    assert (await tab.evaluate("heard"))[0]["echo"] == "still there"


# ------------------------------------------------------------------------- the rest


async def test_an_address_that_is_changed_meanwhile_gets_no_token(site, new_tab, serve):
    seen = []

    async def elsewhere(scope, receive, send):
        if scope["type"] == "http":
            seen.append(scope["headers"])

    foreign = await serve(elsewhere)
    (tab,) = await logged_in(site, new_tab)
    site.age()
    status = await tab.evaluate(
        """(foreign) => {
             const url = new URL("/notes", location.href);
             const asking = auth.fetch(url).then((response) => response.status);
             url.href = foreign;
             return asking;
           }""",
        foreign,
    )
    assert status == 200
    assert seen == []


@pytest.mark.parametrize("code", ["401", '{"a": 1}', '"\\u20ac"', f'"{"x" * 200}"'])
async def test_a_proxys_json_ends_no_session(site, new_tab, code):
    (tab,) = await logged_in(site, new_tab)
    await tab.evaluate(f"({OPEN})('/ws')")
    body = f'{{"code": {code}, "message": "Unauthorized"}}'

    async def say(route):
        await route.fulfill(status=401, body=body, content_type="application/json")

    site.age()
    await tab.route("**/auth/refresh", say)
    code = await tab.evaluate("auth.fetch('/notes').catch((error) => error.code)")
    assert code == "http_401"
    await tab.unroute("**/auth/refresh")
    assert await tab.evaluate(NOTES) == 200


async def test_a_client_that_is_closed_hands_over_what_a_refresh_brings(site, new_tab):
    first, second = await logged_in(site, new_tab, 2)
    site.age()
    site.gates["/auth/refresh"] = asyncio.Event()
    asking = asyncio.create_task(first.evaluate(NOTES))
    await eventually(lambda: site.refreshes == 1)
    await first.evaluate("auth.close()")
    site.gates.pop("/auth/refresh").set()
    await asking
    await until(second, "states.at(-1).reason === 'refreshed'", patience=3)

    site.age(60)  # A spent token that comes back later than that ends the session.
    assert await second.evaluate(NOTES) == 200
    assert site.refreshes == 1
    assert PASSWORD not in await second.evaluate("JSON.stringify(states)")
