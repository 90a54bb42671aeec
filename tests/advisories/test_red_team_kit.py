"""Attacks on guards, adapters, the test kit, the client and the commands."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import io
import json
import os
import subprocess
import sys
import threading
import time
import warnings
from functools import partial
from unittest import mock

import httpx2
import pytest

from asgi_auth.backends.jwt import JWTBackend
from asgi_auth.cli.doctor.checks import Patient, examine
from asgi_auth.cli.main import main
from asgi_auth.client import RefreshFailedError, Tokens
from asgi_auth.client.challenges import parse_challenges
from asgi_auth.client.httpx2 import BearerAuth
from asgi_auth.credentials.sources import BearerHeader, QueryParam
from asgi_auth.errors import AuthenticationError, ConfigurationError
from asgi_auth.guards import requires
from asgi_auth.keys import KeySet
from asgi_auth.middleware import AuthenticationMiddleware
from asgi_auth.sessions import TokenService
from asgi_auth.testing import as_user
from asgi_auth.testing import impersonation as kit
from tests.asgi import run

pytestmark = pytest.mark.anyio

TOKENS = TokenService(
    KeySet.generate("HS256"), issuer="https://api.example", audience="api"
)


def backend(*sources):
    return JWTBackend(TOKENS, sources=sources or (BearerHeader(),))


def behind(app):
    """Put the middleware in front of *app*, which is called as a server would."""

    async def called(scope, receive, send):
        await app(scope, receive, send)

    return AuthenticationMiddleware(called, backend())


async def hello(scope, receive, send):
    name = scope["auth"].subject or "nobody"
    start = {"type": "http.response.start", "status": 200, "headers": []}
    await send(start)
    await send({"type": "http.response.body", "body": name.encode()})


async def status_of(app, *, scopes=(), roles=(), path="/"):
    made = await run(as_user(behind(app), "ada", scopes=scopes, roles=roles), path)
    return made.status


# ----------------------------------------------------------------------------- guards


def endpoints():
    from starlette.endpoints import HTTPEndpoint
    from starlette.responses import PlainTextResponse

    @requires("a")
    class A(HTTPEndpoint):
        async def get(self, request):
            return PlainTextResponse("a")

    @requires("b")
    class B(HTTPEndpoint):
        async def get(self, request):
            return PlainTextResponse("b")

    return A, B


@pytest.mark.parametrize("turned", [False, True])
async def test_a_class_below_two_guarded_ones_has_both_guards(turned):
    first, second = endpoints()[:: -1 if turned else 1]
    both = type("Both", (first, second), {})

    assert await status_of(both, scopes=["a"]) == 403
    assert await status_of(both, scopes=["b"]) == 403
    assert await status_of(both, scopes=["a", "b"]) == 200


async def test_a_mixin_of_any_kind_does_not_take_a_guard_away():
    first, second = endpoints()

    class Mixin:
        def __new__(cls, *way):
            return super().__new__(cls, *way)

    for bases in ((Mixin, first), (first, object), (Mixin, first, second)):
        mixed = type("Mixed", bases, {})
        assert await status_of(mixed) == 403
        assert await status_of(mixed, scopes=["a", "b"]) == 200


async def test_a_guard_on_a_class_below_two_guarded_ones_is_a_third():
    three = requires("c")(type("Both", endpoints(), {}))

    for scopes in (["a", "b"], ["a", "c"], ["b", "c"]):
        assert await status_of(three, scopes=scopes) == 403
    assert await status_of(three, scopes=["a", "b", "c"]) == 200


async def test_a_class_that_inherits_in_a_diamond_is_made_once():
    made = []
    first, _ = endpoints()

    class Left(first):
        def __init__(self, *way):
            made.append(self)
            super().__init__(*way)

    class Right(first):
        pass

    diamond = type("Diamond", (Left, Right), {})
    assert await status_of(diamond) == 403
    assert made == []
    assert await status_of(diamond, scopes=["a"]) == 200
    assert len(made) == 1


# --------------------------------------------------------------------------- adapters


def django_ready():
    """Set Django up as the other tests of it do: settings are for a whole process."""
    pytest.importorskip("django")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.websocket.django_settings")
    import django

    django.setup()


def test_a_class_of_django_views_is_not_taken_for_guarded():
    django_ready()
    from django.views import View

    from asgi_auth.integrations.channels import requires as channels_requires

    class Secret(View):
        def get(self, request):
            raise AssertionError

    with pytest.raises(ConfigurationError, match="as_view"):
        channels_requires("admin")(Secret)


async def test_a_consumer_below_two_guarded_ones_has_both_guards():
    django_ready()
    from channels.generic.http import AsyncHttpConsumer

    from asgi_auth.integrations.channels import requires as channels_requires

    @channels_requires("a")
    class A(AsyncHttpConsumer):
        async def handle(self, body):
            await self.send_response(200, b"in")

    @channels_requires("b")
    class B(AsyncHttpConsumer):
        pass

    for both in (type("Both", (A, B), {}), type("Both", (B, A), {})):
        app = both.as_asgi()
        assert await status_of(app, scopes=["a"]) == 403
        assert await status_of(app, scopes=["b"]) == 403
        assert await status_of(app, scopes=["a", "b"]) == 200


def test_what_looks_at_a_proxy_of_quart_from_outside_is_not_stopped():
    from asgi_auth.integrations.quart import current_principal, current_user

    for proxy in (current_user, current_principal):
        assert not isinstance(proxy, int)
        assert not proxy
        with pytest.raises(ConfigurationError, match="Nothing is being served"):
            proxy.subject  # noqa: B018


async def test_a_proxy_of_quart_never_stands_for_somebody_where_nobody_calls():
    from quart import Quart

    from asgi_auth.integrations.quart import current_user, install

    app = Quart(__name__)
    install(app, backend())

    @app.get("/")
    async def index():
        with contextlib.suppress(AuthenticationError):
            return {"is": bool(current_user)}

        return {"is": None}

    assert (await run(app)).json() == {"is": None}


async def test_a_guard_on_a_router_of_nexios_is_kept_by_routers_around_it():
    from nexios import NexiosApp
    from nexios.routing import Router

    from asgi_auth.integrations.nexios import install
    from asgi_auth.integrations.nexios import requires as nexios_requires

    app, outer, inner = NexiosApp(), Router(prefix="/a"), Router(prefix="/b")

    @inner.get("/c")
    async def secret(request, response):
        return response.text("secret")

    nexios_requires("admin")(inner)
    outer.mount_router(inner)
    app.mount_router(outer)
    install(app, backend())

    assert (await run(app, "/a/b/c")).status == 401
    app = as_user(app, "ada", scopes=["admin"])
    assert (await run(app, "/a/b/c")).body == b"secret"


# ----------------------------------------------------------------------- the test kit


async def test_a_patch_that_is_undone_too_late_does_not_break_the_kit():
    serve = AuthenticationMiddleware.__call__
    app = AuthenticationMiddleware(hello, backend())
    patches = []

    async def patching(scope, receive, send):
        now = AuthenticationMiddleware.__call__
        patches.append(mock.patch.object(AuthenticationMiddleware, "__call__", now))
        patches[0].start()
        await app(scope, receive, send)

    try:
        await run(as_user(patching, "ada"))
        patches[0].stop()

        assert (await run(app)).body == b"nobody"
        assert (await run(as_user(app, "eve"))).body == b"eve"
    finally:
        AuthenticationMiddleware.__call__ = serve


async def test_a_patch_that_is_made_during_a_request_does_not_stay():
    serve = AuthenticationMiddleware.__call__
    app = AuthenticationMiddleware(hello, backend())
    seen = []

    async def tracing(scope, receive, send):
        inner = AuthenticationMiddleware.__call__

        async def traced(self, scope, receive, send):
            seen.append(scope["path"])
            await inner(self, scope, receive, send)

        AuthenticationMiddleware.__call__ = traced
        await app(scope, receive, send)

    assert (await run(as_user(tracing, "ada"))).body == b"ada"
    assert (await run(as_user(tracing, "eve"))).body == b"eve"
    assert seen == ["/", "/"]
    assert AuthenticationMiddleware.__call__ is serve


async def test_an_app_below_gains_nothing_from_what_it_finds_in_the_scope():
    kept = []

    async def hostile(scope, receive, send):
        kept.append(dict(scope))
        await hello(scope, receive, send)

    await run(as_user(AuthenticationMiddleware(hostile, backend()), "ada"))
    app = AuthenticationMiddleware(hello, backend())

    async def replay(scope, receive, send):
        await app({**kept[0], **scope, "headers": kept[0]["headers"]}, receive, send)

    assert (await run(replay)).status == 401


async def test_what_is_in_the_state_or_in_extensions_opens_nothing():
    given = kit._Pass(as_user(hello, "ada")._caller)
    app = AuthenticationMiddleware(hello, backend())
    served = asyncio.Event()

    async def waiting(scope, receive, send):
        await served.wait()

    impersonated = as_user(AuthenticationMiddleware(waiting, backend()), "ada")
    other = asyncio.create_task(run(impersonated, sent=[]))
    await asyncio.sleep(0)
    for more in (
        {"state": {kit.KEY: given}},
        {"extensions": {kit.KEY: given}},
        {"headers": [(kit.KEY.encode(), b"ada")]},
        {"query": f"{kit.KEY}=ada".encode()},
        {kit.KEY: {"caller": given.caller}},
        {kit.KEY: "ada"},
    ):
        assert AuthenticationMiddleware.__call__ is kit._serve
        assert (await run(app, **more)).body == b"nobody"
    served.set()
    with contextlib.suppress(Exception):
        await other


async def test_a_coroutine_that_is_thrown_away_closes_the_door():
    serve = AuthenticationMiddleware.__call__

    async def forever(scope, receive, send):
        await asyncio.get_running_loop().create_future()

    app = as_user(AuthenticationMiddleware(forever, backend()), "ada")
    one = run(app)
    one.send(None)
    assert AuthenticationMiddleware.__call__ is kit._serve
    del one
    gc.collect()
    assert AuthenticationMiddleware.__call__ is serve


async def test_a_middleware_of_its_own_kind_is_impersonated_and_left_alone():
    class Own(AuthenticationMiddleware):
        async def __call__(self, scope, receive, send):
            await super().__call__(scope, receive, send)

    app, serve = Own(hello, backend()), Own.__call__
    assert (await run(as_user(app, "ada"))).body == b"ada"
    assert Own.__call__ is serve
    assert (await run(app)).body == b"nobody"


async def test_two_loops_at_once_do_not_leave_the_door_open():
    serve = AuthenticationMiddleware.__call__
    app = AuthenticationMiddleware(hello, backend())
    seen = []

    def many(name):
        async def go():
            for _ in range(50):
                seen.append((await run(as_user(app, name))).body.decode() == name)
                seen.append((await run(app)).body == b"nobody")

        asyncio.run(go())

    threads = [threading.Thread(target=many, args=(f"user-{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(seen) == 400
    assert all(seen)
    assert AuthenticationMiddleware.__call__ is serve


# ------------------------------------------------------------------------- the client

REFRESH = "https://api.example/refresh"
STALE = Tokens("old", "first", expires_at=1.0, lifetime=900)
FRESH = b'{"access_token":"new","refresh_token":"second","expires_in":900}'


class World:
    """A server that answers refreshes as told, the last answer again and again."""

    def __init__(self, *answers, pause=None):
        self.answers = [*answers] or [FRESH]
        self.asked = []
        self.seen = []
        self.pause = pause

    def __call__(self, request):
        if str(request.url) == REFRESH:
            self.asked.append(json.loads(request.content)["refresh_token"])
            if self.pause is not None:
                self.pause()
            body = self.answers[min(len(self.asked), len(self.answers)) - 1]
            return httpx2.Response(200, content=body)

        self.seen.append((str(request.url), request.headers.get("authorization")))
        return httpx2.Response(200, text=self.seen[-1][1] or "-")

    def client(self, **options):
        return httpx2.Client(transport=httpx2.MockTransport(self), **options)

    def signed_in(self, tokens=STALE, **options):
        auth = BearerAuth(REFRESH, tokens, client=self.client(), **options)
        return self.client(auth=auth)


ANSWERS = [
    b'{"access_token":"new","expires_in":1' + b"0" * 400 + b"}",
    b'{"access_token":"new","expires_in":-1' + b"0" * 400 + b"}",
    b'{"access_token":"new","expires_in":' + b"9" * 5000 + b"}",
    b'{"access_token":"new","expires_in":"' + b"9" * 5000 + b'"}',
    b'{"access_token":"new","expires_in":NaN}',
    b'{"access_token":"new","token_type":["bearer"]}',
    b'{"access_token":"eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjFlOTk5LCJpYXQiOi0xfQ.c2ln"}',
    b"[" * 100_000,
    b"\xff\xfe",
]


def test_no_answer_to_a_refresh_is_the_end_of_all_requests():
    for answer in ANSWERS:
        world = World(answer, FRESH)
        with world.signed_in() as client:
            for _ in range(2):
                with contextlib.suppress(RefreshFailedError):
                    client.get("https://api.example/")

            assert client.get("https://api.example/").text.startswith("Bearer ")


def test_a_bug_behind_a_refresh_is_told_and_tried_again():
    world, broken = World(), [True, True]

    def clock():
        if threading.current_thread().name == "asgi-auth-refresh" and broken:
            broken.pop()
            raise ZeroDivisionError
        return 100.0

    auth = BearerAuth(REFRESH, STALE, client=world.client(), clock=clock)
    with pytest.raises((RefreshFailedError, ZeroDivisionError)):
        auth.fresh_token()

    broken.clear()
    assert auth.fresh_token() == "new"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="platform: there is no fork")
def test_a_fork_during_a_refresh_leaves_the_child_able_to_refresh():
    begun, go_on = threading.Event(), threading.Event()

    def pause():
        begun.set()
        go_on.wait(5)

    world = World(pause=pause)
    client = world.signed_in(timeout=2)
    waiting = threading.Thread(target=client.get, args=("https://api.example/",))
    waiting.start()
    assert begun.wait(5)
    child = _fork(lambda: (go_on.set(), client.get("https://api.example/").text)[1])
    go_on.set()
    waiting.join()

    assert child == "Bearer new"
    assert client.get("https://api.example/").text == "Bearer new"


def _fork(work):
    """Return the text that *work* returns in a child of this process."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        # Of threads that a child lacks: that is what it is about.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()

    if pid == 0:  # pragma: no cover - it is another process
        try:
            os.write(writer, str(work()).encode())
        except BaseException as error:  # noqa: BLE001
            os.write(writer, repr(error).encode())
        finally:
            os._exit(0)

    os.close(writer)
    with os.fdopen(reader, "rb") as told:
        text = told.read().decode()
    os.waitpid(pid, 0)
    return text


