"""What every integration promises, whatever framework is underneath.

A test module makes a class of :class:`AcceptanceSuite` and names its ``create_app``::

    class TestPlain(AcceptanceSuite):
        create_app = staticmethod(create_app)

``create_app(services)`` installs the middleware with ``services.backend``,
``load_user`` and ``public_paths``, and has these routes. Each good answer is
``{"user": <sub>}``, of /public ``{"user": null}`` for the anonymous.

==========================  =====================================================
``GET /public``             anybody
``GET /private``            a known caller
``GET /admin``              the role ``admin``, which ``HIERARCHY`` gives owners too
``GET /orders``             the scope ``orders:read``, with ``wildcards="jwt"``
``GET /transfer``           scope ``orders:read`` above role ``admin``, two guards
``GET /transfer/reversed``  the same guards in the other order
``GET /crash``              a bug: raises ``ValueError``
``WS /ws``                  a known caller: ``{"user": <sub>}`` first, then echoes
``/auth``                   ``services.routes``
==========================  =====================================================

Frameworks whose applications can have exception handlers add :class:`OwnHandlers`,
and an option: ``create_app(services, own_handler=True)`` registers a handler for
``AuthError`` that answers 418 with ``{"own": error.code}``. Frameworks with guards of
ours on handlers add :class:`Uninstalled`: ``create_app(services, installed=False)``.
"""

from __future__ import annotations

import json
import logging

import anyio
import httpx2
import pytest

from asgi_auth import ConfigurationError
from tests.asgi import check_websocket, websocket_scope
from tests.integrations.services import EMAIL, PASSWORD, SUBJECT, Services, bearer

__all__ = ["AcceptanceSuite", "OwnHandlers", "Uninstalled", "assert_refused", "talk"]

UNKNOWN = "Bearer"
EXPIRED = 'Bearer error="invalid_token", error_description="The token has expired."'
INVALID = 'Bearer error="invalid_token", error_description="The token is not valid."'
REVOKED = (
    'Bearer error="invalid_token", error_description="The token has been revoked."'
)
NO_ROLE = (
    'Bearer error="insufficient_scope", '
    'error_description="The credentials do not allow this."'
)
NO_SCOPE = f'{NO_ROLE}, scope="orders:read"'
FORBIDDEN = (403, "insufficient_scope")
ANN = {"user": SUBJECT}
GUARDED = ["/private", "/admin", "/orders", "/transfer", "/transfer/reversed"]


class Suite:
    """What all suites share: the services, the application, and a quiet log."""

    @pytest.fixture(autouse=True)
    def _quiet_log(self, caplog):
        """Fail where a server's log would show an error."""
        yield
        told = [r for r in caplog.get_records("call") if r.levelno >= logging.ERROR]
        assert not told, [record.getMessage() for record in told]

    @pytest.fixture
    def services(self):
        services = Services()
        anyio.run(services.add_user)
        return services


