"""Quart: the example, blueprints, views, sockets and Quart's own test client."""

from __future__ import annotations

import json
import logging

import anyio
import pytest

pytest.importorskip("quart", reason="platform: there is no Quart for this Python")

from quart import (
    Blueprint,
    Quart,
    Response,
    copy_current_request_context,
    request,
    websocket,
)
from quart.testing.connections import WebsocketResponseError
from quart.views import MethodView
from quart_cors import cors

from asgi_auth import (
    AuthError,
    ConfigurationError,
    ExpiredTokenError,
    RefusalPolicy,
)
from asgi_auth.errors import AuthorizationError
from asgi_auth.integrations.quart import (
    current_principal,
    current_user,
    install,
    optional_user,
    requires,
)
from tests.asgi import run
from tests.integrations.acceptance import (
    ANN,
    GUARDED,
    INVALID,
    UNKNOWN,
    AcceptanceSuite,
    OwnHandlers,
    Uninstalled,
    assert_denied,
    assert_refused,
    assert_served,
    client_of,
    talk,
)
from tests.integrations.apps.quart import create_app
from tests.integrations.services import Services, bearer


@pytest.fixture
def services():
    services = Services()
    anyio.run(services.add_user)
    return services


async def fetch(app, path, *, let_out=True, method="GET", **request):
    async with client_of(app, let_out=let_out) as client:
        return await client.request(method, path, **request)


def installed(services, **options):
    app = Quart("quart_app")
    install(app, services.backend, load_user=services.load_user, **options)
    return app


def nothing():
    return {}


def errors_of(caplog):
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR]


class TestQuart(AcceptanceSuite, OwnHandlers, Uninstalled):
    create_app = staticmethod(create_app)

    @pytest.mark.parametrize("path", GUARDED)
    async def test_a_guard_without_the_middleware_says_what_to_add(
        self, services, path, caplog
    ):
        app = create_app(services, installed=False)
        response = await fetch(app, path, headers=services.caller())

        assert response.status_code == 500
        assert "install(app, backend)" in caplog.text
        caplog.clear()


# ----------------------------------------------------------------------------- guards


def with_blueprint(services):
    app, group = installed(services), Blueprint("group", __name__)

    @group.before_request
    @requires("orders:read")
    async def only_readers(): ...

    @group.before_websocket
    @requires("orders:read")
    async def only_listeners(): ...

    @group.get("/me")
    async def me():
        return {"user": current_user.id, "subject": current_principal.subject}

    @group.websocket("/ws")
    async def chat():
        await websocket.send_json({"user": current_user.id})
        await websocket.send(await websocket.receive())

    app.register_blueprint(group)
    return app


async def test_a_blueprint_is_guarded_before_its_requests(services):
    app = with_blueprint(services)
    good = await fetch(app, "/me", headers=services.caller("orders:read"))
    bad = await fetch(app, "/me", headers=services.caller())

    assert good.json() == {"user": "ann", "subject": "ann"}
    assert (bad.status_code, bad.json()["code"]) == (403, "insufficient_scope")
    assert_refused(await fetch(app, "/me"), 401, "unauthenticated", UNKNOWN)


async def test_a_blueprint_is_guarded_before_its_sockets(services):
    app = with_blueprint(services)

    assert_denied(await talk(app), UNKNOWN)
    assert_served(await talk(app, headers=services.caller("orders:read")))


async def test_the_handler_of_a_blueprint_answers_for_it(services):
    app, group = installed(services), Blueprint("group", __name__)

    @group.errorhandler(AuthError)
    async def answer(error):
        return {"own": error.code}, 418

    group.get("/mine")(requires()(nothing))
    app.get("/ours")(requires()(nothing))
    app.register_blueprint(group)

    assert (await fetch(app, "/mine")).json() == {"own": "unauthenticated"}
    assert_refused(await fetch(app, "/ours"), 401, "unauthenticated", UNKNOWN)


@pytest.mark.parametrize("first", [False, True])
async def test_a_handler_of_the_application_wins_whenever_it_is_added(services, first):
    async def answer(error):
        return {"own": error.code}, 418

    app = Quart("quart_app")
    if first:
        app.register_error_handler(AuthError, answer)
    install(app, services.backend)
    if not first:
        app.register_error_handler(AuthError, answer)
    app.get("/private")(requires()(nothing))

    assert (await fetch(app, "/private")).json() == {"own": "unauthenticated"}


async def test_a_view_of_methods_is_guarded(services):
    class Me(MethodView):
        decorators = (requires("orders:read"),)

        async def get(self, name):
            return {"user": current_user.id, "name": name}

    app = installed(services)
    app.add_url_rule("/me/<name>", view_func=Me.as_view("me"))

    good = await fetch(app, "/me/x", headers=services.caller("orders:read"))
    assert good.json() == {"user": "ann", "name": "x"}
    assert (await fetch(app, "/me/x", headers=services.caller())).status_code == 403


async def test_stacked_guards_name_all_that_is_missing_at_once(services):
    response = await fetch(create_app(services), "/transfer", headers=services.caller())

    assert 'scope="orders:read"' in response.headers["www-authenticate"]
    assert response.json()["roles"] == ["admin"]


