"""Nexios: the example, its own exceptions, its routers and its other middleware."""

from __future__ import annotations

import logging

import anyio
import pytest

pytest.importorskip("nexios", reason="platform: there is no Nexios for this Python")

from nexios import NexiosApp
from nexios.auth.exceptions import (
    AuthenticationFailed,
    AuthException,
    PermissionDenied,
)
from nexios.exceptions import HTTPException
from nexios.middleware.cors import CorsConfig, CORSMiddleware
from nexios.routing import Router
from nexios.views import APIView

from asgi_auth import (
    AuthError,
    AuthorizationError,
    BackendChain,
    ConfigurationError,
    JWTBackend,
)
from asgi_auth.accounts.basic import BasicBackend
from asgi_auth.errors import AuthenticationError, UnavailableError
from asgi_auth.integrations.nexios import (
    auth,
    current_principal,
    current_user,
    install,
    requires,
)
from tests.integrations.acceptance import (
    ANN,
    GUARDED,
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
from tests.integrations.apps import nexios as example
from tests.integrations.apps.nexios import chat, create_app, whoami
from tests.integrations.services import Services, bearer

CORS = CorsConfig(allow_origins=["https://web.example"])


@pytest.fixture
def services():
    services = Services()
    anyio.run(services.add_user)
    return services


@pytest.fixture(autouse=True)
def _heard(caplog):
    """Let caplog hear Nexios, whose loggers tell nobody above them."""
    names = [name for name in logging.root.manager.loggerDict if "nexios" in name]
    for name in {"nexios", *names}:
        logging.getLogger(name).addHandler(caplog.handler)
    yield
    for name in {"nexios", *names}:
        logging.getLogger(name).removeHandler(caplog.handler)


async def fetch(app, path, *, let_out=True, **request):
    async with client_of(app, let_out=let_out) as client:
        return await client.get(path, **request)


def installed(services, app, **options):
    install(app, services.backend, load_user=services.load_user, **options)
    return app


class TestNexios(AcceptanceSuite, OwnHandlers, Uninstalled):
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


# --------------------------------------------------------------- the seed's exceptions


class Answers:
    """Handlers that tell which of them was called, and of what."""

    def __init__(self, app, *kinds) -> None:
        self.errors = []
        for kind in kinds:
            app.add_exception_handler(kind, self.answering(kind))

    def answering(self, kind):
        async def answer(request, response, error):
            self.errors.append(error)
            name = kind if isinstance(kind, int) else kind.__name__
            told = {"own": name, "error": str(error.detail)}
            return response.json(told, status_code=error.status_code)

        return answer


@pytest.mark.parametrize(
    ("kinds", "unknown", "lacking"),
    [
        (
            [AuthenticationFailed, PermissionDenied],
            "AuthenticationFailed",
            "PermissionDenied",
        ),
        ([AuthException], "AuthException", "AuthException"),
        ([HTTPException], "HTTPException", "HTTPException"),
        ([401, 403], 401, 403),
        ([HTTPException, 401], 401, "HTTPException"),
    ],
)
async def test_handlers_for_the_exceptions_of_nexios_answer(
    services, kinds, unknown, lacking
):
    app = create_app(services)
    answers = Answers(app, *kinds)

    first = await fetch(app, "/admin")
    second = await fetch(app, "/admin", headers=services.caller())

    assert (first.status_code, first.json()["own"]) == (401, unknown)
    assert first.json()["error"] == "Authentication is required."
    assert (second.status_code, second.json()["own"]) == (403, lacking)
    causes = [type(error.__cause__).__name__ for error in answers.errors]
    assert causes == ["AuthenticationError", "InsufficientScopeError"]
    assert answers.errors[0].headers["www-authenticate"] == UNKNOWN
    assert answers.errors[0].headers["cache-control"] == "no-store"


async def test_a_handler_for_one_kind_leaves_the_other_to_us(services):
    app = create_app(services)
    Answers(app, AuthenticationFailed)

    assert (await fetch(app, "/admin")).json()["own"] == "AuthenticationFailed"
    refused = await fetch(app, "/admin", headers=services.caller())
    assert refused.headers["content-type"] == "application/problem+json"


async def test_an_outage_is_told_as_what_it_is(services):
    async def down(request, response):
        raise UnavailableError(retry_after=7)

    app = installed(services, NexiosApp())
    app.get("/down")(down)
    answers = Answers(app, AuthException)

    assert (await fetch(app, "/down")).status_code == 503
    assert answers.errors[0].headers["retry-after"] == "7"


async def test_our_errors_have_handlers_as_the_lesson_writes_them(services):
    app = create_app(services)

    @app.add_exception_handler(AuthenticationError)
    async def unauthenticated(request, response, error):
        return response.json({"error": str(error)}, status_code=401)

    @app.add_exception_handler(AuthorizationError)
    async def forbidden(request, response, error):
        return response.json({"error": str(error)}, status_code=403)

    unknown = await fetch(app, "/admin")
    lacking = await fetch(app, "/admin", headers=services.caller())

    assert unknown.json() == {"error": "Authentication is required."}
    assert lacking.json() == {"error": "The credentials do not allow this."}


async def test_all_challenges_reach_a_handler_in_one_header(services):
    app = NexiosApp()
    app.get("/private")(requires()(whoami))
    basic = BasicBackend(lambda *_: None, realm="shop")
    install(app, BackendChain(JWTBackend(services.tokens), basic))
    answers = Answers(app, AuthenticationFailed)

    await fetch(app, "/private")

    challenge = answers.errors[0].headers["www-authenticate"]
    assert challenge.startswith("Bearer, Basic ")


# ----------------------------------------------------------------------------- guards


async def test_auth_asks_for_a_backend_by_name(services):
    app = installed(services, NexiosApp())
    for path, names in {"/jwt": ["jwt"], "/key": ["apikey"], "/any": ()}.items():
        app.get(path)(auth(names)(whoami))

    caller = services.caller()
    assert (await fetch(app, "/jwt", headers=caller)).json() == ANN
    assert (await fetch(app, "/any", headers=caller)).json() == ANN
    assert (await fetch(app, "/key", headers=caller)).status_code == 401


def guarded_router(services):
    app = installed(services, NexiosApp())
    router = Router(prefix="/group")
    router.ws_route("/ws")(chat)
    app.mount_router(requires("orders:read")(router))
    router.get("/me")(whoami)
    return app


async def test_a_guard_on_a_router_is_before_its_requests(services):
    app = guarded_router(services)
    good = await fetch(app, "/group/me", headers=services.caller("orders:read"))
    bad = await fetch(app, "/group/me", headers=services.caller())

    assert good.json() == ANN
    assert (bad.status_code, bad.json()["code"]) == (403, "insufficient_scope")
    assert (await fetch(app, "/group/nowhere")).status_code == 401

    Answers(app, PermissionDenied)
    own = await fetch(app, "/group/me", headers=services.caller())
    assert own.json()["own"] == "PermissionDenied"


async def test_a_guard_on_a_router_is_before_its_sockets(services, caplog):
    inner = guarded_router(services)

    async def app(scope, receive, send):
        await inner({**scope, "path": "/group/ws"}, receive, send)

    assert_denied(await talk(app), UNKNOWN)
    assert_served(await talk(app, headers=services.caller("orders:read")))
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR]