def test_a_save_that_makes_a_request_itself_does_not_wait_for_itself():
    world, saved = World(), []

    def save(tokens):
        saved.append(client.get("https://api.example/save").text)

    client = world.signed_in(save=save, timeout=2)
    started = time.monotonic()

    assert client.get("https://api.example/").text == "Bearer new"
    assert saved == ["Bearer new"]
    assert world.asked == ["first"]
    assert time.monotonic() - started < 1


async def test_an_asynchronous_save_that_makes_a_request_does_not_wait_for_itself():
    world, saved = World(), []

    async def save(tokens):
        saved.append((await client.get("https://api.example/save")).text)
        saved.append(await auth.afresh_token())

    auth = BearerAuth(REFRESH, STALE, client=world.client(), save=save, timeout=2)
    client = httpx2.AsyncClient(transport=httpx2.MockTransport(world), auth=auth)

    assert (await client.get("https://api.example/")).text == "Bearer new"
    assert saved == ["Bearer new", "new"]


def test_a_save_after_the_end_of_a_log_in_can_make_no_requests_and_says_so():
    raised = []

    def answer(request):
        return httpx2.Response(400, json={"error": "invalid_grant"})

    def save(tokens):
        try:
            client.get("https://api.example/")
        except Exception as error:  # noqa: BLE001
            raised.append(type(error).__name__)

    bare = httpx2.Client(transport=httpx2.MockTransport(answer))
    auth = BearerAuth(REFRESH, STALE, client=bare, save=save, timeout=2)
    client = httpx2.Client(transport=httpx2.MockTransport(answer), auth=auth)

    with pytest.raises(Exception, match="log in again"):
        client.get("https://api.example/")
    assert raised == ["LoggedOutError"]


