from __future__ import annotations

import asyncio
import time

import pytest
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse
from starlette.routing import Route

from asgi_auth import SessionPolicy
from tests.browser.site import LOG_IN, eventually, until
from tests.routes.world import EMAIL, PASSWORD

NOTES = "auth.fetch('/notes').then((response) => response.status)"
ENDED = "!auth.state.authenticated"
FAULT = "(error) => ({ kind: error.kind, code: error.code, status: error.status })"


async def logged_in(site, new_tab, count=1, **options):
    """Open tabs of one browser, of which the first logs in."""
    pages = [new_tab(site.page(**options)) for _ in range(count)]
    tabs = await asyncio.gather(*pages)
    await tabs[0].evaluate(LOG_IN)
    for tab in tabs:
        await until(tab, "auth.state.authenticated")
    return tabs


async def reasons(tab) -> list[str]:
    return await tab.evaluate("states.map((state) => state.reason)")


# ------------------------------------------------------------------------ the account


async def test_a_user_registers_logs_in_and_logs_out(site, new_tab):
    tab = await new_tab(site.page())
    account = await tab.evaluate(
        f"auth.register({{ email: 'bo@example.com', password: '{PASSWORD}' }})"
    )
    assert account["email"] == "bo@example.com"

    state = await tab.evaluate(LOG_IN)
    assert state["authenticated"]
    left = await tab.evaluate("auth.state.expiresAt - Date.now() / 1000")
    assert 890 < left <= 900
    assert await tab.evaluate(NOTES) == 200

    token = await tab.evaluate("auth.token()")
    state = await tab.evaluate("auth.logOut()")
    assert state == {"authenticated": False, "expiresAt": None, "reason": "logged_out"}
    assert await tab.evaluate("auth.token()") is None
    assert await tab.evaluate(NOTES) == 401
    assert site.bearers == [f"Bearer {token}", None]
    assert await reasons(tab) == ["new", "logged_in", "logged_out"]


async def test_a_wrong_password_is_an_error_that_programs_understand(site, new_tab):
    tab = await new_tab(site.page())
    error = await tab.evaluate(
        f"auth.logIn({{ email: '{EMAIL}', password: 'wrong' }}).catch({FAULT})"
    )
    assert error == {"kind": "refused", "code": "invalid_credentials", "status": 401}


async def test_a_log_out_reaches_all_tabs(site, new_tab):
    tabs = await logged_in(site, new_tab, 3)
    await tabs[1].evaluate("auth.logOut()")
    for tab in tabs:
        await until(tab, ENDED)
        assert (await reasons(tab))[-1] == "logged_out"
        assert await tab.evaluate("auth.token()") is None


async def test_a_log_out_that_does_not_reach_the_server_can_be_repeated(site, new_tab):
    (tab,) = await logged_in(site, new_tab)
    site.down["/auth/logout"] = 503
    error = await tab.evaluate(f"auth.logOut().catch({FAULT})")
    assert error["kind"] == "unavailable"
    assert await tab.evaluate("auth.state.authenticated")

    site.down.clear()
    await tab.evaluate("auth.logOut()")
    assert await tab.evaluate(ENDED)


async def test_log_out_everywhere_and_the_list_of_sessions(site, new_tab, chromium):
    (tab,) = await logged_in(site, new_tab)
    site.age(1)  # The list is by time.
    elsewhere = await (await chromium.new_context()).new_page()
    await elsewhere.goto(site.page())
    await elsewhere.evaluate(LOG_IN)

    sessions = await tab.evaluate("auth.sessions()")
    assert [session["current"] for session in sessions] == [True, False]
    await tab.evaluate("(sid) => auth.revokeSession(sid)", sessions[1]["sid"])
    assert await elsewhere.evaluate(NOTES) == 401
    assert (await reasons(elsewhere))[-1] == "token_revoked"
    assert await tab.evaluate(NOTES) == 200

    await elsewhere.evaluate(LOG_IN)
    await tab.evaluate("auth.logOutEverywhere()")
    assert await tab.evaluate(ENDED)
    assert await elsewhere.evaluate(NOTES) == 401
    await elsewhere.context.close()


async def test_who_revokes_the_own_session_is_logged_out(site, new_tab):
    tabs = await logged_in(site, new_tab, 2)
    sid = (await tabs[0].evaluate("auth.sessions()"))[0]["sid"]
    await tabs[0].evaluate("(sid) => auth.revokeSession(sid)", sid)
    await until(tabs[1], ENDED)


async def test_a_session_that_is_revoked_ends_in_all_tabs_with_the_reason(
    site, new_tab
):
    tabs = await logged_in(site, new_tab, 2)
    await site.end_sessions()
    assert await tabs[0].evaluate(NOTES) == 401
    for tab in tabs:
        await until(tab, ENDED)
        assert (await reasons(tab))[-1] == "token_revoked"
    assert site.refreshes == 1

    assert await tabs[1].evaluate(NOTES) == 401
    assert site.refreshes == 1  # What is over is not asked for again.


