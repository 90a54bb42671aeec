"""A user interface behind the middleware, in a real browser: Shiny."""

from __future__ import annotations

import pytest
from shiny import App, render, ui

from asgi_auth import SessionPolicy
from asgi_auth.routes import Cookies
from tests.around.pages import names_of_page
from tests.routes.world import EMAIL, PASSWORD, World

ACCESS_TTL = 900


def interface():
    page = ui.page_fluid(
        ui.output_text("who"), ui.input_text("word", "Word"), ui.output_text("echo")
    )

    def server(data, output, session):
        headers = session.http_conn.headers

        @render.text
        def who():
            return f"user: {headers.get('x-forwarded-user')}"

        @render.text
        def echo():
            return f"word: {data.word()} cookies: {headers.get('cookie')}"

    return App(page, server)


@pytest.fixture
async def world(serve):
    world = World(
        delivery="cookie",
        prefix="/auth",
        accounts={"send_message": None, "require_verified": False},
        tokens={"session_policy": SessionPolicy(access_ttl=ACCESS_TTL)},
        cookies=Cookies(insecure_for_localhost=True),
    )
    world.subject = (await world.add()).id
    names = names_of_page("user-interfaces.md")
    site = names["protected"](interface(), world.routes, world.tokens)
    world.origin = await serve(site)
    return world


async def log_in(tab):
    await tab.fill("[name=email]", EMAIL)
    await tab.fill("[name=password]", PASSWORD)
    await tab.click("button")
    await tab.wait_for_url("**/")


async def user_of(tab):
    await tab.wait_for_function("document.querySelector('#who')?.innerText")
    return await tab.locator("#who").inner_text()


async def echo(tab, word):
    await tab.fill("#word", word)
    await tab.wait_for_function(
        f"document.querySelector('#echo').innerText.includes('{word}')"
    )
    return await tab.locator("#echo").inner_text()


async def test_a_person_logs_in_and_is_who_the_interface_says(world, new_tab):
    tab = await new_tab(world.origin)
    assert tab.url.endswith("/login")
    await log_in(tab)

    assert await user_of(tab) == f"user: {world.subject}"
    assert "cookies: None" in await echo(tab, "hello")


async def test_a_person_who_claims_to_be_another_is_who_logged_in(world, new_tab):
    tab = await new_tab()
    names = ("X-Forwarded-User", "X_Forwarded_User")
    await tab.context.set_extra_http_headers(dict.fromkeys(names, "root"))
    await tab.goto(world.origin)
    await log_in(tab)
    assert await user_of(tab) == f"user: {world.subject}"


async def test_a_socket_outlives_its_token_and_ends_with_its_session(world, new_tab):
    tab = await new_tab(world.origin)
    await log_in(tab)
    await echo(tab, "first")
    world.clock.advance(ACCESS_TTL + 1)
    await echo(tab, "second")
    # The cookie has ended, and the page fetches another by itself.
    await tab.reload()
    assert await user_of(tab) == f"user: {world.subject}"

    await world.tokens.revoke_subject(world.subject)
    await tab.wait_for_selector("#shiny-disconnected-overlay", state="attached")
    await tab.reload()
    assert tab.url.endswith("/login")