FOREIGN = [
    "https://api.example.evil.example/",
    "https://api.example@evil.example/",
    "https://api.example:pw@evil.example/",
    "https://evil.example#@api.example/",
    "https://evil.example?@api.example/",
    "https://evil.example/https://api.example/",
    "https://api.example:8443/",
    "http://api.example/",
    "http://api.example:443/",
    "https://api.example./",
    "https://api.example%2eevil.example/",
    "https://api.example%00.evil.example/",
    "https://api.example\\.evil.example/",
    "https://evil.example\\@api.example:444/",
    "https://xn--api-xyz.example/",
]


def test_no_spelling_of_another_origin_gets_the_token():
    for url in FOREIGN:
        world = World()
        strange = contextlib.suppress(httpx2.InvalidURL, UnicodeError)
        with world.signed_in() as client, strange:
            client.get(url)

        assert [sent for _, sent in world.seen if sent is not None] == []
        assert world.asked == []


@pytest.mark.parametrize(
    "place",
    [
        "//evil.example/",
        "https://api.example@evil.example/",
        "http://api.example/",
        "https://api.example:444/",
    ],
)
def test_no_redirect_takes_the_token_along(place):
    seen = []

    def server(request):
        seen.append(request.headers.get("authorization"))
        if len(seen) == 1:
            return httpx2.Response(307, headers={"location": place})
        fields = {"www-authenticate": 'Bearer error="invalid_token"'}
        return httpx2.Response(401, headers=fields)

    living = Tokens("living", "first", expires_at=time.time() + 900, lifetime=900)
    bare = httpx2.Client(transport=httpx2.MockTransport(server))
    auth = BearerAuth(REFRESH, living, client=bare)
    with httpx2.Client(
        transport=httpx2.MockTransport(server), auth=auth, follow_redirects=True
    ) as client:
        assert client.post("https://api.example/", json={}).status_code == 401

    assert seen == ["Bearer living", None]


