"""Passkeys in a real Chromium, whose authenticator is a virtual one."""

from __future__ import annotations

from pathlib import Path

import pytest

from asgi_auth.passkeys import Passkeys
from tests.browser.site import LOG_IN, eventually, until
from tests.routes.world import EMAIL, PASSWORD

PEER = Path(__file__).parent / "peers" / "simplewebauthn.js"
KIND = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
FAULT = "(error) => ({ kind: error.kind, code: error.code, status: error.status })"
ADD = "auth.addPasskey({ name: 'Key ring' })"
WHO = "auth.fetch('/notes').then((response) => response.json())"
OFFER = f"""void (async () => {{
  window.offer = new AbortController();
  auth.logInWithPasskey({{ autofill: true, signal: offer.signal }})
    .catch({FAULT}).then((fault) => (window.fault = fault));
}})()"""
LATE = """const after = AbortSignal.timeout.bind(AbortSignal);
AbortSignal.timeout = (wait) => after(wait > 100_000 ? 50 : wait);"""
POST = """const post = async (path, body) => {
    const headers = { "Content-Type": "application/json" };
    const sent = { method: "POST", headers, body: JSON.stringify(body) };
    return (await auth.fetch("/auth" + path, sent)).json();
  };
  const peer = SimpleWebAuthnBrowser;"""
PEER_ADDS = f"""async () => {{
  {POST}
  const {{ options: optionsJSON, ceremony }} = await post("/passkeys/options", {{}});
  const credential = await peer.startRegistration({{ optionsJSON }});
  return post("/passkeys", {{ credential, ceremony, name: "Peer" }});
}}"""
PEER_LOGS_IN = f"""async () => {{
  {POST}
  const question = await post("/passkeys/login/options", {{}});
  const {{ options: optionsJSON, ceremony }} = question;
  const credential = await peer.startAuthentication({{ optionsJSON }});
  return post("/passkeys/login", {{ credential, ceremony }});
}}"""


@pytest.fixture
def open_passkey_site(open_site):
    """Serve a site with passkeys, at a name that browsers have them for."""

    async def start(second_factor=False, **routes):
        passkeys = Passkeys(
            "localhost", ["http://localhost"], second_factor=second_factor
        )
        site = await open_site(passkeys=passkeys, **routes)
        site.origin = site.origin.replace("127.0.0.1", "localhost")
        # Its port is known only now.
        passkeys.authenticators._origins.append(site.origin)
        return site

    return start


async def plug_in(tab, **facts):
    """Give a tab an authenticator; return its session of the protocol, and its id."""
    cdp = await tab.context.new_cdp_session(tab)
    await cdp.send("WebAuthn.enable", {"enableUI": False})
    added = await cdp.send(
        "WebAuthn.addVirtualAuthenticator", {"options": {**KIND, **facts}}
    )
    return cdp, added["authenticatorId"]


@pytest.mark.parametrize("storage", ["memory", "cookie"])
async def test_a_passkey_is_added_and_logs_in(open_passkey_site, new_tab, storage):
    delivery = "cookie" if storage == "cookie" else "body"
    # Whatever way names are spelled.
    site = await open_passkey_site(delivery=delivery, camel_case=storage == "cookie")
    tab = await new_tab(site.page(storage=storage))
    await plug_in(tab)
    await tab.evaluate(LOG_IN)
    made = await tab.evaluate(ADD)
    assert made["name"] == "Key ring"
    assert made["transports"] == ["internal"]
    again = await tab.evaluate(f"{ADD}.catch({FAULT})")
    assert again["code"] == "passkey_exists"
    subject = (await tab.evaluate(WHO))["of"]
    await tab.evaluate("auth.logOut()")

    state = await tab.evaluate("auth.logInWithPasskey()")
    assert state["authenticated"]
    assert (await tab.evaluate(WHO))["of"] == subject
    listed = await tab.evaluate("auth.passkeys()")
    assert [each["id"] for each in listed] == [made["id"]]
    # The virtual authenticator counts.
    kept = await site.world.routes._context.methods.passkeys.store.find(made["id"])
    assert kept.sign_count >= 1

    await tab.evaluate(f"auth.renamePasskey('{made['id']}', 'Red key')")
    assert (await tab.evaluate("auth.passkeys()"))[0]["name"] == "Red key"
    await tab.evaluate(f"auth.removePasskey('{made['id']}')")
    assert await tab.evaluate("auth.passkeys()") == []
    refused = await tab.evaluate(f"auth.logInWithPasskey().catch({FAULT})")
    assert refused == {"kind": "refused", "code": "passkey_refused", "status": 401}


