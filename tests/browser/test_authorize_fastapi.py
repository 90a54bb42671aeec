"""The Authorize button of FastAPI's pages, pressed in a real browser."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.staticfiles import StaticFiles

from tests.browser.conftest import missing
from tests.integrations.apps.fastapi import create_app
from tests.integrations.services import EMAIL, PASSWORD, SUBJECT, Services

ASSETS = "static/drf_spectacular_sidecar/swagger-ui-dist"


@pytest.fixture
def assets() -> Path:
    """Find Swagger UI: nothing is loaded from outside."""
    found = importlib.util.find_spec("drf_spectacular_sidecar")
    if found is None or found.origin is None:
        missing("drf-spectacular-sidecar is not installed")
    return Path(found.origin).parent / ASSETS


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


async def execute(page, path: str) -> str:
    """Press "Try it out" and "Execute"; return the status that came back."""
    operation = page.locator(".opblock", has=page.locator(f'[data-path="{path}"]'))
    if not await operation.locator(".execute-wrapper, .try-out").count():
        await operation.locator(".opblock-summary-control").click()
        await operation.locator(".try-out__btn").click()

    await operation.locator(".btn.execute").click()
    status = operation.locator(".live-responses-table .response .response-col_status")
    return (await status.first.inner_text()).split()[0]


async def test_the_authorize_button_logs_in_and_opens_private_operations(page, origin):
    await page.goto(f"{origin}/docs")
    assert await execute(page, "/private") == "401"

    await page.locator(".btn.authorize").first.click()
    form = page.locator(".auth-container", has_text="OAuth2, password")
    await form.locator("#oauth_username").fill(EMAIL)
    await form.locator("#oauth_password").fill(PASSWORD)
    await form.locator(".scopes label").first.click()
    await form.locator(".btn.authorize").click()
    await form.get_by_text("Logout").wait_for()
    await page.locator(".modal-ux .close-modal").click()

    async with page.expect_response("**/orders") as answer:
        assert await execute(page, "/orders") == "200"
    assert await (await answer.value).json() == {"user": SUBJECT}
    assert await execute(page, "/admin") == "403"
