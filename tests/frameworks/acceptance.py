"""What the middleware promises in every framework, in every place it can stand.

A test module makes a class of :class:`Acceptance` and gives it ``app``. Its routes:
``/whoami`` tells of the caller; ``/guarded`` and ``/orders`` are handlers under
``requires()``, the latter with the scope ``orders:read``; ``/raises/401`` and
``/raises/403`` raise an error of ours; ``/crash`` has a bug, and so has ``/caught``
once it has caught what a guard raised; ``/ws`` accepts and tells of the caller,
``/ws/guarded`` refuses before accept, ``/ws/late`` after it.
"""

from __future__ import annotations

import json

import anyio

from tests.frameworks.driving import (
    EXPIRED,
    INVALID,
    ORDERS,
    TOO_LITTLE,
    assert_refused,
    bearer,
    client_of,
    expired_token,
    fetch,
    socket_scope,
    talk,
    token_service,
    types_of,
)

NOBODY = {"subject": "", "source": None, "error": None, "user": "", "known": False}
ANN = {
    "subject": "ann",
    "source": "header",
    "error": None,
    "user": "Ann",
    "known": True,
}


class HTTPAcceptance:
    """The promises about requests."""

    # Handlers that the framework calls in a thread, or without a loop.
    guarded_paths = ("/guarded",)

    async def test_a_request_without_a_token_is_anonymous(self, app):
        assert (await fetch(app, "/whoami")).json() == NOBODY

    async def test_a_token_names_the_principal_and_loads_the_user(self, app):
        assert (await fetch(app, "/whoami", headers=bearer())).json() == ANN

    async def test_a_bad_token_never_reaches_the_framework(self, app):
        headers = {"Authorization": "Bearer a.b.c"}
        response = await fetch(app, "/whoami", headers=headers)

        assert_refused(response, 401, "invalid_token", INVALID)

    async def test_a_guard_on_a_handler_challenges_the_anonymous(self, app):
        for path in self.guarded_paths:
            response = await fetch(app, path)
            assert_refused(response, 401, "unauthenticated", "Bearer")

    async def test_a_guard_on_a_handler_lets_the_known_pass(self, app):
        for path in self.guarded_paths:
            response = await fetch(app, path, headers=bearer())
            assert response.json() == ANN

    async def test_a_guard_says_that_the_cookie_has_expired(self, app):
        cookie = {"Cookie": f"access={expired_token()}"}
        seen = (await fetch(app, "/whoami", headers=cookie)).json()
        response = await fetch(app, "/guarded", headers=cookie)

        assert seen == {**NOBODY, "error": "token_expired"}
        assert_refused(response, 401, "token_expired", EXPIRED)

    async def test_a_guard_demands_its_scope(self, app):
        without = await fetch(app, "/orders", headers=bearer("notes"))
        with_it = await fetch(app, "/orders", headers=bearer("orders:read"))

        assert_refused(without, 403, "insufficient_scope", ORDERS)
        assert with_it.status_code == 200

    async def test_an_error_raised_by_a_handler_is_a_refusal(self, app):
        unknown = await fetch(app, "/raises/401")
        known = await fetch(app, "/raises/403", headers=bearer())

        assert_refused(unknown, 401, "unauthenticated", "Bearer")
        assert_refused(known, 403, "insufficient_scope", TOO_LITTLE)

    async def test_a_crash_stays_a_crash(self, app):
        await assert_crashed(app, "/crash")

    async def test_a_crash_after_a_caught_refusal_stays_a_crash(self, app):
        await assert_crashed(app, "/caught")

    async def test_callers_at_the_same_time_are_not_mixed_up(self, app):
        seen = {}

        async def ask(name):
            response = await client.get("/whoami", headers=bearer(subject=name))
            seen[name] = response.json()["subject"]

        names = [f"user{number}" for number in range(20)]
        async with client_of(app) as client, anyio.create_task_group() as group:
            for name in names:
                group.start_soon(ask, name)

        assert seen == {name: name for name in names}

    def test_one_app_serves_two_event_loops_in_turn(self, app):
        async def ask():
            known = await fetch(app, "/guarded", headers=bearer())
            unknown = await fetch(app, "/guarded")
            return known.status_code, unknown.status_code

        assert anyio.run(ask) == (200, 401)
        assert anyio.run(ask) == (200, 401)


