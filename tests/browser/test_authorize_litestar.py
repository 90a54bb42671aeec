"""The Authorize button of Litestar's Swagger page, pressed in a real browser."""

from __future__ import annotations

import pytest

pytest.importorskip("litestar", reason="platform: there is no Litestar for this Python")

from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import SwaggerRenderPlugin
from litestar.static_files import create_static_files_router

from tests.browser.swagger import assert_authorize_logs_in, execute
from tests.integrations.apps.litestar import create_app
from tests.integrations.services import Services

PAGE = SwaggerRenderPlugin(
    js_url="/assets/swagger-ui-bundle.js",
    css_url="/assets/swagger-ui.css",
    standalone_preset_js_url="/assets/swagger-ui-standalone-preset.js",
)


@pytest.fixture
async def origin(serve, assets):
    services = Services()
    await services.add_user()
    config = OpenAPIConfig(title="Orders", version="1", render_plugins=[PAGE])
    files = create_static_files_router("/assets", directories=[assets])
    app = create_app(
        services, handlers=[files], openapi_config=config, logging_config=None
    )
    return await serve(app)


async def test_the_authorize_button_logs_in_and_opens_private_operations(page, origin):
    await page.goto(f"{origin}/schema/swagger")
    await assert_authorize_logs_in(page)


async def test_a_token_is_pasted_where_there_is_no_password(page, origin):
    await page.goto(f"{origin}/schema/swagger")
    await page.locator(".btn.authorize").first.click()
    form = page.locator(".auth-container", has_text="bearer")
    await form.locator("input").fill("a.b.c")
    await form.locator(".btn.authorize").click()
    await page.locator(".modal-ux .close-modal").click()

    async with page.expect_response("**/private") as answer:
        assert await execute(page, "/private") == "401"
    assert (await (await answer.value).json())["code"] == "invalid_token"
