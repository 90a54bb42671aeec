"""What other tools around an application do to its answers, and how to live with it."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode

import pytest
from idempotency_header_middleware import IdempotencyHeaderMiddleware
from idempotency_header_middleware.backends import MemoryBackend
from mangum import Mangum
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from asgi_auth import AuthenticationMiddleware, JWTBackend, requires
from tests import forge
from tests.asgi import Echo, bearer, run

EVENT = {
    "version": "2.0",
    "rawPath": "/",
    "rawQueryString": "",
    "headers": {"host": "api.example"},
    "requestContext": {
        "http": {"method": "GET", "path": "/", "sourceIp": "127.0.0.1"},
        "stage": "$default",
    },
    "isBase64Encoded": False,
}


@pytest.fixture
def event_loop():
    """Give Mangum the loop that it would make, and leave open."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


@pytest.mark.parametrize("told", [True, False])
def test_mangum_encodes_problem_documents_unless_told_that_they_are_text(
    told, event_loop
):
    app = AuthenticationMiddleware(requires()(Echo()), JWTBackend(forge.verifier()))
    types = ["text/", "application/json", "application/problem+json"] if told else None
    answer = Mangum(app, lifespan="off", text_mime_types=types)(EVENT, None)

    assert answer["statusCode"] == 401
    assert answer["headers"]["www-authenticate"] == "Bearer"
    assert answer["isBase64Encoded"] is not told
    body = answer["body"] if told else b64decode(answer["body"])
    assert json.loads(body)["code"] == "unauthenticated"


async def order(request):
    return JSONResponse({"of": request.scope["auth"].subject}, 201)


@pytest.mark.parametrize("kept_apart", [True, False])
async def test_a_stored_answer_is_given_to_another_caller_unless_keys_are_kept_apart(
    kept_apart,
):
    """If the second half of this fails, mend the page that warns of it."""
    from tests.around.pages import names_of_page

    app = Starlette(routes=[Route("/", order, methods=["POST"])])
    app = IdempotencyHeaderMiddleware(app, backend=MemoryBackend())
    if kept_apart:
        app = names_of_page("works-with.md")["key_by_caller"](app)

    app = AuthenticationMiddleware(app, JWTBackend(forge.verifier()))
    seen = []
    for name in ("ada", "bob", "ada"):
        headers = [bearer(forge.token(sub=name)), (b"idempotency-key", b"1")]
        seen.append((await run(app, method="POST", headers=headers)).json()["of"])

    assert seen == (["ada", "bob", "ada"] if kept_apart else ["ada"] * 3)
