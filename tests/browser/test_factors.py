"""A log-in in two steps, from a page."""

from __future__ import annotations

import pyotp
import pytest

from asgi_auth.dpop import DPoP, Nonces
from asgi_auth.dpop.target import Target
from tests.browser.site import LOG_IN
from tests.routes.world import EMAIL

SECRET = "o6Jt0C4tXfJ8c3Yw5sQvR1kZ9mB7nE2u"
FAULT = """(error) => (
  { code: error.code, methods: error.methods, keys: Object.keys(error) })"""
NOTES = "auth.fetch('/notes').then((response) => response.status)"
KINDS = {
    "memory": ({}, {}),
    "cookie": ({"delivery": "cookie"}, {"storage": "cookie"}),
    "dpop": ({}, {"dpop": True}),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_log_in_takes_two_steps(kind, open_site, new_tab):
    options, settings = KINDS[kind]
    if kind == "dpop":
        dpop = DPoP("http://127.0.0.1", nonces=Nonces(SECRET), required=True)
        options = {"dpop": dpop}
    site = await open_site(factors={}, **options)
    if kind == "dpop":
        dpop._reader._target = Target(site.origin)  # Its port is known only now.
    world = site.world
    account = await world.store.find_by_email(EMAIL)
    enrolment = world.factors.begin_totp(account)
    app = pyotp.parse_uri(enrolment.uri)
    now = int(world.clock())
    await world.factors.confirm_totp(account, enrolment.token, app.at(now))
    world.clock.advance(0 if kind == "dpop" else 60)

    tab = await new_tab(site.page(**settings))
    fault = await tab.evaluate(f"{LOG_IN}.catch({FAULT})")
    assert (fault["code"], fault["methods"]) == (
        "second_factor_required",
        ["recovery", "totp"],
    )
    assert "pending" not in fault["keys"]
    wrong = await tab.evaluate("auth.confirm({ code: '12' }).catch((e) => e.code)")
    assert wrong == "invalid_code"
    code = app.at(int(world.clock()) + (30 if kind == "dpop" else 0))
    state = await tab.evaluate("(code) => auth.confirm({ code })", code)
    assert state["authenticated"]
    assert await tab.evaluate(NOTES) == 200


async def test_a_code_by_e_mail_is_sent_for_the_log_in_that_waits(open_site, new_tab):
    site = await open_site(factors={})
    world = site.world
    account = await world.store.find_by_email(EMAIL)
    await world.factors.send_code(account, attempt="first")
    await world.outbox.drain()
    code = world.mailbox.token("code")
    await world.factors.confirm_email(account, code, attempt="first")

    tab = await new_tab(site.page())
    assert await tab.evaluate("auth.sendCode().catch((e) => e.code)") == "invalid_token"
    await tab.evaluate(f"{LOG_IN}.catch(() => 0)")
    await tab.evaluate("auth.sendCode()")
    await world.outbox.drain()
    code = world.mailbox.token("code")
    state = await tab.evaluate("(code) => auth.confirm({ code })", code)
    assert state["authenticated"]
