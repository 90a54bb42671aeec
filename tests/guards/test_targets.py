"""What a guard can stand before: apps, classes, methods, generators and routers."""

from __future__ import annotations

import functools
import inspect

import anyio
import anyio.lowlevel
import pytest
from fastapi import APIRouter, FastAPI
from litestar import Controller, Litestar, get
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route, Router, WebSocketRoute

from asgi_auth import (
    ANONYMOUS,
    AuthenticationError,
    AuthorizationError,
    ConfigurationError,
    InsufficientScopeError,
    policy,
    requires,
)
from asgi_auth.guards.requires import Requirement
from asgi_auth.guards.wrapping import MARK
from asgi_auth.testing.clock import FakeClock
from asgi_auth.websocket import WebSocketEndpoint as OwnEndpoint
from tests import forge
from tests.asgi import Echo, bearer, converse, denial_of, run
from tests.guards.callers import known, protected, request_of, scope_of

A = [bearer(forge.token(scope="a"))]
B = [bearer(forge.token(scope="b"))]
AB = [bearer(forge.token(scope="a b"))]


@policy
async def later(principal):
    await anyio.lowlevel.checkpoint()
    return "a" in principal.scopes


@pytest.fixture(params=["at once", "later"])
def guard(request):
    return requires("a") if request.param == "at once" else requires(policy=later)


async def statuses(app, path="/"):
    """Ask as nobody, as one who may not, and as one who may."""
    asked = [(), B, A]
    return [(await run(app, path, headers=headers)).status for headers in asked]


async def kinds(app, path="/"):
    """Open sockets as nobody, as one who may not, and as one who may."""
    sent = [await converse(app, path, headers=headers) for headers in ((), B, A)]
    return [messages[0].get("code", messages[0]["type"]) for messages in sent]


def say(request):
    return PlainTextResponse(request.auth.subject)


# ------------------------------------------------------------------------------ classes


class Page(HTTPEndpoint):
    """A page."""

    made = 0

    def __init__(self, scope, receive, send):
        type(self).made += 1
        super().__init__(scope, receive, send)

    async def get(self, request):
        return say(request)

    def post(self, request):
        return say(request)


class Chat(WebSocketEndpoint):
    pass


async def test_an_endpoint_class_is_guarded(guard):
    page = guard(Page)
    app = protected(Starlette(routes=[Route("/", page), Mount("/m", Route("/", page))]))
    before = Page.made, page.made
    assert await statuses(app) == [401, 403, 200]
    assert await statuses(app, "/m/") == [401, 403, 200]
    assert (await run(app, method="POST", headers=A)).status == 200
    assert (await run(app, method="POST", headers=B)).status == 403
    assert (await run(app, method="PUT", headers=A)).status == 405
    assert (await run(app, method="PUT")).status == 401
    # Whom it refuses, it makes no instance for.
    assert (Page.made, page.made) == (before[0], before[1] + 4)


async def test_a_socket_endpoint_class_is_guarded(guard):
    app = protected(Starlette(routes=[WebSocketRoute("/", guard(Chat))]))
    assert await kinds(app) == [3000, 3003, "websocket.accept"]
    assert denial_of(await converse(app, denial=True)).status == 401


def test_a_guarded_class_is_a_class_of_the_same_name():
    page = requires("a")(Page)
    assert issubclass(page, Page)
    assert (page.__name__, page.__qualname__) == ("Page", "Page")
    assert (page.__module__, page.__doc__) == (__name__, "A page.")
    assert Route("/", page).name == "Page"
    assert [*inspect.signature(page).parameters] == ["scope", "receive", "send"]
    assert Page is not page


async def test_a_class_below_a_guarded_one_is_guarded_too(guard):
    @guard
    class Base(HTTPEndpoint):
        async def get(self, request):
            return say(request)

    class Below(Base):
        def __init__(self, scope, receive, send):
            self.extra = "set"
            super().__init__(scope, receive, send)

        async def get(self, request):
            assert self.extra == "set"
            return await super().get(request)

    app = protected(Starlette(routes=[Route("/", Below), Route("/base", Base)]))
    assert await statuses(app) == [401, 403, 200]
    assert await statuses(app, "/base") == [401, 403, 200]


