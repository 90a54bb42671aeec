"""Django without Channels: views, its decorators, REST framework and Ninja."""

from __future__ import annotations

import copy
import logging
import os
import subprocess
import sys

import django
import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.decorators import login_required, permission_required
from django.core.asgi import get_asgi_application
from django.core.management import call_command
from django.http import JsonResponse
from django.test.utils import override_settings
from django.urls import path
from django.views import View

from asgi_auth import (
    BackendChain,
    BearerHeader,
    ConfigurationError,
    Cookie,
    ExpiredTokenError,
    JWTBackend,
    Principal,
)
from asgi_auth.integrations import channels as channels_adapter
from asgi_auth.integrations import django as django_adapter
from asgi_auth.integrations.django import (
    current_principal,
    current_user,
    install,
    load_user,
    optional_user,
    requires,
)
from tests import forge
from tests.asgi import bearer, cookie, run
from tests.integrations.acceptance import client_of

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.websocket.django_settings")
django.setup()

from ninja import NinjaAPI  # noqa: E402  (Django must be set up)
from rest_framework.authentication import SessionAuthentication  # noqa: E402
from rest_framework.decorators import (  # noqa: E402
    api_view,
    authentication_classes,
    permission_classes,
)
from rest_framework.permissions import (  # noqa: E402
    AllowAny,
    IsAdminUser,
    IsAuthenticated,
)
from rest_framework.renderers import JSONRenderer  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.throttling import UserRateThrottle  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

from asgi_auth.integrations._django import CallerUser  # noqa: E402
from asgi_auth.integrations.django_rest import PrincipalAuthentication  # noqa: E402

OURS = "asgi_auth.integrations.django"
DJANGO = "django.contrib"
MIDDLEWARE = [
    f"{OURS}.RefusalMiddleware",
    f"{DJANGO}.sessions.middleware.SessionMiddleware",
    f"{DJANGO}.auth.middleware.AuthenticationMiddleware",
    f"{OURS}.UserMiddleware",
]
A, B = bearer(forge.token(sub="1", scope="a")), bearer(forge.token(sub="1", scope="b"))
GONE = bearer(forge.token(sub="99", scope="a"))
EXPIRED = cookie(forge.token(sub="1", exp=forge.NOW - 1))

api = NinjaAPI(auth=current_principal, urls_namespace="asgi_auth")


@api.get("/me")
def ninja_me(request):
    return {"user": request.auth.subject}


@api.get("/later")
@requires("a")
async def ninja_later(request):
    return {"user": request.auth.subject}


class Rest(APIView):
    authentication_classes = (PrincipalAuthentication,)
    permission_classes = (IsAuthenticated,)
    renderer_classes = (JSONRenderer,)

    def get(self, request):
        return Response({"user": request.user.username, "by": request.auth.subject})

    @requires("a")
    def post(self, request):
        return Response({"user": request.user.username})


class Twice(UserRateThrottle):
    rate = "2/min"


class Asking(APIView):
    """Asks the user whatever REST framework does."""

    authentication_classes = (PrincipalAuthentication,)
    renderer_classes = (JSONRenderer,)

    def get(self, request):
        user = request.user
        perms = (
            user.has_perm("a.b"),
            user.has_perms(["a"]),
            user.has_module_perms("a"),
        )
        told = [user.subject, user.get_username(), user == request.auth, *perms]
        return Response({"told": told, "same": {user} == {copy.copy(user)}})


class urls:  # noqa: N801  (Django reads it as a module)
    @staticmethod
    @login_required(login_url="/log-in")
    def sync(request):
        return JsonResponse({"user": request.user.username})

    @staticmethod
    @login_required(login_url="/log-in")
    async def asynchronous(request):
        return JsonResponse({"user": (await request.auser()).username})

    @staticmethod
    @permission_required("auth.add_user", raise_exception=True)
    def permission(request):
        return JsonResponse({})

    @staticmethod
    @requires("a")
    def guarded(request):
        return JsonResponse({"user": current_user(request).username})

    class Methods(View):
        @requires("a")
        async def get(self, request):
            return JsonResponse({"user": current_user(request).username})

    @staticmethod
    def optional(request):
        user = optional_user(request)
        return JsonResponse({"user": user and user.username})

    @staticmethod
    def plain(request):
        return JsonResponse({"user": str(request.user)})

    @staticmethod
    def raises(request):
        raise ExpiredTokenError

    @staticmethod
    @api_view(["GET"])
    @authentication_classes([PrincipalAuthentication])
    @permission_classes([AllowAny])
    @requires("a")
    def rest_function(request):
        return JsonResponse({"user": request.user.username})


urls.urlpatterns = [
    path("sync", urls.sync),
    path("async", urls.asynchronous),
    path("permission", urls.permission),
    path("guarded", urls.guarded),
    path("methods", urls.Methods.as_view()),
    path("optional", urls.optional),
    path("plain", urls.plain),
    path("raises", urls.raises),
    path("rest", Rest.as_view()),
    path("rest-function", urls.rest_function),
    path("asking", Asking.as_view(permission_classes=[IsAuthenticated])),
    path("staff", Asking.as_view(permission_classes=[IsAdminUser])),
    path("throttled", Asking.as_view(throttle_classes=[Twice])),
    path(
        "session",
        Asking.as_view(
            authentication_classes=[SessionAuthentication],
            permission_classes=[IsAuthenticated],
        ),
    ),
    path("ninja/", api.urls),
]