def test_a_request_that_changes_something_is_sent_twice_at_most():
    posts = []

    def server(request):
        if str(request.url) == REFRESH:
            return httpx2.Response(200, content=FRESH)
        posts.append(request.headers["authorization"])
        fields = {"www-authenticate": 'Bearer error="invalid_token"'}
        return httpx2.Response(401, headers=fields)

    living = Tokens("living", "first", expires_at=time.time() + 900, lifetime=900)
    bare = httpx2.Client(transport=httpx2.MockTransport(server))
    auth = BearerAuth(REFRESH, living, client=bare)
    with httpx2.Client(transport=httpx2.MockTransport(server), auth=auth) as client:
        for _ in range(5):
            client.post("https://api.example/", json={})

    assert posts == ["Bearer living", *["Bearer new"] * 5]


LONG = [
    "a " + "b" * 8000 + " x",
    'Bearer a="' + "\\" * 8000,
    'Bearer a="' + '\\"' * 4000,
    "Bearer" + " " * 8000 + "!",
    "Bearer a" + " " * 8000 + "=",
    "," * 8000 + "(",
    ", \t" * 2600 + "(",
    "a=" * 4000,
    "a " + "=" * 8000,
    "x a=1," * 1300 + "(",
    "Bearer " + "a" * 4000 + "=" * 4000 + "x",
]