async def test_of_guards_on_a_class_none_is_skipped():
    twice = requires("a")(requires(policy=later)(requires("b")(Page)))

    class Below(requires("authenticated")(twice)):
        pass

    for endpoint in (twice, Below):
        app = protected(Starlette(routes=[Route("/", endpoint)]))
        assert await statuses(app) == [401, 403, 403]
        assert (await run(app, headers=AB)).status == 200


class Singular:
    """An ASGI app for one request, with a constructor of its own and no framework."""

    def __new__(cls, scope, receive, send):
        made = super().__new__(cls)
        made.new = True
        return made

    def __init__(self, scope, receive, send):
        self.way = scope, receive, send

    def __await__(self):
        assert self.new
        return Echo()(*self.way).__await__()


async def test_a_class_with_a_constructor_of_its_own_is_guarded(guard):
    assert await statuses(protected(guard(Singular))) == [401, 403, 200]


class Meta(type):
    pass


class OldStyle:
    def __init__(self, scope, receive, send): ...


class Items(Controller):
    @get("/")
    async def items(self) -> str:
        return "done"


@pytest.mark.parametrize(
    "wrong", [OwnEndpoint, Items, OldStyle, Echo, dict, Exception, Meta, FakeClock]
)
def test_a_class_of_another_kind_is_refused(wrong, guard):
    with pytest.raises(ConfigurationError, match=f"{wrong.__name__} is a class"):
        guard(wrong)


@pytest.mark.parametrize("wrong", [None, 5, "handler", [], {"type": "http"}])
def test_what_cannot_be_called_is_refused(wrong):
    with pytest.raises(ConfigurationError, match=type(wrong).__name__):
        requires("a")(wrong)


async def test_our_own_socket_endpoints_are_guarded_as_objects(guard):
    chat = guard(OwnEndpoint())
    routed = protected(Starlette(routes=[WebSocketRoute("/", chat)]))
    for app in (protected(chat), routed):
        assert await kinds(app) == [3000, 3003, "websocket.accept"]


# ------------------------------------------------------------------------------ methods


class View:
    @requires("a")
    def plain(self, request):
        return self

    @requires(policy=later)
    async def waiting(self, request):
        return self

    @requires("a")
    @staticmethod
    def static(request):
        return "static"

    @staticmethod
    @requires(policy=later)
    async def static_later(request):
        return "static"

    @requires(policy=later)
    @classmethod
    async def of_class(cls, request):
        return cls

    @classmethod
    @requires("a")
    def of_class_plain(cls, request):
        return cls

    @requires("a")
    async def __call__(self, request):
        return self


async def outcome(call, principal):
    result = call(request_of(principal))
    return await result if inspect.isawaitable(result) else result


@pytest.mark.parametrize(
    "name",
    [
        "plain",
        "waiting",
        "static",
        "static_later",
        "of_class",
        "of_class_plain",
        "__call__",
    ],
)
async def test_methods_of_all_kinds_are_guarded(name):
    view = View()
    method = getattr(view, name)
    given = await outcome(method, known("a"))
    assert given in (view, View, "static")
    for principal, error in (
        (known("b"), AuthorizationError),
        (ANONYMOUS, AuthenticationError),
    ):
        with pytest.raises(error):
            await outcome(method, principal)


async def test_partials_and_objects_stay_async(guard):
    async def handler(item, request):
        return item

    class Handler:
        async def __call__(self, request):
            return "done"

    for made, expected in (
        (functools.partial(handler, 5), 5),
        (functools.partial(functools.partial(handler), 6), 6),
        (functools.partial(Handler()), "done"),
        (Handler(), "done"),
        (Handler().__call__, "done"),
    ):
        guarded = guard(made)
        assert inspect.iscoroutinefunction(guarded)
        assert await guarded(request_of(known("a"))) == expected
        with pytest.raises(AuthorizationError):
            await guarded(request_of(known("b")))


async def test_generators_are_checked_before_they_are_made():
    @requires("a")
    async def numbers(request):
        yield 1
        yield 2

    @requires("a")
    def letters(request):
        got = yield "x"
        yield got

    assert [n async for n in numbers(request_of(known("a")))] == [1, 2]
    assert next(letters(request_of(known("a")))) == "x"
    for made in (numbers, letters):
        with pytest.raises(InsufficientScopeError):
            made(request_of(known()))  # Not with the first item: that is too late.
        with pytest.raises(ConfigurationError, match="not async"):
            requires(policy=later)(made)