@pytest.fixture(scope="module", autouse=True)
def ann():
    """Make the one user, whose primary key is 1."""
    call_command("migrate", verbosity=0, run_syncdb=True)
    users = get_user_model().objects
    users.all().delete()
    yield users.create(pk=1, username="ann")
    users.all().delete()


@pytest.fixture
def backend():
    return JWTBackend(forge.verifier(), sources=[BearerHeader(), Cookie("access")])


@pytest.fixture
def app(backend):
    with override_settings(
        ROOT_URLCONF=urls,
        MIDDLEWARE=MIDDLEWARE,
        SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    ):
        yield install(get_asgi_application(), backend, load_user=load_user)


async def ask(app, path, *, method="GET", headers=()):
    async with client_of(app) as client:
        return await client.request(method, path, headers=[*headers])


@pytest.mark.parametrize("view", ["/sync", "/async"])
async def test_login_required_knows_the_caller(app, view):
    assert (await ask(app, view, headers=[A])).json() == {"user": "ann"}
    answer = await ask(app, view)
    assert (answer.status_code, answer.headers.get("location")) == (
        302,
        f"/log-in?next={view}",
    )


async def test_permissions_are_those_of_the_user(app):
    assert (await ask(app, "/permission", headers=[A])).status_code == 403


@pytest.mark.parametrize("view", ["/guarded", "/methods", "/rest-function"])
async def test_views_are_guarded(app, view, caplog):
    assert (await ask(app, view, headers=[A])).json() == {"user": "ann"}
    denied = await ask(app, view, headers=[B])
    assert (denied.status_code, denied.json()["code"]) == (403, "insufficient_scope")
    unknown = await ask(app, view)
    assert (unknown.status_code, unknown.headers.get("www-authenticate")) == (
        401,
        "Bearer",
    )
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR]


async def test_a_refusal_that_a_view_raises_is_no_crash(app, caplog):
    answer = await ask(app, "/raises")
    assert (answer.status_code, answer.json()["code"]) == (401, "token_expired")
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR]


async def test_a_caller_may_be_unknown(app):
    assert (await ask(app, "/optional")).json() == {"user": None}
    assert (await ask(app, "/optional", headers=[A])).json() == {"user": "ann"}
    assert (await ask(app, "/plain")).json() == {"user": "AnonymousUser"}
    assert (await ask(app, "/plain", headers=[EXPIRED])).status_code == 200


async def test_a_user_that_is_gone_is_refused(app):
    assert (await ask(app, "/plain", headers=[GONE])).status_code == 401


@pytest.mark.parametrize("sessions", [True, False])
async def test_the_user_of_a_session_stays_where_no_credential_came(
    backend, sessions, ann
):
    """Have another middleware say whom the session knows."""
    middleware = [MIDDLEWARE[0], f"{__name__}.Session", MIDDLEWARE[3]]
    if not sessions:
        del middleware[1]

    with override_settings(ROOT_URLCONF=urls, MIDDLEWARE=middleware):
        app = install(get_asgi_application(), backend, load_user=load_user)
        known = (await ask(app, "/plain", headers=[A])).json()
        unknown = (await ask(app, "/plain")).json()

    assert known == {"user": "ann"}
    assert unknown == {"user": "of the session" if sessions else "AnonymousUser"}


def Session(get_response):  # noqa: N802  (Django takes it for a class)
    from asgiref.sync import iscoroutinefunction

    assert iscoroutinefunction(get_response) is False

    def middleware(request):
        request.user = "of the session"
        return get_response(request)

    return middleware


async def test_without_a_loader_the_user_is_the_principal(backend):
    with override_settings(ROOT_URLCONF=urls, MIDDLEWARE=MIDDLEWARE[-1:]):
        app = install(get_asgi_application(), backend)
        assert (await ask(app, "/sync", headers=[A])).json() == {"user": "1"}
        assert (await ask(app, "/async", headers=[A])).json() == {"user": "1"}


async def test_a_principal_is_all_that_rest_framework_asks_of_users(backend):
    with override_settings(ROOT_URLCONF=urls, MIDDLEWARE=MIDDLEWARE[-1:]):
        app = install(get_asgi_application(), backend)
        known = await ask(app, "/asking", headers=[A])
        told = ["1", "1", True, False, False, False]
        assert known.json() == {"told": told, "same": True}
        assert (await ask(app, "/staff", headers=[A])).status_code == 403
        assert (await ask(app, "/permission", headers=[A])).status_code == 403
        assert (await ask(app, "/session")).status_code == 403
        answers = [await ask(app, "/throttled", headers=[A]) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]