def test_no_challenge_takes_long_to_read():
    for text in LONG:
        started = time.perf_counter()
        with contextlib.suppress(ValueError):
            parse_challenges(text)

        assert time.perf_counter() - started < 0.25


def test_a_failed_refresh_shows_no_token_in_any_error_of_the_chain():
    def server(request):
        raise httpx2.ConnectError(str(request.url), request=request)

    secret = Tokens("access-secret", "refresh-secret", expires_at=1.0, lifetime=9)
    bare = httpx2.Client(transport=httpx2.MockTransport(server))
    auth = BearerAuth(REFRESH, secret, client=bare)
    with pytest.raises(RefreshFailedError) as failed:
        auth.fresh_token()

    error, texts = failed.value, [repr(auth), repr(secret)]
    while error is not None:
        texts += [str(error), repr(error), *map(repr, vars(error).values())]
        error = error.__cause__ or error.__context__
    assert "secret" not in "".join(texts)


# ------------------------------------------------------------------------- the doctor


def found_in(app, workers=1):
    return {fault.code for fault in examine(Patient(app, workers, {}))}


class Layer:
    """A wrapper as monitoring libraries and logging write them."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        await self.app(scope, receive, send)


class Slotted:
    """Without a dictionary, so that any question goes to ``__getattr__``."""

    __slots__ = ("app",)
    __init__, __call__ = Layer.__init__, Layer.__call__

    def __getattr__(self, name):
        raise RuntimeError(name)


def installed(framework="fastapi", sources=(), **options):
    from asgi_auth.integrations import fastapi, litestar, nexios, quart, starlette

    verbs = {
        "starlette": starlette.install,
        "fastapi": fastapi.install,
        "litestar": litestar.install,
        "nexios": nexios.install,
        "quart": quart.install,
    }
    app = made(framework)
    verbs[framework](app, backend(*sources), **options)
    return app


def made(framework):
    if framework == "starlette":
        from starlette.applications import Starlette

        return Starlette()
    if framework == "fastapi":
        from fastapi import FastAPI

        return FastAPI()
    if framework == "litestar":
        from litestar import Litestar

        return Litestar([], openapi_config=None)
    if framework == "nexios":
        from nexios import NexiosApp

        return NexiosApp()

    from quart import Quart

    return Quart(__name__)


FRAMEWORKS = ["starlette", "fastapi", "litestar", "nexios", "quart"]


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_doctor_finds_the_middleware_below_wrappers_and_mounts(framework):
    from starlette.applications import Starlette
    from starlette.routing import Mount
    from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

    def mounted(app):
        return Starlette(routes=[Mount("/api", Layer(app))])

    for wrap in (ProxyHeadersMiddleware, Layer, Slotted, partial, mounted):
        assert found_in(wrap(installed(framework))) == set()


# Not in Nexios: there, what is added later stands around, and this is not seen.
@pytest.mark.parametrize("framework", [name for name in FRAMEWORKS if name != "nexios"])
def test_the_doctor_knows_what_sees_tokens_in_queries(framework):
    app = installed(framework, (BearerHeader(), QueryParam("token")))

    assert found_in(app) == set()
    assert found_in(Layer(app)) == {"not-outermost"}
    assert found_in(partial(Layer(app))) == {"not-outermost"}


def test_the_doctor_takes_cors_where_it_belongs_for_no_fault():
    from fastapi import FastAPI
    from litestar import Litestar
    from litestar.config.cors import CORSConfig
    from starlette.middleware.cors import CORSMiddleware

    from asgi_auth.integrations import fastapi, litestar

    ours = backend(BearerHeader(), QueryParam("token"))
    first = FastAPI()
    first.add_middleware(CORSMiddleware, allow_origins=["https://app.example"])
    fastapi.install(first, ours)
    config = CORSConfig(allow_origins=["https://app.example"])
    second = Litestar([], cors_config=config, openapi_config=None)
    litestar.install(second, ours)

    assert found_in(first) == found_in(second) == set()


def test_the_doctor_sees_a_single_layer_above_the_middleware():
    inner = AuthenticationMiddleware(hello, backend(QueryParam("token")))

    async def logged(scope, receive, send):
        await inner(scope, receive, send)

    assert found_in(inner) == set()
    assert found_in(Layer(inner)) == {"not-outermost"}
    assert found_in(logged) == {"not-outermost"}


def test_a_missing_middleware_hides_no_other_fault_from_the_doctor():
    weak = KeySet.from_secret("abcdefgh1abcdefgh2bacdefgh31abcdefg")
    app = Layer(TokenService(weak, issuer="https://a.example"))

    assert found_in(app) == {"no-middleware", "weak-key", "missing-audience"}


def test_the_doctor_runs_nothing_of_what_it_looks_at():
    called = []

    class Proxy:
        """Like the proxies of werkzeug, Django and wrapt: it asks on any look."""

        @property
        def __class__(self):
            called.append("class")
            raise RuntimeError

        @property
        def __dict__(self):
            called.append("dict")
            raise RuntimeError

        def __getattr__(self, name):
            called.append(name)
            raise RuntimeError(name)

    class Odd(Layer):
        def __init__(self, app):
            super().__init__(app)
            self.held = Proxy()

        @property
        def application(self):
            called.append("application")
            raise RuntimeError

        def __eq__(self, other):
            called.append("eq")
            return True

        __hash__ = None

        def __bool__(self):
            called.append("bool")
            return False

        def __len__(self):
            called.append("len")
            return 0

    app = Odd(Odd(AuthenticationMiddleware(hello, backend(QueryParam("token")))))

    assert found_in(app) == {"not-outermost"}
    assert called == []


def test_the_doctor_looks_at_an_app_that_holds_proxies_of_quart():
    from asgi_auth.integrations.quart import current_user

    app = installed("quart")
    app.extensions["caller"] = current_user
    assert found_in(app) == set()


@pytest.mark.parametrize(
    ("pattern", "faults"),
    [
        (".*", {"wildcard-origin"}),
        (r"https?://.*", {"wildcard-origin"}),
        (r"https://.*\.com", {"wildcard-origin"}),
        (r"https://[a-z.]+\.(com|org|net)(:\d+)?", {"wildcard-origin"}),
        (r"https://(.*\.)?shop\.example", set()),
        (r"https://app\.example", set()),
        ("(", set()),
    ],
)
def test_the_doctor_understands_patterns_that_trust_everybody(pattern, faults):
    app = Layer(AuthenticationMiddleware(hello, backend()))
    app.allow_origin_regex, app.allow_credentials = pattern, True

    assert found_in(app) == faults


def test_the_doctor_sees_a_guard_above_the_decorator_of_a_route():
    from fastapi import FastAPI
    from quart import Quart
    from starlette.requests import Request

    from asgi_auth.integrations import fastapi, quart

    def guarded_in(app, guard, *, late):
        async def page(request: Request):
            raise AssertionError

        if late:
            return guard(app.get("/page")(page))
        return app.get("/page")(guard(page))

    for made, adapter, guard in (
        (FastAPI(), fastapi, requires("a")),
        (Quart("x"), quart, quart.requires("a")),
    ):
        adapter.install(made, backend())
        early = guarded_in(made, guard, late=False)
        assert examine(Patient(made, 1, {}, {"app.page": early})) == []

    for made, adapter, guard in (
        (FastAPI(), fastapi, requires("a")),
        (FastAPI(), fastapi, lambda page: requires("b")(requires("a")(page))),
        (Quart("x"), quart, quart.requires("a")),
    ):
        adapter.install(made, backend())
        late = guarded_in(made, guard, late=True)
        found = examine(Patient(made, 1, {}, {"app.page": late}))
        assert [fault.code for fault in found] == ["skipped-guard"]
        assert "app.page" in found[0].text


# ----------------------------------------------------------------------- the commands


def command(capsys, monkeypatch, *arguments, stdin=b""):
    """Run one command in this process; return its status and all that it wrote."""
    lines = io.TextIOWrapper(io.BytesIO(stdin), "utf-8", errors="surrogateescape")
    monkeypatch.setattr(sys, "stdin", lines)
    status = main([*arguments])
    written = capsys.readouterr()
    return status, written.out + written.err


@pytest.mark.parametrize("verb", ["inspect", "verify"])
@pytest.mark.parametrize("stdin", [b"\xff\xfe", b"a.b.\xed\xa0\x80", "ä.ö.ü".encode()])
def test_bytes_that_are_no_text_are_no_token(capsys, monkeypatch, verb, stdin):
    monkeypatch.setenv("ASGI_AUTH_SECRET_KEY", "9fYQ2mZr7Wc1Tn5Xv8Kp3Hs6Jd0LgBaE4u")
    status, written = command(capsys, monkeypatch, "token", verb, stdin=stdin)

    assert status == 1
    assert written.replace("\n", "").isprintable()


STORES = [
    "postgresql://ada:s3cret@db:s3cret/x",
    "postgresql://ada:s3cret@[s3cret/x",
    "postgresql://ada:s3cret@127.0.0.1:1/x",
    "postgresql+none://ada:s3cret@db/x",
    "redis://ada:s3cret@127.0.0.1:1",
    "redis://ada:s3cret@127.0.0.1:s3cret",
    "redis://[s3cret",
    "sqlite://ada:s3cret@db/x",
    "mysql://ada:s3cret@db/x",
    "s3 cret",
]


def test_no_error_repeats_the_password_of_a_store(capsys, monkeypatch):
    for url in STORES:
        arguments = ("sessions", "list", "ada", "--store", url)
        status, written = command(capsys, monkeypatch, *arguments)

        assert status == 2
        assert "s3cret" not in written


def test_the_url_of_a_store_need_not_stand_in_the_list_of_processes(
    capsys, monkeypatch, tmp_path
):
    monkeypatch.setenv("ASGI_AUTH_STORE", "redis://ada:s3cret@127.0.0.1:1")
    status, written = command(capsys, monkeypatch, "sessions", "list", "ada")

    assert status == 2
    assert "did not answer" in written
    assert "s3cret" not in written
    with contextlib.suppress(SystemExit):
        main(["sessions", "list", "--help"])
    assert "s3cret" not in capsys.readouterr().out


def test_a_pipe_that_is_closed_is_no_crash_and_shows_no_key():
    run_keygen = "from asgi_auth.cli.main import main; exit(main(['keygen']))"
    with subprocess.Popen(
        [sys.executable, "-c", run_keygen],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        process.stdout.close()
        written = process.stderr.read()

    assert "Traceback" not in written


@pytest.mark.parametrize("verb", ["inspect", "verify"])
def test_no_token_steers_the_terminal(capsys, monkeypatch, verb):
    keys = KeySet.from_secret("9fYQ2mZr7Wc1Tn5Xv8Kp3Hs6Jd0LgBaE4u")
    monkeypatch.setenv("ASGI_AUTH_SECRET_KEY", "9fYQ2mZr7Wc1Tn5Xv8Kp3Hs6Jd0LgBaE4u")
    evil = "\x1b]0;owned\x07\x9b2J\u202e\r"
    for said in ({"iss": evil}, {"x": evil}, {evil: 1}, {"sub": evil}, {"aud": evil}):
        token = forged(keys, said)
        _, written = command(
            capsys, monkeypatch, "token", verb, stdin=token.encode() + b"\n"
        )
        assert not {*written} & {sign for sign in evil if not sign.isprintable()}


def forged(keys, claims):
    from asgi_auth.testing import mint_token

    return mint_token(keys, claims=claims, header={"x": "\x1b[2J"})