# --------------------------------------------------------------------------- stacking


async def test_a_refusal_names_what_the_guards_further_in_need_too():
    def plain(function):
        @functools.wraps(function)
        async def wrapper(*args, **kwargs):
            return await function(*args, **kwargs)

        return wrapper

    @requires("a")
    @plain
    @requires("b", roles="x")
    @requires("authenticated", policy=later)
    async def handler(request):
        return "done"

    with pytest.raises(InsufficientScopeError) as caught:
        await handler(request_of(known()))
    assert caught.value.scopes == ("a", "b")
    assert caught.value.roles == ("x",)
    with pytest.raises(InsufficientScopeError) as caught:
        await handler(request_of(known("a")))
    assert caught.value.scopes == ("b",)
    assert await handler(request_of(known("a", "b", roles=["x"]))) == "done"


@pytest.mark.parametrize("inner", [Echo(), Echo().__call__, Page, Router()])
async def test_a_refusal_names_all_in_front_of_apps_too(inner):
    app = protected(requires("a")(requires("b")(inner)))
    refused = await run(app)
    assert refused.status == 401
    refused = await run(app, headers=[bearer(forge.token())])
    assert 'scope="a b"' in refused.header("www-authenticate")
    assert (await run(app, headers=A)).status == 403


async def test_what_is_named_of_others_does_not_change_what_is_needed():
    guard = requires("a")

    @guard
    @requires("b")
    async def handler(request):
        return "done"

    assert guard == requires("a")
    assert guard.allows(scope_of(known("a")))
    with pytest.raises(InsufficientScopeError) as caught:
        guard.check(scope_of(known()))
    assert caught.value.scopes == ("a",)


def test_what_says_odd_things_of_its_guards_is_guarded_like_anything():
    class Proxy:
        def __getattr__(self, name):
            if name == MARK:
                return "whatever"

            raise AttributeError(name)

        def __call__(self, request):
            return "done"

    guarded = requires("a")(Proxy())
    assert guarded(request_of(known("a"))) == "done"
    with pytest.raises(InsufficientScopeError):
        guarded(request_of(known()))


# ------------------------------------------------------------------ routers, middleware


def routes_behind(guard):
    inner = [Route("/", say, name="home"), WebSocketRoute("/ws", Chat)]
    return [
        Mount("/app", app=guard(Starlette(routes=inner))),
        Mount("/router", app=guard(Router(routes=inner))),
        Mount("/listed", routes=inner, name="listed", middleware=[Middleware(guard)]),
        Route("/route", say, middleware=[Middleware(guard)]),
        WebSocketRoute("/socket", Chat, middleware=[Middleware(guard)]),
        Route("/handler", guard(say) if guard.policy is None else say_later(guard)),
    ]


def say_later(guard):
    async def handler(request):
        return say(request)

    return guard(handler)


@pytest.mark.parametrize(
    "path", ["/app/", "/router/", "/listed/", "/route", "/handler"]
)
async def test_routers_and_routes_of_starlette_are_guarded(guard, path):
    app = protected(Starlette(routes=routes_behind(guard)))
    assert await statuses(app, path) == [401, 403, 200]


@pytest.mark.parametrize("path", ["/app/ws", "/router/ws", "/listed/ws", "/socket"])
async def test_sockets_behind_routers_of_starlette_are_guarded(guard, path):
    app = protected(Starlette(routes=routes_behind(guard)))
    assert await kinds(app, path) == [3000, 3003, "websocket.accept"]


def test_a_guarded_mount_of_routes_keeps_their_names():
    app = Starlette(routes=routes_behind(requires("a")))
    assert app.url_path_for("listed:home") == "/listed/"


async def test_a_whole_application_is_guarded_by_a_list(guard):
    listed = Starlette(routes=[Route("/", say)], middleware=[Middleware(guard)])
    added = Starlette(routes=[Route("/", say)])
    added.add_middleware(guard)
    fast = FastAPI(middleware=[Middleware(guard)])
    fast.get("/")(lambda: "done")
    for app in (listed, added, fast):
        assert await statuses(protected(app)) == [401, 403, 200]


