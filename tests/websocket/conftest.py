"""Real servers for the chat, each started once."""

from __future__ import annotations

import pytest

from tests.servers.running import APP, SERVERS, running

SERVING = "tests.websocket.serving:app"


def command_of(name):
    return [word.replace(APP, SERVING) for word in SERVERS[name]]


@pytest.fixture(scope="module")
def chat_server(request):
    """Run the chat on the server that the test names."""
    with running(request.param, command_of(request.param)) as server:
        yield server
