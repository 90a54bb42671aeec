"""Django and Channels: the example, views and consumers of every kind, and users."""

from __future__ import annotations

import gc
import json
import logging
import os

import anyio
import pytest

pytest.importorskip("channels", reason="platform: there is no Channels for this Python")

import django
from asgiref.sync import async_to_sync
from channels.generic.websocket import (
    AsyncJsonWebsocketConsumer,
    AsyncWebsocketConsumer,
    JsonWebsocketConsumer,
)
from channels.routing import ProtocolTypeRouter, URLRouter
from django.contrib.auth import get_user_model
from django.core.asgi import get_asgi_application
from django.core.management import call_command
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.test import AsyncRequestFactory
from django.test.utils import override_settings
from django.urls import path
from django.views import View

from asgi_auth import (
    AuthError,
    AuthorizationError,
    BackendChain,
    ConfigurationError,
    JWTBackend,
    Principal,
)
from asgi_auth.accounts.basic import BasicBackend
from asgi_auth.errors import ExpiredTokenError, UnavailableError
from asgi_auth.integrations.channels import (
    RefusalMiddleware,
    current_principal,
    current_user,
    install,
    load_user,
    optional_user,
    requires,
)
from tests.integrations.acceptance import (
    ANN,
    GUARDED,
    UNKNOWN,
    AcceptanceSuite,
    Uninstalled,
    assert_denied,
    assert_refused,
    assert_served,
    client_of,
    talk,
)
from tests.integrations.apps.channels import Chat, create_app
from tests.integrations.services import Services

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.websocket.django_settings")
django.setup()

NO_DAPHNE = "platform: there is no Daphne for this Python"


@pytest.fixture
def services():
    services = Services()
    anyio.run(services.add_user)
    return services


async def fetch(app, path, *, let_out=True, **request):
    async with client_of(app, let_out=let_out) as client:
        return await client.get(path, **request)


def errors_of(caplog):
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR]


class TestChannels(AcceptanceSuite, Uninstalled):
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


# ------------------------------------------------------------------------------ views


class urls:  # noqa: N801  (Django reads it as a module)
    """Views of every kind, as a ROOT_URLCONF."""

    @staticmethod
    @requires("orders:read")
    def sync(request):
        return JsonResponse({"user": current_user(request).id})

    @staticmethod
    @requires("orders:read")
    async def asynchronous(request):
        return JsonResponse({"user": current_principal(request).subject})

    class Methods(View):
        @requires("orders:read")
        async def get(self, request):
            return JsonResponse({"user": current_user(request).id})

    class Plain(View):
        def get(self, request):
            return JsonResponse({"user": current_user(request).id})

    @staticmethod
    def raises(request):
        raise ExpiredTokenError

    @staticmethod
    async def down(request):
        raise UnavailableError(retry_after=7)

    @staticmethod
    def stream(request):
        async def chunks():
            yield b"begun"
            raise AuthError("refused after the response has begun")

        return StreamingHttpResponse(chunks())


urls.urlpatterns = [
    path("sync", urls.sync),
    path("async", urls.asynchronous),
    path("methods", urls.Methods.as_view()),
    path("plain", requires("orders:read")(urls.Plain.as_view())),
    path("raises", urls.raises),
    path("down", urls.down),
    path("stream", urls.stream),
]

VIEWS = ["/sync", "/async", "/methods", "/plain"]


@pytest.fixture
def views(services):
    with override_settings(ROOT_URLCONF=urls):
        app = get_asgi_application()
        yield install(app, services.backend, load_user=services.load_user)


@pytest.mark.parametrize("view", VIEWS)
async def test_a_view_of_any_kind_is_guarded(views, services, view, caplog):
    good = await fetch(views, view, headers=services.caller("orders:read"))
    bad = await fetch(views, view, headers=services.caller())

    assert good.json() == ANN
    assert (bad.status_code, bad.json()["code"]) == (403, "insufficient_scope")
    assert_refused(await fetch(views, view), 401, "unauthenticated", UNKNOWN)
    assert not errors_of(caplog)


async def test_an_error_raised_by_a_view_is_a_refusal(views, caplog):
    response = await fetch(views, "/raises")
    assert (response.status_code, response.json()["code"]) == (401, "token_expired")
    assert not errors_of(caplog)

    response = await fetch(views, "/down")
    assert (response.status_code, response.headers["retry-after"]) == (503, "7")


