"""What all pages have in common: safety, texts, templates, and what is refused."""

from __future__ import annotations

import pytest

from asgi_auth import ConfigurationError
from asgi_auth.errors import UnavailableError
from asgi_auth.pages import AuthPages, Page
from asgi_auth.pages.registry import PAGES
from asgi_auth.pages.words import WORDS
from asgi_auth.routes import AuthRoutes, RouteShape
from asgi_auth.routes.parts import OPERATIONS
from tests.pages.site import EMAIL, FORM, PASSWORD, PagesWorld, title

LOGIN = {"login": EMAIL, "password": PASSWORD}


async def echo(visit):
    return visit.show() if visit.user else visit.leave("/nobody")


def page(**options):
    choices = {
        "name": "extra",
        "path": "/extra",
        "handler": echo,
        "texts": {"en": {"title": "Extra"}},
    }
    return Page(**{**choices, **options})


async def test_every_page_forbids_what_no_page_needs():
    world = PagesWorld(factors={})
    async with world.browser() as browser:
        for each in PAGES:
            if each.scripts:
                continue  # It has a test of its own.
            response = await browser.get(each.path)
            policy = response.headers["content-security-policy"]
            assert policy == (
                "default-src 'none'; style-src 'self'; img-src 'self'; "
                "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
            )
            assert response.headers["cache-control"] == "no-store"
            assert response.headers["referrer-policy"] == "same-origin"
            assert response.headers["x-content-type-options"] == "nosniff"
            assert "<script" not in response.text
            assert " style=" not in response.text


def test_no_page_stands_in_the_way_of_a_route():
    paths = {each.path for each in PAGES}
    assert not paths & {operation.path for operation in OPERATIONS}


async def test_what_is_no_page_is_for_the_routes():
    world = PagesWorld()
    await world.add()
    async with world.browser() as browser:
        answer = await browser.post(
            "/login", json={"email": EMAIL, "password": PASSWORD}
        )
        assert answer.status_code == 200
        assert (await browser.get("/nowhere")).status_code == 404


async def test_a_form_of_a_foreign_page_does_nothing():
    world = PagesWorld()
    await world.add()
    foreign = [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "", "origin": "https://evil.example"},
        {"sec-fetch-site": "", "origin": "null"},
    ]
    async with world.browser() as browser:
        for headers in foreign:
            response = await browser.post("/log-in", data=LOGIN, headers=headers)
            assert response.status_code == 403
            assert "came from another site" in response.text
            assert "set-cookie" not in response.headers

        assert not world.heard("login.")


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b'{"login": "x"}', "application/json", 415),
        (b"login=x", "text/plain", 415),
        (b"login=x&login=y", FORM["content-type"], 400),
        (b"login=%00&password=x", FORM["content-type"], 400),
        (b"login=\xff", FORM["content-type"], 400),
        (b"&".join(b"a%d=x" % n for n in range(60)), FORM["content-type"], 400),
        (b"login=" + b"x" * 70_000, FORM["content-type"], 413),
        (b"", FORM["content-type"], 422),
        (b"grant_type=x", FORM["content-type"], 422),
    ],
)
async def test_an_odd_form_is_refused_with_a_page(body, content_type, status):
    world = PagesWorld()
    headers = {"content-type": content_type}
    async with world.browser() as browser:
        response = await browser.post("/log-in", content=body, headers=headers)
        assert response.status_code == status
        assert response.headers["content-type"].startswith("text/html")
        assert "content-security-policy" in response.headers


async def test_other_methods_are_refused():
    world = PagesWorld()
    async with world.browser() as browser:
        response = await browser.put("/log-in")
        assert (response.status_code, response.headers["allow"]) == (
            405,
            "GET, HEAD, POST",
        )
        response = await browser.post("/pages.css")
        assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD")


async def test_the_stylesheet_is_sent_once():
    world = PagesWorld()
    async with world.browser() as browser:
        response = await browser.get("/pages.css")
        assert response.headers["content-type"] == "text/css; charset=utf-8"
        known = {"if-none-match": response.headers["etag"]}
        assert (await browser.get("/pages.css", headers=known)).status_code == 304


async def test_hostile_input_is_escaped():
    world = PagesWorld()
    evil = '"><script>alert(1)</script>@x'
    async with world.browser() as browser:
        response = await browser.post("/log-in", data={"login": evil, "password": "x"})
        assert response.status_code == 422
        assert "<script" not in response.text
        assert "&#34;&gt;&lt;script&gt;" in response.text