async def test_a_field_offers_passkeys(open_passkey_site, new_tab):
    site = await open_passkey_site()
    tab = await new_tab(site.page())
    await plug_in(tab)
    await tab.evaluate(LOG_IN)
    await tab.evaluate(ADD)
    await tab.evaluate("auth.logOut()")
    await tab.evaluate(
        "void auth.logInWithPasskey({ autofill: true })"
        ".then((state) => (window.filled = state))"
    )
    await until(tab, "window.filled?.authenticated")


@pytest.mark.parametrize(
    "ended",
    [LOG_IN, "offer.abort()", "auth.close()"],
    ids=["log-in", "signal", "close"],
)
async def test_an_offer_ends_when_nobody_needs_it(open_passkey_site, new_tab, ended):
    site = await open_passkey_site()
    tab = await new_tab(site.page())
    await plug_in(tab, automaticPresenceSimulation=False)
    await tab.evaluate(OFFER)
    await eventually(lambda: site.hits["/auth/passkeys/login/options"] == 1)
    await tab.evaluate(ended)
    await until(tab, "window.fault?.code === 'passkey_cancelled'")


async def test_an_offer_outlives_its_question(open_passkey_site, new_tab):
    site = await open_passkey_site()
    tab = await new_tab()
    # Each question ends at once.
    await tab.add_init_script(LATE)
    await tab.goto(site.page())
    await plug_in(tab, automaticPresenceSimulation=False)
    await tab.evaluate(OFFER)
    await eventually(lambda: site.hits["/auth/passkeys/login/options"] >= 3)
    await tab.evaluate("offer.abort()")
    await until(tab, "window.fault?.code === 'passkey_cancelled'")


async def test_a_user_who_is_not_verified_is_not_taken(open_passkey_site, new_tab):
    site = await open_passkey_site()
    tab = await new_tab(site.page())
    await plug_in(tab, isUserVerified=False)
    await tab.evaluate(LOG_IN)
    fault = await tab.evaluate(f"{ADD}.catch({FAULT})")
    assert fault["code"] == "passkey_cancelled"


async def test_a_page_of_another_domain_has_no_passkeys(open_passkey_site, new_tab):
    site = await open_passkey_site()
    elsewhere = site.origin.replace("localhost", "127.0.0.1")
    tab = await new_tab(site.page(elsewhere))
    await tab.evaluate(LOG_IN)
    fault = await tab.evaluate(f"{ADD}.catch({FAULT})")
    assert (fault["kind"], fault["status"]) == ("misuse", 0)


async def test_an_insecure_page_says_that_it_has_none(open_passkey_site, new_tab):
    site = await open_passkey_site()
    tab = await new_tab(site.page(site.origin.replace("localhost", "insecure.test")))
    for asked in ("auth.logInWithPasskey()", "auth.logInWithPasskey({autofill: true})"):
        fault = await tab.evaluate(f"{asked}.catch({FAULT})")
        assert fault["code"] == "passkeys_unsupported"


async def test_a_client_that_others_wrote_is_served(open_passkey_site, new_tab):
    site = await open_passkey_site()
    tab = await new_tab(site.page())
    cdp, authenticator = await plug_in(tab)
    await tab.evaluate(PEER.read_text("utf-8"))
    await tab.evaluate(f"auth.logIn({{ email: '{EMAIL}', password: '{PASSWORD}' }})")
    made = await tab.evaluate(PEER_ADDS)
    assert made["name"] == "Peer"
    pair = await tab.evaluate(PEER_LOGS_IN)
    assert pair["access_token"]

    # A copy of the authenticator, from before it was used.
    credentials = await cdp.send(
        "WebAuthn.getCredentials", {"authenticatorId": authenticator}
    )
    copy = {**credentials["credentials"][0], "signCount": 0}
    await cdp.send(
        "WebAuthn.removeVirtualAuthenticator", {"authenticatorId": authenticator}
    )
    added = await cdp.send("WebAuthn.addVirtualAuthenticator", {"options": KIND})
    await cdp.send(
        "WebAuthn.addCredential",
        {"authenticatorId": added["authenticatorId"], "credential": copy},
    )
    refused = await tab.evaluate(PEER_LOGS_IN)
    assert refused["code"] == "passkey_refused"
