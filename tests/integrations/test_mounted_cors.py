"""The log-in routes answer with the CORS headers of the app, wherever CORS stands."""

from __future__ import annotations

from contextlib import nullcontext
from importlib import import_module

import pytest

from tests.integrations.test_mounted import APPS, Shop, client_of, install_result
from tests.routes.world import EMAIL, PASSWORD

pytestmark = pytest.mark.anyio

PAGES, EVIL = "https://pages.example", "https://evil.example"
ALLOWED = "access-control-allow-origin"
LOG_IN = {"email": EMAIL, "password": PASSWORD}
PREFLIGHT = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "content-type",
}


def starlette(shop, **options):
    from starlette.middleware.cors import CORSMiddleware

    app = APPS["starlette"]()
    app.add_middleware(
        CORSMiddleware, allow_origins=[PAGES], allow_methods=["*"], allow_headers=["*"]
    )
    return install("starlette", app, shop, **options)


def litestar(shop, **options):
    pytest.importorskip("litestar", reason="platform: there is no Litestar")
    from litestar import Litestar
    from litestar.config.cors import CORSConfig

    app = Litestar([], cors_config=CORSConfig([PAGES]), logging_config=None)
    return install("litestar", app, shop, **options)


def nexios(shop, **options):
    pytest.importorskip("nexios", reason="platform: there is no Nexios")
    from nexios.middleware.cors import CorsConfig, CORSMiddleware

    app = APPS["nexios"]()
    app.add_middleware(CORSMiddleware(CorsConfig(allow_origins=[PAGES])))
    return install("nexios", app, shop, **options)


def quart(shop, **options):
    pytest.importorskip("quart", reason="platform: there is no Quart")
    from quart_cors import cors

    app = APPS["quart"]()
    install("quart", app, shop, **options)
    return cors(app, allow_origin=PAGES)


def django(shop, **options):
    pytest.importorskip("django", reason="platform: there is no Django")
    from django.core.asgi import get_asgi_application

    return install("django", get_asgi_application(), shop, **options)


def install(name, app, shop, **options):
    adapter = import_module(f"asgi_auth.integrations.{name}")
    result = adapter.install(app, shop.tokens, routes=shop.routes, **options)
    return install_result(result, app)


def settings(name):
    if name != "django":
        return nullcontext()

    from tests.integrations.test_django import MIDDLEWARE, override_settings, urls

    return override_settings(
        ROOT_URLCONF=urls,
        MIDDLEWARE=["corsheaders.middleware.CorsMiddleware", *MIDDLEWARE],
        CORS_ALLOWED_ORIGINS=[PAGES],
    )


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize("make", [starlette, litestar, nexios, quart, django])
async def test_the_log_in_routes_have_the_cors_of_the_app(make, required, caplog):
    shop = Shop(delivery="body")
    await shop.accounts.create(EMAIL, PASSWORD)
    with settings(make.__name__):
        app = make(shop, required=required)
        async with client_of(app) as client:
            for origin, headers in ((PAGES, [PAGES]), (EVIL, [])):
                asked = {"origin": origin}
                good = await client.post("/auth/login", json=LOG_IN, headers=asked)
                assert good.status_code == 200
                assert good.headers.get_list(ALLOWED) == headers
                bad = await client.post("/auth/login", json={}, headers=asked)
                assert bad.status_code == 422
                assert bad.headers.get_list(ALLOWED) == headers
                guarded = await client.get("/auth/me", headers=asked)
                assert guarded.status_code == 401
                assert guarded.headers.get_list(ALLOWED) == headers
                preflight = await client.options(
                    "/auth/login", headers={**asked, **PREFLIGHT}
                )
                assert preflight.headers.get_list(ALLOWED) == headers
                assert preflight.is_success is (origin == PAGES)

            plain = await client.post("/auth/login", json=LOG_IN)
            assert ALLOWED not in plain.headers
    assert "preflight" not in caplog.text