@pytest.mark.parametrize("view", VIEWS)
async def test_without_our_django_middleware_a_refusal_is_one_all_the_same(
    services, view
):
    with override_settings(ROOT_URLCONF=urls, MIDDLEWARE=[]):
        app = install(get_asgi_application(), services.backend)
        response = await fetch(app, view)

    assert_refused(response, 401, "unauthenticated", UNKNOWN)


def test_all_challenges_are_in_one_header(services):
    basic = BasicBackend(lambda *_: None, realm="shop")
    answers = []

    async def app(scope, receive, send):
        request = AsyncRequestFactory().get("/")
        request.scope = scope
        middleware = RefusalMiddleware(lambda _: HttpResponse())
        answers.append(middleware.process_exception(request, AuthError("no")))
        answers.append(middleware.process_exception(request, ValueError("a bug")))
        raise AuthError("no")

    chain = BackendChain(JWTBackend(services.tokens), basic)
    anyio.run(fetch, install(app, chain), "/")

    refusal, bug = answers
    assert refusal["www-authenticate"].startswith("Bearer, Basic ")
    assert bug is None


# Older releases of Django leave the request's body to the collector then.
@pytest.mark.filterwarnings("ignore:Unclosed file:ResourceWarning")
async def test_a_stream_that_fails_after_its_start_is_raised(views):
    with pytest.raises(AuthError, match="has begun"):
        await fetch(views, "/stream")

    gc.collect()


async def test_channels_own_communicator_sees_the_refusal(views, services):
    testing = pytest.importorskip("channels.testing", reason=NO_DAPHNE)

    async def ask(**headers):
        raw = [(n.lower().encode(), v.encode()) for n, v in headers.items()]
        client = testing.HttpCommunicator(views, "GET", "/sync", headers=raw)
        response = await client.get_response()
        await client.wait()
        return response

    unknown = await ask()
    known = await ask(**services.caller("orders:read"))

    assert unknown["status"] == 401
    assert dict(unknown["headers"])[b"www-authenticate"] == b"Bearer"
    assert json.loads(known["body"]) == ANN


# -------------------------------------------------------------------------- consumers


@requires("orders:read")
class Sync(JsonWebsocketConsumer):
    def connect(self):
        self.accept()
        self.send_json({"user": current_user(self).id})

    def receive(self, text_data=None, bytes_data=None, **_):
        self.send(text_data)


@requires("orders:read")
class Asynchronous(AsyncJsonWebsocketConsumer):
    async def connect(self):
        await self.accept()
        await self.send_json({"user": self.scope["user"].id})

    async def receive(self, text_data=None, bytes_data=None, **_):
        await self.send(text_data)


class Heir(Asynchronous):
    """Inherits the guard too."""


class Unguarded(Chat.__bases__[0]):
    connect = Chat.connect
    receive = Chat.receive


GUARDED_CONSUMERS = {
    "sync": Sync.as_asgi(),
    "async": Asynchronous.as_asgi(),
    "inherited": Heir.as_asgi(),
    "as_asgi": requires("orders:read")(Unguarded.as_asgi()),
}


def consumers(services, consumer):
    router = ProtocolTypeRouter({"websocket": URLRouter([path("ws", consumer)])})
    return install(router, services.backend, load_user=services.load_user)


@pytest.fixture(params=GUARDED_CONSUMERS)
def consumer(request, services):
    return consumers(services, GUARDED_CONSUMERS[request.param])


async def test_a_consumer_of_any_kind_is_guarded(consumer, services, caplog):
    assert_served(await talk(consumer, headers=services.caller("orders:read")))
    assert_denied(await talk(consumer), UNKNOWN)
    sent = await talk(consumer, headers=services.caller(), denial=False)
    assert [(m["type"], m["code"]) for m in sent] == [("websocket.close", 3003)]
    assert not errors_of(caplog)


async def test_a_guarded_consumer_needs_the_middleware():
    router = URLRouter([path("ws", Asynchronous.as_asgi())])
    with pytest.raises(ConfigurationError, match=r"install\(app, backend\)"):
        await talk(router)


