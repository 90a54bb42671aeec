"""Log-ins at a provider on another site, in a browser that keeps cookies Strict."""

from __future__ import annotations

from urllib.parse import quote, unquote, urlencode

import pytest
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse
from starlette.routing import Mount, Route

from asgi_auth import AuthenticationMiddleware, JWTBackend, requires
from asgi_auth.credentials.site import Site as Place
from asgi_auth.routes import Cookies
from tests.browser.site import until
from tests.identities.test_routes import Provided

START = """<!doctype html><title>Log in</title>
<form method="post" action="/auth/providers/op/start">
<input name="next" value="/orders?page=2"><button>Log in</button></form>"""
PAGE = """<!doctype html><title>App</title><script type="module">
import * as client from "/auth/client.js";
window.auth = client.createClient({ storage: "%s" });
</script>"""


@requires()
async def orders(request):
    return JSONResponse({"of": request.user.subject})


class Shop:
    """Our site on 127.0.0.1, and the provider on ``localhost``: another site."""

    def __init__(self) -> None:
        self.app = None
        self.cookies: dict[str, str] = {}

    def build(self, origin, provider, storage, **options):
        delivery = "cookie" if storage == "cookie" else "body"
        self.provided = provided = Provided(
            delivery=delivery,
            site=Place(public_url=origin),
            routes={
                "cookies": Cookies(insecure_for_localhost=True),
                "prefix": "",
            },
            **options,
        )
        op = provided.op
        op.metadata["authorization_endpoint"] = f"{provider}/authorize"
        app = Starlette(
            routes=[
                Route("/", lambda _: HTMLResponse(START)),
                Route("/app", lambda _: HTMLResponse(PAGE % storage)),
                Route("/back/op", lambda _: HTMLResponse(PAGE % storage)),
                Route("/orders", orders),
                Mount("/auth", provided.routes),
            ]
        )
        backend = JWTBackend(provided.tokens, sources=provided.routes.sources)
        self.app = AuthenticationMiddleware(app, backend)
        return provided

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] == "http":
            headers = dict(scope["headers"])
            self.cookies[scope["path"]] = headers.get(b"cookie", b"").decode()
        await self.app(scope, receive, send)


def provider_of(shop):
    async def authorize(request):
        op = shop.provided.op
        came = urlencode(op.authorize(str(request.url)))
        place = f"{request.query_params['redirect_uri']}?{came}"
        return HTMLResponse(
            f'<form method="post" action="/agree?{quote(place)}">'
            "<button>Agree</button></form>"
        )

    async def agree(request):
        return RedirectResponse(unquote(request.url.query), 303)

    return Starlette(
        routes=[
            Route("/authorize", authorize),
            Route("/agree", agree, methods=["POST"]),
        ]
    )


async def log_in_there(tab) -> None:
    """Agree on the provider's own page: from there the browser comes back."""
    await tab.wait_for_url("http://localhost:*/authorize?**")
    await tab.click("button")


@pytest.fixture
async def make_shop(serve):
    async def make(storage, **options):
        shop = Shop()
        origin = await serve(shop)
        theirs = await serve(provider_of(shop))
        shop.build(origin, theirs.replace("127.0.0.1", "localhost"), storage, **options)
        shop.origin = origin
        return shop

    return make


async def test_strict_cookies_come_along_after_a_log_in_elsewhere(make_shop, new_tab):
    shop = await make_shop("cookie")
    tab = await new_tab(f"{shop.origin}/")
    for _ in range(2):
        await tab.goto(f"{shop.origin}/")
        await tab.click("button")
        await log_in_there(tab)
        await tab.wait_for_url(f"{shop.origin}/orders?page=2")
        assert '"of"' in await tab.inner_text("body")

    # The browser has a Strict cookie by now, and keeps it on the way from elsewhere.
    callback = shop.cookies["/auth/providers/op/callback"]
    assert "provider-" in callback
    assert "access=" not in callback
    assert "access=" in shop.cookies["/orders"]


async def test_the_client_logs_in_links_and_unlinks_with_cookies(make_shop, new_tab):
    shop = await make_shop("cookie")
    provided = shop.provided
    tab = await new_tab(f"{shop.origin}/app")
    await until(tab, "window.auth !== undefined")
    assert await tab.evaluate("auth.providers()") == [{"name": "op", "label": "op"}]
    await tab.evaluate("void auth.logInAt('op', { next: '/app' })")
    await log_in_there(tab)
    await tab.wait_for_url(f"{shop.origin}/app")
    await until(tab, "window.auth !== undefined")
    assert (await tab.evaluate("auth.resume()"))["authenticated"]

    provided.op.user = {"sub": "another"}
    await tab.evaluate("void auth.link('op', { next: '/app?linked' })")
    await log_in_there(tab)
    await tab.wait_for_url(f"{shop.origin}/app?linked")
    await until(tab, "window.auth !== undefined")
    identities = await tab.evaluate("auth.identities()")
    assert len(identities) == 2
    await tab.evaluate("(id) => auth.unlink(id)", identities[1]["id"])
    assert await tab.evaluate("auth.identities()") == identities[:1]


async def test_the_client_gets_tokens_in_memory_on_a_page_of_its_own(
    make_shop, new_tab
):
    shop = await make_shop("memory", callback_page="/back")
    tab = await new_tab(f"{shop.origin}/app")
    await until(tab, "window.auth !== undefined")
    await tab.evaluate("void auth.logInAt('op')")
    await log_in_there(tab)
    await tab.wait_for_url(f"{shop.origin}/back/op?**")
    await until(tab, "window.auth !== undefined")
    state = await tab.evaluate("auth.finishLogIn('op')")
    assert (state["authenticated"], state["reason"]) == (True, "logged_in")
    assert await tab.evaluate("location.search") == ""
    status = await tab.evaluate("auth.fetch('/orders').then((answer) => answer.status)")
    assert status == 200
