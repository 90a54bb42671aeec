"""Applications without a framework, on asyncio and on trio."""

from __future__ import annotations

import contextlib
import json

import pytest

from asgi_auth import (
    AuthenticationError,
    AuthenticationMiddleware,
    InsufficientScopeError,
    RefusalPolicy,
    ScopePolicy,
    requires,
)
from asgi_auth.tracking import current_principal
from tests.frameworks.acceptance import Acceptance
from tests.frameworks.driving import (
    REFUSALS,
    assert_refused,
    bearer,
    describe_scope,
    fetch,
    make_backend,
    socket_scope,
    talk,
    types_of,
    wrap,
)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    """The way of a request needs no particular event loop."""
    return request.param


async def respond(send, body: bytes, status: int = 200) -> None:
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": body})


async def whoami(scope, receive, send):
    await respond(send, json.dumps(describe_scope(scope)).encode())


async def raises(scope, receive, send):
    raise REFUSALS[scope["path"][-3:]]


async def crash(scope, receive, send):
    raise ValueError("a bug of the application")


async def crash_politely(scope, receive, send):
    """Be a framework: answer a bug, then tell the server of it."""
    try:
        with contextlib.suppress(AuthenticationError, InsufficientScopeError):
            requires("nobody:has").check(scope)

        await crash(scope, receive, send)
    except ValueError:
        await respond(send, b"Internal Server Error", 500)
        raise