async def test_a_consumer_may_refuse_after_it_has_accepted(services):
    class Late(AsyncWebsocketConsumer):
        async def receive(self, text_data=None, bytes_data=None):
            raise AuthorizationError

        async def connect(self):
            await self.accept()
            await self.send("welcome")

    sent = await talk(consumers(services, Late.as_asgi()), headers=services.caller())

    kinds = [message["type"].removeprefix("websocket.") for message in sent]
    assert kinds == ["accept", "send", "close"]
    assert (sent[2]["code"], sent[2]["reason"]) == (3003, "forbidden")


async def test_a_consumer_may_ask_who_there_is(services):
    class Curious(AsyncJsonWebsocketConsumer):
        async def connect(self):
            await self.accept()
            user = optional_user(self)
            await self.send_json({"user": None if user is None else user.id})

        async def receive(self, text_data=None, bytes_data=None, **_):
            await self.send(text_data)

    app = consumers(services, Curious.as_asgi())

    assert json.loads((await talk(app))[1]["text"]) == {"user": None}
    assert_served(await talk(app, headers=services.caller()))


async def test_channels_own_communicator_opens_sockets(services):
    testing = pytest.importorskip("channels.testing", reason=NO_DAPHNE)
    app = consumers(services, GUARDED_CONSUMERS["async"])
    token = services.token("orders:read")
    known = testing.WebsocketCommunicator(app, f"/ws?token={token}")
    unknown = testing.WebsocketCommunicator(app, "/ws")

    assert (await known.connect())[0]
    assert await known.receive_json_from() == ANN
    await known.disconnect()
    assert await unknown.connect() == (False, 3000)


# ------------------------------------------------------------------------------ users


@pytest.fixture(scope="module")
def users():
    """Make Django's own tables, and three users in them."""
    call_command("migrate", verbosity=0, run_syncdb=True)
    model = get_user_model()
    model.objects.all().delete()
    return {
        name: model.objects.create(username=name, is_active=name != "gone")
        for name in ("ann", "bob", "gone")
    }


@pytest.mark.parametrize(
    "spelling", ["{}_0", " {}0", "{}0 ", "+{}0", "0{}0", "{}\u0660"]
)
def test_a_users_key_in_another_spelling_is_nobodys(users, spelling):
    model = get_user_model()
    ten = model.objects.create(pk=10, username="ten")
    try:
        subject = Principal(subject=spelling.format(1), is_authenticated=True)
        assert async_to_sync(load_user)(subject) is None
        plain = Principal(subject="10", is_authenticated=True)
        assert async_to_sync(load_user)(plain) == ten
    finally:
        ten.delete()


@pytest.mark.parametrize("subject", ["0", "ann", "", "9" * 400, "-1", "1.5"])
def test_a_subject_that_is_no_users_key_is_nobody(users, subject):
    principal = Principal(subject=subject, is_authenticated=True)

    assert async_to_sync(load_user)(principal) is None


async def test_the_user_of_django_is_loaded_for_views_and_consumers(users, services):
    class Named(AsyncWebsocketConsumer):
        async def connect(self):
            await self.accept()
            await self.send(self.scope["user"].username)

        async def receive(self, text_data=None, bytes_data=None):
            await self.send(text_data)

    async def view(scope, receive, send):
        user = current_user(scope)
        await JsonReply({"user": user.username})(send)

    sockets = URLRouter([path("ws", Named.as_asgi())])
    router = ProtocolTypeRouter({"http": view, "websocket": sockets})
    app = install(router, services.backend, load_user=load_user)

    def caller(name):
        token = services.token(subject=str(users[name].pk))
        return {"Authorization": f"Bearer {token}"}

    assert (await fetch(app, "/", headers=caller("bob"))).json() == {"user": "bob"}
    gone = await fetch(app, "/", headers=caller("gone"))
    assert (gone.status_code, gone.json()["code"]) == (401, "unknown_subject")
    sent = await talk(app, headers=caller("ann"))
    assert sent[1]["text"] == "ann"


class JsonReply:
    """The least of an ASGI response."""

    def __init__(self, value) -> None:
        self.body = json.dumps(value).encode()

    async def __call__(self, send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": self.body})


# --------------------------------------------------------------------------- install


def test_installing_twice_is_an_error(services):
    app = create_app(services)
    with pytest.raises(ConfigurationError, match="once only"):
        install(app, services.backend)