async def test_methods_of_a_view_are_guarded(services):
    class Me(APIView):
        @requires("orders:read")
        async def get(self, request, response):
            return response.json({"user": current_principal(request).subject})

    app = installed(services, NexiosApp())
    app.add_route(Me.as_route("/me"))

    good = await fetch(app, "/me", headers=services.caller("orders:read"))
    assert good.json() == ANN
    assert (await fetch(app, "/me")).status_code == 401


async def test_an_async_policy_is_waited_for(services):
    async def only_bob(principal, _):
        return principal.subject == "bob"

    app = installed(services, NexiosApp())
    app.get("/policy")(requires(policy=only_bob)(whoami))
    response = await fetch(app, "/policy", headers=services.caller())

    assert (response.status_code, response.json()["code"]) == (403, "forbidden")


# ---------------------------------------------------------------------------- sockets


async def test_a_socket_that_is_refused_after_its_accept_is_closed(services, caplog):
    @requires()
    async def late(websocket):
        await websocket.accept()
        requires_more = current_user(websocket).id == "nobody"
        if not requires_more:
            raise AuthorizationError

    app = installed(services, NexiosApp())
    app.ws_route("/ws")(late)
    sent = await talk(app, headers=services.caller())

    assert [m["type"] for m in sent] == ["websocket.accept", "websocket.close"]
    assert (sent[1]["code"], sent[1]["reason"]) == (3003, "forbidden")
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR]


