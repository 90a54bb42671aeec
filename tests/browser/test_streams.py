"""Server-sent events and WebSockets with tickets, in a real Chromium."""

from __future__ import annotations

import asyncio

import httpx2
import pytest

from tests.browser.served import look
from tests.browser.site import Site, eventually, until
from tests.browser.test_client import logged_in
from tests.servers.running import GRANIAN, HYPERCORN, running

APP = "tests.browser.served:app"
SERVERS = {
    "hypercorn": [*HYPERCORN, APP],
    "granian": [*GRANIAN, APP],
    "daphne": ["daphne", "-p", "{port}", "-b", "127.0.0.1", APP],
}

LISTEN = """() => {
  window.events = auth.events("/events?room=7");
  window.heard = [];
  window.named = [];
  window.failed = [];
  events.onmessage = ({ data, lastEventId }) => heard.push([data, lastEventId]);
  events.addEventListener("named", ({ data }) => named.push(data));
  events.addEventListener("error", (event) => failed.push(event.error.code));
}"""


async def listening(site, new_tab, **options):
    (tab,) = await logged_in(site, new_tab, **options)
    await tab.evaluate(LISTEN)
    await until(tab, "heard.length === 1")
    return tab


async def test_events_come_and_no_token_is_in_an_address(site, new_tab):
    tab = await listening(site, new_tab)
    await until(tab, "named.length === 1")
    assert await tab.evaluate("heard") == [["1", "1"]]
    assert await tab.evaluate("events.readyState") == 1
    assert site.hits["/auth/ticket"] == 1
    await tab.evaluate("events.close()")
    assert await tab.evaluate("events.readyState") == 2


async def test_a_stream_that_ends_with_its_token_goes_on_with_a_new_ticket(
    site, new_tab
):
    tab = await listening(site, new_tab)
    site.age()
    look()
    await until(tab, "heard.length === 2")
    assert await tab.evaluate("heard") == [["1", "1"], ["2", "2"]]
    assert site.listeners == [None, "1"], "it says which event was the last"
    assert site.hits["/auth/ticket"] >= 2
    assert await tab.evaluate("failed") == [], "and nobody has noticed"


async def test_a_session_that_is_revoked_ends_a_stream_for_good(site, new_tab):
    tab = await listening(site, new_tab)
    await site.end_sessions()
    await until(tab, "failed.length === 1")
    assert await tab.evaluate("failed[0]") == "token_revoked"
    assert await tab.evaluate("events.readyState") == 2
    assert await tab.evaluate("auth.state.authenticated") is False
    asked = site.hits["/auth/ticket"]
    await asyncio.sleep(1)
    assert site.hits["/auth/ticket"] == asked, "it does not try for ever"


async def test_a_log_out_ends_a_stream_at_once(site, new_tab):
    tab = await listening(site, new_tab)
    await tab.evaluate("auth.logOut()")
    assert await tab.evaluate("failed") == ["logged_out"]
    assert await tab.evaluate("events.readyState") == 2


async def test_an_outage_is_waited_for(site, new_tab):
    (tab,) = await logged_in(site, new_tab)
    site.down["/auth/ticket"] = 503
    await tab.evaluate(LISTEN)
    await eventually(lambda: site.hits["/auth/ticket"] >= 2)
    site.down.clear()
    await until(tab, "heard.length === 1")
    assert await tab.evaluate("failed") == []


async def test_with_cookies_a_ticket_is_as_good(open_site, new_tab):
    site = await open_site(delivery="cookie")
    tab = await listening(site, new_tab, storage="cookie")
    assert await tab.evaluate("heard") == [["1", "1"]]


async def test_a_websocket_is_opened_with_a_ticket(site, new_tab):
    (tab,) = await logged_in(site, new_tab)
    await tab.evaluate("""async () => {
      window.heard = [];
      window.socket = await auth.socket("/ws");
      socket.onmessage = ({ data }) => heard.push(JSON.parse(data));
      socket.onclose = ({ code }) => heard.push(code);
      socket.send(JSON.stringify("hi"));
    }""")
    await until(tab, "heard.length === 1")
    assert (await tab.evaluate("heard"))[0]["echo"] == "hi"
    assert "ticket=" in await tab.evaluate("socket.url")
    await site.end_sessions()
    await until(tab, "heard.length === 2")
    assert (await tab.evaluate("heard"))[1] == 3000


async def test_nobody_gets_no_ticket(site, new_tab):
    tab = await new_tab(site.page())
    await tab.evaluate(LISTEN)
    await until(tab, "failed.length === 1")
    assert await tab.evaluate("failed[0]") == "unauthenticated"
    await tab.evaluate("""() => {
      const foreign = auth.events("https://elsewhere.example/");
      foreign.onerror = (event) => failed.push(event.error.code);
    }""")
    await until(tab, "failed.length === 2")
    assert await tab.evaluate("failed[1]") == "misuse"


class Steered:
    """A site in the process of another server.

    Its clock is its own, and so is what it notes.
    """

    page = Site.page

    def __init__(self, origin: str, client: httpx2.AsyncClient) -> None:
        self.origin = origin
        self._client = client

    async def steer(self, what: str) -> dict:
        answer = await self._client.post(f"{self.origin}/steer/{what}")
        assert answer.status_code == 200
        return answer.json()


@pytest.fixture(params=SERVERS)
async def steered(request, anyio_backend):
    with running(request.param, SERVERS[request.param]) as server:
        async with httpx2.AsyncClient(trust_env=False, timeout=20) as client:
            site = Steered(f"http://127.0.0.1:{server.port}", client)
            await site.steer("begin")
            yield site


async def test_on_every_server_a_stream_ends_comes_again_and_ends_for_good(
    steered, new_tab
):
    tab = await listening(steered, new_tab)
    tickets = (await steered.steer("age"))["tickets"]
    await until(tab, "heard.length === 2")
    assert await tab.evaluate("failed") == [], "and nobody has noticed"
    seen = await steered.steer("look")
    assert seen["listeners"] == [None, "1"]
    assert seen["tickets"] > tickets

    await steered.steer("end")
    await until(tab, "failed.length === 1")
    assert await tab.evaluate("failed") == ["token_revoked"]
    assert await tab.evaluate("events.readyState") == 2
    assert await tab.evaluate("auth.state.authenticated") is False
