"""Press the buttons of Swagger UI, whoever serves it."""

from __future__ import annotations

from tests.integrations.services import EMAIL, PASSWORD, SUBJECT

__all__ = ["assert_authorize_logs_in", "execute"]


async def execute(page, path: str) -> str:
    """Press "Try it out" and "Execute"; return the status that came back."""
    operation = page.locator(".opblock", has=page.locator(f'[data-path="{path}"]'))
    if not await operation.locator(".execute-wrapper, .try-out").count():
        await operation.locator(".opblock-summary-control").click()
        await operation.locator(".try-out__btn").click()

    await operation.locator(".btn.execute").click()
    status = operation.locator(".live-responses-table .response .response-col_status")
    return (await status.first.inner_text()).split()[0]


async def assert_authorize_logs_in(page) -> None:
    """Log in by password, and call what is open, what is not, and what is too much."""
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
