"""Sentry's own SDK: what it gets to see of a crash, and that refusals are none."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError

import pytest
import sentry_sdk
from fastapi import FastAPI
from litestar import Litestar, get
from sentry_sdk.integrations.asgi import SentryAsgiMiddleware
from sentry_sdk.integrations.fastapi import FastApiIntegration
from sentry_sdk.integrations.litestar import LitestarIntegration
from sentry_sdk.integrations.starlette import StarletteIntegration
from sentry_sdk.transport import Transport
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from asgi_auth import (
    AuthenticationMiddleware,
    BearerHeader,
    Cookie,
    Header,
    JWTBackend,
    QueryParam,
    RefusalMiddleware,
    ScopePolicy,
)
from asgi_auth.integrations.sentry import Scrubber
from asgi_auth.integrations.starlette import install, requires
from tests import forge
from tests.asgi import bearer, cookie, run

SOURCES = (
    BearerHeader(),
    Cookie("access"),
    QueryParam("ticket", http=True),
    Header("X-Session"),
)
TOKEN = forge.token(scope="b")
# Longer than what is cut off, shorter than what is taken apart.
PART = TOKEN.decode()[-60:-20]
OPAQUE = b"opaque-1234567890-abcdefghij"


@pytest.fixture(scope="module", autouse=True)
def unpatched():
    """Have middlewares of later modules be what they are: Sentry patches for good."""
    before = Middleware.__init__
    yield
    Middleware.__init__ = before


@pytest.fixture
def events():
    """Have the SDK keep what it would send; it is off again after the test."""
    sent = []

    class Kept(Transport):
        def capture_envelope(self, envelope):
            sent.extend(item.payload.json for item in envelope.items)

    def start(*, more=(), **options):
        # Few: what they patch stays patched for the tests that come after.
        few = {"default_integrations": False, "auto_enabling_integrations": False}
        few["integrations"] = [StarletteIntegration(), FastApiIntegration(), *more]
        sentry_sdk.init("https://x@x.invalid/1", transport=Kept, **few, **options)
        return sent

    yield start
    sentry_sdk.get_client().close()
    sentry_sdk.init(default_integrations=False, auto_enabling_integrations=False)


def backend(kind=JWTBackend, *, sources=SOURCES):
    return kind(forge.verifier(), sources=sources)


async def crash(*_):
    raise ValueError("a bug")


@requires("a")
async def guarded(request):
    return PlainTextResponse("a")


@get("/")
async def hello() -> str:
    return "b"


class Crashing(JWTBackend):
    async def authenticate(self, credential, scope):
        raise ValueError("a bug")


async def crashing_loader(principal):
    raise ValueError("a bug")


WAYS = {
    "header": {"headers": [bearer(TOKEN)]},
    "cookie": {"headers": [cookie(TOKEN)]},
    "field": {"headers": [(b"x-session", TOKEN)]},
    "query": {"query": b"ticket=" + TOKEN},
}


def variables(event):
    for error in event["exception"]["values"]:
        for frame in error["stacktrace"]["frames"]:
            for name, value in frame["vars"].items():
                yield frame["module"], name, json.dumps(value)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("where", ["app", "backend", "loader"])
async def test_no_variable_of_ours_but_the_scope_holds_a_token(events, way, where):
    sent = events()
    options = {"load_user": crashing_loader} if where == "loader" else {}
    kind = Crashing if where == "backend" else JWTBackend
    # With nothing but a header, the token comes as it is, and as no credential.
    sources = SOURCES[:1] if way == "header" else SOURCES
    app = AuthenticationMiddleware(crash, backend(kind, sources=sources), **options)
    with pytest.raises(ValueError):
        await run(SentryAsgiMiddleware(app), **WAYS[way])

    (event,) = sent
    found = [
        (module, name)
        for module, name, value in variables(event)
        if PART in value and name not in {"scope", "child", "args", "_"}
    ]
    assert any(module == "asgi_auth.middleware" for module, *_ in variables(event))
    assert not found


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("where", ["app", "backend", "starlette"])
async def test_the_scrubber_leaves_no_token_anywhere(events, way, where):
    scrub = Scrubber(["X-Session", "ticket"])
    sent = events(
        before_send=scrub, before_send_transaction=scrub, traces_sample_rate=1.0
    )
    inner = Starlette(routes=[Route("/", crash)]) if where == "starlette" else crash
    kind = Crashing if where == "backend" else JWTBackend
    app = AuthenticationMiddleware(inner, backend(kind))
    with pytest.raises(ValueError):
        await run(SentryAsgiMiddleware(app), **WAYS[way])

    assert sent
    assert PART not in json.dumps(sent)


async def test_stripped_credentials_are_in_no_frame_of_the_app(events):
    sent = events()
    app = AuthenticationMiddleware(
        Starlette(routes=[Route("/", crash)]),
        backend(),
        scope_policy=ScopePolicy(strip_credentials=True),
    )
    with pytest.raises(ValueError):
        await run(app, headers=[bearer(TOKEN)])

    assert PART not in json.dumps(sent)


@pytest.mark.parametrize("framework", [Starlette, FastAPI])
async def test_a_refusal_is_no_event(events, framework):
    sent = events()
    app = framework(routes=[Route("/", guarded)])
    install(app, backend())
    app = SentryAsgiMiddleware(app)
    for headers, status in (([], 401), ([bearer(TOKEN)], 403), ([bearer(b"x")], 401)):
        assert (await run(app, headers=headers)).status == status

    assert sent == []


@pytest.mark.parametrize("framework", [Starlette, FastAPI])
async def test_a_refusal_within_an_app_that_is_wrapped_is_no_event(events, framework):
    sent = events()
    within = Middleware(RefusalMiddleware)
    app = framework(routes=[Route("/", guarded)], middleware=[within])
    app = AuthenticationMiddleware(SentryAsgiMiddleware(app), backend())
    for headers, status in (([], 401), ([bearer(TOKEN)], 403)):
        assert (await run(app, headers=headers)).status == status

    assert sent == []


async def test_a_guard_is_a_middleware_where_sentry_patches_these(events):
    sent = events()
    guard = requires("b")
    routes = [Route("/", PlainTextResponse("b"))]
    app = Starlette(routes=routes, middleware=[Middleware(guard)])
    app = AuthenticationMiddleware(app, backend())
    assert (await run(app)).status == 401
    assert (await run(app, headers=[bearer(TOKEN)])).status == 200
    assert sent == []
    with pytest.raises(FrozenInstanceError):
        guard.scopes = frozenset()


async def test_a_guard_is_a_middleware_of_litestar_where_sentry_patches_these(events):
    events(more=[LitestarIntegration()])
    app = Litestar([hello], middleware=[requires("b")])
    app = AuthenticationMiddleware(app, backend())
    assert (await run(app)).status == 401
    assert (await run(app, headers=[bearer(TOKEN)])).status == 200


# ---------------------------------------------------------------------------- scrubbing


@pytest.mark.parametrize(
    "value",
    [
        {"authorization": "Digest " + OPAQUE.decode()},
        {"Cookie": {"a": OPAQUE.decode()}},
        [["b'x-api-key'", f"b'{OPAQUE.decode()}'"]],
        (b"", ("Authorization", OPAQUE.decode())),
        f"[(b'authorization', b'Key {OPAQUE.decode()}'), (b'host', b'x')]",
        "{'cookie': 'a=1; b=" + OPAQUE.decode() + "', 'host': 'x'}",
        f"sent Bearer {OPAQUE.decode()} to x",
        f"https://x/?a=1&access_token={OPAQUE.decode()}",
        f"token={OPAQUE.decode()}",
        f"ticket={OPAQUE.decode()}&a=1",
        {"deep": [{"er": [{"x-own": OPAQUE.decode()}]}]},
    ],
)
def test_opaque_credentials_are_known_by_where_they_stand(value):
    scrubbed = Scrubber(["X-Own", "ticket"])({"vars": value}, {})
    assert OPAQUE.decode() not in repr(scrubbed)
    assert "[Filtered]" in repr(scrubbed)


@pytest.mark.parametrize(
    "value",
    [
        "a bug",
        "Basic auth is off",
        {"host": "api.example", "n": 1, "none": None},
        [["b'host'", "b'api.example'"], 2, (1, 2)],
        "https://x/?page=2",
        ["authorization"],
    ],
)
def test_what_is_no_credential_stays(value):
    assert Scrubber()({"vars": value}) == {"vars": value}


def test_other_headers_of_a_text_stay():
    text = f"[(b'authorization', b'{OPAQUE.decode()}'), (b'host', b'x')]"
    assert Scrubber()(text) == "[(b'authorization', b'[Filtered]'), (b'host', b'x')]"