async def test_the_storage_must_be_the_servers(cookie_site, new_tab):
    tab = await new_tab(cookie_site.page())
    error = await tab.evaluate(f"{LOG_IN}.catch({FAULT})")
    assert error["kind"] == "misuse"


async def test_both_spellings_are_read(open_site, new_tab):
    site = await open_site(camel_case=True)
    (tab,) = await logged_in(site, new_tab)
    site.age()
    assert await tab.evaluate(NOTES) == 200
    assert site.refreshes == 1


# ---------------------------------------------------------------------------- refresh


async def test_ten_tabs_with_one_ended_token_refresh_once(site, new_tab):
    tabs = await logged_in(site, new_tab, 10)
    site.age()
    answers = await asyncio.gather(*(tab.evaluate(NOTES) for tab in tabs))
    assert answers == [200] * 10
    assert site.refreshes == 1
    assert len({await tab.evaluate("auth.token()") for tab in tabs}) == 1
    assert site.refreshes == 1


SLEEP = {  # Of 45 seconds, as one clock sees it.
    "wall": "{ const now = Date.now; Date.now = () => now() + 45000; }",
    "monotonic": """{ const now = performance.now.bind(performance);
                      performance.now = () => now() + 45000; }""",
}


@pytest.mark.parametrize("clock", SLEEP)
async def test_tabs_that_refresh_ahead_do_it_once(open_site, new_tab, clock):
    site = await open_site(tokens={"session_policy": SessionPolicy(access_ttl=60)})
    tabs = await logged_in(site, new_tab, 4)
    assert await tabs[0].evaluate(NOTES) == 200
    for tab in tabs:  # One clock stands still in a sleep; the other may be set.
        await tab.evaluate(SLEEP[clock])
    site.age(45)
    answers = await asyncio.gather(*(tab.evaluate(NOTES) for tab in tabs))
    assert answers == [200] * 4
    assert site.refreshes == 1
    assert site.hits["/notes"] == 5  # None was sent twice.


LATE_NEWS = """{
  const channel = BroadcastChannel.prototype;
  const { set } = Object.getOwnPropertyDescriptor(channel, "onmessage");
  Object.defineProperty(channel, "onmessage", {
    set(hear) {
      set.call(this, (event) => setTimeout(() => hear(event), 200));
    },
  });
}"""


async def test_a_lock_that_is_passed_on_before_the_news_arrives_does_no_harm(
    site, new_tab
):
    await new_tab.context.add_init_script(LATE_NEWS)
    tabs = await logged_in(site, new_tab, 2)
    site.age()
    assert await asyncio.gather(*(tab.evaluate(NOTES) for tab in tabs)) == [200] * 2
    assert site.refreshes == 1


async def test_a_lifetime_shorter_than_the_skew_does_not_refresh_each_time(
    open_site, new_tab
):
    site = await open_site(tokens={"session_policy": SessionPolicy(access_ttl=20)})
    (tab,) = await logged_in(site, new_tab, skew=30)
    assert [await tab.evaluate(NOTES) for _ in range(3)] == [200] * 3
    assert site.refreshes == 0


async def test_a_tab_that_is_closed_while_it_refreshes_holds_nobody_up(site, new_tab):
    first, second = await logged_in(site, new_tab, 2)
    site.age()
    site.mute["/auth/refresh"] = asyncio.Event()  # It rotates; no answer is sent.
    await first.evaluate("void auth.fetch('/notes')")
    await eventually(lambda: site.refreshes == 1)
    waiting = asyncio.create_task(second.evaluate(NOTES))
    await eventually(lambda: site.hits["/notes"] == 2)
    await asyncio.sleep(0.1)
    assert site.refreshes == 1  # The second waits for the first.

    await first.close()
    site.mute.pop("/auth/refresh").set()
    assert await waiting == 200
    assert site.refreshes == 2  # Within the grace of the server.


async def test_a_log_out_waits_for_a_refresh_and_ends_what_it_gave(site, new_tab):
    first, second = await logged_in(site, new_tab, 2)
    site.age()
    site.gates["/auth/refresh"] = asyncio.Event()
    asking = asyncio.create_task(first.evaluate(NOTES))
    await eventually(lambda: site.refreshes == 1)
    leaving = asyncio.create_task(second.evaluate("auth.logOut()"))
    await asyncio.sleep(0.1)
    site.gates.pop("/auth/refresh").set()
    await asyncio.gather(asking, leaving)
    await until(first, ENDED)
    assert await first.evaluate(NOTES) == 401
    account = await site.world.store.find_by_email(EMAIL)
    assert not await site.world.tokens.sessions(account.id)


