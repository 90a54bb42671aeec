"""The example in Django, with Channels for its WebSockets."""

from __future__ import annotations

import json

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.http import JsonResponse
from django.urls import path, re_path

from asgi_auth.integrations.channels import (
    current_user,
    install,
    optional_user,
    requires,
)
from tests.integrations.services import HIERARCHY

reader, admin = requires("orders:read"), requires(roles="admin")


def public(request):
    user = optional_user(request)
    return JsonResponse({"user": None if user is None else user.id})


async def whoami(request):
    return JsonResponse({"user": current_user(request).id})


def in_a_thread(request):
    return JsonResponse({"user": current_user(request).id})


async def crash(request):
    raise ValueError("a bug of the application")


@requires()
class Chat(AsyncWebsocketConsumer):
    async def connect(self):
        await self.accept()
        await self.send(json.dumps({"user": self.scope["user"].id}))

    async def receive(self, text_data=None, bytes_data=None):
        await self.send(text_data)


urlpatterns = [
    path("public", public),
    path("private", requires()(whoami)),
    path("admin", requires(roles="admin", hierarchy=HIERARCHY)(whoami)),
    path("orders", requires("orders:read", wildcards="jwt")(in_a_thread)),
    path("transfer", reader(admin(whoami))),
    path("transfer/reversed", admin(reader(whoami))),
    path("crash", crash),
]


def create_app(services, *, installed=True):
    http = URLRouter(
        [re_path("^auth/", services.routes), re_path("", get_asgi_application())]
    )
    sockets = URLRouter([path("ws", Chat.as_asgi())])
    app = ProtocolTypeRouter({"http": http, "websocket": sockets})
    if not installed:
        return app

    return install(
        app,
        services.backend,
        load_user=services.load_user,
        public_paths=services.public_paths,
    )