async def test_litestar_takes_guards_for_middleware(guard):
    @get("/open")
    async def opened() -> str:
        return "done"

    @get("/one", middleware=[guard])
    async def one() -> str:
        return "done"

    Items.middleware = [guard]
    app = protected(Litestar([Items, opened, one], openapi_config=None))
    assert await statuses(app) == [401, 403, 200]
    assert await statuses(app, "/one") == [401, 403, 200]
    assert await statuses(app, "/open") == [200, 200, 200]


async def test_routes_are_not_taken_out_from_behind_a_guard():
    router = APIRouter()

    @router.get("/secret")
    async def secret() -> str:
        return "secret"

    guarded = requires("a")(router)
    for attribute in ("routes", "on_startup", "lifespan_context", "prefix"):
        assert not hasattr(guarded, attribute)
    assert repr(guarded).startswith("<guarded ")
    with pytest.raises((AttributeError, AssertionError, TypeError)):
        FastAPI().include_router(guarded)

    app = FastAPI()
    app.mount("/api", guarded)
    assert await statuses(protected(app), "/api/secret") == [401, 403, 200]


# ---------------------------------------------------------------------------- mistakes


async def test_without_the_middleware_nothing_is_served(guard):
    for app in (
        guard(Echo()),
        Starlette(routes=[Route("/", guard(Page))]),
        Starlette(routes=[Route("/", say)], middleware=[Middleware(guard)]),
    ):
        with pytest.raises(ConfigurationError, match="AuthenticationMiddleware"):
            await run(app)
    with pytest.raises(ConfigurationError, match="AuthenticationMiddleware"):
        await converse(guard(OwnEndpoint()))


async def test_a_guard_that_stands_above_the_middleware_is_a_mistake(guard):
    with pytest.raises(ConfigurationError, match="AuthenticationMiddleware"):
        await run(guard(protected(Echo())), headers=A)


@pytest.mark.parametrize("wrong", [[5], [None], [""], [["a"]]])
def test_what_is_needed_is_named_in_texts(wrong):
    with pytest.raises(ConfigurationError, match="scopes"):
        requires(*wrong)
    with pytest.raises(ConfigurationError, match="roles"):
        requires(roles=wrong)
    with pytest.raises(ConfigurationError, match="backend"):
        requires(backend=wrong)


def test_a_requirement_made_by_hand_is_a_guard_too():
    assert Requirement(frozenset({"a"})) == requires("a")


# ------------------------------------------------------------------- late, and in tasks


async def later_refused(request):
    async def chunks():
        yield b"begun"
        await requires("b", policy=later).verify(request)
        yield b"secret"

    return StreamingResponse(chunks())


async def in_the_background(request):
    task = BackgroundTask(requires("b", policy=later).verify, request)
    return PlainTextResponse("done", background=task)


@pytest.mark.parametrize("handler", [later_refused, in_the_background])
async def test_a_refusal_after_the_answer_has_begun_is_raised(handler):
    app = protected(Starlette(routes=[Route("/", handler)]))
    sent = []
    with pytest.raises(InsufficientScopeError):
        await run(app, headers=A, sent=sent)
    assert sent[0]["status"] == 200
    assert b"secret" not in b"".join(m.get("body", b"") for m in sent)
    assert (await run(app, headers=AB)).status == 200


async def test_guards_in_a_group_of_tasks_refuse_as_one():
    async def handler(request):
        async with anyio.create_task_group() as group:
            group.start_soon(requires("a", policy=later).verify, request)
            group.start_soon(requires("b").verify, request)
        return say(request)

    app = protected(Starlette(routes=[Route("/", handler)]))
    assert await statuses(app) == [401, 403, 403]
    assert (await run(app, headers=AB)).status == 200


async def test_a_policy_that_uses_tasks_refuses_as_one():
    async def in_tasks(principal, scope):
        async with anyio.create_task_group() as group:
            group.start_soon(requires("a").verify, scope)
        return True

    app = protected(requires(policy=in_tasks)(Echo()))
    assert await statuses(app) == [401, 403, 200]


async def test_a_refusal_that_was_caught_does_not_hide_a_bug():
    async def handler(request):
        if not await requires("b", policy=later).permits(request):
            raise ZeroDivisionError

        return say(request)

    app = protected(Starlette(routes=[Route("/", handler)]))
    sent = []
    with pytest.raises(ZeroDivisionError):
        await run(app, headers=A, sent=sent)
    assert sent[0]["status"] == 500
