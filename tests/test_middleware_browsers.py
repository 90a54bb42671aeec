"""Cookies from foreign pages, and preflights, at the middleware."""

from __future__ import annotations

import pytest

from asgi_auth import (
    ANONYMOUS,
    ConfigurationError,
    RefusalPolicy,
    Site,
)
from tests.asgi import (
    Echo,
    bearer,
    converse,
    cookie,
    denial_of,
    http_scope,
    run,
)
from tests.middleware_world import FOREIGN_PAGE, GOOD, OUR_PAGE, around, caller

# --------------------------------------------------------------------------------- CSRF


@pytest.mark.parametrize("remembered", [False, True])
@pytest.mark.parametrize("loader", [None, lambda principal: "x"])
async def test_a_cookie_from_a_foreign_page_is_refused_remembered_or_not(
    remembered, loader
):
    app = around(echo := Echo(), load_user=loader)
    if remembered:
        assert (await run(app, method="POST", headers=[bearer(GOOD)])).status == 200
        assert (await run(app, method="GET", headers=[cookie(GOOD)])).status == 200

    calls = echo.calls
    answer = await run(app, method="POST", headers=[cookie(GOOD), *FOREIGN_PAGE])
    assert (answer.status, answer.json()["code"]) == (403, "cross_origin")
    headers = [cookie(GOOD), *FOREIGN_PAGE]
    assert denial_of(await converse(app, headers=headers, denial=True)).status == 403
    headers = [cookie(GOOD), (b"host", b"api.example")]
    assert denial_of(await converse(app, headers=headers, denial=True)).status == 403
    assert echo.calls == calls


async def test_a_cookie_from_our_own_page_is_good():
    app = around(echo := Echo())
    headers = [cookie(GOOD), *OUR_PAGE]
    assert (await run(app, method="POST", headers=headers)).status == 200
    sent = await converse(app, headers=headers)
    assert sent[0]["type"] == "websocket.accept"
    assert echo.scopes[-1]["auth"].source == "cookie"


async def test_what_a_client_chose_to_send_needs_no_origin():
    app = around(Echo())
    headers = [bearer(GOOD), cookie(GOOD), *FOREIGN_PAGE]
    assert (await run(app, method="POST", headers=headers)).status == 200
    assert (await converse(app, headers=headers))[0]["type"] == "websocket.accept"


async def test_trusted_pages_and_a_public_url_are_passed_on():
    app = around(Echo(), site=Site(trusted_origins=["https://evil.example"]))
    headers = [cookie(GOOD), *FOREIGN_PAGE]
    assert (await run(app, method="POST", headers=headers)).status == 200
    app = around(Echo(), site=Site(public_url="https://evil.example"))
    assert (await run(app, method="POST", headers=headers)).status == 200


async def test_on_a_public_path_a_cookie_from_a_foreign_page_is_nobody():
    app = around(echo := Echo(), public_paths=["/*"])
    headers = [cookie(GOOD), *FOREIGN_PAGE]
    principal = await caller(app, echo, method="POST", headers=headers)
    assert not principal.is_authenticated
    assert principal.error.code == "cross_origin"


# ---------------------------------------------------------------------------- preflight


PREFLIGHT = [
    (b"Origin", b"https://x.example"),
    (b"Access-Control-Request-Method", b"PUT"),
]


async def test_a_preflight_goes_on_as_nobody_and_without_a_body():
    app = around(echo := Echo())
    headers = [*PREFLIGHT, bearer(GOOD), cookie(GOOD)]
    answer = await run(app, method="OPTIONS", headers=headers)
    assert (answer.status, answer.body) == (200, b"")
    assert echo.scopes[-1]["auth"] is ANONYMOUS


async def test_a_preflight_runs_no_app_where_a_caller_is_required(caplog):
    app = around(echo := Echo(), required=True, public_paths=["/open"])
    for _ in range(3):
        answer = await run(app, method="OPTIONS", headers=PREFLIGHT)
        assert (answer.status, echo.scopes) == (401, [])

    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "CORS middleware around" in record.getMessage()
    answer = await run(app, "/open", method="OPTIONS", headers=PREFLIGHT)
    assert (answer.status, answer.body) == (200, b"")


async def test_a_scope_of_an_unknown_type_runs_no_app_where_a_caller_is_required():
    called = []

    async def app(scope, receive, send):
        called.append(scope["type"])

    await around(app)({"type": "telepathy"}, None, None)
    await around(app, required=True)({"type": "lifespan"}, None, None)
    with pytest.raises(ConfigurationError, match="telepathy"):
        await around(app, required=True)({"type": "telepathy"}, None, None)
    assert called == ["telepathy", "lifespan"]


@pytest.mark.parametrize("headers", [[], PREFLIGHT[:1], PREFLIGHT[1:]])
async def test_another_options_request_is_none(headers):
    app = around(Echo(), required=True)
    assert (await run(app, method="OPTIONS", headers=headers)).status == 401
    assert (await run(app, method="POST", headers=PREFLIGHT)).status == 401


async def test_preflights_can_be_refused():
    app = around(
        Echo(), required=True, refusal_policy=RefusalPolicy(preflight="refuse")
    )
    assert (await run(app, method="OPTIONS", headers=PREFLIGHT)).status == 401


async def test_the_token_in_the_query_of_a_preflight_is_blanked_out_too():
    scope = http_scope(method="OPTIONS", headers=PREFLIGHT, query=b"token=" + GOOD)

    async def send(message):
        pass

    await around(Echo())(scope, None, send)
    assert scope["query_string"] == b"token="