async def chat(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    text = json.dumps(describe_scope(scope))
    await send({"type": "websocket.send", "text": text})
    await receive()


async def refuse_late(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    requires("nobody:has").check(scope)


ROUTES = {
    "/whoami": whoami,
    "/guarded": requires()(whoami),
    "/orders": requires("orders:read")(whoami),
    "/raises/401": raises,
    "/raises/403": raises,
    "/crash": crash,
    "/caught": crash_politely,
    "/ws": chat,
    "/ws/guarded": requires()(chat),
    "/ws/late": refuse_late,
}


async def router(scope, receive, send):
    await ROUTES[scope["path"]](scope, receive, send)


class TestPlain(Acceptance):
    @pytest.fixture
    def app(self):
        return wrap(router)


@pytest.mark.parametrize("kind", ["lifespan", "mqtt", "http.custom"])
async def test_other_scope_types_pass_through_without_a_caller(kind):
    seen = []

    async def app(scope, receive, send):
        seen.append((scope, receive, send))

    async def receive(): ...

    async def send(message): ...

    given = {"type": kind, "user": "left over", "auth": "left over", "state": {}}
    await wrap(app)(given, receive, send)

    assert seen == [({"type": kind, "state": given["state"]}, receive, send)]
    assert seen[0][0]["state"] is given["state"]
    assert given["user"] == "left over"


async def test_lifespan_reaches_the_app_as_the_very_same_objects():
    seen = []

    async def app(*arguments):
        seen.append(arguments)

    scope, receive, send = {"type": "lifespan"}, object(), object()
    await wrap(app)(scope, receive, send)

    assert [
        argument is given
        for argument, given in zip(seen[0], (scope, receive, send), strict=True)
    ] == [True, True, True]


async def test_what_an_outer_layer_said_of_the_caller_never_survives():
    async def forging(scope, receive, send):
        await inner({**scope, "user": "root", "auth": "root"}, receive, send)

    inner = wrap(whoami)

    assert (await fetch(forging, "/whoami")).json()["subject"] == ""


async def test_the_given_scope_is_left_alone():
    given = socket_scope("/ws", bearer())
    before = dict(given)
    await talk(wrap(router), given)

    assert given == before


async def test_a_shared_scope_is_written_into():
    given = socket_scope("/ws", bearer())
    await talk(wrap(router, scope_policy=ScopePolicy(share=True)), given)

    assert given["auth"].subject == "ann"
    assert given["user"].name == "ann"


async def test_the_current_principal_is_that_of_the_request_and_no_longer():
    seen = []

    async def app(scope, receive, send):
        seen.append(current_principal().subject)
        await respond(send, b"")

    tracked = wrap(app, scope_policy=ScopePolicy(track_current=True))
    await fetch(tracked, "/", headers=bearer())
    await fetch(tracked, "/", headers=bearer(subject="bob"))
    await fetch(tracked, "/")

    assert seen == ["ann", "bob", ""]


@pytest.mark.parametrize("error", [ValueError("bug"), AuthenticationError("late")])
async def test_what_happens_after_the_response_has_begun_is_raised(error):
    async def app(scope, receive, send):
        await respond(send, b"done")
        raise error

    with pytest.raises(type(error)) as raised:
        await fetch(wrap(app), "/")

    assert raised.value is error


async def test_a_guard_that_refuses_after_the_response_has_begun_is_raised():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        requires().check(scope)

    with pytest.raises(AuthenticationError):
        await fetch(wrap(app), "/")


async def test_a_group_of_refusals_is_a_refusal():
    async def app(scope, receive, send):
        inner = ExceptionGroup("inner", [AuthenticationError()])
        raise ExceptionGroup("outer", [inner, AuthenticationError()])

    response = await fetch(wrap(app), "/")

    assert_refused(response, 401, "unauthenticated", "Bearer")


async def test_a_group_that_also_holds_a_bug_is_raised():
    async def app(scope, receive, send):
        raise ExceptionGroup("mixed", [AuthenticationError(), ValueError("bug")])

    with pytest.raises(ExceptionGroup):
        await fetch(wrap(app), "/")


async def test_a_second_error_page_of_a_nested_framework_is_dropped():
    async def app(scope, receive, send):
        try:
            requires().check(scope)
        except AuthenticationError:
            await respond(send, b"Internal Server Error of the inner", 500)
            await respond(send, b"Internal Server Error of the outer", 500)
            raise

    response = await fetch(wrap(app), "/")

    assert_refused(response, 401, "unauthenticated", "Bearer")


async def test_an_answer_that_the_app_gives_to_a_refusal_is_respected():
    async def app(scope, receive, send):
        try:
            requires().check(scope)
        except AuthenticationError:
            await respond(send, b"please log in", 418)

    response = await fetch(wrap(app), "/")

    assert (response.status_code, response.content) == (418, b"please log in")


async def test_a_middleware_inside_of_another_decides_anew():
    inner = AuthenticationMiddleware(ROUTES["/guarded"], make_backend(), required=True)
    outer = wrap(inner, refusal_policy=RefusalPolicy(invalid="anonymous"))

    refused = await fetch(outer, "/", headers={"Authorization": "Bearer a.b.c"})
    passed = await fetch(outer, "/", headers=bearer())

    assert refused.status_code == 401
    assert passed.json()["user"] == "ann"  # No loader here: the principal's own name.


async def test_guards_stack_in_any_order_and_none_is_skipped():
    for first, second in (("a", "b"), ("b", "a")):
        app = wrap(requires(first)(requires(second)(whoami)))

        assert (await fetch(app, "/", headers=bearer("a"))).status_code == 403
        assert (await fetch(app, "/", headers=bearer("b"))).status_code == 403
        assert (await fetch(app, "/", headers=bearer("a", "b"))).status_code == 200


async def test_a_crash_of_a_socket_is_raised_and_not_made_up_for():
    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        raise ValueError("bug")

    with pytest.raises(ValueError, match="bug"):
        await talk(wrap(app), socket_scope("/ws"))

    sent = await talk(wrap(app), socket_scope("/ws"), let_out=False)
    assert types_of(sent) == ["websocket.accept"]


@pytest.mark.parametrize(
    ("close", "code"),
    [
        ({}, 3003),
        ({"code": 1000}, 3003),
        ({"code": 1011}, 3003),
        ({"code": 4001}, 4001),
    ],
)
async def test_a_framework_that_closes_after_a_refusal_says_why(close, code):
    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        try:
            requires("nobody:has").check(scope)
        except InsufficientScopeError:
            await send({"type": "websocket.close", **close})

    sent = await talk(wrap(app), socket_scope("/ws", bearer()))

    assert sent[1]["code"] == code


async def test_an_app_that_goes_on_after_a_refusal_closes_as_it_likes():
    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        assert requires("nobody:has").allows(scope) is False
        try:
            requires("nobody:has").check(scope)
        except InsufficientScopeError:
            await send({"type": "websocket.send", "text": "not you"})

        await send({"type": "websocket.close", "code": 1000})

    sent = await talk(wrap(app), socket_scope("/ws", bearer()))

    assert sent[2]["code"] == 1000


@pytest.mark.parametrize("error", [OSError("gone"), RuntimeError("already closed")])
async def test_a_refusal_of_a_socket_whose_client_has_gone_is_quiet(error):
    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        raise AuthenticationError

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        if message["type"] == "websocket.close":
            raise error

    await wrap(app)(socket_scope("/ws"), receive, send)
