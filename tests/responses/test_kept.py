"""What an answer leaves behind when a refusal takes its place."""

from __future__ import annotations

import pytest

from asgi_auth import AuthenticationMiddleware, AuthError, JWTBackend, requires
from asgi_auth.responses.kept import kept_of
from tests import forge
from tests.asgi import converse, denial_of, run

KEPT = [
    (b"access-control-allow-origin", b"https://app.example"),
    (b"Access-Control-Allow-Credentials", b"true"),
    (b"vary", b"Origin"),
    (b"x-request-id", b"7"),
    (b"X-Correlation-ID", b"8"),
    (b"x-b3-trace-id", b"9"),
    (b"traceparent", b"00-1-2-01"),
    (b"strict-transport-security", b"max-age=1"),
    (b"content-security-policy", b"default-src 'none'"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
]
DROPPED = [
    (b"content-type", b"text/html"),
    (b"content-length", b"16"),
    (b"content-encoding", b"gzip"),
    (b"transfer-encoding", b"chunked"),
    (b"cache-control", b"public"),
    (b"etag", b"1"),
    (b"location", b"/debug"),
    (b"retry-after", b"1"),
    (b"set-cookie", b"session=1"),
    (b"www-authenticate", b"Digest"),
    (b"x-accel-redirect", b"/etc/passwd"),
    (b"x-exception", b"ValueError in /srv/app.py"),
]


async def framework(scope, receive, send):
    prefix = "http" if scope["type"] == "http" else "websocket.http"
    try:
        requires("a").check(scope)
    except AuthError:
        start = {"type": f"{prefix}.response.start", "status": 500}
        await send({**start, "headers": [*KEPT, *DROPPED]})
        await send({"type": f"{prefix}.response.body", "body": b"<h1>it broke</h1>"})


@pytest.fixture
def app():
    return AuthenticationMiddleware(framework, JWTBackend(forge.verifier()))


async def answers(app):
    return [await run(app), denial_of(await converse(app, denial=True))]


async def test_the_headers_of_inner_layers_outlive_the_crash_page(app):
    for answer in await answers(app):
        assert answer.status == 401
        assert not [header for header in KEPT if header not in answer.headers]


async def test_what_the_crash_page_said_of_itself_goes_with_it(app):
    for answer in await answers(app):
        assert not [header for header in DROPPED if header in answer.headers]
        assert answer.header("content-type") == "application/problem+json"
        assert answer.header("content-length") == str(len(answer.body))
        assert answer.header("www-authenticate") == "Bearer"


@pytest.mark.parametrize("headers", [None, [], ()])
def test_an_answer_may_have_no_headers(headers):
    message = {} if headers is None else {"headers": headers}
    assert kept_of(message) == []
