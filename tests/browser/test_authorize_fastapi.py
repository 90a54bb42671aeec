"""The Authorize button of FastAPI's pages, pressed in a real browser."""

from __future__ import annotations

import pytest
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.staticfiles import StaticFiles

from tests.browser.swagger import assert_authorize_logs_in
from tests.integrations.apps.fastapi import create_app
from tests.integrations.services import Services


@pytest.fixture
async def origin(serve, assets):
    services = Services()
    await services.add_user()
    app = create_app(services, docs_url=None)
    app.mount("/assets", StaticFiles(directory=assets))

    @app.get("/docs", include_in_schema=False)
    def docs():
        return get_swagger_ui_html(
            openapi_url="openapi.json",
            title="Orders",
            swagger_js_url="assets/swagger-ui-bundle.js",
            swagger_css_url="assets/swagger-ui.css",
            swagger_favicon_url="assets/favicon-32x32.png",
        )

    return await serve(app)


async def test_the_authorize_button_logs_in_and_opens_private_operations(page, origin):
    await page.goto(f"{origin}/docs")
    await assert_authorize_logs_in(page)
