"""WebSockets on every server: uvicorn's three ways, hypercorn, granian.

All of them have the ``websocket.http.response`` extension, so that a refused
handshake is answered like a request; what happens without it is told by
``tests/frameworks/test_plain.py``.
"""

from __future__ import annotations

import json

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from asgi_auth._encoding import b64url_encode
from tests.servers.application import expired_token, forged_token
from tests.servers.test_http import BAD_TOKENS, EXPIRED, INVALID, TOO_LITTLE

KUBERNETES = "base64url.bearer.authorization."


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def kubernetes(token: str, suffix: str = "") -> str:
    return f"{KUBERNETES}{suffix}{b64url_encode(token.encode()).decode()}"


def assert_refused(refused, status, code, challenges):
    response = refused.value.response
    assert response.status_code == status
    assert response.headers.get_all("www-authenticate") == challenges
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    assert json.loads(response.body)["code"] == code


def test_a_socket_without_a_token_is_anonymous(greeting):
    seen = greeting()

    assert (seen["subject"], seen["source"], seen["error"]) == ("", None, None)


def test_a_good_token_in_the_header_names_the_caller(greeting, token):
    seen = greeting(additional_headers=bearer(token))

    assert (seen["subject"], seen["source"]) == ("ann", "header")


def test_a_good_token_in_the_query_names_the_caller_and_stays_hidden(greeting, token):
    seen = greeting(f"/ws?token={token}&room=7")

    assert (seen["subject"], seen["source"]) == ("ann", "query")
    assert seen["query"] == "token=&room=7"


def test_a_good_token_in_a_cookie_names_the_caller_of_the_own_page(
    greeting, server, token
):
    seen = greeting(
        additional_headers={"Cookie": f"access={token}"},
        origin=f"http://127.0.0.1:{server.port}",
    )

    assert (seen["subject"], seen["source"]) == ("ann", "cookie")


@pytest.mark.parametrize("origin", [None, "null", "https://evil.example"])
def test_a_cookie_of_a_foreign_page_is_refused(socket_to, token, origin):
    with pytest.raises(InvalidStatus) as refused:
        socket_to(
            "/ws", additional_headers={"Cookie": f"access={token}"}, origin=origin
        )

    assert_refused(refused, 403, "cross_origin", [])


def test_the_bearer_pair_names_the_caller_and_is_answered_without_the_token(
    greeting, token
):
    seen = greeting(subprotocols=["bearer", token])

    assert (seen["subject"], seen["source"]) == ("ann", "subprotocol")
    assert seen["subprotocol"] == "bearer"
    assert seen["subprotocols"] == []


@pytest.mark.parametrize("suffix", ["", "k8s.io."])
def test_the_kubernetes_form_names_the_caller_and_the_other_protocol_is_answered(
    greeting, token, suffix
):
    seen = greeting(subprotocols=[kubernetes(token, suffix), "chat.v1", "chat.v2"])

    assert (seen["subject"], seen["source"]) == ("ann", "subprotocol")
    assert seen["subprotocol"] == "chat.v1"
    assert seen["subprotocols"] == ["chat.v1", "chat.v2"]


def test_the_kubernetes_form_alone_is_a_bad_request(socket_to, token):
    with pytest.raises(InvalidStatus) as refused:
        socket_to("/ws", subprotocols=[kubernetes(token)])

    assert refused.value.response.status_code == 400
    assert token.encode() not in refused.value.response.body


@pytest.mark.parametrize("kind", BAD_TOKENS)
@pytest.mark.parametrize("place", ["header", "query", "pair", "kubernetes"])
def test_a_bad_token_is_refused_before_the_socket_opens(socket_to, kind, place):
    make, challenge, code = BAD_TOKENS[kind]
    bad = make()
    options = {
        "header": {"additional_headers": bearer(bad)},
        "query": {},
        "pair": {"subprotocols": ["bearer", bad]},
        "kubernetes": {"subprotocols": [kubernetes(bad), "chat"]},
    }
    path = f"/ws?token={bad}" if place == "query" else "/ws"

    with pytest.raises(InvalidStatus) as refused:
        socket_to(path, **options[place])

    assert_refused(refused, 401, code, [challenge])


def test_a_guard_refuses_before_the_socket_opens(socket_to, token):
    with pytest.raises(InvalidStatus) as unknown:
        socket_to("/ws-guarded")
    with pytest.raises(InvalidStatus) as known:
        socket_to("/ws-guarded/orders", additional_headers=bearer(token))

    challenge = f'{TOO_LITTLE}, scope="orders:read"'
    assert_refused(unknown, 401, "unauthenticated", ["Bearer"])
    assert_refused(known, 403, "insufficient_scope", [challenge])


def test_an_error_that_the_app_raises_before_accept_is_a_refusal(socket_to):
    with pytest.raises(InvalidStatus) as unknown:
        socket_to("/ws-refuse/401")
    with pytest.raises(InvalidStatus) as known:
        socket_to("/ws-refuse/403")

    assert_refused(unknown, 401, "unauthenticated", ["Bearer"])
    assert_refused(known, 403, "insufficient_scope", [TOO_LITTLE])


@pytest.mark.parametrize(
    ("status", "close_code", "reason"),
    [(401, 3000, "unauthenticated"), (403, 3003, "insufficient_scope")],
)
def test_an_error_that_the_app_raises_after_accept_closes_the_socket(
    socket_to, status, close_code, reason
):
    with socket_to(f"/ws-refuse-after-accept/{status}") as socket:
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=20)

        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (
            close_code,
            reason,
        )


def test_an_error_that_the_app_raises_after_the_client_has_gone_is_quiet(
    socket_to, server, client
):
    before = server.log().count("Traceback")
    with socket_to("/ws-refuse-after-disconnect") as socket:
        socket.recv(timeout=20)

    assert client.get("/whoami").status_code == 200
    assert server.log().count("Traceback") == before


def test_a_crash_after_accept_stays_a_crash(socket_to, client):
    with socket_to("/ws-crash") as socket:
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=20)

        received = closed.value.rcvd
        assert received is None or received.code in {1005, 1011}

    assert client.get("/whoami").status_code == 200


def test_a_crash_before_accept_stays_a_crash(socket_to, client):
    with pytest.raises(InvalidStatus) as crashed:
        socket_to("/ws-crash-before-accept")

    response = crashed.value.response
    assert response.status_code in {403, 500}
    assert "www-authenticate" not in response.headers
    assert client.get("/whoami").status_code == 200


def test_two_tokens_are_a_bad_request(socket_to, token):
    with pytest.raises(InvalidStatus) as refused:
        socket_to(f"/ws?token={token}", additional_headers=bearer(token))

    assert refused.value.response.status_code == 400


def test_a_bad_cookie_is_anonymous_and_a_guard_says_why(greeting, socket_to, server):
    options = {
        "additional_headers": {"Cookie": f"access={expired_token()}"},
        "origin": f"http://127.0.0.1:{server.port}",
    }
    assert greeting(**options)["error"] == "token_expired"

    with pytest.raises(InvalidStatus) as refused:
        socket_to("/ws-guarded", **options)

    assert_refused(refused, 401, "token_expired", [EXPIRED])


def test_a_forged_token_is_not_rescued_by_a_good_cookie(socket_to, server, token):
    headers = {"Cookie": f"access={token}", **bearer(forged_token())}
    with pytest.raises(InvalidStatus) as refused:
        socket_to("/ws", additional_headers=headers)

    assert_refused(refused, 401, "invalid_token", [INVALID])