class AcceptanceSuite(Suite):
    """The promises about requests and WebSockets."""

    @pytest.fixture
    def app(self, services):
        return self.create_app(services)

    @pytest.fixture
    async def client(self, app):
        async with client_of(app) as client:
            yield client

    # ------------------------------------------------------------------ requests

    async def test_a_public_page_knows_the_caller_if_there_is_one(
        self, client, services
    ):
        anonymous = await client.get("/public")
        known = await client.get("/public", headers=services.caller())

        assert (anonymous.status_code, anonymous.json()) == (200, {"user": None})
        assert (known.status_code, known.json()) == (200, ANN)

    @pytest.mark.parametrize("path", GUARDED)
    async def test_a_guard_challenges_the_anonymous(self, client, path):
        assert_refused(await client.get(path), 401, "unauthenticated", UNKNOWN)

    async def test_a_guard_lets_the_known_pass(self, client, services):
        response = await client.get("/private", headers=services.caller())

        assert (response.status_code, response.json()) == (200, ANN)

    @pytest.mark.parametrize("path", ["/public", "/private"])
    async def test_an_expired_token_is_refused(self, client, services, path):
        headers = bearer(services.expired_token())

        response = await client.get(path, headers=headers)

        assert_refused(response, 401, "token_expired", EXPIRED)

    @pytest.mark.parametrize("path", ["/public", "/private"])
    async def test_a_forged_token_is_refused(self, client, services, path):
        response = await client.get(path, headers=bearer(services.forged_token()))

        assert_refused(response, 401, "invalid_token", INVALID)

    async def test_a_stale_cookie_is_nobody_until_a_guard_says_why(
        self, client, services
    ):
        cookie = {"Cookie": f"access={services.expired_token()}"}

        public = await client.get("/public", headers=cookie)
        private = await client.get("/private", headers=cookie)

        assert public.json() == {"user": None}
        assert_refused(private, 401, "token_expired", EXPIRED)

    async def test_a_token_of_a_user_that_is_gone_is_refused(self, client, services):
        headers = bearer(services.token(subject="nobody"))

        response = await client.get("/private", headers=headers)

        assert_refused(response, 401, "unknown_subject", INVALID)

    async def test_a_role_is_demanded(self, client, services):
        without = await client.get("/admin", headers=services.caller("orders:read"))
        other = await client.get("/admin", headers=services.caller(roles=["clerk"]))
        assert_refused(without, 403, "insufficient_scope", NO_ROLE)
        assert_refused(other, 403, "insufficient_scope", NO_ROLE)
        for role in ("admin", "owner"):
            headers = services.caller(roles=[role])
            passed = await client.get("/admin", headers=headers)
            assert (passed.status_code, passed.json()) == (200, ANN)

    async def test_a_scope_is_demanded(self, client, services):
        without = await client.get("/orders", headers=services.caller("orders:write"))
        assert_refused(without, 403, "insufficient_scope", NO_SCOPE)
        for scope in ("orders:read", "orders:*"):
            passed = await client.get("/orders", headers=services.caller(scope))
            assert (passed.status_code, passed.json()) == (200, ANN)

    @pytest.mark.parametrize("path", ["/transfer", "/transfer/reversed"])
    async def test_no_guard_of_a_stack_is_skipped(self, client, services, path):
        async def ask(*scopes, roles=()):
            headers = services.caller(*scopes, roles=roles)
            return await client.get(path, headers=headers)

        for held in ({}, {"roles": ["admin"]}):
            refused = await ask(**held)
            assert (refused.status_code, refused.json()["code"]) == FORBIDDEN
        refused = await ask("orders:read")
        assert (refused.status_code, refused.json()["code"]) == FORBIDDEN
        assert refused.json()["roles"] == ["admin"]
        passed = await ask("orders:read", roles=["admin"])
        assert (passed.status_code, passed.json()) == (200, ANN)

    async def test_a_crash_is_no_refusal(self, app, services, caplog):
        async with client_of(app, let_out=False) as client:
            response = await client.get("/crash", headers=services.caller())
        caplog.clear()

        assert response.status_code == 500
        assert "www-authenticate" not in response.headers

    def test_one_app_serves_two_event_loops_in_turn(self, app, services):
        async def ask():
            async with client_of(app) as client:
                known = await client.get("/private", headers=services.caller())
                unknown = await client.get("/private")
            return known.status_code, unknown.status_code

        assert anyio.run(ask) == (200, 401)
        assert anyio.run(ask) == (200, 401)

    # ------------------------------------------------------- the life of a log-in

    async def test_a_session_lives_from_log_in_to_log_out(self, client):
        pair = await log_in(client)
        good = await client.get("/orders", headers=bearer(pair["access_token"]))
        assert good.json() == ANN

        renewed = await client.post(
            "/auth/refresh", json={"refresh_token": pair["refresh_token"]}
        )
        assert renewed.status_code == 200
        pair = renewed.json()
        headers = bearer(pair["access_token"])
        assert (await client.get("/orders", headers=headers)).json() == ANN

        out = await client.post(
            "/auth/logout", json={"refresh_token": pair["refresh_token"]}
        )
        assert out.status_code in {200, 204}
        response = await client.get("/private", headers=headers)
        assert_refused(response, 401, "token_revoked", REVOKED)

    async def test_a_wrong_password_opens_nothing(self, client):
        body = {"email": EMAIL, "password": "wrong-" + PASSWORD}

        response = await client.post("/auth/login", json=body)

        assert_refused(response, 401, "invalid_credentials", UNKNOWN)

    async def test_an_expired_token_in_the_header_does_not_hinder_a_refresh(
        self, client, services
    ):
        pair = await log_in(client)
        body = {"refresh_token": pair["refresh_token"]}

        renewed = await client.post(
            "/auth/refresh", json=body, headers=bearer(services.expired_token())
        )

        assert renewed.status_code == 200

    # ----------------------------------------------------------------- WebSockets

    async def test_a_socket_without_a_token_gets_an_http_answer(self, app):
        assert_denied(await talk(app), UNKNOWN)

    async def test_a_socket_with_a_bad_token_gets_an_http_answer(self, app, services):
        expired = await talk(app, query=f"token={services.expired_token()}")
        forged = await talk(app, headers=bearer(services.forged_token()))

        assert_denied(expired, EXPIRED)
        assert_denied(forged, INVALID)

    async def test_a_socket_is_closed_where_the_server_cannot_answer(self, app):
        sent = await talk(app, denial=False)

        assert [message["type"] for message in sent] == ["websocket.close"]
        assert sent[0]["code"] == 3000

    async def test_a_socket_with_a_token_in_its_header_is_served(self, app, services):
        assert_served(await talk(app, headers=services.caller()))

    async def test_a_socket_with_a_token_in_its_query_is_served(self, app, services):
        scope = websocket_scope("/ws", query=b"token=" + services.token().encode())

        assert_served(await talk(app, scope))
        # The server's access log is written from this scope.
        assert b"ey" not in scope["query_string"]

    async def test_a_token_among_the_subprotocols_is_not_echoed(self, app, services):
        sent = await talk(app, subprotocols=["bearer", services.token()])

        assert sent[0]["subprotocol"] == "bearer"
        assert_served(sent)