async def test_an_async_policy_is_waited_for_also_by_a_sync_handler(services):
    async def only_bob(principal, _):
        return principal.subject == "bob"

    app = installed(services)
    app.get("/policy")(requires(policy=only_bob)(nothing))
    response = await fetch(app, "/policy", headers=services.caller())

    assert (response.status_code, response.json()["code"]) == (403, "forbidden")


# -------------------------------------------------------------------- who is calling


async def test_the_current_user_refuses_the_unknown_and_the_optional_one_does_not(
    services,
):
    app = installed(services)

    @app.get("/user")
    async def user():
        return {"user": current_user.id}

    @app.get("/principal")
    def principal():
        return {"user": current_principal.subject}

    @app.get("/optional")
    async def optional():
        return {"known": optional_user() is not None}

    for path in ("/user", "/principal"):
        assert_refused(await fetch(app, path), 401, "unauthenticated", UNKNOWN)
        assert (await fetch(app, path, headers=services.caller())).json() == ANN
    assert (await fetch(app, "/optional")).json() == {"known": False}


async def test_a_background_task_knows_the_caller_of_its_request(services):
    app, done = installed(services), []

    async def note(subject):
        done.append(subject)

    @app.get("/later")
    @requires()
    async def later():
        @copy_current_request_context
        async def ask():
            done.append(current_user.id)

        app.add_background_task(ask)
        app.add_background_task(note, current_principal.subject)
        return {"user": current_user.id}

    assert (await fetch(app, "/later")).status_code == 401
    assert (await fetch(app, "/later", headers=services.caller())).json() == ANN
    with anyio.fail_after(30):
        while len(done) < 2:
            await anyio.sleep(0.01)
    assert done == ["ann", "ann"]


async def test_who_asks_outside_of_a_request_is_told_so():
    for ask in (lambda: current_user.id, optional_user):
        with pytest.raises(ConfigurationError, match="within a request"):
            ask()


# -------------------------------------------------------------------------- refusals


async def test_an_error_raised_by_a_handler_is_a_refusal(services, caplog):
    app = installed(services)

    @app.get("/raises")
    async def raises():
        raise ExpiredTokenError

    response = await fetch(app, "/raises")

    assert (response.status_code, response.json()["code"]) == (401, "token_expired")
    assert not errors_of(caplog)


async def test_hooks_of_the_application_see_the_refusal(services):
    app, seen = create_app(services), []

    @app.after_request
    async def look(response):
        seen.append(response.status_code)
        response.headers["X-Seen"] = "yes"
        return response

    response = await fetch(app, "/private")

    assert seen == [401]
    assert response.headers["x-seen"] == "yes"
    assert_refused(response, 401, "unauthenticated", UNKNOWN)


async def test_a_refused_head_has_no_body(services):
    response = await fetch(create_app(services), "/private", method="HEAD")

    assert (response.status_code, response.content) == (401, b"")
    assert response.headers["www-authenticate"] == UNKNOWN


async def test_a_stream_that_fails_after_its_start_is_raised(services):
    app = installed(services)

    @app.get("/stream")
    async def stream():
        async def chunks():
            yield b"begun"
            raise AuthError("refused after the response has begun")

        return Response(chunks())

    with pytest.raises((AuthError, ExceptionGroup)):
        await fetch(app, "/stream")


@pytest.mark.parametrize("denial", [False, True])
@pytest.mark.parametrize("accepts", [False, True])
async def test_a_socket_whose_handler_refuses_is_closed(
    services, accepts, denial, caplog
):
    app = installed(services)

    @app.websocket("/ws")
    async def late():
        if accepts:
            await websocket.accept()
        raise AuthorizationError

    sent = await talk(app, headers=services.caller(), denial=denial)

    kinds = [message["type"].removeprefix("websocket.") for message in sent]
    if accepts:
        assert kinds == ["accept", "close"]
        assert (sent[1]["code"], sent[1]["reason"]) == (3003, "forbidden")
    elif denial:
        assert kinds == ["http.response.start", "http.response.body"]
        assert sent[0]["status"] == 403
    else:
        assert kinds == ["close"]
        assert sent[0]["code"] == 3003
    assert not errors_of(caplog)


# ------------------------------------------------------------------ the test client


@pytest.mark.parametrize("testing", [False, True])
async def test_quarts_own_client_sees_callers_and_refusals(services, testing):
    app = create_app(services)
    app.testing = testing
    client = app.test_client()

    known = await client.get("/private", headers=services.caller())
    unknown = await client.get("/private")

    assert await known.get_json() == ANN
    assert unknown.status_code == 401
    assert unknown.headers["WWW-Authenticate"] == UNKNOWN


async def test_quarts_own_client_opens_sockets(services):
    client = create_app(services).test_client()

    async with client.websocket("/ws", headers=services.caller()) as socket:
        assert json.loads(await socket.receive()) == ANN
        await socket.send("hello")
        assert await socket.receive() == "hello"

    with pytest.raises(WebsocketResponseError) as caught:
        async with client.websocket("/ws") as socket:
            await socket.receive()
    assert caught.value.response.status_code == 401