async def test_a_socket_that_asks_for_its_user_is_refused_in_its_handler(services):
    async def asks(websocket):
        current_user(websocket)

    app = installed(services, NexiosApp())
    app.ws_route("/ws")(asks)

    assert_denied(await talk(app), UNKNOWN)


# ------------------------------------------------------------------- other middleware


@pytest.mark.parametrize("before", [False, True])
async def test_a_refusal_has_the_headers_of_cors(services, before):
    app = NexiosApp()
    cors = CORSMiddleware(CORS)
    app.get("/private")(requires()(whoami))
    if before:
        app.add_middleware(cors)
    installed(services, app)
    if not before:
        app.add_middleware(cors)

    for headers in ({}, bearer(services.forged_token())):
        origin = {"Origin": "https://web.example"}
        response = await fetch(app, "/private", headers={**origin, **headers})
        assert response.status_code == 401
        assert "access-control-allow-origin" in response.headers


async def test_middleware_of_before_knows_the_user_and_later_one_what_is_left(services):
    seen = []

    async def inner(request, response, call_next):
        seen.append(request.user.id)
        request.scope["left"] = "behind"
        return await call_next()

    async def outer(request, response, call_next):
        answer = await call_next()
        seen.append(request.scope.get("left"))
        return answer

    app = NexiosApp()
    app.get("/private")(whoami)
    app.add_middleware(inner)
    installed(services, app)
    app.add_middleware(outer)
    await fetch(app, "/private", headers=services.caller())

    assert seen == ["ann", "behind"]


async def test_a_stream_that_fails_after_its_start_is_no_refusal(services, caplog):
    async def stream(request, response):
        async def chunks():
            yield "begun"
            raise AuthError("refused after the response has begun")

        return response.stream(chunks())

    app = installed(services, NexiosApp())
    app.get("/stream")(stream)

    with pytest.raises((AuthError, ExceptionGroup)):
        await fetch(app, "/stream")


# --------------------------------------------------------------------------- install


def test_installing_twice_is_an_error(services):
    app = create_app(services)
    app.add_middleware(CORSMiddleware(CORS))
    with pytest.raises(ConfigurationError, match="once only"):
        install(app, services.backend)


def test_options_that_do_not_fit_are_errors_at_once(services):
    with pytest.raises(ConfigurationError):
        install(NexiosApp(), services.backend, public_paths=["perhaps"])


@pytest.mark.parametrize("first", [False, True])
async def test_the_handler_of_the_application_wins_whenever_it_is_added(
    services, first
):
    app = NexiosApp()
    app.get("/private")(requires()(whoami))
    if first:
        app.add_exception_handler(AuthError, example.answer)
    installed(services, app)
    if not first:
        app.add_exception_handler(AuthError, example.answer)

    assert (await fetch(app, "/private")).json() == {"own": "unauthenticated"}


async def test_a_refusal_by_the_middleware_is_its_own(services):
    app = create_app(services)
    Answers(app, AuthenticationFailed)
    response = await fetch(app, "/public", headers=bearer(services.forged_token()))

    assert_refused(
        response,
        401,
        "invalid_token",
        'Bearer error="invalid_token", error_description="The token is not valid."',
    )