async def test_routes_that_are_down_cost_no_session(site, new_tab):
    tabs = await logged_in(site, new_tab, 2)
    site.age()
    site.down["/auth/refresh"] = 503
    for tab in tabs:
        error = await tab.evaluate(f"auth.fetch('/notes').catch({FAULT})")
        assert error == {"kind": "unavailable", "code": "http_503", "status": 503}
        assert await tab.evaluate("auth.state.authenticated")

    site.down.clear()
    assert [await tab.evaluate(NOTES) for tab in tabs] == [200, 200]


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500])
async def test_what_a_proxy_says_ends_no_session(site, new_tab, status):
    (tab,) = await logged_in(site, new_tab)
    site.age()
    site.down["/auth/refresh"] = status
    error = await tab.evaluate(f"auth.fetch('/notes').catch({FAULT})")
    kinds = {429: "limited", 500: "unavailable"}
    assert error["kind"] == kinds.get(status, "refused")
    assert error["status"] == status

    site.down.clear()
    assert await tab.evaluate(NOTES) == 200


async def test_a_token_that_is_still_good_is_used_while_the_routes_are_down(
    open_site, new_tab
):
    site = await open_site(tokens={"session_policy": SessionPolicy(access_ttl=60)})
    (tab,) = await logged_in(site, new_tab)
    await tab.evaluate(SLEEP["wall"])
    site.down["/auth/refresh"] = 503
    assert [await tab.evaluate(NOTES) for _ in range(3)] == [200] * 3
    assert site.refreshes == 1  # It is not asked with each request.


async def test_a_new_tab_gets_the_tokens_from_the_others(site, new_tab):
    (first,) = await logged_in(site, new_tab)
    second = await new_tab(site.page())
    assert await second.evaluate(NOTES) == 200
    token = await first.evaluate("auth.token()")
    assert site.bearers == [f"Bearer {token}"]

    await first.close()
    third = await new_tab(site.page())
    assert (await third.evaluate("auth.resume()"))["authenticated"]


@pytest.mark.alone
async def test_a_first_tab_does_not_wait_for_others(site, new_tab):
    tab = await new_tab(site.page())
    took = await tab.evaluate(
        """(async () => { const began = performance.now(); await auth.resume();
                          return performance.now() - began; })()"""
    )
    assert took < 150
    assert await tab.evaluate(ENDED)


async def test_without_locks_it_is_one_refresh_for_each_tab_at_most(site, new_tab):
    site.origin = site.origin.replace("127.0.0.1", "insecure.test")
    tabs = await logged_in(site, new_tab, 3)
    assert await tabs[0].evaluate("navigator.locks === undefined")
    late = await new_tab(site.page())
    assert await late.evaluate(NOTES) == 200

    site.age()
    twice = f"Promise.all([{NOTES}, {NOTES}])"
    answers = await asyncio.gather(*(tab.evaluate(twice) for tab in tabs))
    assert answers == [[200, 200]] * 3
    assert 1 <= site.refreshes <= 3

    await tabs[0].evaluate("auth.logOut()")
    await until(late, ENDED)


# ------------------------------------------------------------------------------ fetch


async def test_only_a_401_that_blames_the_token_is_mended(site, new_tab):
    (tab,) = await logged_in(site, new_tab)
    assert await tab.evaluate("auth.fetch('/busy').then((r) => r.status)") == 401
    assert await tab.evaluate("auth.fetch('/admin').then((r) => r.status)") == 403
    assert site.refreshes == 0
    assert site.hits["/busy"] == site.hits["/admin"] == 1


async def test_a_body_is_sent_again_unless_it_is_a_stream(site, new_tab):
    (tab,) = await logged_in(site, new_tab)
    site.age()
    answer = await tab.evaluate(
        """auth.fetch("/notes", { method: "POST", body: new Blob(["milk"]) })
             .then((response) => response.json())"""
    )
    assert answer["body"] == "milk"
    assert site.hits["/notes"] == 2

    site.age()
    status = await tab.evaluate(
        """auth.fetch(new Request("/notes", { method: "POST", body: "bread" }))
             .then((response) => response.status)"""
    )
    assert status == 401
    assert site.hits["/notes"] == 3

    assert await tab.evaluate(NOTES) == 200  # A request without a body mends it.


