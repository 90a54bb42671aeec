"""No log of a server holds a token."""

from __future__ import annotations

import pytest
from websockets.exceptions import InvalidStatus

from tests.servers.application import token_service

PREFLIGHT = {"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}


@pytest.fixture
def own_token():
    """Sign a token that no other test sends: the log is searched for it."""
    return token_service().mint("log")


def test_the_log_names_the_request_but_not_its_query_token(client, server, own_token):
    client.get("/guarded", params={"access_token": own_token, "mark": "http-good"})
    client.get("/guarded", params={"access_token": own_token + "x"})
    client.options("/guarded", params={"access_token": own_token}, headers=PREFLIGHT)
    client.get("/handler-refuses/403", params={"access_token": own_token})

    log = server.log_with("GET /handler-refuses/403")
    assert own_token not in log
    if server.name.startswith("uvicorn"):
        assert "GET /guarded?access_token=&mark=http-good" in log
        assert "OPTIONS /guarded?access_token= " in log


def test_the_log_names_the_socket_but_not_its_query_token(
    client, server, socket_to, own_token
):
    with socket_to(f"/ws?token={own_token}&mark=ws-good") as socket:
        socket.recv(timeout=20)
    with pytest.raises(InvalidStatus):
        socket_to(f"/ws?token={own_token}x&mark=ws-bad")
    with pytest.raises(InvalidStatus):
        socket_to("/ws", subprotocols=["bearer", own_token + "x"])

    client.get("/whoami", params={"mark": "last"})
    log = server.log_with("/whoami")
    assert own_token not in log
    if server.name.startswith("uvicorn"):
        assert '"WebSocket /ws?token=&mark=ws-good" [accepted]' in log
        assert '"WebSocket /ws?token=&mark=ws-bad" 401' in log