async def test_throttles_tell_the_subjects_of_two_issuers_apart():
    theirs = CallerUser(Principal("1", issuer="https://b.example"))
    mine = CallerUser(Principal("1", issuer="https://a.example"))
    assert mine.pk != theirs.pk
    assert mine != theirs
    assert not await mine.ahas_perm("a.b")
    assert not await mine.ahas_perms(["a.b"])
    with pytest.raises(AttributeError):
        mine.id  # noqa: B018  (It is the key of no row.)


# ---------------------------------------------------------------- packages of Django's


async def test_rest_framework_knows_the_caller(app):
    answer = await ask(app, "/rest", headers=[A])
    assert answer.json() == {"user": "ann", "by": "1"}


async def test_rest_framework_answers_an_unknown_caller_with_a_challenge(app):
    answer = await ask(app, "/rest")
    assert (answer.status_code, answer.headers.get("www-authenticate")) == (
        401,
        "Bearer",
    )
    answer = await ask(app, "/rest", headers=[EXPIRED])
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers.get("www-authenticate")


async def test_a_guard_on_a_method_of_rest_framework_refuses(app, caplog):
    answer = await ask(app, "/rest", method="POST", headers=[B])
    assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")
    answer = await ask(app, "/rest", method="POST", headers=[A])
    assert answer.json() == {"user": "ann"}
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR]


async def test_ninja_knows_the_caller(app, caplog):
    assert (await ask(app, "/ninja/me", headers=[A])).json() == {"user": "1"}
    assert (await ask(app, "/ninja/later", headers=[A])).json() == {"user": "1"}
    assert (await ask(app, "/ninja/later", headers=[B])).status_code == 403
    unknown = await ask(app, "/ninja/me")
    assert (unknown.status_code, unknown.headers.get("www-authenticate")) == (
        401,
        "Bearer",
    )
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR]


# --------------------------------------------------------------------------- mistakes


def test_the_middleware_is_installed_once(app, backend):
    with pytest.raises(ConfigurationError, match="once only"):
        install(app, backend)


def test_a_class_is_not_guarded_as_a_whole():
    with pytest.raises(ConfigurationError, match="as_view"):
        requires("a")(Rest)


async def test_past_the_middleware_nobody_gets_a_user(app, caplog):
    answer = await ask(get_asgi_application(), "/plain")
    assert answer.status_code == 500
    assert "install(app, backend)" in caplog.text
    caplog.clear()


def test_by_wsgi_nobody_gets_a_user(app):
    from django.test import Client

    with pytest.raises(ConfigurationError, match="ASGI"):
        Client().get("/plain")


async def test_users_of_several_issuers_need_a_loader_that_tells_them_apart(backend):
    other = JWTBackend(forge.verifier(issuer="https://b.example"), name="b")
    with pytest.raises(ConfigurationError, match="issuer_aware"):
        install(
            get_asgi_application(), BackendChain(backend, other), load_user=load_user
        )


@pytest.mark.parametrize("module", ["django", "channels"])
def test_nothing_of_channels_is_needed(module):
    code = (
        "import sys; sys.modules['channels'] = None; "
        f"from asgi_auth.integrations.{module} import install, load_user, "
        "RefusalMiddleware, requires"
    )
    environ = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.websocket.django_settings",
    }
    subprocess.run([sys.executable, "-c", code], check=True, env=environ)


# ------------------------------------------------------------------------------- CORS

ORIGIN = (b"origin", b"https://web.example")
PREFLIGHT = [ORIGIN, (b"access-control-request-method", b"GET")]
ALLOWED = "access-control-allow-origin"
CORS = "corsheaders.middleware.CorsMiddleware"


@pytest.mark.parametrize("adapter", [django_adapter, channels_adapter])
@pytest.mark.parametrize("required", [True, False])
async def test_a_refusal_has_the_headers_of_cors(backend, adapter, required):
    forged = bearer(forge.token(sub="1") + b"x")
    with override_settings(
        ROOT_URLCONF=urls,
        MIDDLEWARE=[CORS, *MIDDLEWARE],
        SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
        CORS_ALLOWED_ORIGINS=["https://web.example"],
    ):
        app = adapter.install(get_asgi_application(), backend, required=required)
        for headers in ([], [forged]):
            response = await ask(app, "/guarded", headers=[ORIGIN, *headers])
            assert response.status_code == 401
            assert response.headers["content-type"] == "application/problem+json"
            assert response.headers.get_list(ALLOWED) == ["https://web.example"]

        answer = await ask(app, "/guarded", method="OPTIONS", headers=PREFLIGHT)
        assert answer.status_code == (204 if required else 200)
        assert "authorization" in answer.headers["access-control-allow-headers"]
        evil = [(b"origin", b"https://evil.example"), forged]
        foreign = await ask(app, "/guarded", headers=evil)
        assert (foreign.status_code, foreign.headers.get(ALLOWED)) == (401, None)


@pytest.mark.parametrize("query", [b"", b"\xff"])
async def test_a_refusal_without_cors_is_one(app, query):
    headers = [ORIGIN, bearer(b"a.b.c")]
    assert (await run(app, "/guarded", headers=headers, query=query)).status == 401