async def test_a_stream_is_not_sent_twice(site, new_tab):
    (tab,) = await logged_in(site, new_tab)
    # Chromium sends streams over HTTP/2 only, which this server does not speak.
    sent = await tab.evaluate(
        """(async () => {
          const sent = [];
          window.fetch = async (request) => {
            sent.push(new URL(request.url).pathname);
            const challenge = 'Bearer error="invalid_token"';
            const headers = { "WWW-Authenticate": challenge };
            return new Response(null, { status: 401, headers });
          };
          const body = new Blob(["milk"]).stream();
          await auth.fetch("/notes", { method: "POST", body, duplex: "half" });
          return sent;
        })()"""
    )
    assert sent == ["/notes"]


async def test_a_header_that_the_caller_set_is_left_alone(site, new_tab):
    (tab,) = await logged_in(site, new_tab)
    status = await tab.evaluate(
        """auth.fetch("/notes", { headers: { Authorization: "Bearer mine" } })
             .then((response) => response.status)"""
    )
    assert status == 401
    assert site.bearers == ["Bearer mine"]
    assert site.refreshes == 0


@pytest.fixture
async def foreign(serve):
    """Another origin, which lets every page read; ``seen`` is what it was sent."""
    seen: list[str | None] = []

    async def listen(request):
        seen.append(request.headers.get("authorization"))
        return JSONResponse({})

    app = CORSMiddleware(
        Starlette(routes=[Route("/", listen)]),
        allow_origins=["*"],
        allow_headers=["authorization"],
    )
    origin = await serve(app)
    return origin, seen


async def test_another_origin_gets_no_token(site, new_tab, foreign):
    (tab,) = await logged_in(site, new_tab)
    origin, seen = foreign
    get = "(url) => auth.fetch(url).then((response) => response.status)"
    assert await tab.evaluate(get, origin) == 200
    assert await tab.evaluate(get, f"/away?to={origin}/") == 200
    assert seen == [None, None]

    error = await tab.evaluate(f"(url) => auth.connect(url).catch({FAULT})", origin)
    assert error["kind"] == "misuse"


async def test_another_origin_that_is_named_gets_the_token(site, new_tab, foreign):
    origin, seen = foreign
    (tab,) = await logged_in(site, new_tab, origins=[f"{origin}/"])
    await tab.evaluate("(url) => auth.fetch(url).then(() => {})", origin)
    assert seen == [f"Bearer {await tab.evaluate('auth.token()')}"]


# ------------------------------------------------------------------------- WebSockets

OPEN = """async (url, options) => {
  window.socket = await auth.connect(url, options);
  const heard = (window.heard = []);
  socket.onmessage = ({ data }) => heard.push(JSON.parse(data));
  socket.onclose = ({ code, reason }) => heard.push([code, reason]);
  return socket.protocol;
}"""


async def test_a_websocket_opens_with_the_token(site, new_tab):
    (tab,) = await logged_in(site, new_tab)
    assert await tab.evaluate(f"({OPEN})('/ws')") == "bearer"
    await tab.evaluate("socket.send(JSON.stringify('hi'))")
    await until(tab, "heard.length")
    assert (await tab.evaluate("heard"))[0]["echo"] == "hi"

    own = f"({OPEN})('/chat', {{ protocols: ['chat.v1'] }})"
    assert await tab.evaluate(own) == "chat.v1"


async def test_nobody_opens_no_websocket(site, new_tab):
    tab = await new_tab(site.page())
    error = await tab.evaluate(f"auth.connect('/ws').catch({FAULT})")
    assert error["kind"] == "logged_out"

    await tab.evaluate(LOG_IN)
    error = await tab.evaluate(f"auth.connect('/nowhere').catch({FAULT})")
    assert error["kind"] == "unavailable"


async def test_a_websocket_outlives_its_first_token(open_site, new_tab):
    # By the real clock: the server's timers would not follow another.
    site = await open_site(
        tokens={"session_policy": SessionPolicy(access_ttl=4), "clock": time.time}
    )
    (tab,) = await logged_in(site, new_tab)
    first = await tab.evaluate("auth.token()")
    await tab.evaluate(f"({OPEN})('/ws', {{ reauthenticate: false }})")
    await tab.evaluate("{ window.mortal = heard; }")
    await tab.evaluate(f"({OPEN})('/ws')")
    await until(tab, "mortal.length")
    assert await tab.evaluate("mortal") == [[3000, "token_expired"]]

    await tab.evaluate("socket.send(JSON.stringify('still there'))")
    await until(tab, "heard.length")
    heard = await tab.evaluate("heard")  # The answer to the new token is not in it.
    assert [message["echo"] for message in heard] == ["still there"]
    assert await tab.evaluate("auth.token()") != first


async def test_a_websocket_ends_with_the_session(site, new_tab):
    tabs = await logged_in(site, new_tab, 2)
    await tabs[0].evaluate(f"({OPEN})('/ws')")
    await tabs[1].evaluate("auth.logOut()")
    await until(tabs[0], "heard.length")
    assert (await tabs[0].evaluate("heard"))[0][0] == 3000