class SocketAcceptance:
    """The promises about WebSockets."""

    async def test_a_socket_without_a_token_is_anonymous(self, app):
        sent = await talk(app, socket_scope("/ws"))

        assert types_of(sent)[:2] == ["websocket.accept", "websocket.send"]
        assert json.loads(text_of(sent[1])) == NOBODY

    async def test_a_token_of_a_socket_names_the_caller(self, app):
        sent = await talk(app, socket_scope("/ws", bearer()))

        assert json.loads(text_of(sent[1])) == ANN

    async def test_a_token_among_the_subprotocols_is_answered_but_not_echoed(self, app):
        token = token_service().mint("ann")
        sent = await talk(app, socket_scope("/ws", subprotocols=["bearer", token]))

        assert sent[0]["subprotocol"] == "bearer"
        assert json.loads(text_of(sent[1])) == {**ANN, "source": "subprotocol"}

    async def test_a_bad_token_never_reaches_the_framework(self, app):
        headers = {"Authorization": "Bearer a.b.c"}
        sent = await talk(app, socket_scope("/ws", headers))

        assert_denied(sent, 401, INVALID)

    async def test_a_guard_before_accept_answers_like_http(self, app):
        sent = await talk(app, socket_scope("/ws/guarded"))

        assert_denied(sent, 401, "Bearer")

    async def test_a_guard_before_accept_closes_where_there_is_no_extension(self, app):
        sent = await talk(app, socket_scope("/ws/guarded", extensions={}))

        assert types_of(sent) == ["websocket.close"]
        assert sent[0]["code"] == 3000

    async def test_a_guard_lets_the_known_pass(self, app):
        sent = await talk(app, socket_scope("/ws/guarded", bearer()))

        assert json.loads(text_of(sent[1])) == ANN

    async def test_a_guard_after_accept_closes_the_socket(self, app):
        unknown = await talk(app, socket_scope("/ws/late"))
        known = await talk(app, socket_scope("/ws/late", bearer()))

        assert types_of(unknown) == ["websocket.accept", "websocket.close"]
        assert (unknown[1]["code"], unknown[1]["reason"]) == (3000, "unauthenticated")
        assert types_of(known) == ["websocket.accept", "websocket.close"]
        assert (known[1]["code"], known[1]["reason"]) == (3003, "insufficient_scope")


class AnswersLater:
    """The one difference of frameworks that forget what they make a 500 of.

    They answer once the exception is handled. Then only what a guard has recorded
    tells a refusal from a bug; their own error handlers know more.
    """

    async def test_an_error_raised_by_a_handler_is_a_refusal(self, app):
        for path in ("/raises/401", "/raises/403"):
            assert (await fetch(app, path, let_out=False)).status_code == 500

    async def test_a_crash_after_a_caught_refusal_stays_a_crash(self, app):
        response = await fetch(app, "/caught", headers=bearer(), let_out=False)

        assert response.status_code == 403


class Acceptance(HTTPAcceptance, SocketAcceptance):
    """All of it."""


async def assert_crashed(app, path):
    for headers in ({}, bearer()):
        response = await fetch(app, path, headers=headers, let_out=False)

        assert response.status_code == 500
        assert "www-authenticate" not in response.headers


def text_of(message) -> str:
    """Read what was sent as text or as bytes: frameworks choose."""
    return message.get("text") or message["bytes"].decode()


def assert_denied(sent, status, challenge):
    assert types_of(sent) == [
        "websocket.http.response.start",
        "websocket.http.response.body",
    ]
    headers = dict(sent[0]["headers"])
    assert sent[0]["status"] == status
    assert headers[b"www-authenticate"].decode() == challenge
    assert headers[b"content-type"] == b"application/problem+json"
    assert headers[b"cache-control"] == b"no-store"
