"""Tokens that are bound to a key of the browser: no script can take it away."""

from __future__ import annotations

import asyncio

import pytest

from asgi_auth.dpop import DPoP, Nonces
from asgi_auth.dpop.target import Target
from asgi_auth.tokens.codec import peek
from tests.browser.site import LOG_IN, until
from tests.browser.test_streams import LISTEN

SECRET = "o6Jt0C4tXfJ8c3Yw5sQvR1kZ9mB7nE2u"
NOTES = "auth.fetch('/notes?page=2#top').then((response) => response.status)"
POST = "auth.fetch('/notes', { method: 'POST', body: 'a note' }).then((r) => r.json())"
FAULT = "(error) => ({ kind: error.kind, code: error.code, message: error.message })"
STOLEN = """async () => {
  const token = await auth.token();
  const headers = { Authorization: `Bearer ${token}` };
  return (await fetch("/notes", { headers })).status;
}"""
EXPORT = """async () => {
  const found = [];
  for (const { name } of await indexedDB.databases()) {
    const opening = indexedDB.open(name);
    await new Promise((resolve) => (opening.onsuccess = resolve));
    const asked = opening.result.transaction("keys").objectStore("keys").get("dpop");
    await new Promise((resolve) => (asked.onsuccess = resolve));
    const { key } = asked.result;
    const why = await Promise.all(["jwk", "pkcs8", "raw"].map((form) =>
      crypto.subtle.exportKey(form, key).catch((error) => error.name)));
    found.push([key.extractable, key.usages, why]);
  }
  return found;
}"""
ECHO = """async () => {
  window.socket = await auth.socket("/ws");
  socket.onmessage = ({ data }) => (window.echoed = JSON.parse(data));
  socket.send(JSON.stringify("hello"));
}"""
HOUR = "const now = Date.now; Date.now = () => now() + 3_600_000;"


@pytest.fixture
async def bound_site(open_site):
    dpop = DPoP("http://127.0.0.1", nonces=Nonces(SECRET), required=True)
    site = await open_site(dpop=dpop)
    dpop._reader._target = Target(site.origin)  # Its port is known only now.
    return site


def key_of(token):
    return peek(token.encode())[1]["cnf"]["jkt"]


async def test_all_tabs_share_a_key_that_no_script_can_read(bound_site, new_tab):
    site = bound_site
    tabs = await asyncio.gather(*(new_tab(site.page(dpop=True)) for _ in range(3)))
    await tabs[0].evaluate(LOG_IN)
    assert site.hits["/auth/login"] == 2  # Without a nonce, and with one.
    for tab in tabs:
        await until(tab, "auth.state.authenticated")
        assert await tab.evaluate(NOTES) == 200
        assert (await tab.evaluate(POST))["body"] == "a note"
        assert await tab.evaluate(STOLEN) == 401

    first = key_of(await tabs[0].evaluate("auth.token()"))
    site.age()
    statuses = await asyncio.gather(*(tab.evaluate(NOTES) for tab in tabs))
    assert statuses == [200, 200, 200]
    assert key_of(await tabs[2].evaluate("auth.token()")) == first
    refused = ["InvalidAccessError"] * 3
    assert await tabs[1].evaluate(EXPORT) == [[False, ["sign"], refused]]

    assert len(await tabs[1].evaluate("auth.sessions()")) == 1
    await tabs[1].evaluate("auth.logOut()")
    await until(tabs[2], "!auth.state.authenticated")


async def test_a_log_in_after_all_tabs_are_closed_has_the_same_key(bound_site, new_tab):
    keys = []
    for _ in range(2):
        tab = await new_tab(bound_site.page(dpop=True))
        await tab.evaluate(LOG_IN)
        keys.append(key_of(await tab.evaluate("auth.token()")))
        await tab.close()

    assert keys[0] == keys[1]


async def test_a_browser_whose_clock_is_wrong_is_served(bound_site, new_tab):
    tab = await new_tab()
    await tab.add_init_script(HOUR)
    await tab.goto(bound_site.page(dpop=True))
    await tab.evaluate(LOG_IN)
    assert await tab.evaluate(NOTES) == 200
    assert bound_site.hits["/notes"] == 1


async def test_a_server_that_binds_nothing_is_not_good_enough(site, new_tab):
    tab = await new_tab(site.page(dpop=True))
    error = await tab.evaluate(f"{LOG_IN}.catch({FAULT})")
    assert error["kind"] == "misuse"
    assert "bound" in error["message"]
    assert await tab.evaluate("!auth.state.authenticated")


async def test_a_refused_proof_ends_no_session(bound_site, new_tab):
    tab = await new_tab(bound_site.page(dpop=True))
    await tab.evaluate(LOG_IN)
    bound_site.age()
    policy = bound_site.world.routes._context.dpop
    target, policy._reader._target = policy._reader._target, Target("https://a.example")
    error = await tab.evaluate(f"auth.fetch('/notes').catch({FAULT})")
    assert error["code"] == "invalid_dpop_proof"
    assert await tab.evaluate("auth.state.authenticated")
    policy._reader._target = target
    assert await tab.evaluate(NOTES) == 200


async def test_streams_and_sockets_go_by_tickets(bound_site, new_tab):
    tab = await new_tab(bound_site.page(dpop=True))
    await tab.evaluate(LOG_IN)
    await tab.evaluate(LISTEN)
    await until(tab, "heard.length === 1")
    await tab.evaluate(ECHO)
    await until(tab, "window.echoed?.echo === 'hello'")
    assert bound_site.hits["/auth/ticket"] == 2

    bound_site.age()
    assert await tab.evaluate(NOTES) == 200
    # The socket is not told: a message has no proof, and would be refused.
    assert await tab.evaluate("echoed.echo") == "hello"


async def test_what_cannot_have_proofs_says_so(bound_site, new_tab):
    tab = await new_tab(bound_site.page(dpop=True))
    await tab.evaluate(LOG_IN)
    made = "client.createClient({ dpop: true, storage: 'cookie' })"
    for asked in ("auth.connect('/ws')", f"(async () => {made})()"):
        assert (await tab.evaluate(f"{asked}.catch({FAULT})"))["kind"] == "misuse"