async def test_texts_templates_and_styles_can_be_replaced(tmp_path):
    (tmp_path / "log_out.html").write_text("Bye, {{ brand }}: {{ t('log_out.title') }}")
    options = {
        "brand": "Acme",
        "stylesheet": "/static/acme.css",
        "templates": tmp_path,
        "texts": {"en": {"log_in.title": "Welcome"}},
    }
    world = PagesWorld(pages=options)
    async with world.browser() as browser:
        response = await browser.get("/log-in")
        assert title(response) == "Welcome"
        assert '<link rel="stylesheet" href="/static/acme.css">' in response.text
        assert (await browser.get("/log-out")).text == "Bye, Acme: Log out"


async def test_a_page_of_ones_own_stands_beside_ours(tmp_path):
    (tmp_path / "extra.html").write_text('{% extends "layout.html" %}')
    (tmp_path / "button.html").write_text("<p>{{ page.facts.word }}</p>")
    extra = page(
        guarded=False,
        folder=str(tmp_path),
        inserts={"log_in": "button.html"},
        facts={"word": "a passkey"},
        scripts=True,
        form_actions=("https://idp.example",),
    )
    world = PagesWorld(pages={"more": [extra]})
    await world.add()
    async with world.browser() as browser:
        response = await browser.get("/log-in")
        assert "<p>a passkey</p>" in response.text
        policy = response.headers["content-security-policy"]
        assert "script-src 'self'; connect-src 'self'" in policy
        assert "form-action 'self' https://idp.example;" in policy
        assert (await browser.get("/extra")).headers["location"] == "/nobody"
        await world.log_in(browser)
        assert title(await browser.get("/extra")) == "Extra"


async def test_a_guarded_page_sends_people_to_log_in_and_back():
    world = PagesWorld(pages={"more": [page(guarded=True)]})
    async with world.browser() as browser:
        for response in (await browser.get("/extra?x=1"), await browser.post("/extra")):
            assert response.status_code == 303
            assert response.headers["location"] == "/log-in?next=%2Fextra"


async def test_a_page_is_below_the_mount():
    world = PagesWorld(prefix="/auth")
    async with world.browser() as browser:
        response = await browser.get("/auth/log-in")
        assert 'action="/auth/log-in"' in response.text
        assert 'href="/auth/pages.css"' in response.text


async def test_an_outage_is_a_page_and_no_log_out(monkeypatch):
    world = PagesWorld()
    await world.add()
    async with world.browser() as browser:
        await world.log_in(browser)

        async def find(_):
            raise UnavailableError

        monkeypatch.setattr(world.accounts, "find", find)
        response = await browser.get("/log-in")
        assert response.status_code == 503
        assert int(response.headers["retry-after"]) > 0
        assert title(response) == "This did not work"
        assert "set-cookie" not in response.headers


def test_every_language_says_everything():
    for each in PAGES:
        assert each.texts.keys() == {"en", "de"}
        assert each.texts["en"].keys() == each.texts["de"].keys()

    assert WORDS["en"].keys() == WORDS["de"].keys()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"texts": {"en": {"log_in.titel": "x"}}}, "log_in.titel"),
        ({"texts": {"fr": {"log_in.title": "x"}}}, "'fr' lack"),
        ({"home": "https://evil.example"}, "home"),
        ({"more": [page(path="/log-in")]}, "one path"),
    ],
)
def test_settings_that_do_not_fit_are_said(options, words):
    with pytest.raises(ConfigurationError, match=words):
        PagesWorld(pages=options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "Extra"}, "named"),
        ({"path": "extra"}, "path"),
        ({"path": "/extra/"}, "path"),
        ({"texts": {"en": {}}}, "title"),
        ({"texts": {"de": {"title": "x"}}}, "'en'"),
    ],
)
def test_a_page_that_cannot_be_is_refused(options, words):
    with pytest.raises(ConfigurationError, match=words):
        page(**options)


def test_routes_without_cookies_have_no_pages():
    world = PagesWorld()
    with pytest.raises(ConfigurationError, match="cookie"):
        AuthPages(AuthRoutes(world.tokens, world.accounts))

    routes = AuthRoutes(
        world.tokens,
        world.accounts,
        delivery="cookie",
        shape=RouteShape(include=["login", "me"]),
    )
    with pytest.raises(ConfigurationError, match="'logout'"):
        AuthPages(routes)