# --------------------------------------------------------------------------- install


def test_installing_twice_is_an_error(services):
    app = create_app(services)
    with pytest.raises(ConfigurationError, match="once only"):
        install(app, services.backend)


async def test_options_that_do_not_fit_leave_the_app_as_it_is(services):
    app = Quart("quart_app")
    with pytest.raises(ConfigurationError):
        install(app, services.backend, public_paths=["perhaps"])

    install(app, services.backend, required=True)
    app.get("/here")(nothing)
    assert (await fetch(app, "/here")).status_code == 401
    assert (await fetch(app, "/here", headers=bearer(services.token()))).json() == {}


# ------------------------------------------------------------------------------- CORS

ORIGIN = {"Origin": "https://web.example"}
PREFLIGHT = {
    **ORIGIN,
    "Access-Control-Request-Method": "GET",
    "Access-Control-Request-Headers": "authorization",
}
ALLOWED = "access-control-allow-origin"


def with_cors(services, **options):
    app = installed(services, **options)
    app.get("/private")(requires()(nothing))
    return cors(app, allow_origin="https://web.example")


@pytest.mark.parametrize("options", [{}, {"required": True}])
async def test_a_refusal_has_the_headers_of_cors(services, options):
    app = with_cors(services, **options)
    forged = bearer(services.forged_token())
    for headers in ({}, forged):
        for path in ("/private", "/nowhere"):
            response = await fetch(app, path, headers={**ORIGIN, **headers})
            if response.status_code != 404:
                assert response.status_code == 401
                assert response.headers["content-type"] == "application/problem+json"

            assert response.headers.get_list(ALLOWED) == [ORIGIN["Origin"]]

    foreign = {"Origin": "https://evil.example", **forged}
    for headers in (foreign, forged):
        response = await fetch(app, "/private", headers=headers)
        assert response.status_code == 401
        assert ALLOWED not in response.headers


@pytest.mark.parametrize("preflight", ["pass", "refuse"])
async def test_a_preflight_is_answered_by_cors_and_by_nothing_else(
    services, preflight, caplog
):
    policy = RefusalPolicy(preflight=preflight)
    app = with_cors(services, required=True, refusal_policy=policy)

    async def ask(**headers):
        given = {**PREFLIGHT, **headers}
        return await fetch(app, "/private", method="OPTIONS", headers=given)

    response = await ask()
    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["access-control-allow-headers"] == "authorization"
    assert not {"www-authenticate", "content-length"} & {*response.headers}

    def warnings():
        return [r for r in caplog.records if r.levelno == logging.WARNING]

    assert (await ask(Origin="https://evil.example")).status_code == 401
    assert not warnings()

    app.after_request_funcs.clear()
    assert (await ask()).status_code == 401
    assert bool(warnings()) is (preflight == "pass")


async def test_what_follows_a_request_may_fail_without_one(services):
    app = with_cors(services)

    @app.after_request
    async def last(response):
        raise LookupError(current_user.id)

    @app.after_request
    async def reading(response):
        response.headers["X-Process-Time"] = str(len(await request.get_data()))

    @app.after_request
    def first(response):
        response.headers["X-Request-Id"] = "7"
        response.headers["Set-Cookie"] = "a=b"
        return response

    headers = {**ORIGIN, **bearer(services.forged_token())}
    response = await fetch(app, "/private", headers=headers)
    assert response.status_code == 401
    assert response.headers[ALLOWED] == ORIGIN["Origin"]
    assert response.headers["x-request-id"] == "7"
    assert response.headers["x-process-time"] == "0"
    assert "set-cookie" not in response.headers


async def test_an_odd_query_takes_no_headers_from_a_refusal(services):
    app = with_cors(services)
    forged = (b"authorization", f"Bearer {services.forged_token()}".encode())
    headers = [(b"origin", ORIGIN["Origin"].encode()), forged]
    answer = await run(app, "/private", headers=headers, query=b"\xff")
    assert answer.status == 401
    assert answer.header(ALLOWED) == ORIGIN["Origin"]


async def test_cors_that_hangs_holds_no_refusal_up(services, monkeypatch):
    monkeypatch.setattr("asgi_auth.integrations._cors._PATIENCE", 0.01)
    app = with_cors(services)

    @app.after_request
    async def hanging(response):
        await anyio.sleep(30)

    headers = {**ORIGIN, **bearer(services.forged_token())}
    with anyio.fail_after(10):
        response = await fetch(app, "/private", headers=headers)

    assert_refused(response, 401, "invalid_token", INVALID)


async def test_cors_that_fails_lets_nobody_pass(services):
    app = cors(installed(services), allow_credentials=True)  # For all: an error.
    app.create_url_adapter = lambda request: 1 / 0
    headers = {**ORIGIN, **bearer(services.forged_token())}
    response = await fetch(app, "/private", headers=headers)
    assert_refused(response, 401, "invalid_token", INVALID)
    assert ALLOWED not in response.headers