class OwnHandlers(Suite):
    """An application's handler for our errors wins over ours."""

    @pytest.mark.parametrize("path", GUARDED)
    async def test_the_handler_of_the_application_answers(self, services, path):
        app = self.create_app(services, own_handler=True)
        async with client_of(app) as client:
            unknown = await client.get(path)
            known = await client.get(path, headers=services.caller())

        told = {"own": "unauthenticated"}
        assert (unknown.status_code, unknown.json()) == (418, told)
        if path != "/private":
            told = {"own": "insufficient_scope"}
            assert (known.status_code, known.json()) == (418, told)


class Uninstalled(Suite):
    """A guard without the middleware lets nobody pass, and says what to do."""

    @pytest.mark.parametrize("path", GUARDED)
    async def test_a_guard_without_the_middleware_says_what_to_add(
        self, services, path, caplog
    ):
        app = self.create_app(services, installed=False)
        try:
            async with client_of(app) as client:
                response = await client.get(path, headers=services.caller())
        except ConfigurationError as error:
            told = str(error)
        else:
            # Some frameworks answer for the application, and tell its log.
            assert response.status_code == 500
            told = caplog.text

        caplog.clear()
        assert "install(app, backend)" in told


# ------------------------------------------------------------------------- driving


def client_of(app, *, let_out: bool = True) -> httpx2.AsyncClient:
    """Make a client; what the application lets out is raised, as a server sees it."""
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=let_out)
    return httpx2.AsyncClient(transport=transport, base_url="http://testserver")


async def log_in(client) -> dict[str, str]:
    body = {"email": EMAIL, "password": PASSWORD}
    response = await client.post("/auth/login", json=body)
    assert response.status_code == 200, response.text
    return response.json()


class Peer:
    """A WebSocket client that says one word once it was greeted, and then leaves."""

    def __init__(self, extensions) -> None:
        self.sent = []
        self._extensions = extensions
        self._turn = 0
        self._spoken_to = anyio.Event()

    async def receive(self):
        turn, self._turn = self._turn, self._turn + 1
        if turn == 0:
            return {"type": "websocket.connect"}

        while len(self.sent) < turn + 1 and not self.over:
            await self._spoken_to.wait()

        if self.over or turn > 1:
            return {"type": "websocket.disconnect", "code": 1000}

        return {"type": "websocket.receive", "text": "hello"}

    async def send(self, message) -> None:
        self.sent.append(dict(message))
        check_websocket([m["type"] for m in self.sent], self._extensions)
        self._spoken_to.set()
        self._spoken_to = anyio.Event()

    @property
    def over(self) -> bool:
        kind = self.sent[-1]["type"] if self.sent else ""
        return kind in {"websocket.close", "websocket.http.response.body"}


async def talk(app, scope=None, *, headers=(), query="", denial=True, subprotocols=()):
    """Open ``/ws``, say hello, leave; return what the application sent."""
    if scope is None:
        raw = [(n.lower().encode(), v.encode()) for n, v in dict(headers).items()]
        scope = websocket_scope(
            "/ws",
            query=query.encode(),
            headers=[(b"host", b"testserver"), *raw],
            subprotocols=subprotocols,
            denial=denial,
        )
    peer = Peer(scope["extensions"])
    with anyio.fail_after(10):
        await app(scope, peer.receive, peer.send)

    return peer.sent


def text_of(message) -> str:
    """Read what was sent as text or as bytes: frameworks choose."""
    return message.get("text") or message["bytes"].decode()


def assert_served(sent) -> None:
    kinds = [message["type"] for message in sent[:3]]
    assert kinds == ["websocket.accept", "websocket.send", "websocket.send"]
    assert json.loads(text_of(sent[1])) == ANN
    assert text_of(sent[2]) == "hello"


def assert_denied(sent, challenge) -> None:
    assert [message["type"] for message in sent] == [
        "websocket.http.response.start",
        "websocket.http.response.body",
    ]
    headers = {name.lower(): value for name, value in sent[0]["headers"]}
    assert sent[0]["status"] == 401
    assert headers[b"www-authenticate"].decode() == challenge
    assert headers[b"content-type"] == b"application/problem+json"


def assert_refused(response, status, code, challenge) -> None:
    assert response.status_code == status, response.text
    assert response.headers.get_list("www-authenticate") == [challenge]
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    assert response.json()["code"] == code
