"""A flood of requests must not make the garbage collector work, whatever they bring."""

from __future__ import annotations

import pytest

from asgi_auth import (
    AuthenticationMiddleware,
    JWTBackend,
    RefusalPolicy,
    requires,
)
from asgi_auth.responses.deny import deny
from tests.asgi import run
from tests.circles import no_circle
from tests.websocket.peer import token_service

TOKENS = token_service()
GOOD = TOKENS.mint("ann")
CREDENTIALS = {
    "none": None,
    "good": GOOD,
    "forged": GOOD[:-4] + "AAAA",
    "expired": TOKENS.mint("ann", ttl=-1),
    "garbage": "eyx.y.z",
}


async def hello(scope, receive, send):
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"hello"})


def handling(app):
    """Answer refusals as a framework's handler of errors does."""

    async def handle(scope, receive, send):
        try:
            await app(scope, receive, send)
        except Exception as error:  # noqa: BLE001
            await deny(error, scope, receive, send)

    return handle


OPTIONS = [
    {},
    {"required": True},
    {"refusal_policy": RefusalPolicy(invalid="anonymous")},
]
APPS = {
    "open": hello,
    "guarded": requires("notes")(hello),
    "handled": handling(requires("notes")(hello)),
}


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("app", APPS)
@pytest.mark.parametrize("credential", CREDENTIALS)
async def test_a_request_leaves_no_circle(credential, app, options):
    wrapped = AuthenticationMiddleware(APPS[app], JWTBackend(TOKENS), **options)
    token = CREDENTIALS[credential]
    headers = [] if token is None else [(b"authorization", b"Bearer " + token.encode())]
    await run(wrapped, headers=headers)
    with no_circle():
        answer = await run(wrapped, headers=headers)
        assert answer.status in {200, 401, 403}
