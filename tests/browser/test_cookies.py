from __future__ import annotations

import asyncio

from tests.browser.site import LOG_IN, until

NOTES = "auth.fetch('/notes').then((response) => response.status)"
OPTIONS = {"storage": "cookie"}
ENDED = "!auth.state.authenticated"


async def logged_in(site, new_tab, count=1):
    pages = [new_tab(site.page(**OPTIONS)) for _ in range(count)]
    tabs = await asyncio.gather(*pages)
    await tabs[0].evaluate(LOG_IN)
    for tab in tabs:
        await until(tab, "auth.state.authenticated")
    return tabs


async def lose_access_cookie(tab) -> None:
    """Do what a browser does when the cookie has lived its time."""
    await tab.context.clear_cookies(name="access")


async def test_scripts_never_see_a_token(cookie_site, new_tab):
    (tab,) = await logged_in(cookie_site, new_tab)
    assert await tab.evaluate(NOTES) == 200
    assert cookie_site.bearers == [None]
    assert await tab.evaluate("auth.token()") is None
    assert await tab.evaluate("document.cookie") == ""

    state = await tab.evaluate("auth.logOut()")
    assert state["reason"] == "logged_out"
    assert await tab.evaluate(NOTES) == 401
    assert cookie_site.refreshes == 0


async def test_tabs_whose_cookie_has_ended_refresh_once(cookie_site, new_tab):
    tabs = await logged_in(cookie_site, new_tab, 5)
    cookie_site.age()
    answers = await asyncio.gather(*(tab.evaluate(NOTES) for tab in tabs))
    assert answers == [200] * 5
    assert cookie_site.refreshes == 1


async def test_a_page_that_is_loaded_again_finds_its_session(cookie_site, new_tab):
    (tab,) = await logged_in(cookie_site, new_tab)
    await tab.reload()
    assert await tab.evaluate(NOTES) == 200
    assert cookie_site.refreshes == 0  # The cookie is there, and good.

    assert await tab.evaluate("auth.state.reason") == "new"
    state = await tab.evaluate("auth.resume()")
    assert state["authenticated"]
    assert cookie_site.refreshes == 1  # Only now is it known until when.


async def test_a_cookie_that_is_gone_is_fetched_anew(cookie_site, new_tab):
    (tab,) = await logged_in(cookie_site, new_tab)
    await tab.reload()
    await lose_access_cookie(tab)
    assert await tab.evaluate(NOTES) == 200
    assert cookie_site.refreshes == 1


async def test_a_second_tab_learns_from_the_first(cookie_site, new_tab):
    await logged_in(cookie_site, new_tab)
    second = await new_tab(cookie_site.page(**OPTIONS))
    assert (await second.evaluate("auth.resume()"))["authenticated"]
    assert cookie_site.refreshes == 0


async def test_nobody_is_found_once(cookie_site, new_tab):
    tab = await new_tab(cookie_site.page(**OPTIONS))
    state = await tab.evaluate("auth.resume()")
    assert state["authenticated"] is False
    assert state["reason"] == "unauthenticated"
    assert [await tab.evaluate(NOTES) for _ in range(2)] == [401, 401]
    assert cookie_site.refreshes == 1


async def test_a_log_out_reaches_the_other_tabs(cookie_site, new_tab):
    tabs = await logged_in(cookie_site, new_tab, 2)
    await tabs[0].evaluate("auth.logOut()")
    await until(tabs[1], ENDED)
    assert await tabs[1].evaluate("auth.state.reason") == "logged_out"


async def test_a_revoked_session_tells_why(cookie_site, new_tab):
    tabs = await logged_in(cookie_site, new_tab, 2)
    await cookie_site.end_sessions()
    assert await tabs[0].evaluate(NOTES) == 401
    for tab in tabs:
        await until(tab, ENDED)
        assert await tab.evaluate("auth.state.reason") == "token_revoked"


async def test_a_websocket_uses_the_cookie(cookie_site, new_tab):
    (tab,) = await logged_in(cookie_site, new_tab)
    await tab.reload()
    await lose_access_cookie(tab)
    echo = """(async () => {
      const socket = await auth.connect("/ws");
      const answer = new Promise((resolve) => { socket.onmessage = resolve; });
      socket.send('"hi"');
      return [socket.protocol, JSON.parse((await answer).data).echo];
    })()"""
    assert await tab.evaluate(echo) == ["", "hi"]
    assert cookie_site.refreshes == 1


async def test_other_subdomains_are_sent_cookies_where_they_are_named(
    cookie_site, new_tab
):
    home = cookie_site.origin.replace("127.0.0.1", "localhost")
    tab = await new_tab(cookie_site.page(**OPTIONS, base=f"{home}/auth"))
    modes = """(async () => {
      const sent = [];
      window.fetch = async (request) => {
        sent.push([new URL(request.url).hostname, request.credentials]);
        return new Response(JSON.stringify({ expires_in: 900 }));
      };
      await auth.logIn({ email: "", password: "" });
      await auth.fetch(BASE);
      await auth.fetch("/notes");
      await auth.fetch("http://elsewhere.test/");
      return sent;
    })()"""
    assert await tab.evaluate(modes.replace("BASE", f"'{home}/notes'")) == [
        ["localhost", "include"],
        ["localhost", "include"],
        ["127.0.0.1", "same-origin"],
        ["elsewhere.test", "same-origin"],
    ]
